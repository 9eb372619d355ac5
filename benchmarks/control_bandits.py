"""RL² on five-armed bandits beside strategies that know how they are made.

RL² is trained for 10 and for 100 pulls, and plays bandits that no training has seen;
Gittins' index, Thompson sampling, UCB1, the greedy choice and chance play the same
ones. All know that an arm pays 1 or 0 and that its probability is uniform.

    python benchmarks/control_bandits.py --update-tables
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from report import measured_or_read

NAME = "control_bandits"
ARMS, BANDITS, BATCH = 5, 10_000, 1000
# Of each number of pulls: training steps, bandits of a step, discount.
TRAININGS = {10: (800, 1024, 0.99), 100: (200, 256, 0.99)}
PUBLISHED = {10: {"RL²": 6.7, "Gittins": 6.6}, 100: {"RL²": 78.7, "Gittins": 78.3}}


def trained(
    pulls: int, steps: int, batch: int, gamma: float
) -> tuple[Any, float, list[float]]:
    """A learner, the seconds that it took, and its returns by tenth of training."""
    import keras

    from tfmeta.control import RL2, Bandits, ControlTasks

    family = Bandits(arms=ARMS, horizon=pulls)
    learner = RL2(family, episodes=1, gamma=gamma, seed=0)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, 4 * steps)
    learner.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0))
    began = time.perf_counter()
    data = ControlTasks(family, tasks=batch, seed=0).as_dataset()
    history = learner.fit(
        data, steps_per_epoch=max(1, steps // 10), epochs=10, verbose=2
    ).history
    return learner, time.perf_counter() - began, history["return_after"]


def measure(pulls: int) -> dict[str, Any]:
    """Total rewards on the same bandits."""
    import tensorflow as tf

    from tfmeta.control import returns_by_update
    from tfmeta.control.bandit_strategies import (
        greedy,
        make_gittins,
        make_ucb1,
        play,
        random_arm,
        thompson_sampling,
    )

    steps, batch, gamma = TRAININGS[pulls]
    learner, seconds, history = trained(pulls, steps, batch, gamma)
    totals = {
        "RL²": np.concatenate(
            [
                returns_by_update(
                    learner,
                    range(start, start + BATCH),
                    updates=0,
                    trajectories=1,
                    seed=start,
                )[0]
                for start in range(0, BANDITS, BATCH)
            ]
        )
    }
    arms = learner.family.tasks(tf.range(BANDITS, dtype=tf.int64))["probability"]
    for name, strategy in (
        ("Gittins", make_gittins(pulls)),
        ("Thompson", thompson_sampling),
        ("UCB1", make_ucb1()),
        ("greedy", greedy),
        ("random", random_arm),
    ):
        totals[name] = play(strategy, arms.numpy(), pulls, seed=0).totals
    own = totals["RL²"]
    return {
        "pulls": pulls,
        "steps": steps,
        "batch": batch,
        "minutes": seconds / 60,
        "history": history,
        "players": {
            name: {
                "mean": float(one.mean()),
                "half_width": _half_width(one),
                "below_rl2": float((own - one).mean()),
                "below_half_width": _half_width(own - one),
            }
            for name, one in totals.items()
        },
    }


def _half_width(values: np.ndarray) -> float:
    return float(1.96 * values.std(ddof=1) / np.sqrt(len(values)))


def markdown(content: dict[str, Any]) -> str:
    """A line for each player."""
    titles = ("pulls", "who", "total reward", "RL² above it", "published")
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for found in content["found"]:
        for name, one in found["players"].items():
            above = (
                ""
                if name == "RL²"
                else f"{one['below_rl2']:+.2f} ± {one['below_half_width']:.2f}"
            )
            published = PUBLISHED[found["pulls"]].get(name, "")
            lines.append(
                f"| {found['pulls']} | {name} | {one['mean']:.2f} ± "
                f"{one['half_width']:.2f} | {above} | {published} |"
            )
    took = " and ".join(
        f"{one['steps']:,} steps of {one['batch']:,} bandits ({one['minutes']:.0f} min)"
        for one in content["found"]
    )
    lines += [
        "",
        f"{BANDITS:,} bandits of {ARMS} arms that no training has seen, the same for "
        "all; ± is 95 % over bandits, of a difference bandit by bandit. RL² was "
        f"trained for {took}, seed 0. Gittins is the index of the finite horizon. "
        f"Published: Duan et al. (2016), as recalled. `{content['command']}`",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Trains, measures, writes the table."""

    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--pulls", type=int, nargs="+", default=list(TRAININGS), choices=TRAININGS
        )

    def measured(arguments: argparse.Namespace) -> dict[str, Any]:
        return {"found": [measure(pulls) for pulls in arguments.pulls]}

    measured_or_read(__doc__ or "", NAME, add=add, measure=measured, markdown=markdown)


if __name__ == "__main__":
    main()
