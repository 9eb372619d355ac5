"""The table of returns: what was measured of all rows, and how it is written."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from tfmeta.evaluation.regression_result import TaskMean
from tfmeta.json_files import read_json, write_json
from tfmeta.printable import one_line
from tfmeta.reproduction.readme import write_text
from tfmeta.reproduction.returns.row import NAME, ReturnsRow
from tfmeta.runs.measuring.returns import Returns
from tfmeta.runs.run_folder import RunFolder


class KeptRun(TypedDict):
    """A training of one seed: its returns, `(updates + 1, tasks)`."""

    seed: int
    steps: int
    minutes: float | None
    protocol: dict[str, Any]
    returns: list[list[float]]


class KeptTable(TypedDict):
    """What the JSON file holds."""

    table: str
    command: str
    rows: dict[str, list[KeptRun]]


def collect(
    rows: Sequence[ReturnsRow],
    directory: Path,
    *,
    seeds: Sequence[int],
    budget: float,
    earlier: KeptTable | None,
    command: str,
) -> KeptTable:
    """What the run folders hold; what they do not is as it was.

    Args:
        rows: All rows.
        directory: Of the run folders.
        seeds: Of the trainings.
        budget: Of the trainings.
        earlier: The table that is there already.
        command: That measures it.

    Raises:
        ValueError: When a file of results is damaged.
    """
    found: dict[str, list[KeptRun]] = {}
    kept = {} if earlier is None else earlier["rows"]
    for row in rows:
        by_seed = {run["seed"]: run for run in kept.get(row.name, [])}
        for seed in seeds:
            folder = RunFolder(directory / row.folder_name(seed=seed))
            results = Returns().read(folder) if folder.exists else []
            config = row.train_config(seed=seed, budget=budget)
            if not results or any(config.differences(folder.read_config())):
                continue
            seconds = folder.training_seconds
            by_seed[seed] = {
                "seed": seed,
                "steps": config.steps,
                "minutes": None if seconds is None else round(seconds / 60, 1),
                "protocol": results[-1].protocol,
                "returns": results[-1].returns.tolist(),
            }
        if by_seed:
            found[row.name] = [by_seed[seed] for seed in sorted(by_seed)]
    return {"table": NAME, "command": command, "rows": found}


def read_table(path: Path) -> KeptTable | None:
    """The table of a JSON file, `None` where there is none.

    Raises:
        ValueError: When it holds something else.
    """
    if not path.exists():
        return None
    content: KeptTable = read_json(path, KeptTable)
    return content


def write_table(
    content: KeptTable, rows: Sequence[ReturnsRow], directory: Path
) -> tuple[Path, Path]:
    """Writes `control.json` and `control.md`."""
    directory.mkdir(parents=True, exist_ok=True)
    kept, text = directory / f"{NAME}.json", directory / f"{NAME}.md"
    write_json(kept, content)
    write_text(text, markdown(content, rows))
    return kept, text


def markdown(content: KeptTable, rows: Sequence[ReturnsRow]) -> str:
    """A table for each group of tasks, and how to read them."""
    blocks: list[str] = []
    for group, some in itertools.groupby(rows, key=lambda row: row.group):
        measured = [row for row in some if row.name in content["rows"]]
        if measured:
            blocks.append("\n".join(_of_group(group, measured, content["rows"])))
    blocks.append(
        "Mean returns without discount, over test tasks that no training has seen; "
        "each update learns from trajectories of its own, and none is counted on what "
        "it has learned from. ± is 95 % over test tasks (Student's t) of the mean over "
        "training seeds; the spread over seeds is the standard deviation of their "
        "means. A difference is paired, task by task and seed by seed. "
        f"`{content['command']}`"
    )
    return "\n\n".join(blocks) + "\n"


def _of_group(
    group: str, rows: Sequence[ReturnsRow], runs: Mapping[str, list[KeptRun]]
) -> Iterator[str]:
    protocol = runs[rows[0].name][0]["protocol"]
    updates = max(len(runs[row.name][0]["returns"]) for row in rows)
    yield (
        f"**{one_line(group)}**, {protocol['tasks']} test tasks, "
        f"{protocol['trajectories']} trajectories for each update"
    )
    yield ""
    heads = [f"{n} updates" if n != 1 else "1 update" for n in range(updates)]
    yield f"| | seeds | steps | minutes | {' | '.join(heads)} |"
    yield "|---" * (4 + updates) + "|"
    for row in rows:
        own = runs[row.name]
        returns = np.array([run["returns"] for run in own])
        cells = []
        for number in range(returns.shape[1]):
            words = TaskMean.of(returns[:, number].mean(axis=0)).text()
            if len(own) > 1:
                spread = np.std(returns[:, number].mean(axis=1), ddof=1)
                words += f" (seeds {spread:.2g})"
            cells.append(words)
        cells += [""] * (updates - len(cells))
        minutes = [run["minutes"] for run in own if run["minutes"] is not None]
        took = f"{np.mean(minutes):.0f}" if minutes else "–"
        yield (
            f"| {row.title} | {len(own)} | {own[0]['steps']:,} | {took} | "
            f"{' | '.join(cells)} |"
        )
    yield ""
    for row in rows:
        if row.compare_to in runs:
            yield _compared(row, runs)
        if row.note:
            yield f"- {row.title}: {row.note}"


def _compared(row: ReturnsRow, runs: Mapping[str, list[KeptRun]]) -> str:
    assert row.compare_to is not None
    own = {run["seed"]: np.array(run["returns"]) for run in runs[row.name]}
    other = {run["seed"]: np.array(run["returns"]) for run in runs[row.compare_to]}
    seeds = sorted(own.keys() & other.keys())
    words = []
    for number in range(min(len(own[seeds[0]]), len(other[seeds[0]])) if seeds else 0):
        paired = np.mean([own[s][number] - other[s][number] for s in seeds], axis=0)
        words.append(f"{TaskMean.of(paired).text(sign='+')} after {number}")
    return f"- {row.title} over {row.compare_to}: {', '.join(words)}"
