"""A table between its two markers in a README."""

from __future__ import annotations

from pathlib import Path

from tfmeta.durable import check_writable, writing


def put_into_readme(readme: Path, name: str, table: str) -> None:
    """Puts a table between its two markers in a Markdown file.

    The markers are the lines `<!-- NAME table -->` and
    `<!-- end of NAME table -->`; what stood between them goes.

    Raises:
        ValueError: When the markers are not there, each once and in order.
    """
    before, after = check_readme(readme, name)
    begin_mark, end_mark = _marks(name)
    write_text(readme, f"{before}{begin_mark}\n\n{table}\n{end_mark}{after}")


def check_readme(readme: Path, name: str) -> tuple[str, str]:
    """What stands before and after a table, so that it can be put there.

    Raises:
        ValueError: When the markers are not there, each once and in order.
        PermissionError: When the file cannot be written.
    """
    check_writable(readme)
    begin_mark, end_mark = _marks(name)
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(begin_mark)
    _, end, after = rest.partition(end_mark)
    if not begin or not end or begin_mark in rest or end_mark in before + after:
        raise ValueError(
            f"{readme} must hold {begin_mark!r} and behind it {end_mark!r}, once each. "
            "Received: a file where that is not so"
        )
    return before, after


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- {name} table -->", f"<!-- end of {name} table -->"


def write_text(path: Path, text: str) -> None:
    """Writes text under a temporary name, then renames: whole or not at all."""
    with writing(path) as building:
        building.write_text(text, encoding="utf-8")
