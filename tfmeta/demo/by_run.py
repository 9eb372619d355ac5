"""Answers by the SavedModel of a run, loaded once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.classifying.run_pictures import picture_form, read_for_run
from tfmeta.classifying.saved_model import find_saved_model, read_description
from tfmeta.demo.answer import Answer
from tfmeta.demo.asked import as_task, in_plain_names
from tfmeta.demo.drawings import as_character
from tfmeta.serving.batching import MicroBatcher
from tfmeta.serving.example_form import Example
from tfmeta.serving.saved_model import SavedModel

_INVERTED = (
    "Light and dark of these pictures were exchanged: the run was trained on {}."
)


class RunAnswers:
    """Drawings, where the run knows grey pictures, and photographs.

    Args:
        run: A run folder, or a SavedModel's version folder.

    Raises:
        FileNotFoundError: When there is no SavedModel.
        ValueError: When it is damaged, or one of no pictures.
    """

    def __init__(self, run: Path) -> None:
        self._folder = find_saved_model(run)
        described = read_description(self._folder)
        self._form = picture_form(self._folder, described["example"])
        self._model = SavedModel(self._folder, run.name, MicroBatcher(1))
        support = self._model.support
        if support is None or support.kind != "picture":
            raise ValueError(
                f"{run} must be a run that learns classes from pictures. Received: "
                "one whose SavedModel does not"
            )
        self._said: Mapping[str, Any] = described.get("description") or {}

    @property
    def draws(self) -> bool:
        """Whether it knows drawings: not where it knows colours."""
        return self._form.channels == 1

    @property
    def about(self) -> str:
        """As of `Drawings`."""
        learner = self._said.get("learner") or {}
        title = learner.get("title") or read_description(self._folder).get("learner")
        data = self._said.get("training_data")
        height, width = self._form.size
        kind = "grey" if self._form.channels == 1 else "coloured"
        trained = f", trained on {data} ({height} x {width}, {kind})" if data else ""
        return f"A {title}{trained}. {_in_words(self._said.get('test_figures') or [])}"

    def of_drawings(
        self, support: Mapping[str, np.ndarray], query: np.ndarray
    ) -> Answer:
        """As of `Drawings`."""
        ground = self._said.get("light_ground")

        def character(ink: np.ndarray) -> np.ndarray:
            return as_character(ink, self._form, light_ground=ground)

        examples = {name: [character(ink)] for name, ink in support.items()}
        return Answer(self._ask(examples, character(query)))

    def of_photographs(
        self, support: Mapping[str, Sequence[Path]], query: Path
    ) -> Answer:
        """As of `Photographs`; dark on light is inverted as `tfmeta classify` does."""
        task = as_task(support, query)
        with in_plain_names([*task.support, *task.query]):
            read = read_for_run(self._folder, task)
        examples = {
            name: list(read.support[task.support_labels == label])
            for label, name in enumerate(task.class_names)
        }
        ground = self._said.get("light_ground")
        own = "dark on light" if ground else "light on dark"
        note = _INVERTED.format(own) if read.inverted else ""
        return Answer(self._ask(examples, read.query[0]), note)

    def _ask(
        self, support: Mapping[str, Sequence[np.ndarray]], query: np.ndarray
    ) -> dict[str, float]:
        assert self._model.support is not None
        # One of grey pictures may have no axis of channels.
        rank = len(self._model.support.shape)
        given: dict[str, list[Example]] = {
            name: [one.reshape(one.shape[:rank]) for one in examples]
            for name, examples in support.items()
        }
        asked: list[Example] = [query.reshape(query.shape[:rank])]
        ranking = asyncio.run(self._model.classify_task(given, asked, len(support)))
        found = dict(zip(ranking.class_names[0], ranking.probabilities[0], strict=True))
        return {name: found[name] for name in support}


def _in_words(figures: Sequence[Mapping[str, Any]]) -> str:
    """The figure of the fewest ways and shots."""
    if not figures:
        return "No accuracy of it is known."
    first = min(figures, key=lambda one: (one["ways"], one["shots"]))
    ends = first["over_test_classes"]["ends"]
    interval = (
        ""
        if ends is None
        else f" (95 % interval {100 * ends[0]:.1f} to {100 * ends[1]:.1f})"
    )
    return (
        f"On {first['test_classes']:,} classes that it never saw, {first['ways']} at a "
        f"time and by {first['shots']} example{'s' if first['shots'] > 1 else ''} of "
        f"each, its accuracy was {100 * first['accuracy']:.1f} %{interval}."
    )
