"""Meta-iterations of MAML of policies on 2-D navigation, beside PyTorch.

Twenty tasks a step, twenty trajectories of each before and after the update, a horizon
of 100, two layers of 100 units, TRPO with ten iterations of conjugate gradients: the
sizes of Finn et al. (2017), but for their 40 tasks. Both step the environment for all
tasks and trajectories at once. Before the clock starts, the outer gradient and a
product with the curvature, on the same trajectories, must agree.

    python benchmarks/control_training.py
"""

from __future__ import annotations

from typing import Any

import numpy as np
from interleaved import (
    Contestant,
    Measure,
    compete,
    start_tensorflow,
    start_torch,
    timed,
)
from report import goal, line_of, parse_arguments, show_goals, show_group, write_result

NAME = "control_training"
GOAL = 2.0
TASKS, TRAJECTORIES, HORIZON, UNITS = 20, 20, 100, 100
RATE = 0.1
OURS, OURS_XLA, TORCH = "tfmeta", "tfmeta with XLA", "PyTorch eager"


def first_weights() -> list[np.ndarray]:
    """Kernels and biases, and the logarithms of deviations."""
    rng = np.random.default_rng(0)
    found = []
    for rows, columns in ((2, UNITS), (UNITS, UNITS), (UNITS, 2)):
        limit = np.sqrt(6 / (rows + columns))
        found.append(rng.uniform(-limit, limit, (rows, columns)).astype("f4"))
        found.append(np.zeros(columns, "f4"))
    return [*found, np.zeros(2, "f4")]


def fixed_trajectories(stream: int) -> dict[str, np.ndarray]:
    """Made up, to compare gradients on."""
    rng = np.random.default_rng(stream)
    shape = (TASKS, TRAJECTORIES, HORIZON)
    return {
        "seen": rng.normal(0, 0.3, (*shape, 2)).astype("f4"),
        "actions": rng.normal(0, 0.1, (*shape, 2)).astype("f4"),
        "rewards": -rng.uniform(0, 1, shape).astype("f4"),
        "logs": rng.normal(2.5, 0.1, shape).astype("f4"),
        "last": rng.normal(0, 0.3, (TASKS, TRAJECTORIES, 2)).astype("f4"),
    }


def direction() -> np.ndarray:
    """Which the curvature is multiplied by."""
    size = sum(part.size for part in first_weights())
    return np.random.default_rng(3).normal(0, 1, size).astype("f4")


def tensorflow_training(
    *, threads: int, jit_compile: bool
) -> tuple[Measure, dict[str, Any]]:
    """A learner's compiled training step."""
    tf = start_tensorflow(threads)
    import keras

    from tfmeta.control import ControlTasks, Navigation, PolicyMAML, Trajectories
    from tfmeta.control.meta_objective import Experience
    from tfmeta.control.trust_region import flatten

    family = Navigation(horizon=HORIZON)
    learner = PolicyMAML(family, hidden_units=(UNITS, UNITS), seed=0)
    for variable, value in zip(learner.start, first_weights(), strict=True):
        variable.assign(value)

    def judged(stream: int) -> Any:
        made = fixed_trajectories(stream)
        mask = tf.ones(made["rewards"].shape, tf.bool)
        return learner.judgement(
            Trajectories(
                made["seen"],
                made["actions"],
                made["rewards"],
                mask,
                made["logs"],
                tf.zeros(mask.shape[:2], tf.bool),
                made["last"],
            )
        )

    before, after = judged(1), judged(2)
    start = [variable.value for variable in learner.start]
    objective = learner.objective
    some = Experience([before], after, tf.zeros([TASKS]), ())
    acted = tuple(tf.stop_gradient(part) for part in objective.parts(start, some))
    some = some._replace(acted=acted)
    with tf.GradientTape() as tape:
        tape.watch(start)
        found = tf.reduce_mean(objective.surrogates(start, some))
    gradient = flatten(tape.gradient(found, start))
    product = objective.curvature(start, some, damping=1e-5)
    across = product(tf.constant(direction()))
    learner.compile(jit_compile=jit_compile)
    dataset = ControlTasks(family, tasks=TASKS).as_dataset()
    learner.fit(dataset, steps_per_epoch=1, epochs=1, verbose=0)
    batches = iter(dataset)
    facts = {
        "gradient": float(tf.norm(gradient)),
        "curvature": float(tf.norm(across)),
        "versions": {"tensorflow": tf.__version__, "keras": keras.__version__},
    }
    return timed(lambda: learner.train_function(batches), 1), facts


def torch_training(*, threads: int) -> tuple[Measure, dict[str, Any]]:
    """The training step as a PyTorch user writes it."""
    torch = start_torch(threads)
    import control_torch as ours

    def start() -> list[Any]:
        return [torch.from_numpy(w).requires_grad_() for w in first_weights()]

    def drawn(stream: int) -> dict[str, Any]:
        made = {k: torch.from_numpy(v) for k, v in fixed_trajectories(stream).items()}
        mask = torch.ones(made["rewards"].shape, dtype=torch.bool)
        ended = torch.zeros(mask.shape[:2], dtype=torch.bool)
        return {**made, "mask": mask, "terminated": ended}

    weights, before, after = start(), drawn(1), drawn(2)
    judged = [ours.advantages(one) for one in (before, after)]
    gradient, slope = ours.first_derivatives(
        weights, before, judged[0], after, judged[1], RATE
    )
    vector = torch.from_numpy(direction())
    across = torch.autograd.grad(slope @ vector, weights, retain_graph=True)
    across = ours.flat(across) + 1e-5 * vector
    generator = torch.Generator().manual_seed(0)
    learned = start()

    def step() -> Any:
        goals = torch.rand(TASKS, 2, generator=generator) - 0.5
        return ours.train_step(
            learned, goals, trajectories=TRAJECTORIES, horizon=HORIZON, rate=RATE
        )

    step()
    facts = {
        "gradient": float(gradient.norm()),
        "curvature": float(across.norm()),
        "versions": {"torch": torch.__version__},
    }
    return timed(step, 1), facts


def check_same_mathematics(facts: dict[str, dict[str, Any]]) -> None:
    """Raises when gradients or curvatures do not agree."""
    expected = facts[OURS]
    for name, values in facts.items():
        for what in ("gradient", "curvature"):
            if not np.isclose(values[what], expected[what], rtol=1e-3):
                raise ValueError(
                    f"all contestants must have the {what} of {OURS}, of length "
                    f"{expected[what]:.6g}. Received: {name} with {values[what]:.6g}"
                )


def main() -> None:
    """Measures, prints, writes."""
    arguments = parse_arguments(__doc__ or "", name=NAME, rounds=5, seconds=12.0)
    group = compete(
        f"{TASKS} tasks, 2 x {TRAJECTORIES} trajectories of {HORIZON} steps",
        "meta-iterations/s",
        [
            Contestant(OURS, tensorflow_training, {"jit_compile": False}),
            Contestant(OURS_XLA, tensorflow_training, {"jit_compile": True}),
            Contestant(TORCH, torch_training),
        ],
        reference=TORCH,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        threads=arguments.threads,
        check=check_same_mathematics,
    )
    show_group(group, step_times=True)
    ratios = [
        line["ratio"]
        for name in (OURS, OURS_XLA)
        if (line := line_of(group, name)) is not None and "ratio" in line
    ]
    best = max(ratios, key=lambda ratio: ratio["median"], default=None)
    goals = [goal(f"tfmeta over {TORCH}", best, at_least=GOAL)]
    show_goals(goals)
    write_result(NAME, arguments, [group], goals)


if __name__ == "__main__":
    main()
