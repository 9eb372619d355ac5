"""What is expected, in sentences for whoever has not heard of any of this."""

from __future__ import annotations

import numpy as np

from tfmeta.estimation.expectation import CurvePoint, Expectation, Rejection, Share


def percent(share: float) -> str:
    """A share in whole per cent: no estimate from so few examples is finer.

    Only all is 100 %, and only nothing 0 %.

    Example:

    ```python
    percent(0.914)  # "91 %"
    ```
    """
    whole = round(100 * share)
    if whole == 100 and share < 1:
        return "above 99 %"
    if whole == 0 and share > 0:
        return "below 1 %"
    return f"{whole} %"


def interval(share: Share) -> str:
    """The ends of its interval, e.g. "84 to 95 %"."""
    return f"{round(100 * share.low)} to {round(100 * share.high)} %"


def headline(expected: Expectation) -> str:
    """What is expected, in one sentence.

    Example:

    ```python
    headline(expected)
    # "Expect 91 % of new pictures right (84 to 95 %): 5 classes, learned from 10
    # examples each."
    ```
    """
    share = expected.accuracy
    return (
        f"Expect {percent(share.value)} of new {things(expected)} right "
        f"({interval(share)}): {len(expected.class_names):,} classes, learned from "
        f"{shots(expected)}."
    )


def things(expected: Expectation) -> str:
    """What the examples are, in the plural."""
    return {"arrays": "examples"}.get(expected.kind, expected.kind)


def shots(expected: Expectation) -> str:
    """How many examples the classes have."""
    sizes = np.bincount(expected.labels)
    least, most = int(sizes.min()), int(sizes.max())
    if least == most:
        return f"{most:,} example{'s' * (most != 1)} each"
    return f"{least:,} to {most:,} examples each"


def more_examples(expected: Expectation) -> str:
    """Whether more examples of each class would help, by the continued curve."""
    now = [point for point in expected.curve if point.measured][-1]
    then = next((point for point in expected.curve if not point.measured), None)
    if then is None:
        return "It cannot be told of so few: that takes 3 examples of each class."
    gain = _points(now, then)
    said = (
        f"{then.shots - now.shots:,} more of each class are expected to bring "
        f"{percent(then.accuracy.value)} ({interval(then.accuracy)})"
    )
    if gain < 1:
        return f"Hardly: {said}, as good as what there is."
    verdict = "A little" if gain < 3 else "Yes"
    return f"{verdict}: {said}, about {gain} point{'s' * (gain > 1)} more."


def _points(before: CurvePoint, after: CurvePoint) -> int:
    return round(100 * after.accuracy.value) - round(100 * before.accuracy.value)


def head(expected: Expectation) -> str:
    """Which head it is of, and how that was found."""
    choice = expected.choice
    if not choice.candidates:
        return f"{choice.head} ({choice.reason})" if choice.reason else choice.head
    return f"{choice.head}, chosen among {len(choice.candidates)}: {choice.reason}"


def encoder(expected: Expectation, pretraining: str | None = None) -> str:
    """What the features are of, and what such an estimate holds for.

    Args:
        expected: The expectation.
        pretraining: What the encoder saw before, as
            `tfmeta.encoders.pretraining_data` says.
    """
    if expected.encoder is None:
        return "none, the examples are features; the estimate is of these alone"
    said = expected.encoder
    of = f"the estimate is of this encoder on these {things(expected)}"
    # Vectors of words were made of their words alone, under the encoder's own name.
    if pretraining in (None, expected.encoder):
        return f"{said}; {of}"
    return (
        f"{said}, pre-trained on {pretraining}; {of}, and classes that it saw there "
        "come easier than others"
    )


def rejection(found: Rejection, expected: Expectation) -> str:
    """What the threshold for "none of these" does."""
    known, unknown = found.known_accepted, found.unknown_rejected
    score = {"logit": "largest logit", "probability": "largest probability"}
    return (
        f"Answer so where the {score[found.threshold.score]} is below "
        f"{found.threshold.value:.4g}. That accepts {percent(known.value)} "
        f"({interval(known)}) of {things(expected)} of these classes, and rejects "
        f"{percent(unknown.value)} ({interval(unknown)}) of those of a class that was "
        f"left out as a whole. Area under the ROC curve: {found.auroc:.2f}."
    )
