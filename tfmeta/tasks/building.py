"""A library of a table: its tasks drawn, trained, and their distance learned."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.features import features_of
from tfmeta.sqlite.new_folder import new_folder
from tfmeta.tasks.alike_tasks import alike_by_gain, any_alike
from tfmeta.tasks.building_steps import BuildingSteps, all_rows
from tfmeta.tasks.candidates import nearest_mean_accuracies
from tfmeta.tasks.description import Describer, Description
from tfmeta.tasks.distance_choice import (
    KINDS,
    DistanceKind,
    Metric,
    chosen_distance,
    distance_kinds,
)
from tfmeta.tasks.drawn_tasks import DrawnTasks, draw_tasks, task_draws
from tfmeta.tasks.kept_parts import parts_beside
from tfmeta.tasks.library import TaskLibrary
from tfmeta.tasks.library_file import Entries
from tfmeta.tasks.library_learner import numbers_of_trained
from tfmeta.tasks.reduced_encoder import principal_components, reduced_encoder
from tfmeta.tasks.supervision import (
    Alike,
    Lessons,
    drawn_lessons,
    held_out_classes,
    held_out_tasks,
)
from tfmeta.tasks.task_network import TaskNetwork
from tfmeta.tasks.warm_start import WarmStart

Start = Literal["random", "pretrained", "maml"]
# All pairs of tasks are trained to measure gains.
MOST_MEASURED = 500
# More tell no more of which distance is better.
_MOST_HELD_OUT = 2000
# Tasks that are added in one change.
_AT_ONCE = 256


def build_library(
    path: str | os.PathLike[str],
    table: ClassTable,
    encoder: keras.Model,
    *,
    tasks: int = 2000,
    ways: int = 5,
    shots: int = 5,
    queries: int = 10,
    components: int = 64,
    units: int = 32,
    steps: int = 100,
    start: Start = "pretrained",
    describer: Describer | None = None,
    alike: Alike | None = None,
    metric: Metric = "auto",
    epochs: int = 20,
    seed: int = 0,
    candidates: Mapping[str, keras.Model] | None = None,
    about: Mapping[str, Any] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TaskLibrary:
    """Builds a library of tasks that are drawn from a table.

    Examples are encoded once. A task is of classes of one group, where there are
    groups; its network is trained on support and queries, and it is described by the
    support alone, since of a new task there will not be more.

    What takes long (trained networks, learned distances, measured gains) is kept in a
    hidden folder beside `path` until all of it is done. A call that was interrupted or
    killed goes on from there when it is made again; the library is the same then.

    Args:
        path: The folder, which is not there.
        table: Where tasks come from.
        encoder: A built `keras.Model` from a batch of its examples to vectors.
        tasks: How many.
        ways: Classes of each.
        shots: Support examples of each class.
        queries: Further examples of each class, to train on.
        components: Principal components of the encoder's features.
        units: Of the hidden layer of the networks.
        steps: Of training a network.
        start: Where the training of all networks begins, those of new tasks, too: at
            `"random"` weights, at the body of a classifier of all classes
            (`"pretrained"`), or at what was learned through training on these tasks
            (`"maml"`), see `tfmeta.tasks.learned_starts`. Of the first the nearest
            task is no better a start than none, of the second mixtures are better.
        describer: What describes a task, by default `FeatureStatistics`, for a linear
            distance the mean alone.
        alike: Which tasks are alike: those of a `"group"`, those that share half of
            their `"classes"`, or those from which training gains most, measured
            (`"gain"`, for at most 500 tasks); by default groups where there are some,
            else classes.
        metric: Which distance is learned: a `"network"` on what tasks are described by,
            or a `"linear"` one on what is of them as a whole, which begins as the
            identity. With `"auto"` both are learned from tasks of two thirds of the
            classes of every group, and the one by which more tasks of the other classes
            have a task that is alike as their nearest is then learned from all; gains
            (`alike`) are halved by groups of tasks. `library.about["metric"]` says
            which it was, with the figures.
        epochs: Of learning the distance.
        seed: Of tasks, networks and distance.
        candidates: Encoders by name, of the table's examples, to choose among for a new
            task: how good the nearest class mean is on each task with them is kept.
        about: What else is to be known of the library, JSON.
        cache_dir: Where features are kept, `None` for nowhere.
        progress: Called with what is done, and all.

    Raises:
        FileExistsError: When something is at `path`.
        FolderInUseError: When another process builds it.
        ValueError: When tasks cannot be drawn, or an argument does not suit.
        OSError: When it cannot be written.
    """
    if alike is None:
        alike = "classes" if table.groups is None else "group"
    if alike == "group" and table.groups is None:
        raise ValueError(
            '`alike="group"` needs a table with groups. Received: '
            f"{table.name}, without"
        )
    if alike == "gain" and tasks > MOST_MEASURED:
        raise ValueError(
            f'`alike="gain"` is measured on all pairs of at most {MOST_MEASURED} '
            f"tasks. Received: tasks={tasks}"
        )
    if metric not in ("auto", *KINDS):
        raise ValueError(
            f"`metric` must be auto, {' or '.join(KINDS)}. Received: metric={metric!r}"
        )
    if os.path.lexists(path):
        raise FileExistsError(
            f"`path` must be a folder that is not there. Received: {path}"
        )
    of = {"ways": ways, "shots": shots, "queries": queries}
    # What cannot be drawn is said before anything is encoded.
    draw_tasks(table, 1, seed=seed, **of)
    features = features_of(
        encoder, table.examples, cache_dir=cache_dir, progress=progress
    )
    matrix, bias = principal_components(features, components)
    reduced = with_examples(table, features @ matrix + bias)
    draws = task_draws(reduced, tasks, seed=seed, **of)
    lessons = drawn_lessons(draws, alike)
    drawn, pairs = lessons(0)
    if alike != "gain" and not any_alike(pairs):
        raise ValueError(
            "`tasks` must be so many that at least two are alike, by their "
            f"{alike}. Received: tasks={tasks}"
        )
    kinds = _kinds(metric, distance_kinds(describer), drawn)
    with parts_beside(path) as folder:
        drawn_as = {"tasks": tasks, **of}
        building = BuildingSteps(folder, reduced, seed, drawn_as)
        network = TaskNetwork(matrix.shape[1], ways, (units,), seed=seed)
        network = building.started(network, start, drawn)
        parameters = building.trained(network, drawn, steps=steps, progress=progress)
        made_of: dict[str, Any] = {"alike": alike}
        if alike == "gain":
            gains = building.gains(network, parameters, drawn, steps=steps)
            pairs = alike_by_gain(gains)
            lessons = _always(drawn, pairs)
            made_of |= {"network": network.get_config(), "steps": steps}
        choice: dict[str, Any] = {"chosen": metric}
        if metric == "auto":
            choice = chosen_distance(
                kinds,
                held_out_tasks(drawn, pairs, seed=seed)
                if alike == "gain"
                else held_out_classes(
                    reduced, alike, min(tasks, _MOST_HELD_OUT), seed=seed, **of
                ),
                lambda kind, some: building.learned(
                    kind, some, {**made_of, "held out": True}, epochs=epochs
                ),
            )
        kind = kinds[choice["chosen"]]
        learned = building.learned(kind, lessons, made_of, epochs=epochs)
        scores = scores_of(
            candidates or {}, table, tasks, seed=seed, cache_dir=cache_dir, **of
        )
        # In place when all of it is there: half of it is no library of these tasks.
        with new_folder(Path(path)) as place:
            made = place / "library"
            learner = WarmStart(
                reduced_encoder(encoder, matrix, bias), network, kind.describer, learned
            )
            with TaskLibrary.create(
                made,
                learner,
                steps=steps,
                candidates=list(candidates or {}),
                about={
                    **of,
                    "seed": seed,
                    "start": start,
                    "alike": alike,
                    **(about or {}),
                    "metric": {"asked": metric, **choice},
                },
            ) as library:
                _add(library, drawn, kind.of(drawn), parameters, scores)
            for file in list(made.iterdir()):
                file.rename(place / file.name)
            made.rmdir()
    return TaskLibrary(path)


def _kinds(
    metric: Metric, kinds: dict[str, DistanceKind], drawn: DrawnTasks
) -> dict[str, DistanceKind]:
    """The distances that are asked for, which the description suits."""
    if metric != "auto":
        kinds = {metric: kinds[metric]}
    elif not kinds["linear"].of(drawn[:2]).common.shape[1]:
        # Nothing is described as a whole.
        kinds = {"network": kinds["network"]}
    for kind in kinds.values():
        kind.like(kind.of(drawn[:2]))
    return kinds


def _always(drawn: DrawnTasks, pairs: np.ndarray) -> Lessons:
    return lambda _: (drawn, pairs)


def scores_of(
    candidates: Mapping[str, keras.Model],
    table: ClassTable,
    tasks: int,
    *,
    seed: int,
    cache_dir: str | os.PathLike[str] | None = None,
    **of: int,
) -> np.ndarray:
    """How good each candidate is on drawn tasks, `(tasks, candidates)`.

    Args:
        candidates: Encoders by name.
        table: Where tasks come from.
        tasks: How many.
        seed: Theirs: tasks are those of `draw_tasks` of the same arguments.
        cache_dir: Where features are kept.
        **of: Ways, shots and queries.
    """
    found = [np.zeros((tasks, 0), np.float32)]
    for encoder in candidates.values():
        features = features_of(encoder, table.examples, cache_dir=cache_dir)
        drawn = draw_tasks(with_examples(table, features), tasks, seed=seed, **of)
        found.append(nearest_mean_accuracies(drawn)[:, np.newaxis])
    return np.concatenate(found, axis=1)


def task_names(drawn: DrawnTasks, first: int = 0) -> list[str]:
    """Names of drawn tasks: their group, and a number."""
    groups = (group or "task" for group in drawn.groups)
    return [f"{group} {first + number}" for number, group in enumerate(groups)]


def _add(
    library: TaskLibrary,
    drawn: DrawnTasks,
    description: Description,
    parameters: Sequence[np.ndarray],
    scores: np.ndarray,
) -> None:
    names = tuple(task_names(drawn))
    embeddings = library.learner().metric.embed(description)
    for first in range(0, len(drawn), _AT_ONCE):
        several = slice(first, first + _AT_ONCE)
        numbers = numbers_of_trained(
            description[several],
            embeddings[several],
            *all_rows(drawn, several),
            [part[several] for part in parameters],
        )
        groups, classes = drawn.groups[several], drawn.classes[several]
        entries = Entries(names[several], groups, classes, numbers)
        library.add_entries(entries, scores[several])


def with_examples(table: ClassTable, examples: np.ndarray) -> ClassTable:
    """The same classes of other examples, in the same order."""
    return dataclasses.replace(table, examples=examples.astype(np.float32))
