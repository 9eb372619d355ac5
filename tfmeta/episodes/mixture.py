"""Episodes from several sources, mixed batch by batch."""

from __future__ import annotations

import functools
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.episodes.episode_sequence import EpisodeSequence
from tfmeta.episodes.episodes import Episodes
from tfmeta.episodes.streams import as_step, check_seed, step_streams
from tfmeta.episodes.task_sequence import TaskClasses


class Mixture(EpisodeSequence):
    """Batches of tasks, each from one of several episodes.

    Which one batch `step` comes from is drawn from `(seed, step)`, and the batch
    is that one's own batch `step`: as with `Episodes` any step is reached at
    once. Tasks of one batch share their source. Training on several data sets
    at once is from Triantafillou et al. (2020), *Meta-Dataset: A Dataset of
    Datasets for Learning to Learn from Few Examples*.

    Args:
        sources: `Episodes` whose batches have one structure and equal shapes
            and dtypes.
        weights: How often each source is drawn, in relation to the others; by
            default equally often.
        seed: Int of at least 0.

    Raises:
        TypeError: When a source is not `Episodes`.
        ValueError: When there are fewer than two sources, when batches differ in
            their form, or when `weights` are not one positive number for each.

    Example:

    ```python
    both = Mixture([characters, drawings], weights=[0.7, 0.3])
    learner.fit(both.as_dataset(), steps_per_epoch=100)
    ```
    """

    def __init__(
        self,
        sources: Sequence[Episodes],
        *,
        weights: Sequence[float] | None = None,
        seed: int = 0,
    ) -> None:
        self.sources = tuple(sources)
        self.seed = check_seed(seed)
        for source in self.sources:
            if not isinstance(source, Episodes):
                raise TypeError(
                    "`sources` must be a sequence of Episodes. Received: "
                    f"{type(source).__name__}"
                )
        if len(self.sources) < 2:
            raise ValueError(
                f"`sources` must be at least 2. Received: {len(self.sources)}"
            )
        chosen = [1.0] * len(self.sources) if weights is None else list(weights)
        if len(chosen) != len(self.sources) or not all(map(_is_weight, chosen)):
            raise ValueError(
                f"`weights` must be {len(self.sources)} finite numbers above 0, one "
                f"for each source. Received: weights={weights!r}"
            )
        self.weights = tuple(float(w) / float(sum(chosen)) for w in chosen)
        _check_one_form(self.sources)

    @property
    def tasks(self) -> int:
        """Tasks per batch."""
        return self.sources[0].tasks

    @property
    def origins(self) -> frozenset[str]:
        """Origins of all classes that any of the sources can emit."""
        return frozenset().union(*(source.origins for source in self.sources))

    def describe(self) -> dict[str, Any]:
        """The settings that, with the tables, fix the episodes; plain values."""
        return {
            "sources": [
                {"table": source.table.name, **source.describe()}
                for source in self.sources
            ],
            "weights": list(self.weights),
            "seed": self.seed,
        }

    def source(self, step: int) -> int:
        """Number of the source that batch `step` comes from, from 0."""
        with tf.device("CPU"):
            return int(self._source(tf.constant(step, tf.int64)))

    def class_ids(self, step: int) -> np.ndarray:
        """Int32 `(tasks, ways)`: class ids of batch `step`, -1 where padded.

        Ids in the table of its source, `sources[source(step)].table`.
        """
        return self.sources[self.source(step)].class_ids(step)

    def classes(self) -> TaskClasses:
        """The classes of all sources, those of a table that several have once."""
        tables = list({id(s.table): s.table for s in self.sources}.values())
        first = np.cumsum([0, *(table.num_classes for table in tables)])
        places = {id(table): start for table, start in zip(tables, first, strict=False)}
        most = max(source.distractors for source in self.sources)

        def numbered(ids: np.ndarray, source: Episodes) -> np.ndarray:
            return np.where(ids >= 0, ids + places[id(source.table)], -1)

        def of_ways(step: int) -> np.ndarray:
            source = self.sources[self.source(step)]
            return numbered(source.class_ids(step), source)

        def of_distractors(step: int) -> np.ndarray:
            source = self.sources[self.source(step)]
            ids = numbered(source.distractor_ids(step), source)
            lacking = ((0, 0), (0, most - ids.shape[1]))
            return np.pad(ids, lacking, constant_values=-1)

        return TaskClasses(
            names=tuple(f"{t.name}/{name}" for t in tables for name in t.class_names),
            origins=tuple(origin for table in tables for origin in table.origins),
            emitted=self.origins,
            tables=tuple(tables),
            of_ways=of_ways,
            of_distractors=of_distractors,
        )

    def batch(self, step: int | tf.Tensor) -> tuple:
        """Batch `step` as `(inputs, y)` or `(inputs, y, sample_weight)`."""
        number = as_step(step)
        batches = [functools.partial(source.batch, number) for source in self.sources]
        return tf.switch_case(self._source(number), batches)

    def _source(self, step: tf.Tensor) -> tf.Tensor:
        # Folded in once more than the streams of Episodes, which may have the
        # same seed: the choice must say nothing about what is drawn.
        (stream,) = step_streams(self.seed, step, 1)
        stream = tf.random.fold_in(stream, tf.constant(0, tf.int64))
        number = tf.random.stateless_uniform([], stream, dtype=tf.float64)
        ends = np.cumsum(self.weights)[:-1]
        return tf.reduce_sum(tf.cast(number >= ends, tf.int32))


def _is_weight(value: Any) -> bool:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return real and 0 < value < float("inf")


def _check_one_form(sources: Sequence[Episodes]) -> None:
    """Raises a ValueError that names what differs between two sources."""
    first, *others = (_named_parts(source) for source in sources)
    for number, parts in enumerate(others, 1):
        for name in sorted({*first, *parts}):
            if first.get(name) != parts.get(name):
                raise ValueError(
                    "`sources` must give batches of one form. Received: for "
                    f"`{name}` source 0 ({sources[0].table.name!r}) has "
                    f"{_form(first.get(name))}, and source {number} "
                    f"({sources[number].table.name!r}) has {_form(parts.get(name))}"
                )


def _named_parts(source: Episodes) -> dict[str, tf.TensorSpec]:
    inputs, *rest = source.as_dataset().element_spec
    named = {f'inputs["{name}"]': spec for name, spec in inputs.items()}
    return {**named, **dict(zip(("y", "sample_weight"), rest, strict=False))}


def _form(spec: tf.TensorSpec | None) -> str:
    if spec is None:
        return "nothing"
    return f"shape {tuple(spec.shape)}, {spec.dtype.name}"
