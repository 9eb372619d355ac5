"""The configuration of a training run."""

from __future__ import annotations

import dataclasses
import math
from typing import Any


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Everything that decides the outcome of a training run.

    Attributes:
        dataset: Name for `tfmeta.datasets.load`, or the path of own data as
            `tfmeta.datasets.own.open_own` takes it.
        protocol: The data set's split protocol, `None` for its default.
        size: Side in pixels that pictures are resized to, your own or Omniglot's;
            `None` for Omniglot's 28, or where all have one size.
        same_group: Whether all classes of a task come from one group.
        seed: Seed of weights and episodes.
        learner: Name of the learner, a key of `tfmeta.runs.learners.LEARNERS`.
        learner_arguments: What its constructor takes besides the encoder, as JSON
            holds it.
        encoder: Name of the encoder, `None` for the one that fits examples and
            learner.
        filters: Filters per block of the Conv4 encoder, or of the first convolution
            of Koch's, for pictures.
        characters: Whether every character of a text counts, as in the SMILES
            string of a molecule; else its words do, in lower case.
        dtype_policy: Keras' dtype policy of encoder and learner.
        train_ways: Classes per training task.
        train_shots: Support examples per class in training; a pair `(smallest,
            largest)` lets it vary from task to task.
        train_queries: Queries per class in training.
        train_tasks: Tasks per training step.
        batch_size: Examples per training step, for learners that train on plain
            batches of all classes instead of tasks.
        ways: Classes per validation and test task.
        shots: Support examples per class in validation and test.
        queries: Queries per class in validation and test.
        unlabelled: Unlabelled examples per class in every task, for learners that
            use them.
        distractors: Further classes in every task, with unlabelled examples alone.
        validation_episodes: Fixed validation episodes after each epoch.
        epochs: Number of epochs.
        steps_per_epoch: Training steps per epoch.
        learning_rate: Adam's first learning rate; it falls to 0 along a cosine.
        augment: Whether training pictures are distorted: characters by
            `RandomAffine`, colour pictures by flips and shifts.
    """

    dataset: str = "glyphs"
    protocol: str | None = None
    size: int | None = None
    same_group: bool = False
    seed: int = 0
    learner: str = "prototypical"
    learner_arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    encoder: str | None = None
    filters: int = 64
    characters: bool = False
    dtype_policy: str = "float32"
    train_ways: int = 40
    train_shots: int | tuple[int, int] = 1
    train_queries: int = 5
    train_tasks: int = 1
    batch_size: int = 128
    ways: int = 5
    shots: int = 1
    queries: int = 15
    unlabelled: int = 0
    distractors: int = 0
    validation_episodes: int = 96
    epochs: int = 10
    steps_per_epoch: int = 50
    learning_rate: float = 1e-3
    augment: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.train_shots, list):  # as JSON has it
            object.__setattr__(self, "train_shots", tuple(self.train_shots))
        positive = (
            "filters train_ways least_train_shots train_queries train_tasks batch_size "
            "ways shots queries validation_episodes epochs steps_per_epoch "
            "learning_rate"
        )
        for name in positive.split():
            if not 0 < getattr(self, name) < math.inf:
                name = name.removeprefix("least_")
                raise ValueError(
                    f"`{name}` must be above 0 and finite. Received: "
                    f"{name}={getattr(self, name)}"
                )

    @property
    def least_train_shots(self) -> int:
        """The smallest number of shots of a training task."""
        shots = self.train_shots
        return shots if isinstance(shots, int) else min(shots)

    @property
    def most_train_shots(self) -> int:
        """The largest number of shots of a training task."""
        shots = self.train_shots
        return shots if isinstance(shots, int) else max(shots)

    @property
    def steps(self) -> int:
        """Training steps in all."""
        return self.epochs * self.steps_per_epoch

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TrainConfig:
        """The configuration of a `to_json`.

        Raises:
            ValueError: For a key that this version does not know.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(
                f"a run's configuration has the keys {', '.join(sorted(known))}. "
                f"Received: {', '.join(unknown)}"
            )
        return cls(**values)
