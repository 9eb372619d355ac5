"""What a protocol says whose figures stand in tables of published ones."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tfmeta.runs.measuring.protocol import MeasuringProtocol, PartT, ResultT
from tfmeta.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from tfmeta.evaluation import ClassInterval


class InTables(MeasuringProtocol[PartT, ResultT]):
    """A protocol of which a figure is a column of a row, `tfmeta reproduce`.

    Attributes:
        kind: What a row's file calls it.
        unit: What the percentage is one of.
        intervals: What its two intervals are over.
        bound: Which side of a goal is wanted: an accuracy above, an error below.
    """

    kind: ClassVar[str]
    unit: ClassVar[str]
    intervals: ClassVar[tuple[str, str]]
    bound: ClassVar[Literal["≥", "≤"]]

    @classmethod
    @abc.abstractmethod
    def of_column(
        cls, *, ways: int, shots: int, queries: int, num_episodes: int
    ) -> InTables[PartT, ResultT]:
        """The protocol of a column, which gives one result."""

    @classmethod
    @abc.abstractmethod
    def label(cls, *, ways: int, shots: int) -> str:
        """What is measured, in words."""

    @abc.abstractmethod
    def find(self, folder: RunFolder) -> ResultT | None:
        """The result as the run folder keeps it, `None` without one.

        Raises:
            ValueError: When its file is damaged or from a newer version.
        """

    @abc.abstractmethod
    def figure(self, result: ResultT) -> dict[str, Any]:
        """A result as a table has it.

        Returns:
            Plain values: `percent`, `intervals` by what they are over, each with its
            lower and upper end in percent or `None` where there is none,
            `no_interval`, the reason for that, `test_classes`, their number,
            `transductive`, in that case beside it the figures for queries one by one
            and for unequal classes, `pretraining` as of `Pretraining.to_json`, and what
            was measured.
        """

    @classmethod
    @abc.abstractmethod
    def reading(
        cls,
        columns: Sequence[Mapping[str, Any]],
        *,
        test_classes: Sequence[int],
        test_episodes: int,
    ) -> str:
        """How its columns are to be read, for the text below a table.

        Args:
            columns: Those of this kind, as a result file holds them.
            test_classes: How many each figure with an interval over them is of.
            test_episodes: Test episodes per figure.
        """


def percent(interval: ClassInterval) -> list[float] | None:
    """The ends of an interval in percent, `None` where it has none."""
    return None if interval.ends is None else [100 * end for end in interval.ends]
