"""What has to be known of the figures of an expectation, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tfmeta.estimation.doubles import MOST_ROWS, Links
from tfmeta.estimation.expectation import Share
from tfmeta.estimation.rejection import LEAST_EXAMPLES, LEAST_WAYS

# In how many tasks of 5 classes x 10 examples the 95 % interval held the truth, by
# benchmarks/expectation.py; where that is off, every expectation says so.
MEASURED_COVERAGE = {
    "miniImageNet": 0.97,
    "Omniglot, where the truth itself is counted on 50 drawings": 0.78,
    "CLINC150": 0.95,
}
_NOMINAL, _TOLERANCE = 0.95, 0.03
_TOLD_APART = 0.005
# Names that a sentence shows of many.
_MOST_NAMES = 5


def notes_of(
    accuracy: Share,
    labels: np.ndarray,
    class_names: Sequence[str],
    links: Links,
    left_out: float,
) -> tuple[str, ...]:
    """One sentence each.

    Args:
        accuracy: What is expected.
        labels: Int `(examples,)`.
        class_names: By label.
        links: Doubles.
        left_out: Share of right answers to the examples that were left out.
    """
    ways = len(class_names)
    sizes = np.bincount(labels, minlength=ways)
    alone = [class_names[label] for label in np.flatnonzero(sizes == 1).tolist()]
    notes = []
    if abs(accuracy.value - left_out) >= _TOLD_APART:
        notes.append(
            f"Of the examples that were left out {_percent(left_out)} were answered "
            "right, by what was learned from four fifths of the others; what all of "
            "them add is read off the curve."
        )
    if accuracy.low <= 1 / ways:
        notes.append(
            f"Guessing would be right in {_percent(1 / ways)}, which these examples "
            "do not rule out."
        )
    if alone:
        notes.append(
            f"{_listed(alone)} {'has' if len(alone) == 1 else 'have'} a single "
            "example: it is learned, and never asked."
        )
    if sizes.max() >= 2 * sizes.min():
        notes.append(
            f"Classes have from {sizes.min()} to {sizes.max()} examples: the accuracy "
            "is of new examples in the same proportions, and shots are a mean."
        )
    twice = len(links.twice)
    if twice:
        notes.append(
            f"{twice} example{' is' if twice == 1 else 's are'} there before, or "
            "nearly so: doubles are asked together, never by each other."
        )
    if len(labels) > MOST_ROWS:
        notes.append(
            f"Of more than {MOST_ROWS:,} examples only equal ones are found to be "
            "doubles, not those that are nearly so."
        )
    if ways < LEAST_WAYS or accuracy.count < LEAST_EXAMPLES:
        notes.append(
            f'No threshold for "none of these": it takes {LEAST_WAYS} classes and '
            f"{LEAST_EXAMPLES} examples that can be left out."
        )
    return (*notes, *coverage_notes(MEASURED_COVERAGE))


def coverage_notes(measured: Mapping[str, float]) -> tuple[str, ...]:
    """Where intervals of 95 % were measured to be none.

    Args:
        measured: By data set, the share of its tasks whose truth the interval held.

    Returns:
        A sentence; none where all are within 3 points.
    """
    off = {n: c for n, c in measured.items() if abs(c - _NOMINAL) > _TOLERANCE + 1e-9}
    if not off:
        return ()
    shares = ", ".join(f"{100 * share:.1f} % ({name})" for name, share in off.items())
    narrow = min(off.values()) < _NOMINAL
    wide = max(off.values()) > _NOMINAL
    what = "too narrow" if narrow else "wider than it has to be"
    if narrow and wide:
        what = "too narrow or too wide"
    return (
        f"The interval is of {100 * _NOMINAL:.0f} %, but in tests on tasks of 5 "
        f"classes with 10 examples each it held the truth in {shares}: it may be "
        f"{what} (benchmarks/results/expectation.json).",
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_MOST_NAMES]))
    more = len(names) - _MOST_NAMES
    return f"{shown} and {more} more" if more > 0 else shown
