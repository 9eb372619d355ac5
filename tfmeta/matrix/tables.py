"""A matrix as text, CSV and Markdown, from the content of its result file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len

from tfmeta.matrix.kept import KeptCell, KeptMatrix
from tfmeta.printable import markdown_text, short_name

_NOTHING = "–"
_MOST_LETTERS = 28

CSV_FIELDS = (
    *("encoder", "kind", "learner", "pretraining_data", "domain", "chosen", "ways"),
    *("shots", "queries", "classes", "classes_of_all", "examples", "percent"),
    *("over_episode_draws_half_width", "over_test_classes_low"),
    *("over_test_classes_high", "seen_in_pretraining", "trained_on_other_classes"),
    *("inverted", "transductive", "episodes", "seed", "reason"),
)


def text_lines(content: KeptMatrix) -> Iterator[str]:
    """The table in columns, and what is to be known of it."""
    shown = [[_shown(cell) for cell in row] for row in grid(content)]
    widths = [max(map(cell_len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        first, *others = (
            " " * (width - cell_len(cell)) + cell if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join([first, *others]).rstrip()
    yield ""
    yield from notes(content)


def markdown_lines(content: KeptMatrix) -> Iterator[str]:
    """The table and what is to be known of it, in Markdown."""
    header, *rows = ([markdown_text(cell) for cell in row] for row in grid(content))
    yield f"| {' | '.join(header)} |"
    yield "|---" * len(header) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
    first, *others = notes(content)
    yield markdown_text(first)
    yield ""
    yield from (f"- {markdown_text(note)}" for note in others)


def csv_lines(content: KeptMatrix) -> Iterator[str]:
    """A header, and a line for every cell, those without a figure included.

    Values are as they are; a spreadsheet takes a name that begins with `=`, `+`, `-`
    or `@` for a formula.
    """
    yield _csv_line(CSV_FIELDS)
    rows = {row["name"]: row for row in content["encoders"]}
    domains = {domain["name"]: domain for domain in content["domains"]}
    for cell in content["cells"]:
        row, domain = rows[cell["encoder"]], domains[cell["domain"]]
        over_classes = cell["over_test_classes"]
        low, high = (over_classes and over_classes["ends"]) or (None, None)
        values: dict[str, Any] = {
            **{key: cell[key] for key in CSV_FIELDS if key in cell},  # type: ignore[literal-required]
            **{key: row[key] for key in ("kind", "learner", "transductive")},
            "pretraining_data": row["pretrained_on"],
            **{
                key: domain[key]
                for key in ("chosen", "classes", "classes_of_all", "examples")
            },
            **{key: content[key] for key in ("ways", "episodes", "seed")},
            "percent": _percent(cell["accuracy"]),
            "over_episode_draws_half_width": _percent(cell["over_episode_draws"]),
            "over_test_classes_low": _percent(low),
            "over_test_classes_high": _percent(high),
        }
        yield _csv_line([values[field] for field in CSV_FIELDS])


FORMATS: Mapping[str, Callable[[KeptMatrix], Iterator[str]]] = {
    "text": text_lines,
    "csv": csv_lines,
    "markdown": markdown_lines,
}


def grid(content: KeptMatrix) -> list[list[str]]:
    """Header and rows: encoders by domains and shots, `accuracy ± half s t`."""
    columns = [
        (domain["name"], shots)
        for domain in content["domains"]
        for shots in content["shots"]
    ]
    cells = {(c["encoder"], c["domain"], c["shots"]): c for c in content["cells"]}
    return [
        ["encoder", *(f"{name} {shots}-shot" for name, shots in columns)],
        *(
            [row["name"], *(_cell(cells[(row["name"], *place)]) for place in columns)]
            for row in content["encoders"]
        ),
    ]


def notes(content: KeptMatrix) -> Iterator[str]:
    """Sentences below the table, without which its figures mislead."""
    size = content["size"]
    sized = f" Encoders by name bring pictures to {size} pixels." if size else ""
    yield (
        f"{content['ways']}-way accuracy in percent, ± half of the 95 % interval over "
        f"episode draws; {content['episodes']:,} episodes of seed {content['seed']}, "
        f"the same for every encoder.{sized}"
    )
    marked = [c for c in content["cells"] if c["accuracy"] is not None]
    if any(cell["seen_in_pretraining"] for cell in marked):
        yield (
            "s: seen. The encoder was pre-trained on data that hold these very "
            "classes; the figure says nothing of new ones."
        )
    if any(cell["trained_on_other_classes"] for cell in marked):
        yield "t: the run was trained on other classes of the same data set."
    for domain in content["domains"]:
        each = {
            cell["queries"] for cell in marked if cell["domain"] == domain["name"]
        } - {None}
        asked = "" if not each else f", {_either(each)} queries of each in a task"
        count, of_all = domain["classes"], domain["classes_of_all"]
        yield (
            f"{domain['name']}: {count:,} "
            + ("" if count == of_all else f"of {of_all:,} ")
            + f"{domain['chosen']}, at most {domain['most_of_a_class']:,} examples of "
            f"each, {domain['examples']:,} in all{asked}."
        )
    for row in content["encoders"]:
        transductive = ", transductive" if row["transductive"] else ""
        data = row["pretrained_on"]
        yield (
            f"{row['name']}: {row['learner']}{transductive}"
            + (", a trained run" if row["kind"] == "run" else "")
            + ("" if data is None else f", on an encoder pre-trained on {data}")
            + "."
        )
        if not row["pictures_known"]:
            yield (
                f"{row['name']}: its training data are not here, so no pictures are "
                "inverted for it."
            )
    for cell in _first_of_each(content["cells"], "inverted"):
        yield (
            f"{cell['encoder']} on {cell['domain']}: pictures inverted, as their "
            "ground is dark where that of its training is light, or the other way "
            "round."
        )
    yield from _reasons(content["cells"])
    if content["not_here"]:
        yield f"Not imported, so left out: {', '.join(content['not_here'])}."
    commit = content["commit"]
    yield f"{content['command']}" + (f", commit {commit[:12]}" if commit else "")


def _reasons(cells: Sequence[KeptCell]) -> Iterator[str]:
    found: dict[tuple[str, str, str], list[int]] = {}
    for cell in cells:
        if cell["reason"] is not None:
            place = (cell["encoder"], cell["domain"], cell["reason"])
            found.setdefault(place, []).append(cell["shots"])
    for (encoder, domain, reason), shots in found.items():
        yield f"{_NOTHING} {encoder} on {domain}, {_either(shots)}-shot: {reason}"


def _first_of_each(cells: Sequence[KeptCell], mark: str) -> list[KeptCell]:
    """The marked cells with a figure, one of an encoder and a domain."""
    found: dict[tuple[str, str], KeptCell] = {}
    for cell in cells:
        if cell[mark] and cell["accuracy"] is not None:  # type: ignore[literal-required]
            found.setdefault((cell["encoder"], cell["domain"]), cell)
    return list(found.values())


def _either(numbers: Any) -> str:
    return " or ".join(map(str, sorted(numbers)))


def _cell(cell: KeptCell) -> str:
    accuracy, half = cell["accuracy"], cell["over_episode_draws"]
    if accuracy is None or half is None:
        return _NOTHING
    marks = " s" * cell["seen_in_pretraining"] + " t" * cell["trained_on_other_classes"]
    return f"{100 * accuracy:.2f} ± {100 * half:.2f}{marks}"


def _shown(cell: str) -> str:
    """A name as it may be long and of any characters; figures are short."""
    return short_name(cell, _MOST_LETTERS)


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.4f}"


def _csv_line(values: Sequence[Any]) -> str:
    line = io.StringIO()
    # What ends a line is quoted where it ends lines.
    csv.writer(line, lineterminator="\r\n").writerow(values)
    return line.getvalue().removesuffix("\r\n")
