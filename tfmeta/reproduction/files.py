"""The files of a reproduced table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfmeta.reproduction.collect import RESULT_FORMAT_VERSION
from tfmeta.reproduction.csv_table import csv_text
from tfmeta.reproduction.curves import draw_curves
from tfmeta.reproduction.markdown import markdown
from tfmeta.reproduction.readme import write_text
from tfmeta.runs.run_folder import read_versioned, write_json


def write_table(content: dict[str, Any], directory: Path) -> tuple[Path, ...]:
    """Writes `NAME.md`, `NAME.csv`, `NAME.json` and `curves.png`.

    Raises:
        FileExistsError: When figures would be lost: those of runs that are neither
            in the folder nor in the content, or of a file that is no such table.
    """
    name = content["table"]
    result = directory / f"{name}.json"
    _check_nothing_is_lost(content, directory)
    directory.mkdir(parents=True, exist_ok=True)
    text, lines = directory / f"{name}.md", directory / f"{name}.csv"
    curves = directory / "curves.png"
    write_json(result, content)
    write_text(text, markdown(content))
    write_text(lines, csv_text(content))
    draw_curves(content, curves)
    return text, lines, result, curves


def read_result(path: Path) -> dict[str, Any]:
    """The content of a `NAME.json`, from which all else can be written again.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is something else, is damaged, or is from a newer
            version.
    """
    return read_versioned(
        path, RESULT_FORMAT_VERSION, ("table", "rows", "test_episodes")
    )


def read_earlier(name: str, directory: Path) -> dict[str, Any] | None:
    """The content of the table that is in a folder already, `None` without one.

    Raises:
        FileExistsError: When the file is no such table.
    """
    result = directory / f"{name}.json"
    if not result.exists():
        return None
    try:
        return read_result(result)
    except ValueError as error:
        raise _no_table(result, error) from error


def _no_table(result: Path, error: Exception) -> FileExistsError:
    return FileExistsError(
        f"{result} must be a table that `tfmeta reproduce` wrote, or not be there. "
        f"Received: something else, which is not overwritten ({error})"
    )


def _check_nothing_is_lost(content: dict[str, Any], directory: Path) -> None:
    result = directory / f"{content['table']}.json"
    if not result.exists():
        return
    try:
        rows = read_result(result)["rows"]
        measured = [
            run["folder"]
            for row in rows
            for run in row["runs"]
            if any(figure is not None for figure in run["figures"])
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise _no_table(result, error) from error
    kept = {run["folder"] for row in content["rows"] for run in row["runs"]}
    lost = [n for n in measured if n not in kept and not (directory / n).is_dir()]
    if lost:
        raise FileExistsError(
            f"{result} holds figures of runs that must be beside it. Received: none "
            f"named {', '.join(lost)}; put them back, or move the file away"
        )
