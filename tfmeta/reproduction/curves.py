"""The validation curves of a table's trainings in one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfmeta.durable import writing
from tfmeta.reproduction.markdown import method

_COLUMNS = 3


def draw_curves(content: dict[str, Any], path: Path) -> None:
    """Accuracy on validation episodes by epoch, one panel per episode shape.

    A point marks the selected epoch of a training that has ended; a dashed line
    is a training that has not.

    Args:
        content: As `collect` returns it, or as it was read from its file.
        path: PNG file to write.
    """
    panels: dict[tuple, list[dict[str, Any]]] = {}
    for row in content["rows"]:
        if any(run["history"].get("val_accuracy") for run in row["runs"]):
            config = row["config"]
            task = config["validation"]
            key = (config["protocol"] or "", task["ways"], task["shots"])
            panels.setdefault(key, []).append(row)
    rows = -(-max(1, len(panels)) // _COLUMNS)
    columns = min(max(1, len(panels)), _COLUMNS)
    figure = Figure(
        figsize=(max(6.0, 5.2 * columns), 0.6 + 3.6 * rows), layout="constrained"
    )
    figure.suptitle(f"{content['table']}: accuracy on validation classes")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    if not panels:
        figure.text(0.5, 0.45, "nothing has been trained", ha="center")
    colours = colormaps["tab10"]
    for axes, ((protocol, ways, shots), shown) in zip(
        grid, sorted(panels.items()), strict=False
    ):
        for number, row in enumerate(shown):
            label = method(row)
            for run in row["runs"]:
                values = run["history"].get("val_accuracy", [])
                if not values:
                    continue
                # None where the answers were no numbers.
                values = np.asarray(values, np.float64)
                finite = np.isfinite(values).any()
                best = int(np.nanargmax(values)) if finite else 0
                axes.plot(
                    np.arange(1, len(values) + 1),
                    100 * values,
                    color=colours(number % 10),
                    linestyle="-" if run["trained"] else "--",
                    marker="o",
                    markevery=[best] if run["trained"] else [],
                    linewidth=1.2,
                    label=label,
                )
                label = "_"  # One entry in the legend for all seeds.
        name = f", {protocol} protocol" if protocol else ""
        axes.set_title(f"{ways}-way {shots}-shot{name}", fontsize=10)
        axes.set_xlabel("epoch")
        axes.set_ylabel("accuracy, %")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    with writing(path) as building:
        figure.savefig(building, dpi=120)
