"""Tasks in which more and more of a pool is labelled, and what is learned of it."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfmeta.estimation.refits import softmax

# Of SimpleShot with squared distances of unit vectors.
TEMPERATURE = 0.06
# Of an unbalanced pool the share of each class that is there, again and again.
_SHARES = (1.0, 1 / 2, 1 / 4, 1 / 8, 1 / 16)


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a task consists of.

    Attributes:
        data: Name of a data set.
        ways: Classes.
        shots: Labelled examples of each to begin with.
        pool: Unlabelled examples of each.
        queries: Of each.
        kind: `"balanced"`; `"unbalanced"`, where the pool holds all of some classes
            and few of others; `"half unknown"`, where it holds as many classes besides
            that nobody asks for.
    """

    data: str
    ways: int
    shots: int
    pool: int = 50
    queries: int = 20
    kind: str = "balanced"


@dataclasses.dataclass(frozen=True, eq=False)
class PoolTask:
    """Rows of a data set, and their classes in the task.

    Attributes:
        labelled: Rows that have a label to begin with.
        pool: Rows without.
        queries: Rows that are asked.
        classes: Of each row of the data set its class in the task, -1 for none.
        ways: Number of classes.
    """

    labelled: np.ndarray
    pool: np.ndarray
    queries: np.ndarray
    classes: np.ndarray
    ways: int

    @classmethod
    def drawn(
        cls, setting: Setting, labels: np.ndarray, rng: np.random.Generator
    ) -> PoolTask:
        """A task of classes and rows that are drawn anew."""
        unknown = setting.ways if setting.kind == "half unknown" else 0
        drawn = rng.permutation(labels.max() + 1)[: setting.ways + unknown]
        sizes = np.full(len(drawn), setting.pool)
        if setting.kind == "unbalanced":
            sizes = np.resize(_SHARES, len(drawn)) * setting.pool
        classes = np.full(len(labels), -1)
        classes_of = enumerate(zip(drawn, sizes.astype(int), strict=True))
        labelled, pool, queries = [], [], []
        for way, (number, size) in classes_of:
            rows = rng.permutation(np.flatnonzero(labels == number))
            if way < setting.ways:
                first, rows = np.split(rows, [setting.shots + setting.queries])
                labelled.append(first[: setting.shots])
                queries.append(first[setting.shots :])
                classes[first] = way
                classes[rows] = way
            pool.append(rows[:size])
        return cls(
            np.concatenate(labelled),
            rng.permutation(np.concatenate(pool)),
            np.concatenate(queries),
            classes,
            setting.ways,
        )


class Learned:
    """SimpleShot on what has been labelled, by sums that grow with each label.

    Args:
        task: The task.
        features: Float32 `(rows, features)` of the data set, of unit length.
        cosines: Float32 `(rows, rows)`.
    """

    def __init__(
        self, task: PoolTask, features: np.ndarray, cosines: np.ndarray
    ) -> None:
        self.task, self._features, self._cosines = task, features, cosines
        self.seen = task.labelled
        self.left = task.pool
        self._asked = np.concatenate([task.pool, task.queries])
        self._sums = np.zeros((task.ways, features.shape[1]))
        self._products = np.zeros((len(self._asked), task.ways))
        self._counts = np.zeros(task.ways)
        self._learn(task.labelled)

    def label(self, rows: np.ndarray) -> None:
        """Learns the classes of rows of the pool; of those without one nothing."""
        self._learn(rows[self.task.classes[rows] >= 0])
        self.seen = np.concatenate([self.seen, rows])
        self.left = self.left[~np.isin(self.left, rows)]

    def logits(self) -> np.ndarray:
        """Of the pool as it was to begin with, and of the queries below it."""
        means = self._sums / self._counts[:, None]
        squares = np.square(means).sum(axis=1)
        return (2.0 * self._products / self._counts - 1.0 - squares) / TEMPERATURE

    def probabilities(self) -> np.ndarray:
        """Of the rows that are left."""
        among = np.isin(self.task.pool, self.left)
        return softmax(self.logits()[: len(self.task.pool)][among])

    def accuracy(self) -> float:
        """Share of the queries that are answered right."""
        answers = self.logits()[len(self.task.pool) :].argmax(axis=1)
        return float((answers == self.task.classes[self.task.queries]).mean())

    def _learn(self, rows: np.ndarray) -> None:
        ways = np.eye(self.task.ways)[self.task.classes[rows]]
        self._sums += ways.T @ self._features[rows]
        self._products += self._cosines[np.ix_(self._asked, rows)] @ ways
        self._counts += ways.sum(axis=0)
