"""Tasks of regression, drawn from the rows of a table."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.datasets.task_table import TaskTable
from tfmeta.episodes.arguments import check_count
from tfmeta.episodes.episode_sequence import EpisodeSequence
from tfmeta.episodes.streams import as_step, check_seed, step_streams
from tfmeta.episodes.without_replacement import draw_without_replacement
from tfmeta.row_tables import RowTable


class TaskEpisodes(EpisodeSequence):
    """Episodes of a `TaskTable`: some rows of a task to learn from, others to ask.

    Batch `step` is a function of `(seed, step)`. No row is in an episode twice.

    Args:
        table: The tasks. Those with fewer than `shots + queries` rows are left out.
        shots: Support rows of an episode.
        queries: Query rows of an episode.
        tasks: Episodes of a batch.
        seed: Seed of the sequence.
        in_turn: Whether tasks come one after the other, each as often as the others,
            as they are measured, and are not drawn, as they are trained on.

    Attributes:
        table: The tasks with enough rows.
        left_out: Names of the others.

    Raises:
        ValueError: When an argument is out of range, or no task has enough rows.

    Example:

    ```python
    table = load_task_csv("houses.csv", task_column="town", target_column="price")
    episodes = tfmeta.episodes.TaskEpisodes(table, shots=10, queries=10, tasks=16)
    inputs, y = episodes.batch(0)
    ```
    """

    def __init__(
        self,
        table: TaskTable,
        *,
        shots: int = 10,
        queries: int = 10,
        tasks: int = 16,
        seed: int = 0,
        in_turn: bool = False,
    ) -> None:
        self.shots = check_count("shots", shots, 1)
        self.queries = check_count("queries", queries, 1)
        self.tasks = check_count("tasks", tasks, 1)
        self.seed = check_seed(seed)
        self.in_turn = in_turn
        enough = table.task_sizes >= shots + queries
        self.left_out = tuple(np.array(table.task_names)[~enough].tolist())
        if not enough.any():
            largest = int(table.task_sizes.argmax())
            raise ValueError(
                "`shots` + `queries` must be at most the number of rows of some task "
                f"of table {table.name!r}. Received: shots={shots}, queries={queries}, "
                f"and the largest, {table.task_names[largest]!r}, has "
                f"{table.task_sizes[largest]}"
            )
        self.table = table
        if self.left_out:
            self.table = table.take_tasks(np.flatnonzero(enough).tolist())
        self._features = RowTable(self.table.features)
        self._targets = RowTable(self.table.targets)

    @property
    def origins(self) -> frozenset[str]:
        """Origins of the tasks that can come."""
        return frozenset(self.table.origins)

    def describe(self) -> dict[str, Any]:
        """The settings that fix the episodes."""
        names = ("shots", "queries", "tasks", "seed", "in_turn")
        return {name: getattr(self, name) for name in names}

    def class_ids(self, step: int) -> np.ndarray:
        """Int32 `(tasks, 0)`: regression has no classes."""
        return np.zeros((self.tasks, 0), np.int32)

    def task_ids(self, step: int | tf.Tensor) -> tf.Tensor:
        """Int64 `(tasks,)`: which task of the table each episode of a batch is of."""
        step = as_step(step)
        count = self.table.num_tasks
        if self.in_turn:
            first = tf.cast(step, tf.int64) * self.tasks
            return (first + tf.range(self.tasks, dtype=tf.int64)) % count
        which, _ = step_streams(self.seed, step, 2)
        return tf.random.stateless_uniform([self.tasks], which, 0, count, tf.int64)

    def batch(self, step: int | tf.Tensor) -> tuple:
        """Batch `step`.

        Returns:
            `(inputs, y)`, of the table's dtype: `inputs["support"]` `(tasks, shots,
            features)`, `inputs["support_labels"]` `(tasks, shots, outputs)`, their
            targets, `inputs["query"]` `(tasks, queries, features)` and `y` `(tasks,
            queries, outputs)`.
        """
        step = as_step(step)
        _, rows = step_streams(self.seed, step, 2)
        ids = self.task_ids(step)
        picks = draw_without_replacement(
            tf.gather(self.table.task_sizes, ids),
            int(self.table.task_sizes.max()),
            self.shots + self.queries,
            rows,
        )
        places = tf.gather(self.table.offsets, ids)[:, None] + tf.cast(picks, tf.int64)
        support, query = places[:, : self.shots], places[:, self.shots :]
        inputs = {
            "support": self._features.gather(support),
            "support_labels": self._targets.gather(support),
            "query": self._features.gather(query),
        }
        return inputs, self._targets.gather(query)
