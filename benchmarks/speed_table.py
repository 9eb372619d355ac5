"""Writes the tables of speed and of memory in the README from results/."""

from __future__ import annotations

from typing import Any

from report import RESULTS, read_json, replace_table

NAMES = (
    "encoder_training",
    "episode_drawing",
    "encoder_inference",
    "first_progress_line",
)


def markdown(results: list[dict[str, Any]]) -> str:
    """One row per goal, then the inference table."""
    lines = ["| measured | median (smallest to largest) | goal |", "|---|---|---|"]
    for result in results:
        for goal in result["goals"]:
            bound = "at least" if "at_least" in goal else "below"
            limit = goal["at_least"] if "at_least" in goal else goal["below"]
            verdict = {True: "met", False: "missed", None: "not measured"}[goal["met"]]
            measured = goal["measured"]
            values = "" if measured is None else _range(measured)
            lines.append(
                f"| {goal['what']} | {values} | {bound} {limit:,g}: {verdict} |"
            )
    inference = next(r for r in results if r["benchmark"] == "encoder_inference")
    for group in inference["groups"]:
        lines += ["", *_group(group)]
    machine = results[0]["machine"]
    lines += [
        "",
        f"{machine['cores']} cores ({machine['processor']}), two threads for "
        "everybody. Each file in benchmarks/results/ holds every round, the versions "
        "and the command.",
    ]
    return "\n".join(lines) + "\n"


def beyond_memory(result: dict[str, Any]) -> str:
    """The rates and the memory of the contestants, and what was measured."""
    lines: list[str] = []
    for group in result["groups"]:
        lines += [*_group(group), ""]
    settings, machine = result["settings"], result["machine"]
    lines.append(
        f"{settings['pictures']:,} generated pictures of 84 x 84 x 3; 16 tasks a "
        "batch, 5-way 1-shot, 15 queries, uint8. In memory lie the first "
        f"{settings['in_memory_pictures']:,}. RssAnon is what a process has for "
        "itself, VmRSS counts the pages of the file that it has touched; cold: none of "
        f"the file in the page cache. {machine['cores']} cores "
        f"({machine['processor']}), `{result['command']}`."
    )
    return "\n".join(lines) + "\n"


def _group(group: dict[str, Any]) -> list[str]:
    lines = [
        f"| {group['name']} | {group['unit']} | times {group['reference']} |",
        "|---|---|---|",
    ]
    for line in group["contestants"]:
        ratio = _range(line["ratio"]) if "ratio" in line else ""
        lines.append(f"| {line['name']} | {_range(line['value'])} | {ratio} |")
    return lines


def _range(values: dict[str, float]) -> str:
    median, low, high = (_number(values[k]) for k in ("median", "min", "max"))
    return f"{median} ({low} to {high})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def main() -> None:
    """Reads the results and puts the tables into the README."""
    found = [RESULTS / f"{name}.json" for name in NAMES]
    table = markdown([read_json(path) for path in found if path.exists()])
    print(table)
    replace_table("speed", table)
    memory = RESULTS / "beyond_memory.json"
    if memory.exists():
        table = beyond_memory(read_json(memory))
        print(table)
        replace_table("beyond_memory", table)


if __name__ == "__main__":
    main()
