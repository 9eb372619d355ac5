"""A learning curve as a drawing inside a page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfmeta.estimation.expectation import CurvePoint
from tfmeta.pages.markup import Content, Element, element

_WIDTH, _HEIGHT = 480, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 20, 16, 48


def draw_curve(points: Sequence[CurvePoint], *, chance: float, title: str) -> Element:
    """Expected accuracy by shots, with its interval.

    The number of shots is on a logarithmic scale, as what one more is worth falls so.
    What was measured is a solid line, its continuation a dashed one.

    Args:
        points: The curve, shots ascending.
        chance: Accuracy of guesses, drawn where it is within the picture.
        title: What is said of it where it cannot be seen.
    """
    scale = _Scale.around(points, chance)
    measured = [point for point in points if point.measured]
    continued = [point for point in points if not point.measured]
    if measured and continued:
        continued = [measured[-1], *continued]
    return element(
        "svg",
        element("title", title),
        scale.grid(),
        scale.chance_line(chance),
        scale.part(continued, "continued"),
        scale.part(measured, "measured"),
        *(scale.dot(point) for point in points),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        class_="curve",
    )


class _Scale:
    """Where shots and shares are in the drawing."""

    def __init__(self, shots: Sequence[int], least: float) -> None:
        self._shots = shots
        self._least = least
        self._from = math.log(shots[0])
        self._over = math.log(shots[-1]) - self._from

    @classmethod
    def around(cls, points: Sequence[CurvePoint], chance: float) -> _Scale:
        lowest = min(point.accuracy.low for point in points)
        # Where little is missing the guesses are shown as well.
        least = 0.0 if chance >= lowest - 0.2 else math.floor(10 * lowest) / 10
        return cls([point.shots for point in points], min(least, 0.9))

    def x(self, shots: int) -> float:
        share = (math.log(shots) - self._from) / self._over if self._over else 0.5
        return round(_LEFT + 12 + share * (_WIDTH - _LEFT - _RIGHT - 24), 1)

    def y(self, value: float) -> float:
        share = (value - self._least) / (1 - self._least)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    def grid(self) -> Element:
        span = 1 - self._least
        step = 0.25 if span > 0.9 else 0.1 if span > 0.2 else 0.05
        lines: list[Content] = []
        for number in range(round(span / step) + 1):
            value = 1 - number * step
            y = self.y(value)
            lines += [
                element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y),
                element(
                    "text",
                    f"{round(100 * value)} %",
                    x=_LEFT - 8,
                    y=y + 4,
                    text_anchor="end",
                ),
            ]
        last = -math.inf
        for shots in self._shots:
            x = self.x(shots)
            if x - last < 26:  # No room for another number.
                continue
            last = x
            lines.append(_below(f"{shots:,}", x, 28))
        lines.append(_below("examples of each class", _WIDTH / 2, 8))
        return element("g", lines, class_="grid")

    def chance_line(self, chance: float) -> Element | None:
        if chance < self._least:
            return None
        y = self.y(chance)
        return element(
            "g",
            element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y),
            element("text", "guessing", x=_WIDTH - _RIGHT, y=y - 5, text_anchor="end"),
            class_="chance",
        )

    def part(self, points: Sequence[CurvePoint], kind: str) -> Element | None:
        if not points:
            return None
        place = [(self.x(p.shots), p.accuracy) for p in points]
        upper = [f"{x},{self.y(share.high)}" for x, share in place]
        lower = [f"{x},{self.y(share.low)}" for x, share in reversed(place)]
        middle = [f"{x},{self.y(share.value)}" for x, share in place]
        return element(
            "g",
            element("polygon", points=" ".join(upper + lower)),
            element("polyline", points=" ".join(middle)),
            class_=kind,
        )

    def dot(self, point: CurvePoint) -> Element:
        x, share = self.x(point.shots), point.accuracy
        return element(
            "g",
            element("line", x1=x, x2=x, y1=self.y(share.low), y2=self.y(share.high)),
            element("circle", cx=x, cy=self.y(share.value), r=4),
            class_="dot" if point.measured else "dot open",
        )


def _below(words: str, x: float, above_end: float) -> Element:
    return element("text", words, x=x, y=_HEIGHT - above_end, text_anchor="middle")
