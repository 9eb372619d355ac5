"""Pictures of a run: its training curve, and test episodes with predictions."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfmeta.durable import writing
from tfmeta.episodes import Episodes
from tfmeta.evaluation.checks import (
    UnansweredQueries,
    answered_ways,
    present_ways,
)
from tfmeta.evaluation.figure import figure_of
from tfmeta.learners import FewShotLearner
from tfmeta.printable import short_name
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.run_in_words import describe_training, describe_validation

RIGHT, WRONG = "#1a7f37", "#cf222e"
_MOST_ROWS = 5
_MOST_QUERIES = 8


def draw_curve(
    history: dict[str, list[float | None]], config: TrainConfig, path: Path
) -> None:
    """Loss and figure by epoch, of training and of validation."""
    shown = figure_of(config.task)
    # Training usually has more ways, and so the lower accuracy.
    training = f"training, {describe_training(config, None)}"
    validation = f"validation, {describe_validation(config)}"
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = np.arange(1, len(history["loss"]) + 1)
    # None where the answers were no numbers.
    values = {name: np.asarray(given, np.float64) for name, given in history.items()}
    for axes, name in ((left, "loss"), (right, shown.name)):
        axes.plot(epochs, values[name], marker=".", label=training)
        axes.plot(epochs, values[f"val_{name}"], marker=".", label=validation)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name.replace("_", " "))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    choose = np.nanargmax if shown.higher_is_better else np.nanargmin
    best = int(choose(values[f"val_{shown.name}"]))
    right.axvline(best + 1, color="grey", linestyle=":", label="selected epoch")
    left.legend()
    right.legend()
    save_figure(figure, path)


def draw_episodes(
    learner: FewShotLearner, episodes: Episodes, path: Path, *, count: int = 3
) -> None:
    """Test episodes: support pictures, and queries marked right or wrong.

    Each row is named by its class, and each wrong query by the one it was taken for.

    Args:
        learner: The trained learner.
        episodes: Episodes of pictures.
        path: PNG file to write.
        count: Number of episodes, side by side.

    Raises:
        ValueError: When an answer is not finite; counts them.
    """
    ways = min(episodes.ways, _MOST_ROWS)
    queries = min(episodes.queries, _MOST_QUERIES)
    # Attributes of classes are no pictures.
    shown = episodes.support == "examples"
    shots = min(episodes.shots, 3) if shown else 0
    columns = shots + queries
    figure = Figure(
        figsize=(count * (columns * 0.62 + 1.0), ways * 0.85 + 0.9),
        layout="constrained",
    )
    figure.supxlabel(
        "green: right; red: wrong, with the class that it was taken for", fontsize=8
    )
    panels = figure.subfigures(1, count, squeeze=False, wspace=0.04)[0]
    task = 0
    step = 0
    inputs, answers = _answered(learner, episodes, step, count)
    for panel in panels:
        if task == len(answers):
            task, step = 0, step + 1
            inputs, answers = _answered(learner, episodes, step, count)
        predicted = answers[task].reshape(episodes.ways, episodes.queries)
        names = [episodes.table.class_names[c] for c in episodes.class_ids(step)[task]]
        if shown:
            support = np.asarray(inputs["support"][task])
            support = support.reshape(
                episodes.ways, episodes.shots, *episodes.table.example_shape
            )
        query = np.asarray(inputs["query"][task])
        query = query.reshape(
            episodes.ways, episodes.queries, *episodes.table.example_shape
        )
        share = np.mean(predicted == np.arange(episodes.ways)[:, None])
        panel.suptitle(f"{100 * share:.0f} % of queries right", fontsize=9)
        grid = panel.subplots(ways, columns, squeeze=False)
        for way in range(ways):
            for column in range(shots):
                _show(grid[way, column], support[way, column], "#444444", 2.0)
            grid[way, 0].set_ylabel(
                _lines(names[way], 16),
                rotation=0,
                ha="right",
                va="center",
                fontsize=7,
                parse_math=False,
            )
            for column in range(queries):
                right = predicted[way, column] == way
                axes = grid[way, shots + column]
                _show(axes, query[way, column], RIGHT if right else WRONG, 2.0)
                if not right:
                    axes.set_xlabel(
                        _lines(names[predicted[way, column]], 13),
                        fontsize=5,
                        color=WRONG,
                        labelpad=1,
                        parse_math=False,
                    )
        for column in range(columns):
            title = {shots: "queries", 0: "support" if shown else "queries"}.get(column)
            grid[0, column].set_title(title or "", fontsize=7, pad=2)
        task += 1
    save_figure(figure, path)


def _answered(
    learner: FewShotLearner, episodes: Episodes, step: int, most: int
) -> tuple[dict, np.ndarray]:
    """The first tasks of a batch, and the ways answered to their queries."""
    inputs, _, *_ = episodes.batch(step)
    # A large encoder takes gigabytes for all of them at once.
    inputs = {name: part[:most] for name, part in inputs.items()}
    logits = learner.episode_logits(inputs)
    answers = answered_ways(logits, present_ways(inputs)).numpy()
    unanswered = UnansweredQueries(learner)
    unanswered.add(answers)
    unanswered.check()
    return inputs, answers


def _lines(name: str, width: int) -> str:
    """A name in at most two lines, broken at a slash where there is one."""
    name = short_name(name, 2 * width)
    if len(name) <= width:
        return name
    first = name.rfind("/", 0, width + 1) + 1 or width
    return f"{name[:first]}\n{short_name(name[first:], width)}"


def _show(axes: Axes, picture: np.ndarray, colour: str, width: float) -> None:
    if picture.shape[-1] == 1:
        axes.imshow(picture[..., 0], cmap="gray_r")
    else:
        axes.imshow(picture)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_edgecolor(colour)
        spine.set_linewidth(width)


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a PNG file: whole, or not at all."""
    with writing(path) as building, warnings.catch_warnings():
        # A class name in a script that no font here has is drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(building, dpi=150)
