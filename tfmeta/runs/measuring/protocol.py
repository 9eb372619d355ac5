"""What a way to measure a trained run says of itself."""

from __future__ import annotations

import abc
import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from tfmeta.durable import check_writable
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.parameter import Task
from tfmeta.runs.result_file import Result, ResultFile
from tfmeta.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from tfmeta.learners import FewShotLearner

PartT = TypeVar("PartT")
ResultT = TypeVar("ResultT", bound=Result)


@dataclasses.dataclass(frozen=True)
class Drawn(Generic[PartT]):
    """What is measured one after the other, and printed at once.

    Attributes:
        parts: What gives one result each, by its name.
        said: What a user should know before it is measured, one line each.
        notes: What a user should know of the results, one line each.
    """

    parts: Mapping[str, PartT]
    said: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeasuringProtocol(abc.ABC, Generic[PartT, ResultT]):
    """One way to measure a trained run.

    Its fields are the options of `tfmeta evaluate` that it takes, by their names. A
    field made by `parameter` is an option of its own, which the command gets from
    here; so that `--help` does not wait for TensorFlow, a module of a protocol
    imports it inside functions alone.

    Attributes:
        name: What it is called on the command line.
        measures: The runs that it is for, by what their learners do.
        asked: How `tfmeta evaluate` is asked for it: by nothing, by a flag of its
            name, or by `--protocol` and its name.
        help: What it is, for `--help`; `None` for one that is asked for by nothing.
        takes_no_more: Why it takes no other options, for one of `--protocol`.
        of_usual_runs: What an option of its own does, by its name, for one that is
            asked for by nothing. Such an option needs a trained learner.
        progress: What the progress bar says.
        names_runs: Whether each of several runs is named before its figures.
    """

    name: ClassVar[str]
    measures: ClassVar[Task] = "classification"
    asked: ClassVar[Literal["default", "flag", "choice"]]
    help: ClassVar[str | None] = None
    takes_no_more: ClassVar[str] = "which does not take it"
    of_usual_runs: ClassVar[Mapping[str, str]] = {}
    progress: ClassVar[str] = "evaluating"
    names_runs: ClassVar[bool] = True

    @abc.abstractmethod
    def draw(
        self, config: TrainConfig, *, data_dir: str | os.PathLike[str] | None = None
    ) -> Sequence[Drawn[PartT]]:
        """All that is to be measured of a run, so that what cannot be is said first.

        Raises:
            ValueError: When the data of the run do not allow it.
        """

    @abc.abstractmethod
    def run(
        self,
        folder: RunFolder,
        learner: FewShotLearner,
        part: PartT,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> ResultT:
        """Measures a learner of a run on one part of what was drawn.

        Features of a frozen encoder are kept beside the data, in `data_dir`.

        Raises:
            ValueError: When test classes were seen in training or validation, or
                the learner does not suit.
            FileNotFoundError: When the run does not say which were seen.
        """

    @abc.abstractmethod
    def kept_in(self, folder: RunFolder) -> ResultFile[ResultT]:
        """The file of a run folder that its results are kept in."""

    def keep(self, folder: RunFolder, part: PartT, result: ResultT) -> None:
        """Keeps a result; one of the same protocol is replaced."""
        self.kept_in(folder).keep(result)

    def illustrate(
        self, folder: RunFolder, learner: FewShotLearner, part: PartT
    ) -> None:
        """Draws what is kept beside the results and needs the learner."""
        return None

    def pictures(self, folder: RunFolder, config: TrainConfig) -> list[Path]:
        """The pictures that are drawn into a run folder beside the results."""
        return []

    def check_keepable(self, folder: RunFolder, config: TrainConfig) -> None:
        """Refuses a run folder that could not take the results, before any is there.

        Raises:
            OSError: When one of its files could not be written.
        """
        for path in (self.kept_in(folder).path, *self.pictures(folder, config)):
            check_writable(path)

    def read(self, folder: RunFolder) -> list[ResultT]:
        """All results that a run folder keeps in its file, the latest last.

        Raises:
            ValueError: When the file is damaged or from a newer version.
        """
        return self.kept_in(folder).read()

    def report(
        self,
        folder: RunFolder,
        drawn: Drawn[PartT],
        results: Mapping[str, ResultT],
        *,
        kept: bool,
    ) -> Iterator[Any]:
        """What is printed of results: text, or a table of `rich`.

        Args:
            folder: The run.
            drawn: What was measured.
            results: Of each of its parts, by name.
            kept: Whether they were kept.
        """
        yield from map(str, results.values())

    def report_spread(self, measured: Sequence[Sequence[ResultT]]) -> Iterator[str]:
        """What is printed of several trainings, after the results of each."""
        yield from ()
