"""Writes the tables of speed and of memory in SPEED.md from results/."""

from __future__ import annotations

from typing import Any

from report import RESULTS, replace_table

from tfmeta.json_files import read_json

NAMES = (
    "encoder_training",
    "episode_drawing",
    "encoder_inference",
    "first_progress_line",
)


def markdown(results: list[dict[str, Any]]) -> str:
    """One row per goal, then the inference table."""
    lines = _goals(results)
    inference = next(r for r in results if r["benchmark"] == "encoder_inference")
    for group in inference["groups"]:
        lines += ["", *_group(group)]
    return "\n".join([*lines, "", _machine(results[0])]) + "\n"


def maml(training: dict[str, Any], memory: dict[str, Any], profile: dict) -> str:
    """Goals, rates beside other libraries, memory, and where the time goes."""
    lines = _goals([training, memory])
    lines += [
        "",
        "<details>",
        "<summary>Every contestant, memory, and where the time goes</summary>",
    ]
    for group in training["groups"]:
        lines += ["", *_group(group, added_memory=True)]
    trades = [group for group in memory["groups"] if "unit" in group]
    for group in trades:
        lines += ["", *_group(group, added_memory=True)]
    groups = profile["groups"]
    heads = [f"inner steps: {group['inner_steps']}" for group in groups]
    lines += [
        "",
        f"| share of the threads' time | {' | '.join(heads)} |",
        "|---" * (len(groups) + 1) + "|",
    ]
    shares = groups[0]["shares"]
    for kind in sorted(shares, key=lambda k: -shares[k]):
        cells = [f"{group['shares'][kind]:.0%}" for group in groups]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    for key, title in (
        ("share_of_peak", "operations per second, of the rate of matrix products"),
        ("share_of_peak_while_convolving", "the same while convolving"),
    ):
        cells = [f"{group[key]:.0%}" for group in groups]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", "</details>", "", _machine(training)]) + "\n"


def beside_torch(result: dict[str, Any]) -> str:
    """The goal, and every contestant's rate and, where it was timed, first step."""
    (group,) = result["groups"]
    lines = [
        *_goals([result]),
        "",
        f"| {group['name']} | {group['unit']} | times {group['reference']} "
        "| median step, ms | first step, s |",
        "|---|---|---|---|---|",
    ]
    for line in group["contestants"]:
        ratio = _range(line["ratio"]) if "ratio" in line else ""
        first = line["facts"].get("first step, s")
        lines.append(
            f"| {line['name']} | {_range(line['value'])} | {ratio} "
            f"| {_number(line['median_step_ms'])} "
            f"| {'' if first is None else _number(first)} |"
        )
    return "\n".join([*lines, "", _machine(result)]) + "\n"


def _goals(results: list[dict[str, Any]]) -> list[str]:
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
    return lines


def _machine(result: dict[str, Any]) -> str:
    machine = result["machine"]
    return (
        f"{machine['cores']} cores ({machine['processor']}), two threads for "
        "everybody. Each file in benchmarks/results/ holds every round, the versions "
        "and the command."
    )


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


def _group(group: dict[str, Any], *, added_memory: bool = False) -> list[str]:
    heads = [group["name"], group["unit"], f"times {group['reference']}"]
    if added_memory:
        heads += ["first step, s", "memory added, MiB"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for line in group["contestants"]:
        ratio = _range(line["ratio"]) if "ratio" in line else ""
        cells = [line["name"], _range(line["value"]), ratio]
        if added_memory:
            facts = (
                line["facts"].get(k) for k in ("first_step_seconds", "added_memory_mib")
            )
            cells += ["" if fact is None else _number(fact) for fact in facts]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _range(values: dict[str, float]) -> str:
    median, low, high = (_number(values[k]) for k in ("median", "min", "max"))
    return f"{median} ({low} to {high})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def main() -> None:
    """Reads the results and puts the tables into SPEED.md."""
    found = [RESULTS / f"{name}.json" for name in NAMES]
    table = markdown([read_json(path) for path in found if path.exists()])
    print(table)
    replace_table("speed", table)
    memory = RESULTS / "beyond_memory.json"
    if memory.exists():
        table = beyond_memory(read_json(memory))
        print(table)
        replace_table("beyond_memory", table)
    for name in ("mann", "control"):
        path = RESULTS / f"{name}_training.json"
        if path.exists():
            table = beside_torch(read_json(path))
            print(table)
            replace_table(f"{name}_speed", table)
    paths = [
        RESULTS / f"maml_{what}.json" for what in ("training", "memory", "profile")
    ]
    if all(path.exists() for path in paths):
        table = maml(*(read_json(path) for path in paths))
        print(table)
        replace_table("maml_speed", table)


if __name__ == "__main__":
    main()
