"""The parts of an expectation's page that show examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfmeta.estimation import in_words
from tfmeta.estimation.expectation import Expectation
from tfmeta.estimation.wrong_answers import answered, wrong_answers
from tfmeta.pages.figures import section
from tfmeta.pages.markup import Content, Element, element, named
from tfmeta.pages.shown_examples import ShownExamples

_MOST_SHOWN = 24
_MOST_CLASSES = 50
_MOST_OF_CLASS = 12


def wrong_section(expected: Expectation, shown: ShownExamples) -> Element | None:
    """Those that were answered wrongly when they were left out."""
    wrong = wrong_answers(expected)
    if not wrong:
        return None
    cards = [
        shown.card(
            one.row,
            element("span", "is ", _class(one.label)),
            element(
                "span", "taken for ", _class(one.answer), _probability(one.probability)
            ),
            wrong=True,
        )
        for one in wrong[:_MOST_SHOWN]
    ]
    return section(
        "Worst errors",
        element(
            "p",
            f"Of {expected.accuracy.count:,} examples {len(wrong):,} "
            f"{'was' if len(wrong) == 1 else 'were'} answered wrongly when left out"
            + (f"; the {len(cards)} surest:" if len(cards) < len(wrong) else "."),
        ),
        _cards(cards),
    )


def suspects_section(expected: Expectation, shown: ShownExamples) -> Element | None:
    """Examples that look mislabelled."""
    if not expected.suspects:
        return None
    cards = [
        shown.card(
            one.row,
            element("span", "labelled ", _class(one.label)),
            element(
                "span",
                "the others say ",
                _class(one.answer),
                _probability(one.probability),
            ),
            wrong=True,
        )
        for one in expected.suspects[:_MOST_SHOWN]
    ]
    return section(
        "Look mislabelled",
        element(
            "p",
            "The other examples clearly take these for another class. Look at them: an "
            "unusual example is no mistake.",
        ),
        _cards(cards),
    )


def doubles_section(expected: Expectation, shown: ShownExamples) -> Element | None:
    """Examples that are there twice, side by side."""
    if not expected.doubles:
        return None
    pairs = [
        element(
            "div",
            [
                shown.card(row, element("span", "in ", _class(label)))
                for row, label in zip(one.rows, one.labels, strict=True)
            ],
            element(
                "p",
                "the same"
                if one.equal
                else f"alike, cosine of features {one.similarity:.3f}",
                "; in two classes" if one.labels[0] != one.labels[1] else "",
            ),
            class_="pair",
        )
        for one in expected.doubles[: _MOST_SHOWN // 2]
    ]
    return section(
        "There twice",
        element(
            "p",
            f"{_some(len(pairs), len(expected.doubles))} examples that are the same as "
            "an earlier one, or nearly so, beside it. They tell a head nothing new.",
        ),
        element("div", pairs, class_="pairs"),
    )


def next_section(expected: Expectation, shown: ShownExamples) -> Element | None:
    """Which unlabelled examples to label next."""
    if not expected.to_label:
        return None
    cards = [
        shown.card(
            one.row,
            element("span", f"{number}. {one.reason}"),
            element(
                "span",
                "so far taken for ",
                _class(one.answer),
                _probability(one.probability),
            ),
        )
        for number, one in enumerate(expected.to_label[:_MOST_SHOWN], 1)
    ]
    return section(
        "Label these next",
        element("p", "Of the unlabelled examples, what helps the most first."),
        _cards(cards),
    )


def contact_sheet_section(expected: Expectation, shown: ShownExamples) -> Element:
    """Some examples of every class, those that were answered wrongly framed."""
    ways = len(expected.class_names)
    classes = _evenly(ways, _MOST_CLASSES)
    answers = answered(expected)
    parts = []
    for label in classes:
        rows = np.flatnonzero(expected.labels == label)
        chosen = [int(rows[place]) for place in _evenly(len(rows), _MOST_OF_CLASS)]
        cards = [
            shown.card(
                row,
                _taken_for(expected, int(answers[row]), label),
                wrong=answers[row] not in (-1, label),
                sheet=True,
            )
            for row in chosen
        ]
        parts.append(
            element(
                "div",
                element(
                    "h3",
                    named(expected.class_names[label], most=80),
                    element("small", f" {_some(len(cards), len(rows))}"),
                ),
                _cards(cards, "cards sheet"),
                class_="class",
            )
        )
    some = f"{len(classes)} of {ways:,} classes. " if len(classes) < ways else ""
    full = None
    if shown.left_out:
        full = element(
            "p",
            f"{shown.left_out:,} pictures are left out: the page would be too large.",
        )
    return section(
        "The examples",
        element(
            "p",
            f"{some}Framed in red: answered wrongly when the example was left out.",
        ),
        full,
        *parts,
    )


def _taken_for(expected: Expectation, answer: int, label: int) -> Content:
    if answer in (-1, label):
        return None
    return element("span", "taken for ", _class(expected.class_names[answer]))


def _class(name: str) -> Element:
    return element("b", named(name, most=60))


def _probability(share: float) -> str:
    return f" ({in_words.percent(share)} likely)"


def _some(shown: int, of_all: int) -> str:
    return f"{shown:,} of {of_all:,}" if shown < of_all else f"{of_all:,}"


def _cards(cards: Sequence[Element], kind: str = "cards") -> Element:
    return element("div", cards, class_=kind)


def _evenly(count: int, most: int) -> list[int]:
    """Places at even distances, all where there are few."""
    taken = min(count, most)
    return [place * count // taken for place in range(taken)]
