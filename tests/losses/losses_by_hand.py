"""The losses once more: plain NumPy, one pair and one triplet at a time."""

import itertools

import numpy as np


def distance_by_hand(name, a, b):
    if name == "euclidean":
        return np.linalg.norm(a - b)
    if name == "squared_euclidean":
        return np.sum((a - b) ** 2)
    return 1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def distances_by_hand(name, embeddings):
    rows = range(len(embeddings))
    return np.array(
        [
            [distance_by_hand(name, embeddings[i], embeddings[j]) for j in rows]
            for i in rows
        ]
    )


def mean(terms):
    """Of values and weights."""
    total = sum(weight for _, weight in terms)
    return sum(value * weight for value, weight in terms) / total if total else 0.0


def contrastive_by_hand(labels, d, weights, margin=1.0, squared=True, balanced=False):
    """Over all pairs of two different rows."""
    power = 2 if squared else 1
    kinds = {True: [], False: []}
    for i, j in itertools.combinations(range(len(labels)), 2):
        alike = bool(labels[i] == labels[j])
        cost = d[i, j] if alike else max(0.0, margin - d[i, j])
        kinds[alike].append((cost**power, weights[i] * weights[j]))
    if balanced:
        return 0.5 * mean(kinds[True]) + 0.5 * mean(kinds[False])
    return mean(kinds[True] + kinds[False])


def triplet_by_hand(labels, d, weights, margin=1.0, mining="semi_hard"):
    """Over what each anchor finds among the rows of weight above 0."""
    rows = [i for i in range(len(labels)) if weights[i] > 0]
    terms = []

    def add(a, p, n):
        cost = max(0.0, d[a, p] - d[a, n] + margin)
        terms.append((cost, weights[a] * weights[p] * weights[n]))

    for a in rows:
        positives = [p for p in rows if p != a and labels[p] == labels[a]]
        negatives = [n for n in rows if labels[n] != labels[a]]
        if not positives or not negatives:
            continue
        if mining == "hard":
            add(
                a,
                max(positives, key=lambda p: d[a, p]),
                min(negatives, key=lambda n: d[a, n]),
            )
        elif mining == "all":
            for p, n in itertools.product(positives, negatives):
                add(a, p, n)
        else:
            for p in positives:
                band = [n for n in negatives if d[a, p] < d[a, n] < d[a, p] + margin]
                if band:
                    add(a, p, min(band, key=lambda n: d[a, n]))
                else:
                    add(a, p, max(negatives, key=lambda n: d[a, n]))
    return mean(terms)
