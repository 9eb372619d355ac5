"""Examples whose label the others contradict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfmeta.estimation.expectation import Suspect

# An own label less likely than this, times the other's, is contradicted. On tasks of
# CLINC150's validation intents with 3 of 50 labels changed, 5 x 10, a tenth of the
# probability found a few less of them by logistic regression, and the whole named half
# as many again that were right.
_RATIO = 1 / 3


def find_suspects(
    probabilities: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    examples: Sequence[str],
) -> tuple[Suspect, ...]:
    """Examples that look mislabelled, by confident learning.

    Northcutt, Jiang and Chuang (2021), *Confident Learning: Estimating Uncertainty in
    Dataset Labels*: an example is taken to be of another class whose probability
    reaches what that class's own examples have on average. It also has to be several
    times that of its own label: of ten examples a class an average is rough.

    Args:
        probabilities: Float `(examples, ways)`, of each when it was left out; rows of
            NaN where it never was.
        labels: Int `(examples,)`.
        class_names: By label.
        examples: What each is called.

    Returns:
        The clearest first.
    """
    asked = np.flatnonzero(~np.isnan(probabilities).any(axis=1))
    own = probabilities[asked, labels[asked]]
    usual = np.full(len(class_names), np.inf)
    for label in np.unique(labels[asked]):
        usual[label] = own[labels[asked] == label].mean()
    others = np.where(probabilities[asked] >= usual, probabilities[asked], -1.0)
    others[np.arange(len(asked)), labels[asked]] = -1.0
    answers = others.argmax(axis=1)
    largest = others.max(axis=1)
    found = np.flatnonzero((largest > 0) & (own < _RATIO * largest))
    return tuple(
        Suspect(
            row=int(asked[place]),
            example=examples[asked[place]],
            label=class_names[labels[asked[place]]],
            answer=class_names[answers[place]],
            probability=float(largest[place]),
            own_probability=float(own[place]),
        )
        for place in found[np.argsort(own[found] - largest[found], kind="stable")]
    )
