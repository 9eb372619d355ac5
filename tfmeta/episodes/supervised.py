"""The plain `(x, y)` view of a class table, for ordinary supervised training."""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.datasets.storage.gathering import make_gather


def as_supervised(
    table: ClassTable,
    *,
    batch_size: int = 32,
    seed: int | None = None,
    epochs: int | None = 1,
    start: int = 0,
    drop_remainder: bool = False,
    augment: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None,
) -> tf.data.Dataset:
    """Batches of examples with the numbers of their classes.

    For what is trained on all classes at once, such as an encoder before it meets
    episodes. With a seed, each epoch has the examples in an order of its own, all
    orders being equally likely: it is drawn whole, there is no buffer. Order and
    batch are functions of `(seed, epoch)` and the step alone, so training that
    was stopped goes on with `start`.

    Args:
        table: The table. It may be larger than memory.
        batch_size: Examples per batch.
        seed: An int from 0, or `None` for the order of the table.
        epochs: How often each example comes, or `None` for no end. A data set of
            one epoch that `fit` reads again has the same order each time: for
            another order each time give `fit` all epochs at once, with
            `steps_per_epoch`.
        start: The first batch; reached at once, nothing is read for it.
        drop_remainder: Whether the last batch of an epoch is left out when it is
            smaller.
        augment: Distorts the examples of a batch: from `(batch, *example)` and a
            stateless seed of shape (2,) to examples of the same shape and dtype,
            such as `tfmeta.episodes.RandomAffine()`. The seed is a function of
            `seed` and the step alone.

    Returns:
        A `tf.data.Dataset` of `(x, y)`: `x` of shape `(batch, *example)` and the
        table's dtype (text is `tf.string`), `y` of shape `(batch,)` int32, in
        `[0, table.num_classes)`.

    Raises:
        TypeError: When a number is no integer.
        ValueError: When a number is out of range, a batch larger than the table
            with `drop_remainder`, or `augment` given without a seed.

    Example:

    ```python
    train = tfmeta.datasets.load("glyphs", split="train")
    batches = tfmeta.episodes.as_supervised(train, batch_size=128, seed=0, epochs=None)
    classifier.fit(batches, epochs=10, steps_per_epoch=train.num_examples // 128)
    ```
    """
    batch_size = _checked("batch_size", batch_size, 1)
    start = _checked("start", start, 0)
    count = table.num_examples
    per_epoch = count // batch_size if drop_remainder else -(-count // batch_size)
    if per_epoch == 0:
        raise ValueError(
            "`batch_size` must be at most the number of examples of table "
            f"{table.name!r}, {count}, when the remainder is dropped. Received: "
            f"batch_size={batch_size}"
        )
    steps = None if epochs is None else _checked("epochs", epochs, 1) * per_epoch
    if steps is not None and start >= steps:
        raise ValueError(
            f"`start` must be below the number of batches, {steps}. Received: "
            f"start={start}"
        )
    root = None
    if seed is not None:
        root = tf.constant([_checked("seed", seed, 0), 0], tf.int64)
        # No epoch has this number.
        augment_root = tf.random.fold_in(root, tf.constant(-1, tf.int64))
    elif augment is not None:
        raise ValueError(
            "`seed` must be an int where examples are augmented, since they are "
            "distorted by it. Received: seed=None"
        )

    def rows_of(epoch: tf.Tensor) -> tf.data.Dataset:
        if root is None:
            rows = tf.data.Dataset.range(count)
        else:
            order = tf.random.experimental.stateless_shuffle(
                tf.range(count, dtype=tf.int64), tf.random.fold_in(root, epoch)
            )
            rows = tf.data.Dataset.from_tensor_slices(order)
        return rows.batch(batch_size, drop_remainder=drop_remainder)

    gather = make_gather(table.examples)
    labels = np.repeat(np.arange(table.num_classes, dtype=np.int32), table.class_sizes)
    label_of = make_gather(labels)

    def batch_of(step: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        examples = gather(rows)
        if augment is not None:
            examples = augment(examples, tf.random.fold_in(augment_root, step))
        return examples, label_of(rows)

    last = np.iinfo(np.int64).max if epochs is None else epochs
    batches = tf.data.Dataset.range(start // per_epoch, last).flat_map(rows_of)
    size = tf.data.experimental.INFINITE_CARDINALITY
    if steps is not None:
        size = steps - start
    return (
        batches.skip(start % per_epoch)
        .apply(tf.data.experimental.assert_cardinality(size))
        .enumerate(start)
        .map(batch_of, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .prefetch(2)
    )


def _checked(name: str, value: int, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError as error:
        raise TypeError(
            f"`{name}` must be an integer. Received: {name}={value!r}"
        ) from error
    if isinstance(value, bool) or number < least:
        raise ValueError(
            f"`{name}` must be an int of at least {least}. Received: {name}={value!r}"
        )
    return number
