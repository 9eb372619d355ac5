"""Environment steps per second: in the graph, and through Gymnasium's vector API.

Random actions in as many environments at once, 40 tasks of 20 trajectories of 100 steps
as in a batch of MAML. In the graph navigation and bandits; then CartPole: as a family
of tasks with numbers of their own, whose trajectories wait for each other when they
have ended (only real steps count), in Gymnasium's synchronous vector API as it is, and
in Gymnasium's own vectorised CartPole, of one set of numbers.

    python benchmarks/control_steps.py
"""

from __future__ import annotations

from typing import Any

import numpy as np
from interleaved import Contestant, Measure, compete, start_tensorflow, timed
from report import parse_arguments, show_group, write_result

NAME = "control_steps"
TASKS, TRAJECTORIES, STEPS = 40, 20, 100
VARIED = {"length": (0.25, 1.0), "gravity": (5.0, 15.0), "force_mag": (5.0, 15.0)}

NAVIGATION = "Navigation, in the graph"
BANDITS = "Bandits, in the graph"
CART_POLE = "CartPole as a family of tasks"
SYNC = "Gymnasium, SyncVectorEnv of CartPole"
VECTOR = "Gymnasium, CartPoleVectorEnv"


def make_family(name: str) -> Any:
    """The tasks of a contestant."""
    from tfmeta.control import Bandits, Navigation
    from tfmeta.control.gymnasium_family import GymnasiumFamily

    if name == NAVIGATION:
        return Navigation(horizon=STEPS)
    if name == BANDITS:
        return Bandits(horizon=STEPS)
    return GymnasiumFamily("CartPole-v1", varied=VARIED, horizon=STEPS)


def family_steps(*, threads: int, name: str) -> tuple[Measure, dict[str, Any]]:
    """Trajectories of random actions, their parameters drawn beforehand."""
    tf = start_tensorflow(threads)
    from tfmeta.control.distributions import distribution_of_outputs
    from tfmeta.control.rollouts import roll_out

    family = make_family(name)
    tasks = tf.function(family.tasks)(tf.range(TASKS, dtype=tf.int64))
    outputs = family.actions.size * (1 + (family.actions.kind == "continuous"))

    def policy(seen: Any) -> Any:
        shape = tf.concat([tf.shape(seen)[:-1], [outputs]], axis=0)
        zeros = tf.ensure_shape(tf.zeros(shape), [*seen.shape[:-1], outputs])
        return distribution_of_outputs(family.actions, zeros)

    @tf.function
    def act(seed: Any) -> Any:
        drawn = roll_out(family, tasks, policy, trajectories=TRAJECTORIES, seed=seed)
        return tf.reduce_sum(tf.cast(drawn.mask, tf.int32))

    # Where trajectories end by themselves, how many steps there are differs little.
    lived = [int(act(tf.constant([0, number]))) for number in range(3)]
    facts = {"steps": float(np.mean(lived)), "versions": {"tensorflow": tf.__version__}}
    return timed(lambda: act(tf.constant([1, 2])).numpy(), facts["steps"]), facts


def gymnasium_steps(*, threads: int, mode: str) -> tuple[Measure, dict[str, Any]]:
    """As many environments, those that have ended begin again by themselves."""
    import gymnasium

    count = TASKS * TRAJECTORIES
    environments = gymnasium.make_vec(
        "CartPole-v1", num_envs=count, vectorization_mode=mode
    )
    environments.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 2, (STEPS, count))

    def act() -> None:
        for step in actions:
            environments.step(step)

    facts = {"steps": count * STEPS, "versions": {"gymnasium": gymnasium.__version__}}
    return timed(act, count * STEPS), facts


def main() -> None:
    """Measures, prints, writes."""
    arguments = parse_arguments(__doc__ or "", name=NAME, rounds=5, seconds=4.0)
    group = compete(
        f"{TASKS} tasks of {TRAJECTORIES} trajectories, {STEPS} steps",
        "steps/s",
        [
            *(
                Contestant(name, family_steps, {"name": name})
                for name in (NAVIGATION, BANDITS, CART_POLE)
            ),
            Contestant(SYNC, gymnasium_steps, {"mode": "sync"}),
            Contestant(VECTOR, gymnasium_steps, {"mode": "vector_entry_point"}),
        ],
        reference=SYNC,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        threads=arguments.threads,
    )
    show_group(group, step_times=True)
    write_result(NAME, arguments, [group], [])


if __name__ == "__main__":
    main()
