"""The learner of a gallery that is made or embedded anew: of a run, or pre-trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from tfmeta.cli.gallery_facts import kind_of_examples
from tfmeta.cli.head_options import LEARNER, PICTURES, TEXTS, named_encoder
from tfmeta.registry import LEARNERS


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

    def make(
        self,
        kind: str,
        threshold: str | None = None,
        *,
        ways: int | None = None,
        shots: int | None = None,
    ) -> dict[str, Any]:
        """Arguments of `Gallery.create` that a learner brings along.

        Args:
            kind: Whether it is for pictures or for texts.
            threshold: As of `arguments_of_run`.
            ways: Likewise.
            shots: Likewise.

        Raises:
            FileNotFoundError: When the run lacks a file.
            ValueError: When it cannot be the learner of a gallery, or takes others.
        """
        if self.run is not None:
            from tfmeta.gallery.of_run import arguments_of_run

            made = arguments_of_run(self.run, threshold, ways=ways, shots=shots)
        else:
            from tfmeta.classifying.by_encoder import make_head

            name = self.encoder or (TEXTS if kind == "texts" else PICTURES)
            head = make_head(self.learner or LEARNER, named_encoder(name, self.size))
            spec = head.example_spec()
            # As `tfmeta classify` has it: pictures come as raw pixels.
            floats = len(spec.shape) == 3 and spec.dtype.is_floating
            dtype = "uint8" if floats and spec.shape[2] in (1, 3, None) else None
            made = {"learner": head, "threshold": threshold, "input_dtype": dtype}
            made["light_ground"] = None
        self._check_takes(made, kind)
        return made

    def _check_takes(self, made: dict[str, Any], kind: str) -> None:
        learner = made["learner"]
        if not learner.independent_embeddings:
            raise ValueError(
                "`--run` must be that of a learner whose embeddings do not depend on "
                f"the episode, as of metric-based ones. Received: {self.run}, of a "
                f"{type(learner).__name__}"
            )
        if learner.fixed_ways is not None:
            raise ValueError(
                "`--run` must be that of a learner of any number of classes. Received: "
                f"{self.run}, of a {type(learner).__name__} for {learner.fixed_ways}"
            )
        spec = learner.example_spec()
        shape, dtype = tuple(spec.shape), made["input_dtype"] or spec.dtype.name
        if kind_of_examples(shape, dtype) != kind:
            raise ValueError(
                f"{self.option} must be one for {kind}. Received: "
                f"{self.run or self.encoder}, for {dtype} examples of shape {shape}"
            )
        # Exports of older versions have a ground for colours, too.
        if len(shape) == 3 and shape[2] != 1:
            made["light_ground"] = None


def class_of(name: str) -> str:
    """The name of the class of a learner of the registry."""
    return LEARNERS[name].path.partition(":")[2]
