"""A table of reproduced figures as CSV: one line per figure of every run."""

from __future__ import annotations

import csv
import io
from typing import Any

from tfmeta.reproduction.markdown import describe_state
from tfmeta.runs.measuring.registry import protocols_in_tables


def _field(interval: str) -> str:
    return f"over_{interval.replace(' ', '_')}"


_INTERVALS = dict.fromkeys(
    name for protocol in protocols_in_tables().values() for name in protocol.intervals
)
FIELDS = (
    *("row", "method", "task", "kind", "budget", "seed", "state"),
    *("published_percent", "published_half_width", "published_source"),
    *("published_checked", "goal_percent", "percent", "test_classes"),
    *(f"{_field(name)}_{end}" for name in _INTERVALS for end in ("low", "high")),
    *("over_training_seeds_mean", "over_training_seeds_half_width"),
    *("over_training_seeds_deviation", "training_seeds"),
    *("transductive", "inductive_percent", "dirichlet_percent"),
    *("pretraining_data", "test_classes_seen_in_pretraining"),
    *("test_episodes", "trained_on", "steps"),
    *("training_seconds", "processor", "usable_cores", "gpus", "commit", "tfmeta"),
    "command",
)


def csv_text(content: dict[str, Any]) -> str:
    """One line per figure and run; a row that was not run has lines without figure.

    Args:
        content: As `collect` returns it, or as it was read from its file.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    for row in content["rows"]:
        for number, column in enumerate(row["columns"]):
            for run in row["runs"] or [None]:
                writer.writerow(_line(content, row, number, column, run))
    return text.getvalue()


def _line(
    content: dict[str, Any],
    row: dict[str, Any],
    number: int,
    column: dict[str, Any],
    run: dict[str, Any] | None,
) -> dict[str, Any]:
    config, published = row["config"], column["published"]
    line = {
        "row": row["row"],
        "method": row["title"],
        "task": column["label"],
        "kind": column["kind"],
        "budget": row["budget"],
        "state": describe_state(run, row),
        "published_percent": published["percent"],
        "published_half_width": published["half_width"],
        "published_source": published["source"],
        "published_checked": published["checked"],
        "goal_percent": column["goal"],
        "trained_on": row["training"],
        "steps": config["epochs"] * config["steps_per_epoch"],
        "command": row["command"],
    }
    seeds = column["over_training_seeds"]
    if seeds is not None:
        line["over_training_seeds_mean"] = seeds["mean"]
        line["over_training_seeds_deviation"] = seeds["standard_deviation"]
        line["over_training_seeds_half_width"] = seeds["half_width"]
        line["training_seeds"] = seeds["seeds"]
    if run is None:
        return line
    environment = run["environment"]
    line |= {
        "seed": run["seed"],
        "training_seconds": run["training_seconds"],
        "gpus": "; ".join(environment.get("gpus", [])),
        **{
            name: environment.get(name)
            for name in ("processor", "usable_cores", "commit", "tfmeta")
        },
    }
    figure = run["figures"][number]
    if figure is None:
        return line
    for name, ends in figure["intervals"].items():
        low, high = ends or (None, None)
        line |= {f"{_field(name)}_low": low, f"{_field(name)}_high": high}
    if figure["beside_transductive"] is not None:
        line["inductive_percent"] = figure["beside_transductive"]["alone"]
        line["dirichlet_percent"] = figure["beside_transductive"]["unequal_classes"]
    # Figures of former versions do not say it: there were no pre-trained encoders.
    if figure.get("pretraining") is not None:
        line["pretraining_data"] = figure["pretraining"]["data"]
        seen = figure["pretraining"]["test_classes_seen"]
        line["test_classes_seen_in_pretraining"] = seen
    return line | {
        "percent": figure["percent"],
        "test_classes": figure["test_classes"],
        "transductive": figure["transductive"],
        "test_episodes": figure["protocol"].get("episodes"),
    }
