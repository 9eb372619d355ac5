"""Encoding every example of a table once, for all episodes."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes
from tfmeta.episodes.task_sequence import TaskSequence
from tfmeta.evaluation.checks import check_learner_is_finite
from tfmeta.evaluation.progress import Progress
from tfmeta.learners import FewShotLearner

_BATCH = 512


def choose_encode_once(
    learner: FewShotLearner,
    episodes: TaskSequence,
    *,
    num_episodes: int,
    encode_once: bool | None,
) -> bool:
    """Whether an evaluation encodes each example once.

    Args:
        learner: The learner.
        episodes: Its episodes.
        num_episodes: Number of episodes.
        encode_once: What the caller asks for; `None` for whatever is less work.

    Raises:
        ValueError: When it is asked for and cannot be done.
    """
    # Others need not be rows of a table.
    drawn = episodes if isinstance(episodes, Episodes) else None
    possible = (
        learner.independent_embeddings and drawn is not None and not drawn.augmented
    )
    if encode_once and not possible:
        received = ", ".join(f"{k}={v}" for k, v in episodes.describe().items())
        raise ValueError(
            "`encode_once=True` needs a learner whose embeddings do not depend on the "
            "episode, and Episodes without augmentation. Received: "
            f"{type(learner).__name__}, {type(episodes).__name__} with {received}"
        )
    if encode_once is not None:
        return encode_once
    if not possible or drawn is None:
        return False
    rows = num_episodes * drawn.ways * (drawn.shots + drawn.queries)
    return drawn.table.num_examples <= rows


def encoding_work(table: ClassTable) -> int:
    """Number of pieces that `encode_table` works in."""
    return -(-table.num_examples // _BATCH)


def encode_table(
    learner: FewShotLearner, table: ClassTable, progress: Progress
) -> np.ndarray:
    """Float32 `(examples, *embedding)`: all examples of a table, in its order.

    Raises:
        ValueError: When embeddings are not finite; counts the examples.
    """
    is_text = table.examples.dtype == object
    check_learner_is_finite(learner)
    spec = tf.TensorSpec(
        [None, *table.example_shape], tf.string if is_text else table.examples.dtype
    )

    # One graph, though the last batch is smaller.
    @tf.function(input_signature=[spec], autograph=False)
    def embed(examples: tf.Tensor) -> tf.Tensor:
        return tf.cast(learner.embed(examples[None])[0], tf.float32)

    # Where few batches come of many tables, TensorFlow would warn of the tracing.
    embed_batch = embed.get_concrete_function()
    parts = []
    for start in range(0, table.num_examples, _BATCH):
        # The table may be a memory map: one slice is in memory at a time.
        batch = np.asarray(table.examples[start : start + _BATCH])
        parts.append(embed_batch(tf.constant(batch)).numpy())
        progress.step()
    embeddings = np.concatenate(parts)
    wrong = ~np.isfinite(embeddings).all(axis=tuple(range(1, embeddings.ndim)))
    if wrong.any():
        raise ValueError(
            f"a {type(learner).__name__} must give finite embeddings. Received: others "
            f"for {wrong.sum():,} of {len(wrong):,} examples of table {table.name!r}, "
            f"the first in row {int(wrong.argmax())}, so there is no figure to report"
        )
    return embeddings
