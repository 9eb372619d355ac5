"""The meta-test protocol: fixed episodes of classes that training never saw."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes
from tfmeta.evaluation.auroc import auroc
from tfmeta.evaluation.result import EvaluationResult
from tfmeta.learners import FewShotLearner, MetricLearner

LEAST_EPISODES = 600
_ENCODER_BATCH = 512


def evaluate(
    learner: FewShotLearner,
    episodes: Episodes,
    *,
    num_episodes: int = 1000,
    seen_classes: Iterable[str] | None,
    encode_once: bool | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> EvaluationResult:
    """Measures a learner on fixed episodes.

    Args:
        learner: The learner.
        episodes: Where the test episodes come from; its seed fixes them.
        num_episodes: Number of episodes, at least 600.
        seen_classes: Origins (`ClassTable.origins`) of every class that
            training and validation saw. No figure is reported when it is
            `None` or shares a class with the episodes.
        encode_once: Whether to encode each picture once and let the episodes
            index into the embeddings, the same figure within rounding. Only for
            a `MetricLearner`, on episodes without augmentation and unlabelled
            examples. By default where it is less work.
        on_progress: Called with the number of pieces of work done, and of all.

    Returns:
        The result, with per-episode and per-class figures; for episodes of two
        ways with the area under the ROC curve of each.

    Raises:
        ValueError: When test classes were seen or it is not known, when there
            are too few episodes, or when `encode_once` cannot be done.

    Example:

    ```python
    test = Episodes(load("glyphs", split="test"), ways=5, tasks=16)
    seen = {*train_table.origins, *validation_table.origins}
    print(evaluate(learner, test, seen_classes=seen))
    ```
    """
    if num_episodes < LEAST_EPISODES:
        raise ValueError(
            f"`num_episodes` must be at least {LEAST_EPISODES}, fewer make no figure. "
            f"Received: num_episodes={num_episodes}"
        )
    _check_unseen(episodes, seen_classes)
    # What a learner does with unlabelled examples is its own affair.
    plain = not episodes.augmented and not episodes.unlabelled
    can_encode_once = isinstance(learner, MetricLearner) and plain
    if encode_once and not can_encode_once:
        received = ", ".join(f"{k}={v}" for k, v in episodes.describe().items())
        raise ValueError(
            "`encode_once=True` needs a learner whose embeddings do not depend on the "
            "episode, and episodes without augmentation and unlabelled examples. "
            f"Received: {type(learner).__name__}, episodes with {received}"
        )
    rows = num_episodes * episodes.ways * (episodes.shots + episodes.queries)
    if encode_once is None:
        encode_once = can_encode_once and episodes.table.num_examples <= rows

    steps = -(-num_episodes // episodes.tasks)
    if encode_once:
        assert isinstance(learner, MetricLearner)
        batches = -(-episodes.table.num_examples // _ENCODER_BATCH)
        work = batches + steps
        report = _reporter(on_progress, work)
        embeddings = _encode(learner, episodes.table, report)
        stream = episodes.with_examples(embeddings)
    else:
        report = _reporter(on_progress, steps)
        stream = episodes

    @tf.function(reduce_retracing=True)
    def predict(inputs: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        if encode_once:
            state = learner.adapt_embeddings(
                inputs["support"],
                inputs["support_labels"],
                support_mask=inputs.get("support_mask"),
            )
            logits = learner.compare_embeddings(state, inputs["query"])
        else:
            logits = learner.episode_logits(inputs, training=False)
        scores = tf.cast(logits[..., 1], tf.float64) - tf.cast(
            logits[..., 0], tf.float64
        )
        return tf.argmax(logits, axis=-1, output_type=tf.int32), scores

    accuracies, aurocs, class_correct, class_total = [], [], [], []
    num_classes = episodes.table.num_classes
    for step, (inputs, y, *_) in enumerate(stream.as_dataset(steps=steps)):
        left = num_episodes - step * episodes.tasks
        predicted, scores = predict(inputs)
        correct = (predicted == y).numpy()[:left]
        real = np.ones_like(correct)
        if "query_mask" in inputs:
            real = inputs["query_mask"].numpy()[:left]
        correct &= real
        accuracies.append(correct.sum(axis=1) / real.sum(axis=1))
        if episodes.ways == 2:
            aurocs.append(auroc(scores.numpy()[:left], y.numpy()[:left] == 1))
        classes = np.maximum(episodes.class_ids(step)[:left], 0)
        of_query = np.take_along_axis(classes, y.numpy()[:left], axis=1)
        class_correct.append(
            np.bincount(of_query.ravel(), correct.ravel(), num_classes)
        )
        class_total.append(np.bincount(of_query.ravel(), real.ravel(), num_classes))
        report()

    return EvaluationResult(
        protocol={
            "table": episodes.table.name,
            "fingerprint": fingerprint(episodes.table),
            **episodes.describe(),
            "episodes": num_episodes,
        },
        transductive=learner.transductive,
        episode_accuracies=np.concatenate(accuracies),
        class_names=episodes.table.class_names,
        class_clusters=episodes.table.origins,
        class_correct=np.sum(class_correct, axis=0).astype(np.int64),
        class_total=np.sum(class_total, axis=0).astype(np.int64),
        episode_auroc=np.concatenate(aurocs) if aurocs else None,
    )


def _reporter(
    on_progress: Callable[[int, int], None] | None, work: int
) -> Callable[[], None]:
    done = 0

    def report() -> None:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress(done, work)

    return report


def _check_unseen(episodes: Episodes, seen_classes: Iterable[str] | None) -> None:
    if seen_classes is None:
        raise ValueError(
            "`seen_classes` must name the classes that training and validation saw, "
            "or be empty for a learner that was trained on none; otherwise no figure "
            "can be called a test figure. Received: seen_classes=None"
        )
    shared = sorted(episodes.origins & set(seen_classes))
    if shared:
        raise ValueError(
            "test episodes must hold no class that training or validation saw. "
            f"Received: {len(shared)} such classes, among them "
            f"{', '.join(shared[:5])}"
        )


def _encode(
    learner: MetricLearner, table: ClassTable, report: Callable[[], None]
) -> np.ndarray:
    """Embeddings of all examples of a table, in its order."""
    embed = tf.function(lambda x: learner.embed(x[None])[0], reduce_retracing=True)
    parts = []
    for start in range(0, table.num_examples, _ENCODER_BATCH):
        # The table may be a memory map: one slice is in memory at a time.
        batch = np.asarray(table.examples[start : start + _ENCODER_BATCH])
        parts.append(tf.cast(embed(tf.constant(batch)), tf.float32).numpy())
        report()
    return np.concatenate(parts)


def fingerprint(table: ClassTable) -> str:
    """Short digest of a table: its names, its sizes, an example of each class."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update("\n".join([table.name, *table.class_names]).encode())
    digest.update(np.asarray(table.offsets, "<i8").tobytes())
    digest.update(f"{table.examples.dtype} {table.example_shape}".encode())
    for start in table.offsets[:-1]:
        example = table.examples[start]
        if isinstance(example, str):  # bytes of an object array are addresses
            digest.update(f"{len(example)} {example}".encode())
        else:
            digest.update(np.ascontiguousarray(example).tobytes())
    return digest.hexdigest()
