"""The learner of a gallery that is made or embedded anew: of a run, or pre-trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmeta.cli.head_options import LEARNER, PICTURES, TEXTS, named_encoder
from tfmeta.gallery.facts import kind_of_examples
from tfmeta.registry import LEARNERS

if TYPE_CHECKING:
    from tfmeta.evaluation.threshold import Threshold


@dataclasses.dataclass(frozen=True)
class ChosenLearner:
    """What is asked for.

    Attributes:
        run: `--run`, a run folder, or `None` for a pre-trained encoder.
        encoder: `--encoder`, `None` for the default.
        size: `--size`.
        learner: `--learner`, `None` for the default.
    """

    run: Path | None
    encoder: str | None
    size: int | None
    learner: str | None

    @property
    def option(self) -> str:
        """The option that says it."""
        return "--run" if self.run is not None else "--encoder"

    def given(self) -> list[str]:
        """The options that were given."""
        names = ("run", "encoder", "size", "learner")
        return [name for name in names if getattr(self, name) is not None]

    def check(self) -> None:
        """Checks without TensorFlow.

        Raises:
            FileNotFoundError: When `run` is no run folder.
            ValueError: When its files are damaged.
        """
        if self.run is not None:
            from tfmeta.runs.run_folder import RunFolder

            folder = RunFolder(self.run)
            folder.read_config()
            folder.check_has_learner()

    def make(self, kind: str) -> Any:
        """The learner, for pictures or for texts.

        Raises:
            ValueError: When it cannot be that of a gallery, or takes others.
        """
        if self.run is not None:
            from tfmeta.runs.run_folder import RunFolder
            from tfmeta.runs.train import load_learner

            learner: Any = load_learner(RunFolder(self.run))
            if not learner.independent_embeddings:
                raise ValueError(
                    "`--run` must be that of a learner whose embeddings do not depend "
                    "on the episode, as of metric-based ones. Received: "
                    f"{self.run}, of a {type(learner).__name__}"
                )
        else:
            from tfmeta.classifying.by_encoder import make_head

            name = self.encoder or (TEXTS if kind == "texts" else PICTURES)
            learner = make_head(self.learner or LEARNER, named_encoder(name, self.size))
        spec = learner.example_spec()
        if kind_of_examples(spec.shape, spec.dtype.name) != kind:
            wanted = "texts" if kind == "texts" else "pictures of raw pixels (uint8)"
            raise ValueError(
                f"`{self.option}` must be one for {wanted}. Received: "
                f"{self.run or self.encoder}, for {spec.dtype.name} examples of shape "
                f"{tuple(spec.shape)}"
            )
        return learner

    def light_ground(self) -> bool | None:
        """Whether the run was trained on dark on light, as its SavedModel says."""
        from tfmeta.classifying.saved_model import newest_version, read_description
        from tfmeta.runs.run_folder import RunFolder

        if self.run is None:
            return None
        version = newest_version(RunFolder(self.run).saved_model)
        if version is None:
            return None
        about = read_description(version)
        shape = about["example"]["shape"]
        # Exports of older versions have a ground for colours, too.
        if len(shape) == 3 and shape[2] != 1:
            return None
        return about.get("description", {}).get("light_ground")

    def threshold(self, *, ways: int, shots: int) -> Threshold:
        """That of the run's open_set.json which suits a task best.

        Raises:
            FileNotFoundError: When it has none.
        """
        from tfmeta.runs.measuring.open_set import find_threshold
        from tfmeta.runs.run_folder import RunFolder

        assert self.run is not None
        return find_threshold(RunFolder(self.run), ways=ways, shots=shots)


def class_of(name: str) -> str:
    """The name of the class of a learner of the registry."""
    return LEARNERS[name].path.partition(":")[2]
