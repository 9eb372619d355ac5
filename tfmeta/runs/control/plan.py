"""What a run whose tasks are environments is going to train."""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Callable
from typing import Any

from tfmeta.argument_names import renamed_arguments
from tfmeta.control import ControlTasks, TaskFamily
from tfmeta.control_registry import PREFIX, family_entry
from tfmeta.learners import FewShotLearner
from tfmeta.registry import learner_entry, resolve
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.training_plan import Prepared, TrainingPlan

# Validation tasks that are acted in at once, at most.
_TOGETHER = 40


@dataclasses.dataclass(frozen=True)
class ControlPlan(TrainingPlan):
    """All that a training on environments begins with.

    Attributes:
        family: The tasks.
        training: Batches of numbers of training tasks.
        validation: Likewise of validation tasks.
        learner: The untrained learner, compiled.
    """

    family: TaskFamily
    training: ControlTasks
    validation: ControlTasks
    learner: FewShotLearner

    def prepared(
        self,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        on_features: Callable[[int, int], None] | None = None,
    ) -> Prepared:
        """The learner as it is: there are no data."""
        return Prepared(
            self.learner,
            lambda start: self.training.as_dataset(start=start),
            self.validation,
        )


def plan_control(config: TrainConfig) -> ControlPlan:
    """Makes the environments of a run and its learner; nothing is written.

    Args:
        config: The run.

    Raises:
        ValueError: When there is no such family or learner, or an argument of theirs
            is out of range.
        ImportError: When the package of the environments is not there.
    """
    family = make_family(config)
    together = next(
        n for n in range(_TOGETHER, 0, -1) if not config.validation_episodes % n
    )
    with renamed_arguments({"tasks": "train_tasks"}):
        training = ControlTasks(family, tasks=config.train_tasks, seed=config.seed)
    return ControlPlan(
        config=config,
        validation_steps=config.validation_episodes // together,
        # Numbers of tasks: those of the parts are apart, whatever the run.
        classes={"train": [], "validation": []},
        family=family,
        training=training,
        validation=ControlTasks(family, tasks=together, seed=0, part="validation"),
        learner=make_policy_learner(config, family),
    )


def make_family(config: TrainConfig) -> TaskFamily:
    """The environments of a run.

    Raises:
        ValueError: When they do not take the arguments.
        ImportError: When their package is not there.
    """
    name = config.dataset.removeprefix(PREFIX)
    entry = family_entry(name)
    make = resolve(entry.path)
    if not (isinstance(make, type) and issubclass(make, TaskFamily)):
        raise ValueError(
            "`task` must name a class derived from tfmeta.control.TaskFamily. "
            f"Received: {name}"
        )
    arguments = {**entry.arguments, **(config.task_arguments or {})}
    _check_names(make, arguments, "task_argument", name)
    return make(**arguments)


def make_policy_learner(config: TrainConfig, family: TaskFamily) -> FewShotLearner:
    """The learner of a run, compiled and untrained.

    Raises:
        ValueError: When it does not take the arguments, or the environments.
    """
    entry = learner_entry(config.learner)
    make = resolve(entry.path)
    arguments = {"seed": config.seed, **config.learner_arguments}
    _check_names(make, arguments, "argument", config.learner)
    learner: FewShotLearner = make(family, **arguments)
    optimizer = resolve(entry.optimizer)(config.learning_rate, config.steps)
    learner.compile(optimizer)
    return learner


def _check_names(
    make: Callable[..., Any], arguments: dict[str, Any], option: str, name: str
) -> None:
    """Refuses arguments that nobody takes, where it is known who takes which."""
    known = _arguments_of(make)
    unknown = sorted(set(arguments) - set(known or arguments))
    if unknown:
        raise ValueError(
            f"`{option}` must be one of {', '.join(known or ())} for {name}. Received: "
            f"{unknown[0]}={arguments[unknown[0]]!r}"
        )


def _arguments_of(make: Callable[..., Any]) -> list[str] | None:
    """Names of the arguments, also of those that go on to a base class.

    `None` where it is a function that hands on what it is given.
    """
    found: list[str] = []
    bases = inspect.getmro(make) if isinstance(make, type) else (make,)
    for base in bases:
        # Keras' own, such as the name of a model.
        if base is FewShotLearner:
            return found
        own = vars(base).get("__init__") if isinstance(base, type) else base
        if own is None:
            continue
        parameters = inspect.signature(own).parameters.values()
        found += [
            p.name
            for p in parameters
            if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
            and p.name not in ("self", "family", *found)
        ]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return found
    return None
