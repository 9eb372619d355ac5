"""The files of a reproduced table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfmeta.json_files import write_json
from tfmeta.json_types import check_type
from tfmeta.reproduction.collect import RESULT_FORMAT_VERSION
from tfmeta.reproduction.csv_table import csv_text
from tfmeta.reproduction.curves import draw_curves
from tfmeta.reproduction.earlier import brought_up_to_date
from tfmeta.reproduction.kept import FormerTable, KeptTable, check_columns
from tfmeta.reproduction.markdown import markdown
from tfmeta.reproduction.readme import write_text
from tfmeta.runs.run_folder import read_versioned


def write_table(content: dict[str, Any], directory: Path) -> tuple[Path, ...]:
    """Writes `NAME.md`, `NAME.csv`, `NAME.json` and `curves.png`.

    Raises:
        FileExistsError: When figures would be lost: those of runs that are neither
            in the folder nor in the content, or of a file that is no such table.
    """
    name = content["table"]
    _check_nothing_is_lost(content, directory)
    directory.mkdir(parents=True, exist_ok=True)
    text, lines, result = (
        directory / f"{name}.{kind}" for kind in ("md", "csv", "json")
    )
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
    content = read_versioned(
        path, RESULT_FORMAT_VERSION, ("table", "rows", "test_episodes")
    )
    try:
        check_type(content, FormerTable, path)
        content = check_type(brought_up_to_date(content), KeptTable, path)
        check_columns(content)
    except ValueError as error:
        raise ValueError(
            f"{path} must be a table that `tfmeta reproduce` wrote. Received: a file "
            f"that lacks something ({error})"
        ) from error
    return content


def read_earlier(name: str, directory: Path) -> dict[str, Any] | None:
    """The content of the table that is in a folder already, `None` without one.

    Raises:
        FileExistsError: When the file is no such table.
    """
    result = directory / f"{name}.json"
    if not result.exists():
        return None
    try:
        content = read_result(result)
        markdown(content)  # Which shows that nothing lacks in it.
    except (KeyError, TypeError, ValueError) as error:
        raise FileExistsError(
            f"{result} must be a table that `tfmeta reproduce` wrote, or not be there. "
            f"Received: something else, which is not overwritten ({error})"
        ) from error
    return content


def _measured_folders(content: dict[str, Any]) -> list[str]:
    """The names of the run folders that a table has figures of."""
    return [
        run["folder"]
        for row in content["rows"]
        for run in row["runs"]
        if any(figure is not None for figure in run["figures"])
    ]


def _check_nothing_is_lost(content: dict[str, Any], directory: Path) -> None:
    earlier = read_earlier(content["table"], directory)
    if earlier is None:
        return
    kept = {run["folder"] for row in content["rows"] for run in row["runs"]}
    lost = [
        name
        for name in _measured_folders(earlier)
        if name not in kept and not (directory / name).is_dir()
    ]
    if lost:
        raise FileExistsError(
            f"{directory / content['table']}.json holds figures of runs that must be "
            f"beside it. Received: none named {', '.join(lost)}; put them back, or "
            "move the file away"
        )
