"""The page of an expectation."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tfmeta._version import __version__
from tfmeta.durable import writing
from tfmeta.estimation import in_words
from tfmeta.estimation.expectation import Expectation
from tfmeta.pages.example_lists import (
    contact_sheet_section,
    doubles_section,
    next_section,
    suspects_section,
    wrong_section,
)
from tfmeta.pages.figures import (
    classes_section,
    confusion_section,
    curve_section,
    section,
)
from tfmeta.pages.markup import Content, Element, element, named, page
from tfmeta.pages.shown_examples import ShownExamples
from tfmeta.pages.style import STYLE


def write_expectation_page(
    expected: Expectation,
    path: str | os.PathLike[str],
    *,
    files: Sequence[Path] | None = None,
    unlabelled_files: Sequence[Path] | None = None,
    source: str | None = None,
    pretraining: str | None = None,
    next_steps: Sequence[str] = (),
) -> None:
    """Writes what is expected as one HTML file, which opens offline in any browser.

    Args:
        expected: The expectation.
        path: The file, which is written whole or not at all.
        files: The picture of each example, where they are pictures to be shown.
        unlabelled_files: Likewise of the unlabelled examples.
        source: Where the examples come from, in words.
        pretraining: What the encoder was trained on before, as
            `tfmeta.encoders.pretraining_data` says.
        next_steps: What to type next, a line each.

    Raises:
        OSError: When the file cannot be written; names it.

    Example:

    ```python
    expected = tfmeta.estimation.expect(features, labels)
    write_expectation_page(expected, "expected.html")
    ```
    """
    shown = ShownExamples(expected.kind, expected.examples, files)
    unlabelled = ShownExamples(
        expected.kind, _unlabelled_names(expected), unlabelled_files
    )
    # What is found first is shown first: the sheet takes the room that is left.
    parts = [
        curve_section(expected),
        classes_section(expected),
        confusion_section(expected),
        wrong_section(expected, shown),
        suspects_section(expected, shown),
        doubles_section(expected, shown),
        _rejection_section(expected),
        next_section(expected, unlabelled),
        contact_sheet_section(expected, shown),
        _method_section(expected, source, pretraining, next_steps),
    ]
    text = page(
        in_words.headline(expected),
        STYLE,
        element("header", _head(expected, source)),
        element("main", parts),
        element("footer", element("p", element("small", f"tfmeta {__version__}"))),
    )
    with writing(Path(path)) as building:
        building.write_text(text, encoding="utf-8")


def _head(expected: Expectation, source: str | None) -> list[Element]:
    accuracy = expected.accuracy
    return [
        element(
            "h1",
            f"Expect {in_words.percent(accuracy.value)} of new "
            f"{in_words.things(expected)} right",
        ),
        element(
            "p",
            f"{in_words.interval(accuracy)}, a 95 % interval; "
            f"{len(expected.class_names):,} classes, learned from "
            f"{in_words.shots(expected)}",
            [", of ", named(source)] if source is not None else None,
            ".",
            class_="lead",
        ),
    ]


def _rejection_section(expected: Expectation) -> Element | None:
    found = expected.rejection
    if found is None:
        return None
    words = in_words.rejection(found, expected)
    return section('"None of these"', element("p", words))


def _method_section(
    expected: Expectation,
    source: str | None,
    pretraining: str | None,
    next_steps: Sequence[str],
) -> Element:
    facts: list[tuple[str, Content]] = [
        ("head", in_words.head(expected)),
        ("encoder", in_words.encoder(expected, pretraining)),
        (
            "estimate",
            f"each of {expected.accuracy.count:,} examples was left out and answered "
            f"by others, in {expected.folds} folds; seed {expected.seed}",
        ),
        ("examples", None if source is None else named(source)),
    ]
    terms = [
        (element("dt", term), element("dd", said))
        for term, said in facts
        if said is not None
    ]
    typed = [element("li", element("code", command)) for command in next_steps]
    return section(
        "How this was found",
        element("dl", [part for pair in terms for part in pair]),
        _candidates(expected),
        element("ul", [element("li", note) for note in expected.notes])
        if expected.notes
        else None,
        [element("p", "What to type next:"), element("ul", typed)] if typed else None,
    )


def _candidates(expected: Expectation) -> Element | None:
    choice = expected.choice
    if not choice.candidates:
        return None
    heads = ("head", f"right of left-out examples, {choice.folds} folds", "log loss")
    rows = [
        element(
            "tr",
            element("th", one.head, scope="row"),
            element("td", f"{100 * one.accuracy:.1f} %"),
            element("td", f"{one.log_loss:.3f}"),
            element("td", "chosen" if one.head == choice.head else ""),
        )
        for one in choice.candidates
    ]
    cells = [element("th", head, scope="col") for head in (*heads, "")]
    return element(
        "table",
        element("caption", "Heads that were tried"),
        element("thead", element("tr", cells)),
        element("tbody", rows),
    )


def _unlabelled_names(expected: Expectation) -> list[str]:
    """What unlabelled examples are called, as far as they are to be shown."""
    last = max((one.row for one in expected.to_label), default=-1)
    names = [""] * (last + 1)
    for one in expected.to_label:
        names[one.row] = one.example
    return names
