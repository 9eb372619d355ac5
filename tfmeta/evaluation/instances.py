"""Accuracy at the first, second, ... example of a class, each before its label."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.episodes import Episodes
from tfmeta.episodes.instance_sequences import InstanceSequences
from tfmeta.evaluation.checks import (
    UnansweredQueries,
    check_learner_is_finite,
    check_num_episodes,
    check_unseen,
)
from tfmeta.evaluation.encoding_plan import EncodingPlan
from tfmeta.evaluation.evaluate import evaluation_protocol
from tfmeta.evaluation.instances_result import InstancesResult
from tfmeta.evaluation.participants import all_participants
from tfmeta.evaluation.pretraining import Pretraining
from tfmeta.evaluation.progress import Progress
from tfmeta.learners import FewShotLearner
from tfmeta.learners.form_checks import check_takes_sequences

# Numbers in the sequences that are classified at once, or in what a learner knows of
# them at the end: of most a batch of tasks, of those that keep weights of every example
# one task.
_MOST_NUMBERS = 2**23

# Ways answered, -1 for none, and whether what came is an answer, `(tasks, steps)` each;
# whether some way was answered for of which nothing was told.
_Answers = tuple[np.ndarray, np.ndarray, bool]


def evaluate_instances(
    learner: FewShotLearner,
    episodes: Episodes,
    *,
    num_episodes: int = 1000,
    seen_classes: Iterable[str] | None,
    cache_dir: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> InstancesResult:
    """Measures how well a learner knows a class the 1st, 2nd, ... time that it comes.

    The protocol of Santoro, Bartunov, Botvinick, Wierstra and Lillicrap (2016),
    *Meta-Learning with Memory-Augmented Neural Networks*: the examples of a task come
    one after the other in random order, and each is classified before its label is
    told. Whatever the learner, see `FewShotLearner.sequence_logits`.

    What is no answer is wrong: a learner that knows of no class but by its examples has
    logits of `-inf` for the others, and its first instance of a class is always wrong.
    One that guesses there may be above chance, as labels that are taken are ruled out.

    A learner that takes steps on its support takes them before every example: a
    sequence is then as many tasks as it has examples.

    Args:
        learner: The learner, of classification.
        episodes: Where the sequences come from, see `InstanceSequences`: `shots` and
            `queries` together are the instances of a class.
        num_episodes: Number of sequences, at least 600.
        seen_classes: Origins (`ClassTable.origins`) of every class that training and
            validation saw. No figure is reported when it is `None`, or has one of the
            test classes.
        cache_dir: As of `evaluate`.
        on_progress: Called with the number of pieces of work done, and of all.

    Returns:
        The result.

    Raises:
        ValueError: When test classes were seen or it is not known, when there are too
            few episodes, or they or the learner are not of this kind.

    Example:

    ```python
    test = Episodes(test_table, ways=5, shots=1, queries=9, tasks=10)
    print(evaluate_instances(learner, test, seen_classes=seen))
    ```
    """
    check_num_episodes(num_episodes)
    check_takes_sequences(learner)
    sequences = InstanceSequences(episodes)
    check_ways(learner, episodes.ways)
    check_unseen(episodes, seen_classes)
    check_learner_is_finite(learner)
    plan = EncodingPlan.of(
        learner, episodes, num_episodes=num_episodes, cache_dir=cache_dir
    )
    steps = -(-num_episodes // episodes.tasks)
    progress = Progress(on_progress, steps + plan.work)
    encoded = plan.encoded(progress)
    if encoded.examples is not None:
        sequences = InstanceSequences(episodes.with_examples(encoded.examples))
    answer = _answers_of(plan.learner, embedded=encoded.embeddings is not None)
    unanswered = UnansweredQueries(learner)
    right, guesses = [], False
    for examples, labels in sequences.as_dataset(steps=steps):
        answered, sound, guessed = answer(examples, labels)
        unanswered.add(np.where(sound, 0, -1))
        right.append(_right_by_instance(answered, labels.numpy(), sequences.instances))
        guesses |= guessed
        progress.step()
    unanswered.check()
    return InstancesResult(
        protocol=instances_protocol(episodes, num_episodes),
        right=np.concatenate(right)[:num_episodes],
        guesses=guesses,
        class_names=episodes.table.class_names,
        class_clusters=episodes.table.origins,
        episode_classes=all_participants(episodes, num_episodes),
        pretraining=Pretraining.of(learner, [episodes.table]),
    )


def check_ways(learner: FewShotLearner, ways: int) -> None:
    """Refuses tasks of a number of ways that a learner does not take.

    Raises:
        ValueError: When it was made for another.
    """
    if learner.fixed_ways not in (None, ways):
        raise ValueError(
            f"`ways` must be {learner.fixed_ways}, those that this "
            f"{type(learner).__name__} was made for. Received: ways={ways}"
        )


def instances_protocol(episodes: Episodes, num_episodes: int) -> dict[str, Any]:
    """What fixes a figure, in plain values: the data and the sequences."""
    described = evaluation_protocol(episodes, num_episodes)
    shots, queries = described.pop("shots"), described.pop("queries")
    return {**described, "instances": shots + queries}


def _answers_of(
    learner: FewShotLearner, *, embedded: bool
) -> Callable[[tf.Tensor, tf.Tensor], _Answers]:
    logits_of = (
        learner.embedded_sequence_logits if embedded else learner.sequence_logits
    )

    @tf.function(reduce_retracing=True, autograph=False)
    def answer(
        examples: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        logits = logits_of(examples, labels)
        told = tf.cumsum(labels, axis=1, exclusive=True) > 0
        finite = tf.math.is_finite(logits)
        absent = tf.logical_not(told) & tf.math.is_inf(logits) & (logits < 0)
        largest = tf.argmax(logits, axis=-1, output_type=tf.int32)
        return (
            tf.where(tf.reduce_any(finite, axis=-1), largest, -1),
            tf.reduce_all(finite | absent, axis=-1),
            tf.reduce_any(finite & tf.logical_not(told)),
        )

    @functools.cache
    def numbers_of_state(steps: int, ways: int) -> int:
        parts = learner.state_spec(ways).values()
        # What is not known depends on the number of examples.
        return sum(math.prod(size or steps for size in part.shape) for part in parts)

    def answer_few_by_few(examples: tf.Tensor, labels: tf.Tensor) -> _Answers:
        tasks, steps, ways = labels.shape
        size = max(math.prod(examples.shape[1:]), numbers_of_state(steps, ways))
        at_once = max(1, _MOST_NUMBERS // size)
        parts = [
            answer(examples[first : first + at_once], labels[first : first + at_once])
            for first in range(0, tasks, at_once)
        ]
        answered, sound, guessed = zip(*parts, strict=True)
        return np.concatenate(answered), np.concatenate(sound), bool(np.any(guessed))

    return answer_few_by_few


def _right_by_instance(
    answered: np.ndarray, labels: np.ndarray, instances: int
) -> np.ndarray:
    """Int32 `(tasks, instances)`: right answers among the ways, by instance."""
    way = labels.argmax(axis=-1)
    before = np.cumsum(labels, axis=1) - 1
    instance = np.take_along_axis(before, way[..., None], axis=-1)[..., 0].astype(int)
    right = np.zeros((len(labels), instances), np.int32)
    task, step = np.nonzero(answered == way)
    np.add.at(right, (task, instance[task, step]), 1)
    return right
