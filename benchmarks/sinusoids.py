"""Trains MAML on sine waves and draws how few points it fits a new one from.

Finn, Abbeel and Levine (2017), section 5.1: two hidden layers of 40, one inner step of
0.01 in training, 10 points, 25 tasks a step, Adam. The mean squared error is of 1,000
waves of another seed, after 0 to 10 inner steps, beside a network of the same shape
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
import matplotlib
import numpy as np
from report import (
    RESULTS,
    command_line,
    describe_machine,
    git_commit,
    write_json,
)

import tfmeta
from tfmeta.episodes import Sinusoids
from tfmeta.evaluation.intervals import over_episode_draws

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

NAME = "sinusoids"
STEPS = (0, 1, 2, 5, 10)
TEST_SEED, TEST_TASKS = 10_001, 1000


def make_learner(steps: int, rate: float) -> tfmeta.learners.MAML:
    """The network of the paper."""
    return tfmeta.learners.MAML(
        tfmeta.encoders.MLP((1,), seed=0),
        1,
        task="regression",
        inner_learning_rate=rate,
        inner_steps=1,
        test_inner_steps=max(steps, 1),
        seed=0,
    )


def predictions(learner: tfmeta.learners.MAML, steps: int, inputs: dict) -> np.ndarray:
    """Predictions for the queries after so many inner steps."""
    if steps == 0:
        shape = inputs["query"].shape
        flat = np.reshape(inputs["query"], (-1, 1))
        return learner.head_layer(learner.encoder(flat)).numpy().reshape(shape)
    at_test = make_learner(steps, learner.inner_learning_rate)
    at_test.set_weights(learner.get_weights())
    return at_test.predict_on_batch(inputs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shots", type=int, default=10)
    parser.add_argument("--steps", type=int, default=8000, help="of the outer loop")
    parser.add_argument("--picture", type=Path, required=True)
    arguments = parser.parse_args()
    episodes = Sinusoids(shots=arguments.shots, queries=10, tasks=25)
    learner = make_learner(1, 0.01)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, arguments.steps)
    learner.compile(keras.optimizers.Adam(rate))
    history = learner.fit(
        episodes.as_dataset(),
        steps_per_epoch=arguments.steps // 20,
        epochs=20,
        verbose=2,
        shuffle=False,
    ).history

    test = Sinusoids(
        shots=arguments.shots, queries=100, tasks=TEST_TASKS, seed=TEST_SEED
    )
    inputs, y = test.batch(0)
    errors = {}
    for steps in STEPS:
        squared = np.square(predictions(learner, steps, inputs) - y.numpy())
        of_tasks = squared.mean(axis=(1, 2))
        errors[steps] = {
            "mean_squared_error": float(of_tasks.mean()),
            "half_width": float(over_episode_draws(of_tasks)),
        }
        print(f"{steps} steps: MSE {of_tasks.mean():.3f}", flush=True)
    draw(learner, arguments.shots, arguments.picture)
    write_json(
        RESULTS / f"{NAME}.json",
        {
            "format_version": 1,
            "benchmark": NAME,
            "command": command_line(),
            "commit": git_commit(),
            "machine": describe_machine(),
            "shots": arguments.shots,
            "outer_steps": arguments.steps,
            "seed": 0,
            "test_tasks": TEST_TASKS,
            "test_seed": TEST_SEED,
            "after_inner_steps": errors,
            "training_mean_squared_error": history["mean_squared_error"],
        },
    )


def draw(learner: tfmeta.learners.MAML, shots: int, path: Path) -> None:
    """Three new waves: the points, and the curve after 0, 1 and 10 steps."""
    inputs, _ = Sinusoids(shots=shots, tasks=3, seed=TEST_SEED + 1).batch(0)
    amplitude, phase = Sinusoids(shots=shots, tasks=3, seed=TEST_SEED + 1).waves(0)
    x = np.linspace(-5, 5, 200, dtype="float32")
    inputs = {**inputs, "query": np.tile(x[None, :, None], (3, 1, 1))}
    figure, axes = pyplot.subplots(1, 3, figsize=(10, 3), sharey=True)
    for steps, style in ((0, ":"), (1, "--"), (10, "-")):
        curves = predictions(learner, steps, inputs)
        for axis, curve in zip(axes, curves, strict=True):
            axis.plot(x, curve[:, 0], style, color="C0", label=f"after {steps} steps")
    for number, axis in enumerate(axes):
        axis.plot(
            x,
            amplitude[number] * np.sin(x - phase[number]),
            color="0.75",
            zorder=0,
            label="the wave",
        )
        axis.plot(
            inputs["support"][number, :, 0],
            inputs["support_labels"][number, :, 0],
            "k.",
            label=f"its {shots} points",
        )
        axis.set_xlabel("x")
    axes[0].legend(fontsize=7, loc="lower left")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
