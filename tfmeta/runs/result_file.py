"""A file of a run folder that holds results of one kind."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from tfmeta.json_files import write_json
from tfmeta.json_types import check_type
from tfmeta.runs.run_folder import read_versioned


class Result(Protocol):
    """What can be kept: a figure, and what it is a figure of."""

    @property
    def protocol(self) -> dict[str, Any]:
        """What fixes the figure, in plain values."""

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""


_Result = TypeVar("_Result", bound=Result)


@dataclasses.dataclass(frozen=True)
class ResultFile(Generic[_Result]):
    """Results in a JSON file, at most one of each protocol.

    Attributes:
        path: The file; it need not exist.
        from_json: The result of a `to_json`.
        version: Format version of the file.
        command: The command that writes it.
        wanted: What a `to_json` looks like, as of `check_type`.
        single: Whether there is one protocol only, so that the file holds
            `result` instead of the list `results`.
    """

    path: Path
    from_json: Callable[[dict[str, Any]], _Result]
    version: int
    command: str
    single: bool = False
    wanted: Any = Any

    def read(self) -> list[_Result]:
        """All results, the latest last; none when there is no such file.

        Raises:
            ValueError: When the file is damaged or from a newer version.
        """
        if not self.path.exists():
            return []
        key = "result" if self.single else "results"
        found = read_versioned(self.path, self.version, (key,))[key]
        wanted = self.wanted if self.single else list[self.wanted]  # type: ignore[name-defined]
        try:
            check_type(found, wanted, f"`{key}`")
            results = [self.from_json(v) for v in ([found] if self.single else found)]
            # What does not fit together shows when all of it is used.
            for result in results:
                str(result), result.to_json()
            return results
        # It may show in any way.
        except Exception as error:
            raise ValueError(
                f"{self.path} must hold results as `{self.command}` writes them. "
                f"Received: one that does not ({type(error).__name__}: {error}); "
                "remove the file and evaluate again"
            ) from error

    def check_keepable(self) -> None:
        """Checks that a result can be kept beside the others.

        Raises:
            ValueError: As `read`, where there are others to be kept.
        """
        if not self.single:
            self.read()

    def keep(self, result: _Result) -> None:
        """Adds a result; one with the same protocol is replaced: it is the same figure.

        Raises:
            ValueError: As `read`, where there are others to be kept.
            OSError: When it cannot be written; the file stays as it was.
        """
        if self.single:
            held: dict[str, Any] = {"result": result.to_json()}
        else:
            others = [r for r in self.read() if r.protocol != result.protocol]
            held = {"results": [r.to_json() for r in [*others, result]]}
        write_json(self.path, {"format_version": self.version, **held})
