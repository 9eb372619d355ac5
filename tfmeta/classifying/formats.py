"""Answers as lines of text, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tfmeta.classifying.answers import Answers
from tfmeta.json_files import json_text, null_where_not_finite
from tfmeta.printable import printable

# With more classes JSON has the largest probabilities alone.
MOST_CLASSES, TOP = 1000, 10


def text_lines(answers: Answers) -> Iterator[str]:
    """A line for each query, between tabs: its name, the class, the probability.

    Names are written by `printable`, so that none can forge a line. Where the true
    classes are known, accuracy and recall follow after an empty line.
    """
    for row, name in enumerate(answers.names):
        probability = answers.probability_of(row)
        said = "-" if probability is None else f"{probability:.3f}"
        answer = answers.name_of(answers.classes[row])
        yield f"{printable(name)}\t{printable(answer)}\t{said}"
    checked = answers.checked()
    if checked is not None:
        yield ""
        yield str(checked)


def csv_lines(answers: Answers) -> Iterator[str]:
    """A header and a row for each query, quoted as RFC 4180 says.

    Values are as they are, so that a program finds the files again. No prefix keeps a
    spreadsheet from taking one that begins with `=`, `+`, `-` or `@` for a formula:
    import it as text there.

    The columns are `file` (or `text`, `example`), `class` and `probability`, which is
    empty for none of these; where the true classes are known also `label`, empty for
    another class than those.
    """
    field, labels = _field(answers), answers.labels
    yield _csv_row(
        field, "class", "probability", *([] if labels is None else ["label"])
    )
    for row, name in enumerate(answers.names):
        probability = answers.probability_of(row)
        label = -1 if labels is None else int(labels[row])
        yield _csv_row(
            name,
            answers.name_of(answers.classes[row]),
            "" if probability is None else _short(probability),
            *([] if labels is None else [answers.class_names[label] * (label >= 0)]),
        )


def json_lines(answers: Answers) -> Iterator[str]:
    """One JSON document, an answer a line.

    `{"classes": [...], "answers": [...], "accuracy": ...}`: each answer has `file`
    (or `text`, `example`), `class` and `probability`, both `null` for none of these,
    and the `probabilities` of all classes by name (of more than `MOST_CLASSES` the
    `TOP` largest, the largest first); where the true classes are known also
    `label`, `null` for another class than those, and the document has `right`,
    `accuracy` and `recall` by class, else `null`.
    """
    field = _field(answers)
    names = list(answers.class_names)
    yield f'{{"classes": {_json(names)},'
    yield '"answers": ['
    last = len(answers) - 1
    for row, name in enumerate(answers.names):
        label = int(answers.classes[row])
        known = label >= 0
        probability = answers.probability_of(row)
        values: dict[str, Any] = {
            field: name,
            "class": names[label] if known else None,
            "probability": None if probability is None else float(_short(probability)),
        }
        if answers.labels is not None:
            true = int(answers.labels[row])
            values["label"] = names[true] if true >= 0 else None
        row_of = answers.probabilities[row]
        values["probabilities"] = {
            names[column]: float(_short(row_of[column])) for column in _shown(row_of)
        }
        yield _json(values) + ("" if row == last else ",")
    yield f"], {_json(_figures(answers))[1:]}"


FORMATS: Mapping[str, Callable[[Answers], Iterator[str]]] = {
    "text": text_lines,
    "csv": csv_lines,
    "json": json_lines,
}


def _shown(probabilities: np.ndarray) -> np.ndarray:
    """The columns whose probabilities are written."""
    if len(probabilities) <= MOST_CLASSES:
        return np.arange(len(probabilities))
    return np.argsort(-probabilities, kind="stable")[:TOP]


def _field(answers: Answers) -> str:
    if answers.of == "picture" or answers.in_files:
        return "file"
    return "text" if answers.of == "text" else "example"


def _csv_row(*fields: str) -> str:
    row = io.StringIO()
    # What ends a line is quoted where it ends lines.
    csv.writer(row, lineterminator="\r\n").writerow(fields)
    return row.getvalue().removesuffix("\r\n")


def _short(probability: float) -> str:
    """As many digits as a float32 has."""
    return str(np.float32(probability))


def _json(value: Any) -> str:
    return json_text(value, "an answer")


def _figures(answers: Answers) -> dict[str, Any]:
    checked = answers.checked()
    figures: dict[str, Any] = {"queries": len(answers)}
    if checked is None:
        return {**figures, "right": None, "accuracy": None, "recall": None}
    recall = [float(value) for value in checked.recall]
    return {
        **figures,
        "right": int(np.trace(checked.counts)),
        "accuracy": checked.accuracy,
        "recall": null_where_not_finite(dict(zip(checked.names, recall, strict=True))),
    }
