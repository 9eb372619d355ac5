"""The best classes of queries, where there are too many to list them all."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Matches:
    """What `Gallery.search` found.

    Attributes:
        names: What each query is called.
        class_names: `str` objects `(queries, top)`: names of classes, the best first.
        probabilities: Float64 `(queries, top)`, by a softmax over all classes.
        accepted: Bool `(queries,)`: whether the best class is the answer, by the
            threshold; else it is none of the enrolled ones.
        warnings: What is to be known of the answers.
        recall: Of answers by an index, the share of the best 1 and of the best 10
            classes that it finds, by these numbers, measured on a sample beside the
            scan of all classes; `None` for answers that miss none.
    """

    names: tuple[str, ...]
    class_names: np.ndarray
    probabilities: np.ndarray
    accepted: np.ndarray
    warnings: tuple[str, ...] = ()
    recall: Mapping[int, float] | None = None
