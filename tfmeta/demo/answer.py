"""What answers the page: a run, or an encoder that others have trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a query is.

    Attributes:
        probabilities: By the name of the class, in the order of the page.
        note: What was done to the pictures; empty for nothing.
    """

    probabilities: Mapping[str, float]
    note: str = ""


class Drawings(Protocol):
    """Answers for characters that were drawn."""

    @property
    def about(self) -> str:
        """What answers, in a sentence or two."""
        ...

    def of_drawings(
        self, support: Mapping[str, np.ndarray], query: np.ndarray
    ) -> Answer:
        """The class of a drawing.

        Args:
            support: Ink `(height, width)` by class, as of `drawings.ink_of`.
            query: Likewise.

        Raises:
            ValueError, Refusal: When it cannot be answered.
        """
        ...


class Photographs(Protocol):
    """Answers for pictures in files."""

    @property
    def about(self) -> str:
        """What answers, in a sentence or two."""
        ...

    def of_photographs(
        self, support: Mapping[str, Sequence[Path]], query: Path
    ) -> Answer:
        """The class of a picture.

        Args:
            support: Files by class.
            query: A file.

        Raises:
            ValueError, Refusal: When a file is no picture or it cannot be answered.
            OSError: When a file cannot be read.
        """
        ...
