"""What is measured of a task library, in lines."""

from __future__ import annotations

from typing import Any

STEPS = (1, 5, 20)
# Of these, those after which starts are judged.
JUDGED = "5"


def distance_lines(choice: dict[str, Any]) -> list[str]:
    """Which distance was learned, and why."""
    if choice["asked"] != "auto":
        return [f"Distance: {choice['chosen']}, as asked"]
    if not choice["precision_at_1"]:
        return [f"Distance: {choice['chosen']}; too few classes to hold some out"]
    found = ", ".join(
        f"{100 * figure['mean']:.1f} ± {100 * figure['half_width']:.1f} % by {name}"
        for name, figure in choice["precision_at_1"].items()
    )
    held_out = choice["held_out"]
    return [
        f"Distance: {choice['chosen']}. Nearest is an alike one: {found}, of "
        f"{held_out['tasks']} tasks of which no {held_out['apart']} was learned from"
    ]


def lines_of(content: dict[str, Any]) -> list[str]:
    """The figures as lines."""

    def cell(figure: dict[str, Any]) -> str:
        return f"{100 * figure['mean']:6.2f} ± {100 * figure['half_width']:.2f}"

    width = max(map(len, [*content["retrieval"], *content["accuracy"]])) + 2
    lines = [f"{'same group, %':{width}}  {'at 1':>14}  {'at 5':>14}"]
    for name, figures in content["retrieval"].items():
        cells = "  ".join(f"{cell(figures[at]):>14}" for at in ("at_1", "at_5"))
        lines.append(f"{name:{width}}  {cells}")
    steps = [str(number) for number in STEPS]
    head = "  ".join(
        f"{number + (' step' if number == '1' else ' steps'):>14}" for number in steps
    )
    lines += ["", f"{'accuracy, %, after':{width}}  {head}"]
    for name, figures in content["accuracy"].items():
        cells = "  ".join(f"{cell(figures[number]):>14}" for number in steps)
        lines.append(f"{name:{width}}  {cells}")
    if content["regret"]:
        lines += ["", f"{'lost by choosing a candidate, %':{width}}"]
        for name, figure in content["regret"].items():
            lines.append(f"{name:{width}}  {cell(figure):>14}")
    lines += [
        "",
        f"{content['tasks']} new tasks of the {content['classes']} classes that the "
        "library has not; ± is over the drawing of tasks",
        "",
        *verdicts(content),
    ]
    return lines


def verdicts(content: dict[str, Any]) -> list[str]:
    """In a sentence each, whether nearest tasks are a better start than none."""
    begin = content["plain_start"]
    lines = []
    for name, by_steps in content["gain_over_plain"].items():
        figure = by_steps[JUDGED]
        ends = figure["over_classes"]["ends"]
        over = "over other classes"
        if ends is None:
            over = "over the drawing of tasks"
            half = figure["half_width"]
            ends = figure["mean"] - half, figure["mean"] + half
        low, high = ends
        verdict = "no difference is shown: 0 is in the interval"
        if low > 0:
            verdict = "it is better"
        if high < 0:
            verdict = "it is worse"
        lines.append(
            f"{name[0].upper()}{name[1:]}, against {begin}, after {JUDGED} steps: "
            f"{100 * figure['mean']:+.2f} points ({100 * low:.2f} to "
            f"{100 * high:.2f} {over}); {verdict}."
        )
    return lines
