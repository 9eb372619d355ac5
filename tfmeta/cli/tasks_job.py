"""The work of `tfmeta tasks`, but for `build`."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfmeta.argument_names import renamed_arguments
from tfmeta.classifying.labelled_examples import LabelledExamples, labelled_examples
from tfmeta.cli.classify_job import warn
from tfmeta.cli.output import say, write_lines
from tfmeta.cli.progress import shown_progress
from tfmeta.cli.tasks_data import candidates_of, class_digest, side_of
from tfmeta.cli.tasks_in_words import STEPS, lines_of
from tfmeta.cli.tensorflow_start import start_tensorflow
from tfmeta.console import Console
from tfmeta.json_files import json_text, write_json
from tfmeta.printable import short_name

if TYPE_CHECKING:
    from tfmeta.tasks import TaskLibrary

_MOST_NAMED = 20
# Of a name in a line.
_LETTERS = 60


def add_task(place: Path, folder: Path, name: str | None, group: str) -> None:
    """Adds the labelled examples of a folder as one task."""
    given = _given(folder)
    start_tensorflow("metric")
    with _opened(place) as library:
        rows, labels, classes = _task_of(library, given, folder)
        name = name or folder.stem
        with renamed_arguments({"names": "name"}):
            library.add_features(
                [name], rows, labels, groups=[group], classes=[classes]
            )
        say(
            f"Added {short_name(name, _LETTERS)}: {len(classes)} classes; {place} "
            f"holds {len(library)} tasks"
        )


def remove_tasks(place: Path, names: tuple[str, ...]) -> None:
    """Removes tasks."""
    start_tensorflow("metric")
    with _opened(place) as library:
        try:
            library.remove(*names)
        except KeyError as error:
            raise ValueError(str(error.args[0]).replace("`name`", "NAME")) from error
        say(f"Removed {len(names)}; {place} holds {len(library)} tasks")


def show_nearest(
    place: Path, folder: Path, neighbours: int, threshold: float | None, form: str
) -> None:
    """Prints the nearest tasks of that of a folder."""
    given = _given(folder)
    start_tensorflow("metric")
    with _opened(place) as library:
        rows, labels, _ = _task_of(library, given, folder)
        (found,) = library.nearest_of_features(
            rows, labels, neighbours=neighbours, threshold=threshold
        )
        expected: dict[str, float] = {}
        if library.has_scores:
            (scores,) = library.recommended(rows, labels)
            order = np.argsort(-scores, kind="stable")
            expected = {library.candidates[n]: float(scores[n]) for n in order}
    if form == "json":
        nearest = [neighbour._asdict() for neighbour in found]
        content = {"nearest": nearest, "candidates": expected}
        write_lines([json_text(content, "nearest")], for_programs=True)
        return
    for number, (name, score) in enumerate(expected.items()):
        first = "Start from " if not number else "then       "
        say(
            f"{first}{short_name(name, 2 * _LETTERS)}: {100 * score:.1f} % on the "
            "nearest tasks"
        )
    if not found:
        far = "" if threshold is None else f" within {threshold:g}"
        say(f"No task of {place} is near{far}: a new task begins plain.")
        return
    say("distance  group  task")
    for neighbour in found:
        names = (
            short_name(n or "–", _LETTERS) for n in (neighbour.group, neighbour.name)
        )
        say("  ".join((f"{neighbour.distance:8.3f}", *names)))


def evaluate_library(
    place: Path,
    *,
    count: int,
    neighbours: int,
    output: Path | None,
    seed: int,
    data_dir: Path | None,
) -> None:
    """Prints what the library is worth on new tasks, and keeps it."""
    start_tensorflow("metric")
    from tfmeta.datasets import load
    from tfmeta.features import features_dir
    from tfmeta.tasks.worth import worth_of_library

    with _opened(place) as library:
        about = library.about
        if about.get("split") != "half":
            raise ValueError(
                "LIBRARY must be of half of the classes of every group, so that there "
                "are new tasks of the same groups. Received: one of --split "
                f"{about.get('split', 'unknown')}"
            )
        whole = load(about["dataset"], split="train", data_dir=data_dir)
        # Of other classes the halves are others, too.
        if about.get("class_digest", class_digest(whole)) != class_digest(whole):
            raise ValueError(
                f"LIBRARY must be of the classes that {about['dataset']} has now. "
                f"Received: {place}, built of others; build it again"
            )
        _, table = side_of(whole, "half", about["seed"])
        assert table is not None
        candidates = candidates_of(
            library.candidates, about["dataset"], table, data_dir
        )
        with shown_progress(Console(stderr=True), "Evaluating") as progress:
            content = worth_of_library(
                library,
                table,
                tasks=count,
                neighbours=neighbours,
                steps=STEPS,
                seed=seed,
                cache_dir=features_dir(data_dir),
                candidates=candidates,
                progress=progress,
            )
    if output is not None:
        write_json(output, content)
    Console().say(*lines_of(content))
    if output is not None:
        say(f"written to {output}", err=True)


def _no_damage(record: logging.LogRecord) -> bool:
    return "damaged" not in str(record.msg)


@contextlib.contextmanager
def _opened(place: Path) -> Iterator[TaskLibrary]:
    """A library, and in words what is left out of it."""
    from tfmeta.tasks import TaskLibrary
    from tfmeta.tasks.library_file import quoted

    # What is damaged is said here, once and as all warnings are.
    log = logging.getLogger("tfmeta.tasks.library_folder")
    log.addFilter(_no_damage)
    try:
        with TaskLibrary.load(place) as library:
            if library.damaged:
                names = ", ".join(map(quoted, library.damaged[:_MOST_NAMED]))
                warn([f"{len(library.damaged)} damaged, left out: {names}"])
            yield library
    finally:
        log.removeFilter(_no_damage)


def _given(folder: Path) -> LabelledExamples:
    given = labelled_examples(folder)
    warn(given.notes)
    return given


def _task_of(
    library: TaskLibrary, given: LabelledExamples, folder: Path
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Features and one-hot labels of one task, and its classes."""
    from tfmeta.features import features_of

    inside = library.learner()
    ways = inside.network.outputs
    classes = given.class_names
    if not 2 <= len(classes) <= ways:
        raise ValueError(
            f"FOLDER must have 2 to {ways} classes, as the tasks of the library. "
            f"Received: {folder} with {len(classes)}"
        )
    rows = features_of(inside.encoder, list(given.examples))
    numbers = [classes.index(label) for label in given.labels]
    labels = np.eye(ways, dtype=np.float32)[numbers]
    return rows[np.newaxis], labels[np.newaxis], classes
