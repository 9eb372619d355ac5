"""Whether a distance learned over tasks knows what sine waves differ in.

Truth is known here: a wave is an amplitude and a phase. Networks of 40 units are
trained on 2,000 waves; alike are waves of the same quarter of amplitudes and of phases.
The distance that is learned from that, between embeddings of their parameters, is held
against the raw distance of the parameters on 500 waves of another seed, by Spearman's
rank correlation with the differences in amplitude, in phase, and between the curves.
Intervals are of 1,000 bootstrap draws of 150 waves each, scaled to all of them.

    python benchmarks/task_sinusoids.py
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import keras
import numpy as np
from report import RESULTS, command_line, describe_machine, git_commit, write_json
from scipy.stats import spearmanr

import tfmeta
from tfmeta.episodes import Sinusoids
from tfmeta.tasks import AdaptedParameters, TaskMetric, TaskNetwork

NAME = "task_sinusoids"
TRAIN, TEST, POINTS, STEPS = 2000, 500, 50, 500
EPOCHS, BATCH, DRAWS = 40, 256, 1000


def waves(count: int, seed: int) -> tuple[np.ndarray, ...]:
    """Points `(count, POINTS, 1)`, their heights, amplitudes and phases."""
    episodes = Sinusoids(shots=POINTS, queries=1, tasks=count, seed=seed)
    inputs, _ = episodes.batch(0)
    amplitudes, phases = (np.ravel(part) for part in episodes.waves(0))
    heights = np.reshape(inputs["support_labels"], (count, POINTS, 1))
    return inputs["support"].numpy(), heights, amplitudes, phases


def quarter(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Which quarter of a range values are in."""
    low, high = limits
    return np.minimum((values - low) / (high - low) * 4, 3).astype(int)


def differences(vectors: np.ndarray) -> np.ndarray:
    """Euclidean distances of all pairs."""
    return np.linalg.norm(vectors[:, None] - vectors, axis=-1)


def correlation(
    first: np.ndarray, second: np.ndarray, rng: np.random.Generator
) -> dict[str, float]:
    """Of pairs, and its interval over the drawing of waves."""
    rows, columns = np.triu_indices(TEST, 1)
    value = spearmanr(first[rows, columns], second[rows, columns])[0]
    found = []
    for _ in range(DRAWS):
        # Some hundred thousand pairs are more than the interval needs.
        drawn = rng.integers(0, TEST, 150)
        rows, columns = (drawn[part] for part in np.triu_indices(150, 1))
        other = rows != columns
        rows, columns = rows[other], columns[other]
        found.append(spearmanr(first[rows, columns], second[rows, columns])[0])
    # Of 150 waves at a time: narrower by the root of how many more there are.
    half = 1.96 * np.std(found, ddof=1) * np.sqrt(150 / TEST)
    return {
        "value": float(value),
        "low": float(value - half),
        "high": float(value + half),
    }


def main() -> None:
    """Trains, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=RESULTS / f"{NAME}.json")
    arguments = parser.parse_args()
    points, heights, amplitudes, phases = waves(TRAIN, 0)
    new_points, new_heights, new_amplitudes, new_phases = waves(TEST, 1)
    network = TaskNetwork(1, 1, units=(40,), regression=True)
    describer = AdaptedParameters(network, steps=STEPS)
    start = time.perf_counter()
    known = describer(points, heights)
    seconds = time.perf_counter() - start
    new = describer(new_points, new_heights)
    alike = 4 * quarter(amplitudes, Sinusoids.amplitudes)
    alike += quarter(phases, Sinusoids.phases)
    metric = TaskMetric.of(known, size=16, seed=0)
    loss = tfmeta.losses.TripletLoss(margin=0.2, mining="all")
    metric.compile(keras.optimizers.Adam(1e-3), loss=loss)
    metric.fit(metric.inputs(known), alike, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    grid = np.linspace(*Sinusoids.inputs, 200)
    curves = new_amplitudes[:, None] * np.sin(grid - new_phases[:, None])
    truth = {
        "amplitude": np.abs(new_amplitudes[:, None] - new_amplitudes),
        "phase": np.abs(new_phases[:, None] - new_phases),
        "curve": differences(curves),
    }
    rng = np.random.default_rng(0)
    results = {}
    for name, vectors in {
        "learned distance": metric.embed(new),
        "distance of parameters": new.flat(),
    }.items():
        found = differences(vectors)
        results[name] = {of: correlation(found, t, rng) for of, t in truth.items()}
        shown = (
            f"{of} {c['value']:.2f} [{c['low']:.2f}, {c['high']:.2f}]"
            for of, c in results[name].items()
        )
        print(f"{name:24}", *shown, sep="  ")
    write_json(
        arguments.output,
        {
            "command": command_line(),
            "commit": git_commit(),
            "machine": describe_machine(),
            "seeds": {"waves": [0, 1], "network": 0, "metric": 0},
            "waves": {"trained": TRAIN, "new": TEST, "points": POINTS},
            "seconds_of_training_networks": seconds,
            "rank_correlations": results,
        },
    )


if __name__ == "__main__":
    main()
