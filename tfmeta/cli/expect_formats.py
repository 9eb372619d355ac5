"""An expectation as text and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tfmeta.cli.expect_report import ExpectReport
from tfmeta.estimation import Expectation, in_words
from tfmeta.estimation.expectation import Double
from tfmeta.estimation.wrong_answers import answered
from tfmeta.json_files import json_text, null_where_not_finite
from tfmeta.printable import one_line, short_name

# Of classes, pairs and examples each; the page and JSON have more.
_MOST = 10


def text_lines(report: ExpectReport) -> Iterator[str]:
    """Sentences and tables for people, what matters the most first."""
    # A note may name what holds a line break.
    return map(one_line, _lines(report))


def json_lines(report: ExpectReport) -> Iterator[str]:
    """One JSON document, an example a line.

    What `Expectation.to_json` gives, `source`, `pretraining_data`, and `examples`:
    of each `file` (or `text`, or `name` of an array), `label`, the `answer` while it
    was left out and the `probabilities` of all classes in their order; `null` for one
    that was never left out.
    """
    expected = report.expected
    first: dict[str, Any] = {
        "source": str(report.source),
        "pretraining_data": report.pretraining,
        **expected.to_json(),
    }
    yield f'{_json(null_where_not_finite(first))[:-1]}, "examples": ['
    answers = answered(expected).tolist()
    field = {"pictures": "file", "texts": "text"}.get(expected.kind, "name")
    last = len(answers) - 1
    for row, (name, answer) in enumerate(zip(expected.examples, answers, strict=True)):
        known = answer >= 0
        own = expected.probabilities[row] if known else ()
        values = {
            field: name,
            "label": expected.class_names[int(expected.labels[row])],
            "answer": expected.class_names[answer] if known else None,
            "probabilities": [float(str(share)) for share in own] if known else None,
        }
        yield _json(values) + ("" if row == last else ",")
    yield "]}"


FORMATS: Mapping[str, Callable[[ExpectReport], Iterator[str]]] = {
    "text": text_lines,
    "json": json_lines,
}


def _lines(report: ExpectReport) -> Iterator[str]:
    expected = report.expected
    yield in_words.headline(expected)
    yield ""
    yield f"Head: {in_words.head(expected)}"
    for one in expected.choice.candidates:
        chosen = "  chosen" if one.head == expected.choice.head else ""
        yield f"  {100 * one.accuracy:5.1f} %  {one.head}{chosen}"
    yield f"Encoder: {in_words.encoder(expected, report.pretraining)}"
    yield ""
    yield "Would more examples help?"
    yield f"  {in_words.more_examples(expected)}"
    yield "  of each class   expected right"
    for point in expected.curve:
        share = point.accuracy
        how = "" if point.measured else "  (continued)"
        yield (
            f"  {point.shots:13,}   {in_words.percent(share.value):>10}  "
            f"({in_words.interval(share)}){how}"
        )
    yield ""
    yield from _classes(expected)
    yield from _part(
        "Confused:",
        [
            f"{_name(pair.truth)} taken for {_name(pair.answer)}, {pair.count:,} of "
            f"{pair.of:,}"
            for pair in expected.confused
        ],
    )
    yield from _part(
        "Look mislabelled:",
        [
            f"{_example(one.example)}: labelled {_name(one.label)}, the others say "
            f"{_name(one.answer)} ({in_words.percent(one.probability)} likely)"
            for one in expected.suspects
        ],
    )
    yield from _part("There twice:", list(map(_double, expected.doubles)))
    if expected.rejection is not None:
        words = in_words.rejection(expected.rejection, expected)
        yield from _part('"None of these":', [words])
    yield from _part(
        "Label these next:",
        [
            f"{_example(one.example)}: {one.reason}; so far taken for "
            f"{_name(one.answer)} ({in_words.percent(one.probability)} likely)"
            for one in expected.to_label
        ],
    )
    yield from _part("To know:", expected.notes, most=len(expected.notes))
    yield from _part("Next:", report.next_steps)


def _classes(expected: Expectation) -> Iterator[str]:
    known = [one for one in expected.classes if one.recall is not None]
    known.sort(key=lambda one: one.recall.value if one.recall else 0)
    lines = [
        f"{in_words.percent(one.recall.value):>10}  ({in_words.interval(one.recall)})  "
        f"{_name(one.name)}, {one.examples:,} examples"
        for one in known
        if one.recall is not None
    ]
    alone = [one for one in expected.classes if one.recall is None]
    lines += [f"not known, 1 example  {_name(one.name)}" for one in alone]
    yield from _part("Class by class, the worst first:", lines)


def _part(title: str, lines: Sequence[str], *, most: int = _MOST) -> Iterator[str]:
    """A heading with its lines, nothing where there are none."""
    if not lines:
        return
    yield title
    yield from (f"  {line}" for line in lines[:most])
    if len(lines) > most:
        yield f"  and {len(lines) - most:,} more"
    yield ""


def _double(one: Double) -> str:
    first, second = map(_example, one.examples)
    how = "the same" if one.equal else f"alike, cosine {one.similarity:.3f}"
    classes = ""
    if one.labels[0] != one.labels[1]:
        classes = f", in {_name(one.labels[0])} and {_name(one.labels[1])}"
    return f"{first} and {second}: {how}{classes}"


def _name(name: str) -> str:
    return f"'{short_name(name, 60)}'"


def _example(name: str) -> str:
    return short_name(name, 80)


def _json(value: Any) -> str:
    return json_text(value, "what is expected")
