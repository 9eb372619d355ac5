"""From a class table to a `tf.data` stream of tasks."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.datasets.storage.examples import Examples
from tfmeta.datasets.storage.gathering import Gather, make_gather
from tfmeta.episodes.batch_assembly import Augmentation, assemble_batch
from tfmeta.episodes.episode_sequence import EpisodeSequence
from tfmeta.episodes.index_sampler import EpisodeIndices, IndexSampler
from tfmeta.episodes.settings import EpisodeSettings
from tfmeta.episodes.streams import EpisodeStreams

# Whose classes are drawn at once, where they are asked for.
_STEPS = 32


class Episodes(EpisodeSequence):
    """A sequence of batches of few-shot tasks, drawn from a class table.

    Batch number `step` is a pure function of `(seed, step)`: any step is
    reached at once, the same seed gives the same episodes in every process,
    and an evaluation set is one seed. Classes are drawn without replacement
    and uniformly, examples of a class likewise, and every class of a task has
    the same number of shots, unless `balanced=False`, and of queries.

    Classes made by turning pictures are classes of a table:
    `Episodes(table.with_rotations(), ...)`.

    Args:
        table: The class table.
        ways: Classes per task. A pair `(smallest, largest)` lets it vary from
            task to task, uniformly.
        shots: Support examples per class; a pair lets it vary.
        queries: Query examples per class.
        tasks: Tasks per batch.
        seed: Int of at least 0.
        same_group: Whether all classes of a task come from one group (for
            Omniglot one alphabet), distractors too. Groups are drawn uniformly;
            those with fewer classes than a task needs are left out, and named
            in `left_out_groups` and in a log warning.
        allow_same_origin: Whether classes made from one class (the rotations
            of a character) may meet in a task.
        balanced: Whether all classes of a task have the same number of shots.
            With `False` each draws its own from the pair `shots`; the support
            of a class that has fewer than others is padded.
        unlabelled: Unlabelled examples per class, none of them in support or
            query, as in Ren et al. (2018), *Meta-Learning for Semi-Supervised
            Few-Shot Classification*. Support and query are the same with and
            without.
        distractors: Further classes per task whose examples are among the
            unlabelled, `unlabelled` of each, and nowhere else.
        query_dirichlet: Concentration of the Dirichlet distribution from which each
            task draws the proportions of its classes among the queries, as in
            Veilleux et al. (2021), *Realistic Evaluation of Transductive Few-Shot
            Learning*, where it is 2; `None` for `queries` of every class. The
            queries of a task are `ways * queries` with and without, the support is
            the same.
        support: `"examples"`, or `"attributes"` for zero-shot episodes: the support
            holds one row for each class, its `class_attributes` in the table, and
            never an example. Queries and unlabelled examples are those of the
            one-shot episodes of the same seed, so that figures can be compared.
        augment: A function `(examples, stream) -> examples` over a batch of
            examples, such as `RandomAffine` or `KerasAugmentation`, that draws
            from the stateless seed `stream` alone. Applied to support, query
            and unlabelled examples independently.
        support_augment: As `augment`, for support and unlabelled examples
            alone.
        query_augment: As `augment`, for query examples alone.

    Raises:
        ValueError: When an argument is out of range or does not go with another
            one, when a class has fewer examples than `shots + queries +
            unlabelled`, or with `query_dirichlet` than `shots + ways * queries`
            (all queries may be of one class), or when there are fewer classes
            than `ways + distractors`.

    Example:

    ```python
    table = tfmeta.datasets.load("glyphs", split="train")
    episodes = tfmeta.episodes.Episodes(table, ways=20, shots=1, queries=5)
    learner.fit(episodes.as_dataset(), steps_per_epoch=100)
    ```
    """

    def __init__(
        self,
        table: ClassTable,
        *,
        ways: int | Sequence[int] = 5,
        shots: int | Sequence[int] = 1,
        queries: int = 15,
        tasks: int = 1,
        seed: int = 0,
        same_group: bool = False,
        allow_same_origin: bool = False,
        balanced: bool = True,
        unlabelled: int = 0,
        distractors: int = 0,
        query_dirichlet: float | None = None,
        support: str = "examples",
        augment: Augmentation | None = None,
        support_augment: Augmentation | None = None,
        query_augment: Augmentation | None = None,
    ) -> None:
        if augment is not None:
            if support_augment is not None or query_augment is not None:
                raise ValueError(
                    "`augment` is for support and query both, so `support_augment` "
                    "and `query_augment` must be None with it. Received: "
                    f"augment={augment!r}, support_augment={support_augment!r}, "
                    f"query_augment={query_augment!r}"
                )
            support_augment = query_augment = augment
        self.table = table
        self.support_augment = support_augment
        self.query_augment = query_augment
        self._settings = EpisodeSettings.checked(
            ways=ways,
            shots=shots,
            queries=queries,
            tasks=tasks,
            seed=seed,
            same_group=same_group,
            allow_same_origin=allow_same_origin,
            balanced=balanced,
            unlabelled=unlabelled,
            distractors=distractors,
            query_dirichlet=query_dirichlet,
            support=support,
        )
        if self._settings.of_attributes and table.class_attributes is None:
            raise ValueError(
                "`support='attributes'` needs a table with `class_attributes`. "
                f"Received: table {table.name!r}, which has none"
            )
        self._sampler = IndexSampler(table, self._settings)

    @property
    def ways(self) -> int:
        """Classes per task; the largest number where it varies."""
        return self._settings.most_ways

    @property
    def shots(self) -> int:
        """Support examples per class; the largest number where it varies."""
        return self._settings.most_shots

    @property
    def queries(self) -> int:
        """Query examples per class."""
        return self._settings.queries

    @property
    def tasks(self) -> int:
        """Tasks per batch."""
        return self._settings.tasks

    @property
    def seed(self) -> int:
        """The seed of the sequence."""
        return self._settings.seed

    @property
    def unlabelled(self) -> int:
        """Unlabelled examples per class."""
        return self._settings.unlabelled

    @property
    def distractors(self) -> int:
        """Classes per task that have unlabelled examples alone."""
        return self._settings.distractors

    @property
    def query_dirichlet(self) -> float | None:
        """Concentration of the class proportions among queries, if they vary."""
        return self._settings.query_dirichlet

    @property
    def support(self) -> str:
        """What the support holds, `"examples"` or `"attributes"`."""
        return self._settings.support

    @property
    def ways_vary(self) -> bool:
        """Whether the number of classes varies, so that queries are padded."""
        return self._settings.ways_vary

    @property
    def padded(self) -> bool:
        """Whether ways or shots vary, so that batches carry masks."""
        return self._settings.ways_vary or self._settings.shots_vary

    @property
    def augmented(self) -> bool:
        """Whether examples are distorted."""
        return self.support_augment is not None or self.query_augment is not None

    @property
    def left_out_groups(self) -> tuple[str, ...]:
        """Names of the groups that are too small to draw a task from."""
        return self._sampler.left_out_groups

    @property
    def origins(self) -> frozenset[str]:
        """Origins of all classes that these episodes can emit."""
        return frozenset(self.table.origins[c] for c in self._sampler.class_ids)

    def describe(self) -> dict[str, Any]:
        """The settings that, with the table, fix the episodes; plain values."""
        described = self._settings.describe()
        support, query = (
            None if augment is None else repr(augment)
            for augment in (self.support_augment, self.query_augment)
        )
        if support == query:
            return {**described, "augment": support}
        return {**described, "support_augment": support, "query_augment": query}

    def with_examples(self, examples: Examples) -> Episodes:
        """The same episodes over other examples, row by row those of the table.

        With embeddings in place of pictures, an evaluation encodes each
        picture once.
        """
        moved = copy.copy(self)
        moved.table = dataclasses.replace(self.table, examples=examples)
        # What takes the old examples stays behind.
        moved.__dict__.pop("_gather", None)
        return moved

    def with_dirichlet_queries(
        self, concentration: float = 2.0, *, queries: int | None = None
    ) -> Episodes:
        """These episodes with class proportions among queries drawn anew per task.

        Classes are the same; so is the support, unless `queries` is given.

        Args:
            concentration: The `query_dirichlet`.
            queries: Queries per class on average, `None` for those of these
                episodes.

        Raises:
            ValueError: As of the constructor.
        """
        values = {**vars(self._settings), "query_dirichlet": concentration}
        if queries is not None:
            values["queries"] = queries
        changed = copy.copy(self)
        changed._settings = EpisodeSettings.checked(**values)
        changed._sampler = IndexSampler(self.table, changed._settings)
        # It draws by the settings before.
        for name in ("_draw_class_ids", "_drawn_class_ids"):
            changed.__dict__.pop(name, None)
        return changed

    def indices(self, step: int | tf.Tensor) -> EpisodeIndices:
        """The classes and examples of batch `step`; works in a graph."""
        return self._sampler.draw(EpisodeStreams.at(self.seed, step))

    def class_ids(self, step: int) -> np.ndarray:
        """Int32 `(tasks, ways)`: class ids of batch `step`, -1 where padded."""
        ways, _ = self._class_ids(step)
        return ways

    def distractor_ids(self, step: int) -> np.ndarray:
        """Int32 `(tasks, distractors)`: class ids of the distractors of a batch."""
        _, distractors = self._class_ids(step)
        return distractors

    def _class_ids(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        first = step - step % _STEPS
        if first not in self._drawn_class_ids:
            with tf.device("CPU"):
                steps = tf.range(_STEPS, dtype=tf.int64) + first
                ways, distractors = self._draw_class_ids(steps)
            self._drawn_class_ids.clear()
            self._drawn_class_ids[first] = ways.numpy(), distractors.numpy()
        ways, distractors = self._drawn_class_ids[first]
        return ways[step - first], distractors[step - first]

    @functools.cached_property
    def _drawn_class_ids(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        return {}

    @functools.cached_property
    def _draw_class_ids(self) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        # A graph of several steps, because every step of an evaluation asks for
        # them, more than once.
        def draw(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            drawn = self.indices(step)
            return drawn.way_ids, drawn.distractors

        @tf.function
        def draw_each(steps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return tf.map_fn(draw, steps, fn_output_signature=(tf.int32, tf.int32))

        return draw_each

    def batch(self, step: int | tf.Tensor) -> tuple:
        """Batch `step` as `(inputs, y)` or `(inputs, y, sample_weight)`."""
        _, batch = self.drawn_batch(step)
        return batch

    def drawn_batch(self, step: int | tf.Tensor) -> tuple[EpisodeIndices, tuple]:
        """The `indices` of batch `step`, and the batch made of them."""
        streams = EpisodeStreams.at(self.seed, step)
        drawn = self._sampler.draw(streams)
        batch = assemble_batch(
            drawn,
            self._gather,
            self._settings,
            streams,
            support_augment=self.support_augment,
            query_augment=self.query_augment,
            gather_attributes=self._gather_attributes,
        )
        return drawn, batch

    @functools.cached_property
    def _gather(self) -> Gather:
        # Once, so that all data sets and batches share what it keeps in memory.
        return make_gather(self.table.examples)

    @functools.cached_property
    def _gather_attributes(self) -> Gather | None:
        attributes = self.table.class_attributes
        if attributes is None or not self._settings.of_attributes:
            return None
        return make_gather(attributes)
