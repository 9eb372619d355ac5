"""Memory that training with an inner loop adds: predicted, measured, saved.

Each training runs in a process of its own, from which its peak is read; the
prediction is made in another, before any training. Then the same learners train with
and without rematerialization in turn. Linux alone: the peak is read from /proc.
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

import numpy as np
from interleaved import (
    Contestant,
    Measure,
    compete,
    in_own_process,
    spread,
    start_tensorflow,
)
from maml_setting import start_training
from report import goal, line_of, parse_arguments, show_goals, show_group, write_result
from rich.console import Console
from rich.table import Table

NAME = "maml_memory"
WAYS = 5
GOAL_ERROR, GOAL_GROWTH = 0.25, 1.2


@dataclasses.dataclass(frozen=True)
class Setting:
    """A training: class and arguments of the learner, and the size of its batches."""

    learner: str
    arguments: dict[str, Any]
    tasks: int = 4
    shots: int = 1
    queries: int = 15
    filters: int = 64
    shape: tuple[int, int, int] = (28, 28, 1)

    def __str__(self) -> str:
        given = ", ".join(f"{k}={v}" for k, v in self.arguments.items())
        side, _, channels = self.shape
        return (
            f"{self.learner}({given}), {self.tasks} tasks, {self.shots}-shot, "
            f"{self.queries} queries, {side} x {side} x {channels}, "
            f"{self.filters} filters"
        )


def steps(count: int, **others: Any) -> dict[str, Any]:
    """Arguments of a learner with this many inner steps."""
    return {"inner_steps": count, **others}


# The constants of the prediction were fitted to trainings like these.
FITTED = (
    Setting("MAML", steps(1)),
    Setting("MAML", steps(5)),
    Setting("MAML", steps(5), shots=5),
    Setting("MAMLPlusPlus", steps(5)),
    Setting("MAMLPlusPlus", steps(5, rematerialize=True)),
)
HELD_OUT = (
    Setting("MAML", steps(1), tasks=32),
    Setting("MAML", steps(5), tasks=16),
    Setting("MAML", steps(3), tasks=16),
    Setting("MAML", steps(5, first_order=True)),
    Setting("ANIL", steps(5)),
    Setting("MetaSGD", steps(3)),
    Setting("MAML", steps(1), tasks=32, shots=5, queries=5, filters=32),
    Setting("MAML", steps(5), filters=32, shape=(84, 84, 3)),
    Setting("LSTMMetaLearner", steps(5), filters=32),
)
TRADES = (
    Setting("MAML", steps(5)),
    Setting("MAML", steps(5), shots=5),
    Setting("MAMLPlusPlus", steps(5)),
)
KEPT, REMATERIALIZED = "all kept", "rematerialize=True"


def make_training(setting: Setting) -> tuple[Any, dict[str, Any], np.ndarray]:
    """A compiled learner, and a batch for it."""
    import keras

    from tfmeta import learners
    from tfmeta.encoders import Conv4

    encoder = Conv4(setting.shape, filters=setting.filters, seed=0)
    arguments = dict(setting.arguments)
    if setting.learner not in ("MetaSGD", "LSTMMetaLearner"):
        arguments["inner_learning_rate"] = 0.1
    learner = getattr(learners, setting.learner)(encoder, WAYS, **arguments)
    learner.compile(keras.optimizers.Adam(1e-3))
    rng = np.random.default_rng(0)

    def pictures(of_class: int) -> np.ndarray:
        shape = (setting.tasks, WAYS * of_class, *setting.shape)
        return rng.random(shape, dtype=np.float32)

    def labels(of_class: int) -> np.ndarray:
        return np.tile(np.repeat(np.arange(WAYS), of_class), (setting.tasks, 1))

    inputs = {
        "support": pictures(setting.shots),
        "support_labels": np.eye(WAYS, dtype="f4")[labels(setting.shots)],
        "query": pictures(setting.queries),
    }
    return learner, inputs, labels(setting.queries).astype("i4")


def predict(*, setting: Setting, threads: int) -> float:
    """MiB that the training is predicted to add."""
    start_tensorflow(threads, intra_op=1)
    from tfmeta.learners import predict_training_memory

    return predict_training_memory(*make_training(setting)) / 2**20


def training(*, threads: int, setting: Setting) -> tuple[Measure, dict[str, Any]]:
    """The learner's compiled training step; the first goes through `fit`."""
    tf = start_tensorflow(threads, intra_op=1)
    learner, inputs, y = make_training(setting)
    dataset = tf.data.Dataset.from_tensors((inputs, y)).repeat()
    batches = iter(dataset)

    def first_step() -> tuple[float, list[np.ndarray]]:
        history = learner.fit(dataset, steps_per_epoch=1, verbose=0).history
        # As many as reach the highest point, which the threads come to by chance.
        learner.fit(dataset, steps_per_epoch=max(4, 32 // setting.tasks), verbose=0)
        return history["loss"][0], []

    return start_training(
        first_step,
        lambda: learner.train_function(batches),
        tasks=setting.tasks,
        versions={"tensorflow": tf.__version__},
    )


def added_memory(*, threads: int, setting: Setting) -> float:
    """MiB that a process grows by while it trains."""
    _, facts = training(threads=threads, setting=setting)
    if facts["added_memory_mib"] is None:
        raise OSError("the peak of a process cannot be reset on this system")
    return facts["added_memory_mib"]


def measure_predictions(settings: tuple[Setting, ...], threads: int) -> list[dict]:
    """Prediction and measurement of each setting, printed as they come."""
    lines = []
    table = Table(title="memory that training adds, MiB", title_justify="left")
    for title in ("", "predicted", "measured", "apart"):
        table.add_column(title, justify="right" if title else "left")
    for setting in settings:
        predicted = in_own_process(predict, setting=setting, threads=threads)
        measured = in_own_process(added_memory, setting=setting, threads=threads)
        apart = predicted / measured - 1
        lines.append(
            {
                "name": str(setting),
                "fitted": setting in FITTED,
                "predicted_mib": predicted,
                "measured_mib": measured,
                "apart": apart,
            }
        )
        table.add_row(
            str(setting), f"{predicted:.0f}", f"{measured:.0f}", f"{apart:+.0%}"
        )
    Console(width=140).print(table)
    return lines


def measure_trade(setting: Setting, arguments: argparse.Namespace) -> dict[str, Any]:
    """Tasks per second and memory of a learner with and without rematerialization."""
    saving = dataclasses.replace(
        setting, arguments={**setting.arguments, "rematerialize": True}
    )
    return compete(
        str(setting),
        "tasks/s",
        [
            Contestant(KEPT, training, {"setting": setting}),
            Contestant(REMATERIALIZED, training, {"setting": saving}),
        ],
        reference=KEPT,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        threads=arguments.threads,
    )


def goals_of(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """That no held-out prediction is far off, and that memory is flat."""
    errors = [abs(line["apart"]) for line in lines if not line["fitted"]]
    measured = {line["name"]: line["measured_mib"] for line in lines}
    growth = measured[str(HELD_OUT[1])] / measured[str(FITTED[1])]
    return [
        goal(
            f"memory of training with an inner loop, predicted over measured, apart "
            f"by at most (of {len(errors)} settings that nothing was fitted to)",
            spread([max(errors)]),
            below=GOAL_ERROR,
        ),
        goal(
            "MAML, 5 inner steps: memory of 16 tasks over that of 4",
            spread([growth]),
            below=GOAL_GROWTH,
        ),
    ]


def main() -> None:
    """Measures all settings and writes the result."""
    arguments = parse_arguments(__doc__ or "", name=NAME, rounds=3, seconds=2.0)
    groups = []
    for setting in TRADES:
        group = measure_trade(setting, arguments)
        show_group(group)
        for name in (KEPT, REMATERIALIZED):
            line = line_of(group, name)
            if line is not None:
                print(f"{name}: {line['facts']['added_memory_mib']:.0f} MiB added")
        groups.append(group)
    lines = measure_predictions(FITTED + HELD_OUT, arguments.threads)
    groups.append({"name": "prediction", "contestants": lines})
    goals = goals_of(lines)
    show_goals(goals)
    write_result(NAME, arguments, groups, goals)


if __name__ == "__main__":
    main()
