"""What a library is worth on new tasks of its groups."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfmeta.datasets.class_table import ClassTable
from tfmeta.features import features_of
from tfmeta.tasks.building import scores_of, with_examples
from tfmeta.tasks.drawn_tasks import draw_tasks
from tfmeta.tasks.evaluating import (
    accuracies_from,
    chance_of_retrieval,
    figure_of,
    regret,
    retrieved,
)
from tfmeta.tasks.library import TaskLibrary
from tfmeta.tasks.library_file import SCORES
from tfmeta.tasks.library_learner import description_of
from tfmeta.tasks.starts import MOST_MATCHED
from tfmeta.tasks.task_network import Parameters


def worth_of_library(
    library: TaskLibrary,
    table: ClassTable,
    *,
    tasks: int = 600,
    neighbours: int = 5,
    steps: Sequence[int] = (1, 5, 20),
    seed: int = 0,
    candidates: Mapping[str, keras.Model] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Figures of new tasks, paired.

    Args:
        library: As `build_library` makes it.
        table: Classes that it was not built of, of the same groups.
        tasks: How many new tasks are drawn.
        neighbours: How many are mixed.
        steps: Of training on a support.
        seed: Of the new tasks.
        candidates: Encoders by name, those of the library, to measure what its choice
            among them costs; `None` to measure nothing of that.
        cache_dir: Where features are kept, `None` for nowhere.
        progress: Called with what is done of encoding, and all.

    Returns:
        `retrieval` by distance, precision `at_1` and `at_5`; `accuracy` by start and
        steps; `gain`, that accuracy less that from the random start;
        `gain_over_plain`, from the nearest task and the mixture less that from
        `plain_start`, where the networks of the library began; `regret`, how much more
        accurate the best candidate of each task is than the chosen one.
    """
    if not len(library):
        raise ValueError("`library` must hold tasks. Received: an empty one")
    about = library.about
    inside = library.learner()
    network = inside.network
    features = features_of(
        inside.encoder, table.examples, cache_dir=cache_dir, progress=progress
    )
    reduced = with_examples(table, features)
    new = draw_tasks(
        reduced,
        tasks,
        ways=network.outputs,
        shots=about.get("shots", 5),
        queries=about.get("queries", 10),
        seed=seed,
    )
    entries = library.entries
    description = inside.describer(new.support, new.labels)
    embeddings = inside.metric.embed(description)
    names = table.class_names

    def figures(values: np.ndarray, least: float = 0.0) -> dict[str, Any]:
        found = figure_of(values, new.class_ids, names, bounds=(least, 1.0))
        return {
            "mean": found.mean,
            "half_width": found.half_width,
            "over_classes": found.over_classes.to_json(),
        }

    retrieval = {}
    chance = chance_of_retrieval(entries.groups, new.groups)
    retrieval["chance"] = {"at_1": figures(chance), "at_5": figures(chance)}
    for name, known, asked in (
        ("description, raw", description_of(entries).flat(), description.flat()),
        ("learned distance", entries.numbers["embedding"], embeddings),
    ):
        retrieval[name] = {
            f"at_{count}": figures(
                retrieved(known, entries.groups, asked, new.groups, neighbours=count)
            )
            for count in (1, 5)
        }
    plain, plain_start = network.started(len(new)), "random"
    starts: dict[str, Parameters] = {"random": plain}
    if network.learned is not None:
        starts["random"] = dataclasses.replace(network, learned=None).started(len(new))
        plain_start = "the library's start"
        starts[plain_start] = plain
    body = (
        tf.reduce_mean(inside.known[f"parameters_{n}"].value, axis=0, keepdims=True)
        for n in range(len(plain) - 2)
    )
    starts["mean of the library"] = (
        *(tf.repeat(part, len(new), axis=0) for part in body),
        *plain[-2:],
    )
    for name, count, match in (
        ("nearest", 1, "body"),
        ("nearest, classes matched", 1, "classes"),
        (f"mixture of {neighbours}", neighbours, "body"),
        (f"mixture of {neighbours}, classes matched", neighbours, "classes"),
    ):
        if match == "classes" and network.outputs > MOST_MATCHED:
            continue
        warm = library.learner(neighbours=count, match=match, steps=0)
        state = warm.adapt_embeddings(tf.constant(new.support), tf.constant(new.labels))
        starts[name] = tuple(
            state[f"parameters_{n}"] for n in range(len(network.shapes))
        )
    accuracies = accuracies_from(
        network,
        starts,
        new.support,
        new.labels,
        new.query,
        new.query_labels,
        steps=steps,
        learning_rate=library.learning_rate,
    )

    def gains(names: Iterable[str], other: str) -> dict[str, Any]:
        return {
            name: {
                str(s): figures(accuracies[name][:, n] - accuracies[other][:, n], -1.0)
                for n, s in enumerate(steps)
            }
            for name in names
            if name != other
        }

    regrets: dict[str, Any] = {}
    if candidates:
        scores = scores_of(
            candidates,
            table,
            tasks,
            seed=seed,
            cache_dir=cache_dir,
            ways=network.outputs,
            shots=about.get("shots", 5),
            queries=about.get("queries", 10),
        )
        expected = library.recommended(new.support, new.labels)
        of_known = entries.numbers[SCORES]
        # Of tasks that were added later nobody knows how good they are.
        of_known = of_known[of_known.min(axis=1) >= 0]
        on_average = of_known.mean(axis=0).argmax()
        for name, chosen in (
            ("by the nearest tasks", expected.argmax(axis=1)),
            ("the best on average", np.full(len(new), on_average)),
        ):
            regrets[name] = figures(regret(-scores, chosen))
        every_one = scores.max(axis=1, keepdims=True) - scores
        regrets["any, by chance"] = figures(every_one.mean(axis=1))
    return {
        "regret": regrets,
        "tasks": len(new),
        "classes": table.num_classes,
        "seed": seed,
        "library": {"tasks": len(entries), **about},
        "retrieval": retrieval,
        "accuracy": {
            name: {str(s): figures(found[:, n]) for n, s in enumerate(steps)}
            for name, found in accuracies.items()
        },
        "gain": gains(accuracies, "random"),
        "plain_start": plain_start,
        "gain_over_plain": gains(("nearest", f"mixture of {neighbours}"), plain_start),
    }
