"""The map of a task library."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from tfmeta.printable import short_name
from tfmeta.runs.pictures import save_figure
from tfmeta.tasks import TaskLibrary

# Colours that can be told apart; smaller groups are grey.
_MOST_COLOURS = 18
_GREYS = (14, 15)
# Of t-SNE, which needs more tasks than that.
_PERPLEXITY = 30.0
# More would take minutes.
_MOST_TASKS = 5000


def save_map(library: TaskLibrary, path: Path, *, seed: int = 0) -> int:
    """Draws tasks so that those whose embeddings are near lie near (t-SNE).

    Args:
        library: At least 4 tasks; of more than 5,000 some are drawn.
        path: PNG file to write.
        seed: Of the layout, and of which tasks are drawn.

    Returns:
        How many groups, the smallest, have no colour of their own and are grey.
    """
    entries = library.entries
    chosen = np.arange(len(entries))
    if len(chosen) > _MOST_TASKS:
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.choice(chosen, _MOST_TASKS, replace=False))
    places = TSNE(
        perplexity=min(_PERPLEXITY, (len(chosen) - 1) / 3),
        init="pca",
        random_state=seed,
    ).fit_transform(entries.numbers["embedding"][chosen])
    groups = np.array(entries.groups)[chosen]
    largest = [name for name, _ in Counter(groups).most_common(_MOST_COLOURS)]
    figure = Figure(figsize=(8, 6), layout="constrained")
    axes = figure.subplots()
    others = ~np.isin(groups, largest)
    grey = len(set(groups[others]))
    if grey:
        axes.scatter(
            places[others, 0],
            places[others, 1],
            s=5,
            color="lightgrey",
            label=f"{grey} smaller group{'s' * (grey > 1)}",
        )
    every = matplotlib.colormaps["tab20"]
    colours = [every(number) for number in range(20) if number not in _GREYS]
    for number, name in enumerate(sorted(largest)):
        label = short_name(name) if name else "no group"
        here = places[groups == name]
        axes.scatter(here[:, 0], here[:, 1], s=7, color=colours[number], label=label)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(
        f"{len(chosen):,} tasks, by the learned distance (t-SNE)", fontsize=10
    )
    legend = figure.legend(loc="outside right upper", fontsize=7, markerscale=2)
    for text in legend.get_texts():
        text.set_parse_math(False)
    save_figure(figure, path)
    return grey
