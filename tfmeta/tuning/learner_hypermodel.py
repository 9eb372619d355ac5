"""The keras-tuner hypermodel of all learners that a run can train."""

from __future__ import annotations

import itertools
import math
from functools import cached_property
from typing import Any

import keras
import keras_tuner
import numpy as np
import tensorflow as tf

from tfmeta.callbacks import NonFiniteTrainingError, StopAtNonFinite
from tfmeta.datasets import ClassTable
from tfmeta.evaluation.fingerprint import fingerprint
from tfmeta.learners import FewShotLearner
from tfmeta.registry import is_pretrained, learner_entry
from tfmeta.runs.building import make_learner
from tfmeta.runs.config import TrainConfig, options
from tfmeta.runs.data import kind_of
from tfmeta.runs.defaults import check_used, learner_defaults
from tfmeta.runs.training_data import open_training, validation_episodes
from tfmeta.tuning.search_space import choose, choose_on_log_scale, several

_OWN_FIT_ARGUMENTS = {
    "batch_size",
    "class_weight",
    "sample_weight",
    "shuffle",
    "steps_per_epoch",
    "validation_batch_size",
    "validation_data",
    "validation_split",
    "validation_steps",
    "x",
    "y",
}

_OF_TRAINING = ("train_ways", "train_shots", "train_queries", "train_tasks")
# Besides the arguments of the learner's constructor.
_SEARCHED = (*_OF_TRAINING, "batch_size", "filters", "encoder", "augment")
# Trials are judged alike, on the tables that are given, for `search(epochs=...)`.
_NOT_TAKEN = ("dataset", "protocol", "size", "epochs")


class LearnerHyperModel(keras_tuner.HyperModel):
    """A learner of `tfmeta train`, as a keras-tuner search space.

    How the training episodes are made is searched along with the encoder and its
    training: Snell, Swersky and Zemel (2017, *Prototypical Networks for Few-shot
    Learning*) too tune the ways of training on held-out classes. Every trial is
    judged by its best `val_accuracy` on the same validation episodes. Its initial
    weights come from `seed` and its training episodes from `seed` and the step,
    so that trials differ in their hyper-parameters alone; for the same reason
    `executions_per_trial` above 1 repeats the same training.

    Test classes have no place here. The best validation accuracy of many trials
    is no test figure either: measure the learner that was chosen with
    `tfmeta.evaluation.evaluate`, whose `seen_classes` are the origins of both
    tables.

    A trial also records `protocol`, what it was measured by. A search that is
    resumed under another protocol stops with an error, since its trials could
    not be compared. A `keras_tuner.HyperParameters` given to the tuner goes before
    the arguments.

    Args:
        train_table: Classes to train on.
        validation_table: Classes to judge trials by.
        **settings: Options of `tfmeta train`, with `_`, and arguments of the
            learner's constructor. Those of how a trial is trained (`train_ways`,
            `train_shots`, `train_queries`, `train_tasks`, `batch_size`, `filters`,
            `encoder`, `augment`, the learner's arguments) may be several values, to
            choose from; `learning_rate`, Adam's, constant in a trial, may be a pair
            (lowest, highest), searched on a logarithmic scale. By default
            `train_ways` (5, 20, 60), `filters` (32, 64), `learning_rate` 1e-4 to
            1e-2, `augment`, and what the learner's entry in the registry names are
            searched; a learner with an inner loop or a memory trains on tasks like
            those of validation. The number of epochs is given to
            `tuner.search(epochs=...)`, or set by Hyperband.

    Attributes:
        objective: `keras_tuner.Objective("val_accuracy", "max")`.
        validation: The validation `Episodes`.
        validation_steps: In how many batches they come.

    Raises:
        ValueError: When the tables share a class, or do not allow one of the
            episodes, or when an argument is out of range.

    Example:

    ```python
    import keras_tuner
    import tfmeta

    train = tfmeta.datasets.load("glyphs", split="train")
    validation = tfmeta.datasets.load("glyphs", split="validation")
    hypermodel = tfmeta.tuning.LearnerHyperModel(
        train, validation, filters=(8, 16), steps_per_epoch=10, validation_episodes=40
    )
    tuner = keras_tuner.RandomSearch(
        hypermodel, hypermodel.objective, max_trials=2, seed=0, directory="search"
    )
    tuner.search(epochs=1)
    learner = tuner.get_best_models()[0]
    ```
    """

    objective = keras_tuner.Objective("val_accuracy", "max")

    def __init__(
        self,
        train_table: ClassTable,
        validation_table: ClassTable,
        **settings: Any,
    ) -> None:
        super().__init__()
        learner = settings.get("learner", TrainConfig.learner)
        if learner_entry(learner).trains_on == "nothing":
            raise ValueError(
                "`learner` must be one that is trained. Received: "
                f"learner={learner!r}, which learns from a support alone"
            )
        self._table = train_table
        self._names = {place.name for place in options()}
        for name in _NOT_TAKEN:
            if name in settings:
                raise ValueError(
                    f"`{name}` must be left out: the tables are given, and "
                    f"`tuner.search` takes `epochs`. Received: {name}="
                    f"{settings[name]!r}"
                )
        fixed = {
            name: value
            for name, value in settings.items()
            if name in self._names and name not in (*_SEARCHED, "learning_rate")
        }
        # One value of what is not searched anyway is no hyper-parameter.
        fixed |= {
            name: value
            for name, value in settings.items()
            if name in ("train_queries", "train_tasks", "batch_size", "encoder")
            and len(several(name, value)) == 1
        }
        fixed.setdefault("steps_per_epoch", 100)
        fixed.setdefault("validation_episodes", 200)
        check_used({**settings, **fixed})
        self._base = TrainConfig().with_options({**learner_defaults(fixed), **fixed})
        space = {**self._default_space(), **settings}
        self._space = {
            name: _range_of_rates(value)
            if name == "learning_rate"
            else several(name, value)
            for name, value in space.items()
            if name not in fixed
        }
        self.validation, self.validation_steps = validation_episodes(
            self._base, validation_table
        )
        self._check_choices()
        self._protocol = self._describe(train_table, validation_table, fixed)

    def _default_space(self) -> dict[str, Any]:
        base, entry = self._base, learner_entry(self._base.learner)
        is_picture = kind_of(self._table) == "pictures"
        if is_pretrained(base.encoder):
            is_picture = False  # Neither its width nor its pictures vary.
        space: dict[str, Any] = {}
        if entry.trains_on == "episodes":
            free = not entry.trains_on_like_tasks
            space["train_ways"] = (5, 20, 60) if free else base.training.ways
            space["train_shots"] = base.test.shots if free else base.training.shots
        space["filters"] = (32, 64) if is_picture else base.filters
        space |= entry.search
        rate = entry.defaults.get("learning_rate", (1e-4, 1e-2))
        space["learning_rate"] = rate
        space["augment"] = (False, True) if is_picture else False
        return space

    def _describe(
        self, train: ClassTable, validation: ClassTable, fixed: dict[str, Any]
    ) -> str:
        """What trials are measured by, in words."""
        base, task = self._base, self._base.validation

        def said(name: str, value: int) -> str:
            choices = self._space.get(name, (value,))
            return " or ".join(map(str, choices))

        told = {
            *("ways", "shots", "queries", "validation_episodes"),
            *("train_queries", "train_tasks", "steps_per_epoch", "seed"),
        }
        others = "".join(f", {n} {v}" for n, v in fixed.items() if n not in told)
        return (
            f"{task.ways}-way {task.shots}-shot, {task.queries} queries, "
            f"{base.validation_episodes} episodes of {validation.name} "
            f"{fingerprint(validation)}; training on {train.name} "
            f"{fingerprint(train)}, {said('train_queries', base.training.queries)} "
            f"queries, {said('train_tasks', base.train_tasks)} tasks, "
            f"{base.steps_per_epoch} steps per epoch; seed {base.seed}{others}"
        )

    def config_of(self, hp: keras_tuner.HyperParameters) -> TrainConfig:
        """The configuration of a trial.

        All values are read at once: keras-tuner builds once to learn the space, and
        what only `fit` reads would be at its default in the first trial.

        Raises:
            keras_tuner.errors.FatalValueError: When `hp` comes from a search
                under another protocol.
        """
        protocol = hp.Fixed("protocol", self._protocol)
        if protocol != self._protocol:
            raise keras_tuner.errors.FatalValueError(
                "a search must go on under the protocol it began with, which is: "
                f"{protocol}. Choose another `directory` or `project_name`, or "
                f"`overwrite=True`. Received: {self._protocol}"
            )
        return self._config(
            {
                name: choose_on_log_scale(hp, name, *given)
                if name == "learning_rate"
                else choose(hp, name, given)
                for name, given in self._space.items()
            }
        )

    def _config(self, values: dict[str, Any]) -> TrainConfig:
        chosen = {name: v for name, v in values.items() if name in self._names}
        arguments = {name: v for name, v in values.items() if name not in chosen}
        arguments = {**self._base.learner_arguments, **arguments}
        return self._base.with_options({**chosen, "learner_arguments": arguments})

    def build(self, hp: keras_tuner.HyperParameters) -> FewShotLearner:
        """A compiled, untrained learner.

        Raises:
            keras_tuner.errors.FatalValueError: As of `config_of`.
        """
        config = self.config_of(hp)
        learner = make_learner(config, self._table)
        learner.compile(keras.optimizers.Adam(config.learning_rate))
        # keras-tuner loads weights into a model that has not been fitted, and
        # without slots to load into Hyperband would go on with a fresh Adam.
        learner.optimizer.build(learner.trainable_variables)
        return learner

    def fit(
        self,
        hp: keras_tuner.HyperParameters,
        model: FewShotLearner,
        *args: Any,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Trains as the trial says and validates on the episodes of every trial.

        Args:
            hp: The trial's hyper-parameters.
            model: What `build` returned for them.
            *args: None; the data is the hypermodel's.
            **kwargs: As for `keras.Model.fit`: `epochs`, `callbacks`, `verbose`.

        Returns:
            The history of `fit`.

        Raises:
            keras_tuner.errors.FatalTypeError: For data, or for what belongs to
                it, such as `steps_per_epoch`.
            keras_tuner.errors.FailedTrialError: When the loss or the weights are no
                numbers any more, or no validation gave any: the search goes on
                without the trial.
        """
        own = sorted(_OWN_FIT_ARGUMENTS & kwargs.keys())
        if args or own:
            # Any other exception would count as one failed trial.
            received = own or [type(value).__name__ for value in args]
            raise keras_tuner.errors.FatalTypeError(
                "`tuner.search` must be called with `epochs`, `callbacks` or "
                "`verbose` alone; data and steps are arguments of "
                f"{type(self).__name__}. Received: {', '.join(received)}"
            )
        callbacks = kwargs.pop("callbacks", None) or []
        if isinstance(callbacks, keras.callbacks.Callback):
            callbacks = [callbacks]
        steps = self._base.steps_per_epoch
        training = open_training(self.config_of(hp), self._table, self.validation)
        try:
            history = model.fit(
                # Hyperband goes on with a trial at a later epoch: with episodes that
                # the trial has not seen.
                training(kwargs.get("initial_epoch", 0) * steps),
                steps_per_epoch=steps,
                validation_data=self._validation_data,
                shuffle=False,
                callbacks=[StopAtNonFinite(training), *callbacks],
                **kwargs,
            )
        except NonFiniteTrainingError as error:
            # Any other exception would let keras-tuner try the same again.
            raise keras_tuner.errors.FailedTrialError(str(error)) from error
        losses = history.history.get("val_loss", [])
        if losses and not np.isfinite(losses).any():
            raise keras_tuner.errors.FailedTrialError(
                "validation must give finite figures after some epoch. Received: none "
                f"with {hp.values}"
            )
        return history

    @cached_property
    def _validation_data(self) -> tf.data.Dataset:
        """One data set for all trials."""
        return self.validation.as_dataset(steps=self.validation_steps)

    def _check_choices(self) -> None:
        """Refuses now what would fail in a trial hours later."""
        usual = {name: values[0] for name, values in self._space.items()}
        usual["augment"] = False
        of_data = [n for n in (*_OF_TRAINING, "batch_size") if n in self._space]
        for choice in itertools.product(*(self._space[name] for name in of_data)):
            config = self._config({**usual, **dict(zip(of_data, choice, strict=True))})
            try:
                learner_defaults(  # Whose head may take one number of ways alone.
                    {
                        "learner": config.learner,
                        "learner_arguments": config.learner_arguments,
                        "ways": config.test.ways,
                        "train_ways": config.training.ways,
                    }
                )
                open_training(config, self._table, self.validation)
            except ValueError as error:
                given = ", ".join(
                    f"{place.name}={place.value_in(config)!r}"
                    for place in options()
                    if place.name in (*of_data, "train_queries")
                )
                raise ValueError(
                    "every choice of the search must fit the training table. "
                    f"Received: {given}, with which {error}"
                ) from error
        for name, values in self._space.items():
            if name not in (*of_data, "augment", "learning_rate"):
                for value in values:
                    make_learner(self._config({**usual, name: value}), self._table)


def _range_of_rates(learning_rate: float | tuple[float, float]) -> tuple[float, float]:
    pair = several("learning_rate", learning_rate)
    low, high = float(pair[0]), float(pair[-1])
    if len(pair) > 2 or not 0 < low <= high < math.inf:
        raise ValueError(
            "`learning_rate` must be a finite number above 0, or a pair (lowest, "
            f"highest) of such. Received: learning_rate={learning_rate!r}"
        )
    return low, high
