"""What is wrong with somebody's files: all of it is named at once, or left out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

# Of what is wrong; the rest is counted.
MOST_NAMED = 20

_SKIP = "`skip_bad=True` leaves {them} out"


class UnreadableFile(ValueError):
    """A file that is not what it is taken for.

    Attributes:
        reason: What is wrong with it, without its name.
        accepted: What it must be, e.g. `"a whole .npy file of numbers"`.
    """

    def __init__(self, name: str, what: str, accepted: str, reason: str) -> None:
        super().__init__(f"{what} {name} must be {accepted}. Received: {reason}")
        self.reason = reason
        self.accepted = accepted


def find_unreadable(
    files: Sequence[Path], read: Callable[[Path], Any]
) -> dict[Path, str]:
    """Reads every file once and keeps none.

    Args:
        files: The files.
        read: What is tried.

    Returns:
        What is wrong, by file, of those that `read` refuses.
    """

    def try_one(path: Path) -> str | None:
        try:
            read(path)
        except (UnreadableFile, OSError) as error:
            return reason_of(error)
        return None

    with ThreadPoolExecutor() as pool:
        reasons = pool.map(try_one, files)
        return {p: r for p, r in zip(files, reasons, strict=True) if r is not None}


def reason_of(error: UnreadableFile | OSError) -> str:
    """What is wrong with a file, without its name."""
    if isinstance(error, UnreadableFile):
        return error.reason
    return error.strerror or str(error)


def refuse_unreadable(
    reasons: Mapping[Path, str], total: int, accepted: str, *, what: str = "picture"
) -> None:
    """Names all files that cannot be read, or the first and the number of all.

    Args:
        reasons: What is wrong, by file.
        total: How many files there are.
        accepted: What one must be.
        what: What one is called.

    Raises:
        ValueError: When there is one.
    """
    if not reasons:
        return
    if len(reasons) == 1:
        ((path, reason),) = reasons.items()
        said = f"{what} {str(path)!r} must be {accepted}. Received: {reason}"
        raise ValueError(f"{said}; {_SKIP.format(them='it')}")
    named = _named([f"{str(path)!r} ({why})" for path, why in reasons.items()])
    raise ValueError(
        f"each of {total:,} {what}s must be {accepted}. Received: {len(reasons):,} "
        f"that are not, {named}; {_SKIP.format(them='them')}"
    )


def left_out(reasons: Mapping[Path, str], total: int, *, what: str = "picture") -> str:
    """A sentence on files that were left out, with the first of them."""
    shown = _named([f"{str(p)!r} ({why})" for p, why in reasons.items()], most=3)
    verb = "is" if len(reasons) == 1 else "are"
    return f"{len(reasons):,} of {total:,} {what}s {verb} left out: {shown}"


class Problems:
    """What is wrong with entries of one list, such as the lines of a file.

    Args:
        skip_bad: Whether such entries are left out.

    Example:

    ```python
    problems = Problems(skip_bad=False)
    for line in lines:
        with problems.of_one():
            check(line)
    problems.refuse()  # raises, where there are some
    ```
    """

    def __init__(self, *, skip_bad: bool = False) -> None:
        self.skip_bad = skip_bad
        self.found: list[ValueError | OSError] = []

    @contextlib.contextmanager
    def of_one(self) -> Iterator[None]:
        """Keeps what one entry raises, so that the others are looked at, too."""
        try:
            yield
        except (ValueError, OSError) as error:
            self.found.append(error)

    def refuse(self) -> None:
        """Raises what was found, all of it in one error, unless it is left out.

        Raises:
            ValueError, OSError: The one that was found; of several a `ValueError`.
        """
        if not self.found or self.skip_bad:
            return
        if len(self.found) == 1:
            raise self.found[0]
        named = _named([str(error) for error in self.found], between="; ")
        raise ValueError(
            f"{len(self.found):,} problems, which `skip_bad=True` leaves out: {named}"
        )

    def notes(self, source: Path) -> tuple[str, ...]:
        """A sentence on what was left out, if anything was."""
        if not self.found:
            return ()
        named = _named([str(error) for error in self.found], most=3, between="; ")
        return (f"{len(self.found):,} entries of {source} are left out: {named}",)


def _named(names: Sequence[str], *, most: int = MOST_NAMED, between: str = ", ") -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return between.join(names[:most]) + more
