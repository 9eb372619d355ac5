"""The parts of an expectation's page that are figures: curve, classes, confusion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfmeta.estimation import in_words
from tfmeta.estimation.expectation import Expectation
from tfmeta.pages.curve import draw_curve
from tfmeta.pages.markup import Element, element, named

# Of more classes no matrix can be read; then the pairs are listed alone.
_MOST_IN_MATRIX = 50
# From here on its cells are small, so that a screen holds it.
_MANY = 20
_MOST_CLASSES = 200


def section(title: str, *content: object) -> Element:
    """A section with its heading."""
    return element("section", element("h2", title), *content)  # type: ignore[arg-type]


def curve_section(expected: Expectation) -> Element:
    """The learning curve, and whether more examples would help."""
    words = in_words.more_examples(expected)
    rows = [
        element(
            "tr",
            element("th", f"{point.shots:,}", scope="row"),
            element("td", in_words.percent(point.accuracy.value)),
            element("td", in_words.interval(point.accuracy)),
            element("td", "measured" if point.measured else "continued"),
        )
        for point in expected.curve
    ]
    ways = len(expected.class_names)
    drawn = draw_curve(
        expected.curve,
        chance=1 / ways,
        title=f"Expected accuracy by examples of each class. {words}",
    )
    return section(
        "Would more examples help?",
        element("p", words),
        element(
            "figure",
            drawn,
            element(
                "figcaption",
                "Share of right answers by examples of each class, with 95 % "
                "intervals. Solid: measured on examples that were left out, at the "
                "last with what the curve adds for those. Dashed: its continuation, a "
                "guess.",
            ),
        ),
        element(
            "details",
            element("summary", "The curve in numbers"),
            _table(
                ("examples of each class", "expected right", "95 % interval", "how"),
                rows,
            ),
        ),
    )


def classes_section(expected: Expectation) -> Element:
    """Each class with how many of its examples are answered right, the worst first."""
    known = [one for one in expected.classes if one.recall is not None]
    known.sort(key=lambda one: one.recall.value if one.recall else 0)
    alone = [one for one in expected.classes if one.recall is None]
    rows = []
    for one in (*known, *alone)[:_MOST_CLASSES]:
        name = element("th", named(one.name, most=60), scope="row")
        count = element("td", f"{one.examples:,}")
        if one.recall is None:
            unknown = element("td", "not known, it has one example", colspan=2)
            rows.append(element("tr", name, count, unknown))
            continue
        rows.append(
            element(
                "tr",
                name,
                count,
                element("td", _bar(one.recall.value), class_="bar"),
                element(
                    "td",
                    f"{in_words.percent(one.recall.value)} "
                    f"({in_words.interval(one.recall)})",
                    class_="whole",
                ),
            )
        )
    left = len(expected.classes) - len(rows)
    heads = ("class", "examples", element("td", class_="bar"), "answered right")
    return section(
        "Class by class",
        element("p", "The worst first. Few examples make wide intervals."),
        _table(heads, rows),
        element("p", f"{left:,} more are not shown.") if left else None,
    )


def confusion_section(expected: Expectation) -> Element:
    """Which class was taken for which."""
    if not expected.confused:
        return section(
            "Which are confused", element("p", "None: all answers were right.")
        )
    rows = [
        element(
            "tr",
            element("td", named(pair.truth, most=60)),
            element("td", named(pair.answer, most=60)),
            element("td", f"{pair.count:,} of {pair.of:,}", class_="whole"),
        )
        for pair in expected.confused
    ]
    matrix = None
    if len(expected.class_names) <= _MOST_IN_MATRIX:
        matrix = element("div", _matrix(expected), class_="wide", tabindex=0)
    return section(
        "Which are confused",
        matrix,
        _table(("class", "was taken for", "how often"), rows),
    )


def _matrix(expected: Expectation) -> Element:
    names, counts = expected.class_names, expected.confusion
    of = np.maximum(counts.sum(axis=1), 1)
    rows = []
    for row, name in enumerate(names):
        cells = [element("th", named(name, most=28), scope="row")]
        for column, count in enumerate(counts[row].tolist()):
            if not count:
                cells.append(element("td"))
                continue
            cells.append(
                element(
                    "td",
                    f"{count:,}",
                    class_="right" if column == row else "wrong",
                    # Faint ones would not be seen.
                    style=f"--share: {0.15 + 0.65 * count / of[row]:.2f}",
                )
            )
        rows.append(element("tr", cells))
    heads = [
        element("th", element("span", named(name, most=28)), scope="col")
        for name in names
    ]
    return element(
        "table",
        element("caption", "Rows: the class. Columns: what was answered."),
        element("thead", element("tr", element("td"), heads)),
        element("tbody", rows),
        class_="matrix many" if len(names) > _MANY else "matrix",
    )


def _bar(share: float) -> Element:
    return element(
        "div",
        element("div", style=f"inline-size: {100 * share:.1f}%"),
        class_="track",
        aria_hidden="true",
    )


def _table(heads: Sequence[str | Element], rows: Sequence[Element]) -> Element:
    cells = [
        element("th", head, scope="col") if isinstance(head, str) else head
        for head in heads
    ]
    return element(
        "table",
        element("thead", element("tr", cells)),
        element("tbody", rows),
    )
