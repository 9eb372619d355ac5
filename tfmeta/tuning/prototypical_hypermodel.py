"""The keras-tuner hypermodel of Prototypical Networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import keras
import keras_tuner
import numpy as np
import tensorflow as tf

from tfmeta import distances
from tfmeta.callbacks import NonFiniteTrainingError, StopAtNonFinite
from tfmeta.datasets import ClassTable
from tfmeta.encoders import Conv4
from tfmeta.episodes import Episodes, RandomAffine
from tfmeta.evaluation.fingerprint import fingerprint
from tfmeta.learners import PrototypicalNetwork
from tfmeta.tuning.search_space import choose, choose_on_log_scale, options

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


class PrototypicalHyperModel(keras_tuner.HyperModel):
    """Prototypical Networks with a Conv4 encoder, as a keras-tuner search space.

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

    The arguments from `train_ways` to `augment` are the search space, under
    their own names: each is one value, which is then fixed, or several to choose
    from. A `keras_tuner.HyperParameters` given to the tuner goes before them.

    A trial also records `protocol`, what it was measured by. A search that is
    resumed under another protocol stops with an error, since its trials could
    not be compared.

    Args:
        train_table: Classes to train on.
        validation_table: Classes to judge trials by.
        ways: Classes per validation episode.
        shots: Support examples per class of a validation episode.
        queries: Query examples per class of a validation episode.
        seed: Seed of weights and episodes.
        steps_per_epoch: Training steps per epoch. The number of epochs is given
            to `tuner.search(epochs=…)`, or set by Hyperband.
        validation_episodes: Number of validation episodes after each epoch.
        train_ways: Classes per training episode.
        train_shots: Support examples per class of a training episode; by
            default `shots`.
        filters: Filters of every convolution of `tfmeta.encoders.Conv4`.
        distance: Names of distances to the prototypes.
        learning_rate: Adam's learning rate, constant in a trial: one number, or
            a pair (lowest, highest) searched on a logarithmic scale.
        augment: Whether training pictures are distorted by `RandomAffine`.
        train_queries: Query examples per class of a training episode.
        train_tasks: Training episodes per step.

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
    hypermodel = tfmeta.tuning.PrototypicalHyperModel(
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
        *,
        ways: int = 5,
        shots: int = 1,
        queries: int = 15,
        seed: int = 0,
        steps_per_epoch: int = 100,
        validation_episodes: int = 200,
        train_ways: int | Sequence[int] = (5, 20, 60),
        train_shots: int | Sequence[int] | None = None,
        filters: int | Sequence[int] = (32, 64),
        distance: str | Sequence[str] = ("squared_euclidean", "euclidean", "cosine"),
        learning_rate: float | tuple[float, float] = (1e-4, 1e-2),
        augment: bool | Sequence[bool] = (False, True),
        train_queries: int = 5,
        train_tasks: int = 1,
    ) -> None:
        super().__init__()
        self._table = train_table
        self._seed = seed
        self._steps_per_epoch = _positive("steps_per_epoch", steps_per_epoch)
        self._train_ways = options("train_ways", train_ways)
        self._train_shots = options(
            "train_shots", shots if train_shots is None else train_shots
        )
        self._filters = options("filters", filters)
        for number in self._filters:
            _positive("filters", number)
        self._distances = options("distance", distance)
        for name in self._distances:
            distances.get(name)
        self._learning_rates = _range_of_rates(learning_rate)
        self._augment = options("augment", augment)
        self._train_queries = train_queries
        self._train_tasks = train_tasks

        _positive("validation_episodes", validation_episodes)
        # Tasks of a step are encoded in one call: as many as divide the number.
        tasks = next(n for n in (8, 5, 4, 3, 2, 1) if validation_episodes % n == 0)
        self.validation = Episodes(
            validation_table,
            ways=ways,
            shots=shots,
            queries=queries,
            tasks=tasks,
            seed=seed,
        )
        self.validation_steps = validation_episodes // tasks
        self._check_training_episodes()
        self._protocol = (
            f"{ways}-way {shots}-shot, {queries} queries, {validation_episodes} "
            f"episodes of {validation_table.name} {fingerprint(validation_table)}; "
            f"training on {train_table.name} {fingerprint(train_table)}, "
            f"{train_queries} queries, {train_tasks} tasks, {steps_per_epoch} steps "
            f"per epoch; seed {seed}"
        )

    def build(self, hp: keras_tuner.HyperParameters) -> PrototypicalNetwork:
        """A compiled, untrained learner.

        Raises:
            keras_tuner.errors.FatalValueError: When `hp` comes from a search
                under another protocol.
        """
        values = self._read(hp)
        encoder = Conv4(
            self._table.example_shape, filters=values["filters"], seed=self._seed
        )
        learner = PrototypicalNetwork(encoder, distance=values["distance"])
        learner.compile(keras.optimizers.Adam(values["learning_rate"]))
        # keras-tuner loads weights into a model that has not been fitted, and
        # without slots to load into Hyperband would go on with a fresh Adam.
        learner.optimizer.build(learner.trainable_variables)
        return learner

    def training_episodes(self, hp: keras_tuner.HyperParameters) -> Episodes:
        """The training episodes of a trial."""
        values = self._read(hp)
        return self._episodes(
            values["train_ways"], values["train_shots"], values["augment"]
        )

    def fit(
        self,
        hp: keras_tuner.HyperParameters,
        model: PrototypicalNetwork,
        *args: Any,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Trains on the trial's episodes and validates on those of every trial.

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
                f"PrototypicalHyperModel. Received: {', '.join(received)}"
            )
        callbacks = kwargs.pop("callbacks", None) or []
        if isinstance(callbacks, keras.callbacks.Callback):
            callbacks = [callbacks]
        # Hyperband goes on with a trial at a later epoch: with episodes that
        # the trial has not seen.
        start = kwargs.get("initial_epoch", 0) * self._steps_per_epoch
        episodes = self.training_episodes(hp)
        stop = StopAtNonFinite(lambda step: episodes.as_dataset(start=step))
        try:
            history = model.fit(
                episodes.as_dataset(start=start),
                steps_per_epoch=self._steps_per_epoch,
                validation_data=self._validation_data,
                shuffle=False,
                callbacks=[stop, *callbacks],
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

    def _read(self, hp: keras_tuner.HyperParameters) -> dict[str, Any]:
        """All values of a trial.

        Those of the data are read in `build` too: keras-tuner builds once to
        learn the space, and what only `fit` reads would be at its default in the
        first trial.
        """
        protocol = hp.Fixed("protocol", self._protocol)
        if protocol != self._protocol:
            raise keras_tuner.errors.FatalValueError(
                "a search must go on under the protocol it began with, which is: "
                f"{protocol}. Choose another `directory` or `project_name`, or "
                f"`overwrite=True`. Received: {self._protocol}"
            )
        low, high = self._learning_rates
        return {
            "train_ways": choose(hp, "train_ways", self._train_ways),
            "train_shots": choose(hp, "train_shots", self._train_shots),
            "filters": choose(hp, "filters", self._filters),
            "distance": choose(hp, "distance", self._distances),
            "learning_rate": choose_on_log_scale(hp, "learning_rate", low, high),
            "augment": choose(hp, "augment", self._augment),
        }

    def _episodes(self, ways: int, shots: int, augment: bool) -> Episodes:
        return Episodes(
            self._table,
            ways=ways,
            shots=shots,
            queries=self._train_queries,
            tasks=self._train_tasks,
            seed=self._seed,
            augment=RandomAffine() if augment else None,
        )

    def _check_training_episodes(self) -> None:
        """Refuses now what would fail in a trial hours later."""
        for ways in self._train_ways:
            for shots in self._train_shots:
                try:
                    episodes = self._episodes(ways, shots, augment=False)
                except ValueError as error:
                    raise ValueError(
                        f"every choice of the search must fit the training table. "
                        f"Received: train_ways={ways!r}, train_shots={shots!r}, "
                        f"train_queries={self._train_queries!r}, with which {error}"
                    ) from error
                episodes.check_disjoint(self.validation)


def _positive(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(
            f"`{name}` must be an int of at least 1. Received: {name}={value!r}"
        )
    return value


def _range_of_rates(learning_rate: float | tuple[float, float]) -> tuple[float, float]:
    pair = options("learning_rate", learning_rate)
    low, high = float(pair[0]), float(pair[-1])
    if len(pair) > 2 or not 0 < low <= high < math.inf:
        raise ValueError(
            "`learning_rate` must be a finite number above 0, or a pair (lowest, "
            f"highest) of such. Received: learning_rate={learning_rate!r}"
        )
    return low, high
