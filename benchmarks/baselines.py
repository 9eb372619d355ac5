"""Measuring what is no learner of tfmeta on the very episodes of one that is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from tfmeta.episodes import Episodes
from tfmeta.evaluation import EvaluationResult
from tfmeta.evaluation.auroc import auroc

# Scores `(queries, ways)` from rows of the table: support `(ways, shots)`, queries
# `(queries,)`.
Classifier = Callable[[np.ndarray, np.ndarray], np.ndarray]


def evaluate_baseline(
    classify: Classifier, episodes: Episodes, learner_result: EvaluationResult
) -> EvaluationResult:
    """What `tfmeta.evaluation.evaluate` would find.

    Args:
        classify: Scores queries; larger is more likely.
        episodes: The test episodes.
        learner_result: What a learner reached on them; says how many, and with what
            the result is to be compared.

    Returns:
        The result, of the same protocol.
    """
    count = learner_result.protocol["episodes"]
    truth = np.repeat(np.arange(episodes.ways), episodes.queries)
    accuracies, areas = [], []
    correct = np.zeros(episodes.table.num_classes)
    total = np.zeros(episodes.table.num_classes)
    for step in range(-(-count // episodes.tasks)):
        drawn = episodes.indices(step)
        for task in range(min(episodes.tasks, count - step * episodes.tasks)):
            support, query = (
                part[task].numpy() for part in (drawn.support, drawn.query)
            )
            scores = classify(support, query.ravel())
            right = scores.argmax(axis=1) == truth
            accuracies.append(right.mean())
            if episodes.ways == 2:
                difference = scores[:, 1] - scores[:, 0]
                areas.append(auroc(difference[None], truth[None] == 1)[0])
            of_query = np.repeat(drawn.classes[task].numpy(), episodes.queries)
            np.add.at(correct, of_query, right)
            np.add.at(total, of_query, 1)
    return dataclasses.replace(
        learner_result,
        transductive=False,
        episode_accuracies=np.array(accuracies),
        class_correct=correct.astype(np.int64),
        class_total=total.astype(np.int64),
        episode_auroc=np.array(areas) if areas else None,
    )


def nearest_centroid(cosines: np.ndarray) -> Classifier:
    """Cosine to the mean of the support vectors of each class.

    Args:
        cosines: `(examples, examples)`: of any two vectors, all of length 1. They
            are all that is needed: the cosine to a mean is the mean of the cosines
            over the length of the mean.
    """

    def classify(support: np.ndarray, query: np.ndarray) -> np.ndarray:
        to_mean = cosines[query][:, support].mean(axis=-1)
        square = [cosines[np.ix_(rows, rows)].mean() for rows in support]
        return to_mean / np.sqrt(np.maximum(square, 1e-12))

    return classify
