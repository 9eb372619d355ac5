"""From logits to answers, and what is to be known of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.classifying.answers import Answers
from tfmeta.classifying.task import UNKNOWN
from tfmeta.evaluation.threshold import Threshold
from tfmeta.gallery.calibration import missing_for_threshold
from tfmeta.gallery.facts import CrossValidation, ThresholdRule
from tfmeta.gallery.matches import Matches
from tfmeta.gallery.nearest import Nearest
from tfmeta.gallery.records import StoredClass

# Below it, a threshold is hardly better than chance.
_LEAST_AREA = 0.6


def checked_labels(
    labels: Sequence[int] | np.ndarray | None, queries: int, ways: int
) -> np.ndarray | None:
    """The true classes of queries as int32 `(queries,)`.

    Raises:
        ValueError: When they are not one class for each query.
    """
    if labels is None:
        return None
    found = np.asarray(labels)
    wrong = found.shape != (queries,) or found.dtype.kind not in "iu"
    if wrong or (len(found) and not -1 <= found.min() <= found.max() < ways):
        raise ValueError(
            f"`labels` must be {queries} whole numbers, one for each query, of the "
            f"{ways} classes from 0 on, -1 for another. Received: shape {found.shape}, "
            f"dtype {found.dtype}, {str(found.ravel()[:5].tolist())}"
        )
    return found.astype(np.int32)


def answers_of(
    logits: np.ndarray,
    class_names: Sequence[str],
    threshold: Threshold | None,
    **described: Any,
) -> Answers:
    """The answers of logits.

    Args:
        logits: Float32 `(queries, classes)`, finite.
        class_names: The classes, by label.
        threshold: From which score on a query is of one of them, `None` for always.
        **described: What else `Answers` has.
    """
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = shifted / shifted.sum(axis=1, keepdims=True)
    classes = logits.argmax(axis=1)
    if threshold is not None:
        scores = {"logit": logits, "probability": probabilities}[threshold.score]
        classes = np.where(threshold.accepts(scores.max(axis=1)), classes, UNKNOWN)
    return Answers(
        class_names=tuple(class_names),
        probabilities=probabilities,
        classes=classes,
        open_set=threshold is not None,
        **described,
    )


def matches_of(
    nearest: Nearest,
    class_names: np.ndarray,
    threshold: Threshold | None,
    **described: Any,
) -> Matches:
    """The answers of the best classes alone.

    Args:
        nearest: They, with finite logits.
        class_names: Their names.
        threshold: As of `answers_of`.
        **described: What else `Matches` has.
    """
    probabilities = nearest.probabilities
    accepted = np.ones(len(probabilities), bool)
    if threshold is not None:
        scores = {"logit": nearest.logits, "probability": probabilities}
        accepted = threshold.accepts(scores[threshold.score][:, 0])
    return Matches(
        class_names=class_names,
        probabilities=probabilities,
        accepted=accepted,
        **described,
    )


def check_finite_logits(logits: np.ndarray, source: object) -> None:
    """Checks that every query has an answer.

    Raises:
        ValueError: When logits are NaN or infinite; counts the queries.
    """
    wrong = np.count_nonzero(~np.isfinite(logits).all(axis=1))
    if wrong:
        raise ValueError(
            f"{source} must answer with finite logits. Received: others for {wrong} of "
            f"{len(logits)} queries, so none is answered; the numbers of its learner "
            "are too large for its dtype, `re_embed` takes another"
        )


def query_names(
    queries: Sequence[Any] | np.ndarray, names: Sequence[str] | None
) -> tuple[str, ...]:
    """What queries are called: as is said, or the file, the text, or the number.

    Raises:
        ValueError: When there are more or fewer names than queries.
    """
    if names is None:
        return tuple(
            str(q) if isinstance(q, Path | str) else str(number)
            for number, q in enumerate(queries, start=1)
        )
    if len(names) != len(queries):
        raise ValueError(
            f"`names` must be one of each query, {len(queries)}. Received: {len(names)}"
        )
    return tuple(names)


def threshold_warnings(
    rule: ThresholdRule, found: Threshold | None, classes: Sequence[StoredClass]
) -> tuple[str, ...]:
    """What is wrong with the threshold of a gallery.

    Args:
        rule: What it is by.
        found: It, `None` for none.
        classes: What is enrolled.
    """
    if isinstance(rule, CrossValidation):
        missing = missing_for_threshold(classes)
        if missing is None:
            area = 1.0 if found is None else found.validation_auroc[found.score]
            if area >= _LEAST_AREA:
                return ()
            return (
                '"none of these" is hardly ever right yet: in a cross-validation of '
                "what is enrolled the threshold tells known from unknown with an AUROC "
                f"of {area:.2f}, where 0.5 is chance; enrol more examples",
            )
        return (
            "every query is answered with a class, as there is no threshold yet: "
            f"enrol {missing}",
        )
    if rule is None or not classes:
        return ()
    fitted = [rule.protocol.get(name) for name in ("ways", "shots")]
    shots = min(len(one.embeddings) for one in classes)
    if None in fitted or fitted == [len(classes), shots]:
        return ()
    return (
        f"the threshold was fitted on {fitted[0]}-way {fitted[1]}-shot episodes, and "
        f"the gallery has {len(classes):,} classes with {shots} examples at least: one "
        "by cross-validation follows what is enrolled",
    )
