"""The picture of trajectories: what a policy does before and after updates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfmeta.control.trajectories import Trajectories
from tfmeta.runs.pictures import RIGHT, WRONG, save_figure

_MOST_DRAWN = 8
_STREAM = 0x7069


def draw_trajectories(
    learner: Any,
    numbers: Sequence[int],
    path: Path,
    *,
    updates: int = 1,
    count: int = 4,
    seed: int = 0,
) -> None:
    """Trajectories of some tasks, before and after updates.

    Where observations are places in a plane, their paths; else what was given, added
    up step by step.

    Args:
        learner: Whose policy acts.
        numbers: Of tasks.
        path: PNG file to write.
        updates: How many lie between.
        count: Number of tasks, side by side.
        seed: Of what is drawn.
    """
    chosen = np.linspace(0, len(numbers) - 1, min(count, len(numbers)))
    numbers = [int(numbers[int(place)]) for place in chosen.round()]
    tasks = learner.family.tasks(tf.constant(numbers, tf.int64))
    before, after = _before_and_after(learner, tasks, updates, seed)
    figure = Figure(figsize=(2.7 * len(numbers) + 0.6, 3.2), layout="constrained")
    grid = figure.subplots(1, len(numbers), squeeze=False)[0]
    goals = learner.family.places(tasks)
    words = f"after {updates} update{'' if updates == 1 else 's'}"
    for place, axes in enumerate(grid):
        for drawn, colour, label in (
            (before, WRONG, "before"),
            (after, RIGHT, words),
        ):
            if goals is None:
                _draw_returns(axes, drawn, place, colour, label)
            else:
                _draw_paths(axes, drawn, place, colour, label)
        if goals is not None:
            axes.plot(*goals[place].numpy(), "k*", markersize=9, label="goal")
            axes.set_aspect("equal", adjustable="datalim")
        axes.set_title(f"test task {numbers[place]}", fontsize=8)
        axes.tick_params(labelsize=6)
        axes.grid(alpha=0.3)
    if goals is None:
        grid[0].set_xlabel("step", fontsize=8)
        grid[0].set_ylabel("reward so far", fontsize=8)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8
    )
    save_figure(figure, path)


def _before_and_after(
    learner: Any, tasks: dict[str, tf.Tensor], updates: int, seed: int
) -> tuple[Trajectories, Trajectories]:
    root = tf.constant([seed, _STREAM], tf.int32)
    state, drawn = None, []
    for number in range(updates + 1):
        at = tf.random.fold_in(root, tf.constant(number), alg="philox")
        drawn.append(learner.roll_out(tasks, state, at))
        if number < updates:
            state = learner.adapt(drawn[-1], None, state=state)
    return drawn[0], drawn[-1]


def _draw_paths(
    axes: Axes, drawn: Trajectories, task: int, colour: str, label: str
) -> None:
    for number in range(min(_MOST_DRAWN, drawn.mask.shape[1])):
        real = drawn.mask[task, number].numpy()
        places = drawn.observations[task, number].numpy()[real]
        end = drawn.last_observations[task, number].numpy()[None]
        axes.plot(
            *np.concatenate([places, end]).T,
            color=colour,
            linewidth=0.9,
            alpha=0.7,
            label=label if number == 0 else None,
        )


def _draw_returns(
    axes: Axes, drawn: Trajectories, task: int, colour: str, label: str
) -> None:
    rewards = drawn.rewards[task].numpy()[:_MOST_DRAWN]
    for number, one in enumerate(np.cumsum(rewards, axis=1)):
        axes.plot(
            np.arange(1, len(one) + 1),
            one,
            color=colour,
            linewidth=0.9,
            alpha=0.7,
            label=label if number == 0 else None,
        )
