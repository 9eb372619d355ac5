"""What no expectation can be found of, refused in a line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfmeta.estimation.doubles import Links, same_classes
from tfmeta.estimation.folds import can_be_left_out
from tfmeta.finite_checks import check_finite


def checked_features(name: str, features: np.ndarray) -> np.ndarray:
    """Features as float32 `(examples, features)`.

    Raises:
        ValueError: When they are not such, or not finite.
    """
    features = np.asarray(features)
    if features.ndim != 2 or not features.shape[1] or features.dtype.kind not in "fiub":
        raise ValueError(
            f"`{name}` must be numbers of the shape (examples, features). Received: "
            f"{features.dtype} of shape {features.shape}"
        )
    check_finite(name, features)
    with np.errstate(over="ignore"):
        features = np.asarray(features, np.float32)
    if not np.isfinite(features).all():
        raise ValueError(
            f"`{name}` must be numbers that float32 holds, below 3.4e38. Received: "
            "larger ones"
        )
    return features


def checked_rows(name: str, values: Sequence | np.ndarray | None, count: int) -> None:
    """Checks that there is one for each example.

    Raises:
        ValueError: When there are more or less.
    """
    if values is not None and len(values) != count:
        raise ValueError(
            f"`{name}` must have one for each example. Received: {len(values)} for "
            f"{count} examples"
        )


def numbered(labels: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of classes, and the number of each example's.

    Raises:
        ValueError: With fewer than two classes, or no class with a second example.
    """
    given = [str(label) for label in labels]
    names = sorted(set(given))
    if len(names) < 2:
        raise ValueError(
            "`labels` must be of at least 2 classes: with one there is nothing to "
            f"tell apart. Received: {', '.join(map(repr, names)) or 'no examples'}"
        )
    place = {name: number for number, name in enumerate(names)}
    numbers = np.array([place[label] for label in given], np.int32)
    if np.bincount(numbers).max() < 2:
        raise ValueError(
            "`labels` must have a class with at least 2 examples: one is asked, the "
            f"others are learned. Received: 1 example of each of {len(names)} classes"
        )
    return tuple(names), numbers


def check_links(
    links: Links, labels: np.ndarray, class_names: Sequence[str]
) -> np.ndarray | None:
    """The groups that examples are left out in; `None` where each is its own.

    Raises:
        ValueError: When two classes hold the same examples, or all examples of each
            class are the same.
    """
    same = same_classes(links, labels)
    if same is not None:
        one, other = (class_names[label] for label in same)
        raise ValueError(
            "`labels` must be of classes with other examples each: equal ones cannot "
            f"be told apart. Received: {one!r} and {other!r} with the same examples"
        )
    if not len(links.twice):
        return None
    if not can_be_left_out(labels, links.groups).any():
        raise ValueError(
            "`labels` must have a class with 2 different examples: one is asked, the "
            "others are learned. Received: classes with copies of one example"
        )
    return links.groups
