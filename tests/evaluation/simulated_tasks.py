"""Few-shot tasks of Gaussian classes, whose figures over all classes are known.

Every class has a place of its own, so that it is a competitor of the others: near
ones take each other's queries. A query goes to the nearest prototype.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfmeta.evaluation import EvaluationResult

FEATURES = 16


@dataclasses.dataclass(frozen=True)
class Kind:
    """A population of classes, and the tasks that are drawn from some of them."""

    ways: int
    shots: int
    spread: float
    images: int = 100
    queries: int = 15

    def classes(self, generator, count):
        """Images `(classes, images, features)` of classes of the population."""
        places = self.spread * generator.normal(size=(count, 1, FEATURES))
        widths = np.exp(0.4 * generator.normal(size=(count, 1, 1)))
        noise = generator.normal(size=(count, self.images, FEATURES))
        return (places + widths * noise).astype(np.float32)

    def episodes(self, generator, images, count):
        """Classes `(episodes, ways)` and rows `(episodes, ways, shots + queries)`."""
        shape = (count, len(images))
        classes = np.argsort(generator.random(shape), axis=1)[:, : self.ways]
        shape = (count, self.ways, self.images)
        rows = np.argpartition(
            generator.random(shape, np.float32), self.shots + self.queries - 1, axis=2
        )
        return classes, rows[:, :, : self.shots + self.queries]

    def accuracies(self, images, classes, rows, features):
        """Accuracy of each episode by nearest prototype in some of the features."""
        examples = images[classes[:, :, None], rows][..., features]
        prototypes = examples[:, :, : self.shots].mean(axis=2)
        query = examples[:, :, self.shots :].reshape(len(classes), -1, len(features))
        nearness = 2 * query @ prototypes.transpose(0, 2, 1)
        nearness -= np.square(prototypes).sum(axis=-1)[:, None]
        truth = np.repeat(np.arange(self.ways), self.queries)
        return np.mean(nearness.argmax(axis=-1) == truth, axis=1)


def result_of(accuracies, classes, count):
    """What an evaluation of such episodes would have returned."""
    names = tuple(f"class{number}" for number in range(count))
    return EvaluationResult(
        protocol={"table": "simulated"},
        transductive=False,
        episode_accuracies=accuracies,
        class_names=names,
        class_clusters=names,
        class_correct=np.zeros(count, np.int64),
        class_total=np.ones(count, np.int64),
        episode_classes=classes.astype(np.int32),
    )
