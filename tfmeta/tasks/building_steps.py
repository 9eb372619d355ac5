"""What takes long in building a library, piece by piece, so that pieces can be kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta._version import __version__
from tfmeta.datasets.class_table import ClassTable
from tfmeta.json_files import json_text
from tfmeta.tasks.alike_tasks import transfer_gains
from tfmeta.tasks.distance_choice import DistanceKind
from tfmeta.tasks.drawn_tasks import DrawnTasks
from tfmeta.tasks.kept_parts import KeptParts
from tfmeta.tasks.learned_starts import maml_start, pretrained_start
from tfmeta.tasks.library_learner import rows_to_train
from tfmeta.tasks.supervision import Lessons
from tfmeta.tasks.task_metric import TaskMetric
from tfmeta.tasks.task_network import TaskNetwork

# Networks, and sources of gains, of one part: what a kill costs at most.
_NETWORKS, _SOURCES = 256, 50


class BuildingSteps:
    """Steps that are done once for the same table and the same tasks.

    Args:
        folder: Where what is done is kept; `None` for nowhere.
        table: Of features, `(examples, features)`.
        seed: Of all that is random.
        drawn: How tasks are drawn of the table, JSON.
    """

    def __init__(
        self,
        folder: Path | None,
        table: ClassTable,
        seed: int,
        drawn: Mapping[str, Any],
    ) -> None:
        self._table, self._seed = table, seed
        of = {
            "versions": [__version__, tf.__version__, keras.__version__],
            "classes": list(table.class_names),
            "groups": None if table.groups is None else list(table.groups),
            "origins": list(table.origins),
            "seed": seed,
            "drawn": dict(drawn),
        }
        arrays = table.offsets, np.asarray(table.examples[:])
        self._parts = KeptParts(folder, [json_text(of, "tasks"), *arrays])

    def started(
        self, network: TaskNetwork, start: str, tasks: DrawnTasks
    ) -> TaskNetwork:
        """The network with the start that is asked for, see `build_library`."""
        if start == "random":
            return network

        def make() -> list[np.ndarray]:
            if start == "maml":
                return maml_start(network, tasks, seed=self._seed).start()
            return pretrained_start(network, self._table, seed=self._seed).start()

        made_of = {"start": start, "network": network.get_config()}
        return network.starting_at(self._parts.of("start", made_of, make))

    def trained(
        self,
        network: TaskNetwork,
        tasks: DrawnTasks,
        *,
        steps: int,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[np.ndarray]:
        """The networks of tasks, on support and queries, see `TaskNetwork.fit`."""

        def some(first: int) -> list[np.ndarray]:
            several = slice(first, first + _NETWORKS)

            def make() -> list[np.ndarray]:
                rows = all_rows(tasks, several)
                return [part.numpy() for part in network.fit(*rows, steps=steps)]

            made_of = {"network": network.get_config(), "steps": steps, "first": first}
            found = self._parts.of("networks", made_of, make)
            if progress is not None:
                progress(min(first + _NETWORKS, len(tasks)), len(tasks))
            return found

        pieces = [some(first) for first in range(0, len(tasks), _NETWORKS)]
        return [np.concatenate(part) for part in zip(*pieces, strict=True)]

    def gains(
        self,
        network: TaskNetwork,
        parameters: list[np.ndarray],
        tasks: DrawnTasks,
        *,
        steps: int,
    ) -> np.ndarray:
        """What each task gains by each network, see `transfer_gains`.

        Args:
            network: Of all tasks.
            parameters: Of each, as `trained` gives them.
            tasks: The tasks.
            steps: That the networks were trained for.
        """

        def some(first: int) -> np.ndarray:
            several = slice(first, first + _SOURCES)

            def make() -> list[np.ndarray]:
                sources = tuple(tf.constant(part[several]) for part in parameters)
                return [
                    transfer_gains(
                        network,
                        sources,
                        tasks.support,
                        tasks.labels,
                        tasks.query,
                        tasks.query_labels,
                    )
                ]

            made_of = {"network": network.get_config(), "steps": steps, "first": first}
            (found,) = self._parts.of("gains", made_of, make)
            return found

        return np.concatenate([some(n) for n in range(0, len(tasks), _SOURCES)])

    def learned(
        self,
        kind: DistanceKind,
        lessons: Lessons,
        made_of: Mapping[str, Any],
        *,
        epochs: int,
    ) -> TaskMetric:
        """A distance, learned.

        Args:
            kind: Of which kind.
            lessons: From what.
            made_of: What the lessons depend on beside table and tasks, JSON.
            epochs: How many.
        """

        def make() -> list[np.ndarray]:
            return kind.learned(lessons, epochs=epochs, seed=self._seed).get_weights()

        said = {
            "kind": kind.name,
            "describer": keras.saving.serialize_keras_object(kind.describer),
            "epochs": epochs,
            **made_of,
        }
        weights = self._parts.of("distance", said, make)
        first, _ = lessons(0)
        metric = kind.like(kind.of(first[:2]), self._seed)
        metric.set_weights(weights)
        return metric


def all_rows(tasks: DrawnTasks, several: slice) -> tuple[np.ndarray, np.ndarray]:
    """What networks of some tasks are trained on: their support and their queries."""
    return rows_to_train(
        tasks.support[several],
        tasks.labels[several],
        (tasks.query[several], tasks.query_labels[several]),
    )
