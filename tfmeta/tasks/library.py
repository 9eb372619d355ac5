"""A library of tasks: what was learned on each, found by which are alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from sklearn.neighbors import NearestNeighbors

from tfmeta.argument_names import renamed_arguments
from tfmeta.finite_checks import check_finite_weights
from tfmeta.tasks.alike_tasks import alike_by_group, learned_metric
from tfmeta.tasks.description import Description
from tfmeta.tasks.library_file import SCORES, Entries, quoted
from tfmeta.tasks.library_folder import LibraryFolder
from tfmeta.tasks.library_learner import (
    description_of,
    features_of,
    numbers_of,
    with_metric,
    with_tasks,
)
from tfmeta.tasks.warm_start import WarmStart


class Neighbour(NamedTuple):
    """A task of a library that is near.

    Attributes:
        name: Of the task.
        group: What it is of; empty where unknown.
        distance: Between embeddings, of length 1: 0 to 2.
    """

    name: str
    group: str
    distance: float


class TaskLibrary(LibraryFolder):
    """Tasks on disk: what each is like, and the small network that was trained on it.

    A folder with an SQLite file and the learner that describes, embeds and trains. A
    change has reached the disk when its method returns, whole or not at all, and other
    processes see it. A task whose row is damaged is named in a warning and skipped,
    see `damaged`.

    Args:
        path: The folder, as `create` made it.
        wait: Seconds to wait for other writers.

    Raises:
        FileNotFoundError: When there is none.
        ValueError: When it is no library, damaged, or of a newer version.

    Example:

    ```python
    learner = WarmStart(encoder, network, describer, metric)
    with TaskLibrary.create("alphabets", learner) as library:
        library.add(names, rows, labels, groups=alphabets)
        library.learn_distance(epochs=20, seed=0)
        library.nearest(support, support_labels, neighbours=3)
        learner = library.learner(neighbours=3)
    ```
    """

    def add(
        self,
        names: Sequence[str],
        examples: np.ndarray,
        labels: np.ndarray,
        *,
        groups: Sequence[str] | None = None,
        classes: Sequence[Sequence[str]] | None = None,
    ) -> None:
        """Trains a network of each task, describes and embeds it, and keeps all that.

        Args:
            names: Of the tasks; none is in the library.
            examples: Labelled examples of each, `(tasks, rows, *example)`.
            labels: One-hot `(tasks, rows, ways)`, 0 in padded rows.
            groups: Of each task what it is of, such as an alphabet.
            classes: Of each task the names of its classes, by way.

        Raises:
            ValueError: When a name is there, empty or twice, when shapes do not fit, or
                a number is not finite. Nothing was added then.
            OSError: When it cannot be written.
        """
        with renamed_arguments({"rows": "examples"}):
            self.add_features(
                names, self.features(examples), labels, groups=groups, classes=classes
            )

    def add_features(
        self,
        names: Sequence[str],
        rows: np.ndarray,
        labels: np.ndarray,
        *,
        further: tuple[np.ndarray, np.ndarray] | None = None,
        groups: Sequence[str] | None = None,
        classes: Sequence[Sequence[str]] | None = None,
        scores: np.ndarray | None = None,
    ) -> None:
        """As `add`, of what the encoder made of examples.

        Args:
            names: Of the tasks.
            rows: `(tasks, rows, features)`, by which a task is described.
            labels: One-hot `(tasks, rows, ways)`.
            further: Rows and labels alike, on which its network is trained besides: a
                new task will not have as many to be described by.
            groups: See `add`.
            classes: See `add`.
            scores: How good each candidate of the library is on each task, `(tasks,
                candidates)` of at least 0, such as an accuracy; `None` where it is
                not known.
        """
        names = tuple(names)
        count = len(names)
        groups = ("",) * count if groups is None else tuple(groups)
        of_classes = ((),) * count if classes is None else tuple(map(tuple, classes))
        _check_counts(
            names, rows=rows, labels=labels, groups=groups, classes=of_classes
        )
        if not count:
            return
        numbers = numbers_of(
            self._learner,
            np.asarray(rows, np.float32),
            np.asarray(labels, np.float32),
            further,
            steps=self.steps,
            learning_rate=self.learning_rate,
        )
        self.add_entries(Entries(names, groups, of_classes, numbers), scores)

    def add_entries(self, entries: Entries, scores: np.ndarray | None = None) -> None:
        """Adds tasks whose numbers are known, all but how good candidates are.

        Args:
            entries: See `tfmeta.tasks.library_learner.numbers_of`.
            scores: See `add_features`.
        """
        unknown = np.full((len(entries), len(self.candidates)), -1, np.float32)
        scores = unknown if scores is None else _scores(scores, unknown.shape)
        numbers = {**entries.numbers, SCORES: scores}
        self._file.add(dataclasses.replace(entries, numbers=numbers))
        self._read = None

    def features(self, examples: np.ndarray) -> np.ndarray:
        """What the encoder makes of examples, `(tasks, rows, features)`."""
        return features_of(self._learner, examples)

    def learn_distance(
        self,
        alike: np.ndarray | None = None,
        *,
        draw: Callable[[int], tuple[Description, np.ndarray]] | None = None,
        loss: keras.losses.Loss | None = None,
        epochs: int = 20,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        seed: int | None = None,
    ) -> dict[str, list[float]]:
        """Learns which tasks are alike from those that are there, and embeds them anew.

        Args:
            alike: Bool `(tasks, tasks)`, in the order of `names`; by default those of
                a group are.
            draw: Where tasks can be drawn anew: of the number of an epoch its tasks'
                description and which of them are alike, instead of those of the
                library, which a distance would learn by heart.
            loss: Of metric learning, by default `TripletLoss` of margin 0.2.
            epochs: Over all tasks.
            batch_size: Tasks of a batch.
            learning_rate: Of Adam.
            seed: Of the order of tasks and the weights of the metric.

        Returns:
            What Keras' `fit` keeps of every epoch.

        Raises:
            ValueError: When `alike` is not of these tasks, there is no task, or no two
                are alike; nothing was changed then.
        """
        changes, entries = self._now()
        description = description_of(entries)
        if alike is None:
            alike = alike_by_group(entries.groups)
        stored = (description, np.asarray(alike))
        metric, history = learned_metric(
            self._learner.metric,
            draw or (lambda epoch: stored),
            loss=loss,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seed=seed,
        )
        check_finite_weights("the distance", metric.variables)
        numbers = {**entries.numbers, "embedding": metric.embed(description)}
        self._replace(
            with_metric(self._learner, metric),
            dataclasses.replace(entries, numbers=numbers),
            changes,
        )
        return history

    def nearest(
        self,
        examples: np.ndarray,
        labels: np.ndarray,
        *,
        neighbours: int = 1,
        threshold: float | None = None,
    ) -> list[list[Neighbour]]:
        """The nearest tasks of new ones, by all distances, the nearest first.

        Args:
            examples: `(tasks, rows, *example)`.
            labels: One-hot `(tasks, rows, ways)`.
            neighbours: How many, at most those that there are.
            threshold: The largest distance; `None` for any.

        Returns:
            Of each task its neighbours; none where none is within the threshold.
        """
        return self.nearest_of_features(
            self.features(examples), labels, neighbours=neighbours, threshold=threshold
        )

    def nearest_of_features(
        self,
        rows: np.ndarray,
        labels: np.ndarray,
        *,
        neighbours: int = 1,
        threshold: float | None = None,
    ) -> list[list[Neighbour]]:
        """As `nearest`, of what the encoder made of examples."""
        entries = self.entries
        if not len(entries):
            return [[] for _ in rows]
        distances, numbers = self._index(
            entries.numbers["embedding"], rows, labels, neighbours
        )
        return [
            [
                Neighbour(entries.names[n], entries.groups[n], float(distance))
                for distance, n in zip(of_task, chosen, strict=True)
                if threshold is None or distance <= threshold
            ]
            for of_task, chosen in zip(distances, numbers, strict=True)
        ]

    @property
    def has_scores(self) -> bool:
        """Whether it is known of a task how good each candidate is."""
        return bool(self._with_scores().any())

    def _with_scores(self) -> np.ndarray:
        if not self.candidates:
            return np.zeros(len(self), bool)
        return np.all(self.entries.numbers[SCORES] >= 0, axis=1)

    def recommended(
        self, rows: np.ndarray, labels: np.ndarray, *, neighbours: int = 20
    ) -> np.ndarray:
        """How good each candidate is to be expected on new tasks.

        The mean of what it was on the nearest tasks, weighted by how near they are.

        Args:
            rows: Features of new tasks, `(tasks, rows, features)`.
            labels: One-hot `(tasks, rows, ways)`.
            neighbours: How many are looked at, at most those that there are.

        Returns:
            `(tasks, candidates)`, in the order of `candidates`.

        Raises:
            ValueError: When no task of the library says how good they are.
        """
        entries, known = self.entries, self._with_scores()
        if not known.any():
            raise ValueError(
                "the library must say of tasks how good each candidate is. Received: "
                f"{len(self.candidates)} candidates, and {int(known.sum())} such tasks"
            )
        distances, numbers = self._index(
            entries.numbers["embedding"][known], rows, labels, neighbours
        )
        weights = np.exp(-(distances**2) / self._learner.temperature)
        weights /= weights.sum(axis=1, keepdims=True)
        scores = entries.numbers[SCORES][known][numbers]
        expected: np.ndarray = (weights[:, :, np.newaxis] * scores).sum(axis=1)
        return expected

    def _index(
        self, known: np.ndarray, rows: np.ndarray, labels: np.ndarray, neighbours: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Distances and numbers of the nearest embeddings, by all distances."""
        description = self._learner.describer(rows, labels)
        index = NearestNeighbors(
            n_neighbors=min(neighbours, len(known)), algorithm="brute"
        ).fit(known)
        distances, numbers = index.kneighbors(self._learner.metric.embed(description))
        return distances, numbers

    def learner(self, **options: Any) -> WarmStart:
        """A learner that begins each task at the nearest of these.

        Args:
            **options: Of `WarmStart`: `neighbours`, `match`, `threshold`,
                `temperature`, `steps`, `learning_rate`.
        """
        entries = self.entries
        return with_tasks(self._learner, entries, **options)

    def warm_start(
        self,
        learner: WarmStart | None,
        support: np.ndarray,
        labels: np.ndarray,
        *,
        neighbours: int = 1,
        **options: Any,
    ) -> tuple[WarmStart, dict[str, tf.Tensor]]:
        """Trains on the support of new tasks, from their nearest ones here.

        Args:
            learner: Whose settings are taken; `None` for those of the library.
            support: `(tasks, support, *example)`.
            labels: One-hot `(tasks, support, ways)`.
            neighbours: How many are mixed.
            **options: As for `learner`.

        Returns:
            The learner, and its state of these tasks for `predict_query`, whose
            `warm` says of which tasks a neighbour was found.
        """
        if learner is not None:
            kept = ("match", "threshold", "temperature", "steps", "learning_rate")
            options = {**{name: getattr(learner, name) for name in kept}, **options}
        found = self.learner(neighbours=neighbours, **options)
        state = found.adapt(tf.convert_to_tensor(support), tf.cast(labels, tf.float32))
        return found, state


def _check_counts(names: Sequence[str], **given: Any) -> None:
    for what, values in given.items():
        if len(values) != len(names):
            raise ValueError(
                f"`{what}` must be of {len(names)} tasks, as `names` are. Received: "
                f"{len(values)}"
            )
    for name in names:
        if not isinstance(name, str) or not name:
            raise ValueError(f"`names` must be texts, none empty. Received: {name!r}")
    if len(set(names)) < len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise ValueError(
            f"`names` must be all different. Received: {quoted(twice)} twice"
        )


def _scores(scores: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    found = np.asarray(scores, np.float32)
    if found.shape != shape or not (found >= 0).all() or not np.isfinite(found).all():
        raise ValueError(
            f"`scores` must be {shape}, one of at least 0 for each task and candidate. "
            f"Received: shape {found.shape}"
            + ("" if found.shape != shape else " with others")
        )
    return found
