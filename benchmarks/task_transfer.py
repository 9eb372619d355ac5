"""Whether it is worth it to start a new task from the nearest of a library.

Classes of every group are halved: a library of tasks and new tasks have the same groups
and share no class and no example. Networks of one hidden layer (32 units), on features
of a frozen encoder (64 principal components, standardised, of the library's side), are
trained on every task. Measured are, paired, over 600 new tasks:

- retrieval: whether the nearest tasks are of the same group, at 1 and 5, by a distance
  that is learned over tasks, and by others, and by chance;
- accuracy after 1, 5 and 20 steps of training on the support, from a random start,
  from pre-training on all classes of the library's side, from MAML's start, from the
  mean of all networks of the library, and from the nearest one and mixtures of 5 and
  50, the body alone or with the head's columns matched, and of networks that were
  trained from pre-training and from MAML's start. All by Adam at 0.01, as the networks
  of the library;
- of three domains in one library, what it costs to start from the encoder that was
  best on the nearest tasks, against the best of all for each task.

    python benchmarks/task_transfer.py --parts clinc150 omniglot --update-tables
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import PIL.Image
import tensorflow as tf
from photo_defaults import as_folder
from report import (
    RESULTS,
    command_line,
    describe_machine,
    git_commit,
    replace_table,
    write_json,
)

import tfmeta
from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes
from tfmeta.features import features_dir
from tfmeta.json_files import read_json
from tfmeta.tasks import (
    AdaptedParameters,
    Describer,
    Description,
    FeatureStatistics,
    FisherInformation,
    TaskMetric,
    TaskNetwork,
    fisher_distances,
)
from tfmeta.tasks.alike_tasks import alike_by_group, learned_metric
from tfmeta.tasks.building import with_examples
from tfmeta.tasks.candidates import nearest_mean_accuracies
from tfmeta.tasks.drawn_tasks import DrawnTasks, draw_tasks, halved_groups, task_draws
from tfmeta.tasks.evaluating import (
    accuracies_from,
    chance_of_retrieval,
    figure_of,
    regret,
    retrieved,
    standardised,
)
from tfmeta.tasks.learned_starts import maml_start, pretrained_start
from tfmeta.tasks.reduced_encoder import principal_components
from tfmeta.tasks.starts import (
    matched_classes,
    mixed_start,
    mixture_weights,
    nearest_tasks,
)
from tfmeta.tasks.task_network import Parameters

NAME = "task_transfer"
DATA = Path(__file__).resolve().parents[2] / "shared/data"
MINI_IMAGENET = DATA / "miniimagenet/miniimagenet_84x84_jpeg.tar.gz"
CONV4 = "a Conv4 of strides, trained as a Prototypical Network for 1,000 episodes"
# Of each class.
PHOTOGRAPHS = 50
LIBRARY, NEW = 2000, 600
COMPONENTS, UNITS, LIBRARY_STEPS = 64, 32, 100
SHOTS, QUERIES = 5, 10
STEPS = (1, 5, 20)
RATE = 0.01
NEIGHBOURS, MOST_MATCHED, TEMPERATURE = (1, 5, 50), 5, 0.1
EPOCHS = 20
SPEED = 5000
# Steps of a known network that begins at a start that was learned.
LEARNED_STEPS = 20
# The distance by which nearest tasks are found, and how many choose among encoders.
CHOSEN, CHOSEN_BY = "statistics", 20


class Domain(NamedTuple):
    """What tasks are drawn from.

    Attributes:
        first: Features of the library's side.
        second: Features of the new side.
        encoder: What they are features of, in words.
        candidates: Features of both sides by other encoders, to choose among.
    """

    first: ClassTable
    second: ClassTable
    encoder: str
    candidates: dict[str, tuple[ClassTable, ClassTable]] = {}


def all_classes(name: str, **options: Any) -> ClassTable:
    """One table of the classes of all splits."""
    splits = ("train", "validation", "test")
    tables = [tfmeta.datasets.load(name, split=s, **options) for s in splits]
    return joined(name, tables)


def joined(
    name: str, tables: list[ClassTable], groups: list[str] | None = None
) -> ClassTable:
    """One table of the classes of several, of their groups or of one group each."""
    of_tables = [
        [groups[number]] * table.num_classes if groups else list(table.groups or ())
        for number, table in enumerate(tables)
    ]
    names = [
        [f"{groups[number]}/{c}" if groups else str(c) for c in table.class_names]
        for number, table in enumerate(tables)
    ]
    return ClassTable.from_arrays(
        name,
        np.concatenate([np.asarray(t.examples[:]) for t in tables]),
        np.concatenate(
            [np.repeat(n, t.class_sizes) for n, t in zip(names, tables, strict=True)]
        ),
        groups={
            c: g
            for own, of in zip(names, of_tables, strict=True)
            for c, g in zip(own, of, strict=True)
        },
        group_level="domain" if groups else tables[0].group_level,
    )


def clinc150() -> Domain:
    """Intents by domain; features of WordLlama."""
    table = all_classes("clinc150")
    first, second = halved_groups(table)
    encoder = tfmeta.encoders.pretrained("wordllama")
    one, other = (with_features(encoder, side) for side in (first, second))
    return Domain(one, other, "WordLlama, pre-trained")


def omniglot() -> Domain:
    """Characters by alphabet; features of a Conv4 trained on the library's side."""
    first, second = halved_groups(all_classes("omniglot", rotations=False))
    encoder = trained_conv4(first)
    one, other = (with_features(encoder, side) for side in (first, second))
    return Domain(one, other, f"{CONV4} on the library's side")


def trained_conv4(table: ClassTable, episodes: int = 1000) -> keras.Model:
    """A Prototypical Network's encoder after some episodes of 40 classes."""
    keras.utils.set_random_seed(0)
    encoder = tfmeta.encoders.Conv4((28, 28, 1), downsampling="strides", seed=0)
    learner = tfmeta.learners.PrototypicalNetwork(encoder)
    learner.compile(keras.optimizers.Adam(1e-3))
    drawn = Episodes(table, ways=40, shots=1, queries=5, seed=0)
    learner.fit(drawn.as_dataset(), steps_per_epoch=episodes, epochs=1, verbose=0)
    return encoder


def domains() -> Domain:
    """Characters, photographs in grey and drawn glyphs, 28 x 28 pixels each."""
    with as_folder(MINI_IMAGENET) as folder:
        files = [
            file
            for place in sorted(folder.iterdir())
            for file in sorted(place.iterdir())[:PHOTOGRAPHS]
        ]
        grey = [PIL.Image.open(f).convert("L").resize((28, 28)) for f in files]
        photographs = ClassTable.from_arrays(
            "photographs",
            np.stack([np.asarray(image) for image in grey])[..., np.newaxis],
            [file.parent.name for file in files],
        )
    tables = {
        "omniglot": all_classes("omniglot", rotations=False),
        "photographs": photographs,
        "glyphs": all_classes("glyphs"),
    }
    first, second = halved_groups(
        joined("domains", list(tables.values()), list(tables))
    )
    encoder = trained_conv4(first)
    candidates = {"Conv4 of all": encoder}
    for name in tables:
        assert first.groups is not None
        own = [n for n, group in enumerate(first.groups) if group == name]
        candidates[f"Conv4 of {name}"] = trained_conv4(first.take_classes(own))
    features = {
        name: (with_features(one, first), with_features(one, second))
        for name, one in candidates.items()
    }
    return Domain(*features["Conv4 of all"], f"{CONV4} on the library's side", features)


def photographs(archive: Path, coverage: Path, column: str) -> Domain:
    """Classes of an archive that tieredImageNet has too, by its superclasses."""
    with coverage.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row[column] not in ("", "0")]
    groups = {row["class_wnid"]: row["superclass_wnid"] for row in rows}
    encoder = tfmeta.encoders.pretrained("efficientnet_lite0", size=128)
    with as_folder(archive) as folder:
        files = [
            file
            for wnid in sorted(groups)
            for file in sorted((folder / wnid).iterdir())[:PHOTOGRAPHS]
        ]
        labels = [file.parent.name for file in files]
        features = tfmeta.features.features_of(encoder, files, cache_dir=features_dir())
    table = ClassTable.from_arrays(
        archive.name,
        np.asarray(features, np.float32),
        labels,
        groups={wnid: groups[wnid] for wnid in set(labels)},
        group_level="superclass",
    )
    first, second = halved_groups(table)
    return Domain(first, second, "EfficientNet-Lite0 at 128 pixels; classes seen")


def mini_imagenet() -> Domain:
    """Classes of miniImageNet by superclass."""
    return photographs(
        MINI_IMAGENET,
        DATA / "tieredimagenet/coverage.csv",
        "miniimagenet_split_if_there",
    )


def tiny_imagenet() -> Domain:
    """The 123 classes of tieredImageNet that Tiny ImageNet has, by superclass."""
    return photographs(
        DATA / "tieredimagenet/tiered_classes_tiny64_jpeg.tar.gz",
        DATA / "tieredimagenet/coverage.csv",
        "in_tiny_imagenet_200",
    )


def with_features(encoder: keras.Model, table: ClassTable) -> ClassTable:
    """The same classes, of features."""
    return with_examples(table, tfmeta.features.features_of(encoder, table.examples))


DOMAINS: dict[str, Callable[[], Domain]] = {
    "clinc150": clinc150,
    "omniglot": omniglot,
    "mini_imagenet": mini_imagenet,
    "tiny_imagenet": tiny_imagenet,
    "domains": domains,
}
# Few superclasses have four classes.
WAYS = {"mini_imagenet": 2, "tiny_imagenet": 2}


def components(first: ClassTable, second: ClassTable) -> tuple[ClassTable, ClassTable]:
    """Principal components of the first table's features, in their deviations."""
    matrix, bias = principal_components(np.asarray(first.examples[:]), COMPONENTS)
    one, other = (
        with_examples(side, np.asarray(side.examples[:]) @ matrix + bias)
        for side in (first, second)
    )
    return one, other


def all_rows(tasks: DrawnTasks) -> tuple[np.ndarray, np.ndarray]:
    """Support and queries: a known task has labels of all of them."""
    return (
        np.concatenate([tasks.support, tasks.query], axis=1),
        np.concatenate([tasks.labels, tasks.query_labels], axis=1),
    )


def starts_of(
    network: TaskNetwork,
    found: tuple[tf.Tensor, tf.Tensor],
    library: DrawnTasks,
    parameters: Parameters,
    learned: dict[str, tuple[TaskNetwork, Parameters]],
    tasks: DrawnTasks,
) -> dict[str, Parameters]:
    """Where training begins on each task, by name; `found` are its nearest tasks."""
    count = len(tasks)
    plain = network.started(count)
    starts = {"random": plain}
    starts |= {name: own.started(count) for name, (own, _) in learned.items()}
    means = (tf.reduce_mean(part, axis=0, keepdims=True) for part in parameters[:-2])
    starts["mean of the library"] = (
        *(tf.repeat(part, count, axis=0) for part in means),
        *plain[-2:],
    )
    prototypes, of_known = (
        FeatureStatistics()(*rows).of_classes
        for rows in ((tasks.support, tasks.labels), all_rows(library))
    )
    for number in NEIGHBOURS:
        distances, nearest = (part[:, :number] for part in found)
        weights = mixture_weights(distances, TEMPERATURE)
        near = tuple(tf.gather(part, nearest) for part in parameters)
        kind = "nearest" if number == 1 else f"mixture of {number}"
        starts[f"{kind}, body"] = mixed_start(near, weights, None, plain)
        if number <= MOST_MATCHED:
            classes = matched_classes(
                tf.constant(prototypes),
                np.ones(prototypes.shape[:2], bool),
                tf.gather(tf.constant(of_known), nearest),
                np.ones((count, number, prototypes.shape[1]), bool),
            )
            starts[f"{kind}, matched head"] = mixed_start(near, weights, classes, plain)
        for name, (_, trained) in learned.items():
            near = tuple(tf.gather(part, nearest) for part in trained)
            starts[f"{kind}, body, trained from {name}"] = mixed_start(
                near, weights, None, starts[name]
            )
    return starts


def measure(name: str) -> dict[str, Any]:
    """All figures of one domain."""
    began = time.perf_counter()
    domain = DOMAINS[name]()
    first, second = components(domain.first, domain.second)
    ways = WAYS.get(name, 5)
    of = {"ways": ways, "shots": SHOTS, "queries": QUERIES}
    library = draw_tasks(first, LIBRARY, seed=0, **of)
    new = draw_tasks(second, NEW, seed=2, **of)
    features = library.support.shape[-1]
    network = TaskNetwork(features, ways, (UNITS,), seed=0)
    cached = time.perf_counter()
    rows, labels = all_rows(library)
    parameters = network.fit(rows, labels, steps=LIBRARY_STEPS)
    trained = time.perf_counter()
    learned = {
        "pre-training": pretrained_start(network, first),
        "MAML": maml_start(network, library),
    }
    started = time.perf_counter()
    # Of each its description, the metric's sizes, and whether it is learned from tasks
    # that are drawn anew in every epoch, where these cost no training.
    linear = {"size": features, "units": 0}
    describers: dict[str, tuple[Describer, dict[str, int], bool]] = {
        "mean embedding": (FeatureStatistics("none"), linear, True),
        "statistics": (FeatureStatistics(), {"size": 32}, True),
        "parameters": (AdaptedParameters(network), {"size": 32}, False),
        "Fisher information": (
            FisherInformation(learned["pre-training"]),
            {"size": 32},
            False,
        ),
    }
    retrieval: dict[str, list[np.ndarray]] = {}
    chance = chance_of_retrieval(library.groups, new.groups)
    retrieval["chance"] = [chance, chance]
    metrics = {}
    draws = task_draws(first, LIBRARY, seed=0, **of)
    drawn = [library, *map(draws, range(1, EPOCHS))]
    for kind, (describer, sizes, anew) in describers.items():
        # A new task has the labels of its support alone: known ones are described by
        # as many examples, or the distance would learn from more than it will see.
        known = describer(library.support, library.labels)
        asked = describer(new.support, new.labels)
        if kind == "Fisher information":
            raw = fisher_distances(asked.common, known.common)
            retrieval[f"{kind}, Task2Vec's distance"] = by_distances(
                raw, library.groups, new.groups
            )
        elif kind == "mean embedding":
            pair = known.common, asked.common
            retrieval[kind] = of_vectors(pair, library, new)
            lengths = (np.linalg.norm(part, axis=1, keepdims=True) for part in pair)
            cosine = tuple(p / n for p, n in zip(pair, lengths, strict=True))
            retrieval[f"{kind}, cosine"] = of_vectors(cosine, library, new)
        else:
            pair = standardised(known.flat(), asked.flat())
            retrieval[f"{kind}, raw distance"] = of_vectors(pair, library, new)

        def draw(
            epoch: int,
            known: Description = known,
            describer: Describer = describer,
            anew: bool = anew,
        ) -> tuple[Description, np.ndarray]:
            if not (epoch and anew):
                return known, alike_by_group(library.groups)
            other = drawn[epoch]
            return describer(other.support, other.labels), alike_by_group(other.groups)

        like = TaskMetric.of(known, seed=0, **sizes)
        metrics[kind], _ = learned_metric(like, draw, epochs=EPOCHS, seed=0)
        retrieval[f"{kind}, learned distance"] = of_vectors(
            (metrics[kind].embed(known), metrics[kind].embed(asked)), library, new
        )
    described = time.perf_counter()
    trained_from = {
        name: (own, own.fit(rows, labels, steps=LEARNED_STEPS))
        for name, own in learned.items()
    }
    chosen, (describer, _, _) = metrics[CHOSEN], describers[CHOSEN]
    known, asked = (
        tf.constant(chosen.embed(describer(tasks.support, tasks.labels)))
        for tasks in (library, new)
    )
    nearest = nearest_tasks(asked, known, max(NEIGHBOURS))
    starts = starts_of(network, nearest, library, parameters, trained_from, new)
    accuracies = accuracies_from(
        network,
        starts,
        new.support,
        new.labels,
        new.query,
        new.query_labels,
        steps=STEPS,
        learning_rate=RATE,
    )
    names = second.class_names

    def figures(values: np.ndarray, bounds: tuple[float, float] = (0, 1)) -> dict:
        found = figure_of(values, new.class_ids, names, bounds=bounds)
        return {
            "mean": found.mean,
            "half_width": found.half_width,
            "over_classes": found.over_classes.to_json(),
        }

    costs: dict[str, Any] = {}
    if domain.candidates:
        scores_known, scores_new = (
            np.stack(
                [
                    nearest_mean_accuracies(
                        draw_tasks(sides[n], count, seed=seed, **of)
                    )
                    for sides in domain.candidates.values()
                ],
                axis=1,
            )
            for n, count, seed in ((0, LIBRARY, 0), (1, NEW, 2))
        )
        distances, numbers = nearest_tasks(asked, known, CHOSEN_BY)
        weights = mixture_weights(distances, TEMPERATURE).numpy()[:, :, np.newaxis]
        expected = (weights * scores_known[numbers.numpy()]).sum(axis=1)
        on_average = np.full(NEW, scores_known.mean(axis=0).argmax())
        costs = {
            "by the nearest tasks": figures(regret(-scores_new, expected.argmax(1))),
            "the best on average": figures(regret(-scores_new, on_average)),
            "any, by chance": figures(
                (scores_new.max(axis=1, keepdims=True) - scores_new).mean(axis=1)
            ),
        }
        costs |= {
            f"always {candidate}": figures(regret(-scores_new, np.full(NEW, n)))
            for n, candidate in enumerate(domain.candidates)
        }
    return {
        "encoder": domain.encoder,
        "regret": costs,
        "groups": len(set(library.groups)),
        "classes": [first.num_classes, second.num_classes],
        "tasks": {"library": LIBRARY, "new": NEW, **of},
        "seconds": {
            "features": cached - began,
            "training the library": trained - cached,
            "learning starts": started - trained,
            "describing and learning distances": described - started,
        },
        "retrieval": {
            kind: {"at_1": figures(one), "at_5": figures(five)}
            for kind, (one, five) in retrieval.items()
        },
        "accuracy": {
            kind: {str(s): figures(values[:, n]) for n, s in enumerate(STEPS)}
            for kind, values in accuracies.items()
        },
        "learning_rate": RATE,
        "gain_over": {
            other: {
                kind: {
                    str(s): figures(values[:, n] - accuracies[other][:, n], (-1, 1))
                    for n, s in enumerate(STEPS)
                }
                for kind, values in accuracies.items()
                if kind != other
            }
            for other in ("random", "pre-training", "MAML")
        },
        "task_accuracies": {k: v.round(4).tolist() for k, v in accuracies.items()},
    }


def of_vectors(
    pair: tuple[np.ndarray, np.ndarray], library: DrawnTasks, new: DrawnTasks
) -> list[np.ndarray]:
    """Precision at 1 and at 5 of each new task."""
    known, asked = pair
    return [
        retrieved(known, library.groups, asked, new.groups, neighbours=n)
        for n in (1, 5)
    ]


def by_distances(
    distances: np.ndarray, known_groups: tuple[str, ...], groups: tuple[str, ...]
) -> list[np.ndarray]:
    """As `of_vectors`, of distances `(new, known)`."""
    order = np.argsort(distances, axis=1, kind="stable")[:, :5]
    right = np.asarray(known_groups)[order] == np.asarray(groups)[:, None]
    return [right[:, :1].mean(axis=1), right.mean(axis=1)]


def measure_speed() -> dict[str, float]:
    """Seconds that 5,000 tasks take, of random features: their values do not matter."""
    rng = np.random.default_rng(0)
    ways, rows = 5, 5 * (SHOTS + QUERIES)
    labels = np.tile(np.eye(ways, dtype=np.float32), (SPEED, SHOTS + QUERIES, 1))
    features = rng.normal(size=(SPEED, rows, COMPONENTS)).astype(np.float32)
    network = TaskNetwork(COMPONENTS, ways, (UNITS,), seed=0)
    seconds = {}
    start = time.perf_counter()
    parameters = network.fit(features, labels, steps=LIBRARY_STEPS)
    seconds["training"] = time.perf_counter() - start
    describer = AdaptedParameters(network)
    start = time.perf_counter()
    description = Description(
        *(np.asarray(p) for p in describer.of_parameters(parameters, labels).parts)
    )
    metric = TaskMetric.of(description, size=32, seed=0)
    groups = rng.integers(0, 20, SPEED)
    metric.compile("adam", loss=tfmeta.losses.TripletLoss(margin=0.2))
    metric.fit(
        metric.inputs(description), groups, batch_size=256, epochs=EPOCHS, verbose=0
    )
    seconds["learning a distance of parameters"] = time.perf_counter() - start
    start = time.perf_counter()
    metric.embed(description)
    seconds["embedding"] = time.perf_counter() - start
    return {**seconds, "all": sum(seconds.values()), "tasks": SPEED}


def table(domains: dict[str, Any]) -> str:
    """The tables in Markdown."""

    def cell(figure: dict[str, Any]) -> str:
        return f"{100 * figure['mean']:.1f} ± {100 * figure['half_width']:.1f}"

    names = list(domains)
    lines = [
        "| same group, % | " + " | ".join(f"{n}, at 1 | at 5" for n in names) + " |",
        "|---|" + "---|" * (2 * len(names)),
    ]
    for kind in domains[names[0]]["retrieval"]:
        cells = [
            cell(domains[n]["retrieval"][kind][at])
            for n in names
            for at in ("at_1", "at_5")
        ]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "| accuracy, %, after | "
        + " | ".join(f"{n}, {s} step{'s' * (s > 1)}" for n in names for s in STEPS)
        + " |",
        "|---|" + "---|" * (len(STEPS) * len(names)),
    ]
    for kind in domains[names[0]]["accuracy"]:
        cells = [
            cell(domains[n]["accuracy"][kind][str(s)]) for n in names for s in STEPS
        ]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    others = list(domains[names[0]]["gain_over"])
    lines += [
        "",
        "| gain at 5 steps, points | "
        + " | ".join(f"{n}, over {other}" for n in names for other in others)
        + " |",
        "|---|" + "---|" * (len(others) * len(names)),
    ]
    for kind in domains[names[0]]["accuracy"]:
        if kind.startswith(("nearest", "mixture")):
            cells = [
                gain(domains[n]["gain_over"][other][kind]["5"])
                for n in names
                for other in others
            ]
            lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    costs = {n: domains[n]["regret"] for n in names if domains[n].get("regret")}
    for name, figures in costs.items():
        lines += [
            "",
            f"| accuracy lost by the choice of an encoder, points, {name} | |",
            "|---|---|",
            *(f"| {kind} | {cell(figure)} |" for kind, figure in figures.items()),
        ]
    lines += ["", *(about(n, domains[n]) for n in names)]
    return "\n".join(lines)


def gain(figure: dict[str, Any]) -> str:
    """A difference, and its interval over other classes of these groups."""
    ends = figure["over_classes"]["ends"]
    between = "–" if ends is None else f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}"
    return f"{100 * figure['mean']:+.1f} ({between})"


def about(name: str, domain: dict[str, Any]) -> str:
    """What was measured, in a line."""
    tasks, (known, new) = domain["tasks"], domain["classes"]
    return (
        f"- {name}: {domain['groups']} groups; a library of {tasks['library']:,} tasks "
        f"of {known} classes, {tasks['new']} new ones of {new} others, {tasks['ways']}-"
        f"way {tasks['shots']}-shot; features of {domain['encoder']}; seed 0. "
        f"`{domain['command']}`, commit {str(domain['commit'])[:12]}."
    )


def main() -> None:
    """Measures part by part, keeps each, and writes the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", nargs="*", choices=[*DOMAINS, "speed"], default=[])
    parser.add_argument("--output", type=Path, default=RESULTS / f"{NAME}.json")
    parser.add_argument("--update-tables", action="store_true")
    arguments = parser.parse_args()
    content = read_json(arguments.output) if arguments.output.exists() else {}
    domains = content.get("domains", {})
    for part in arguments.parts:
        found = measure_speed() if part == "speed" else measure(part)
        made = {
            "command": command_line(),
            "commit": git_commit(),
            "machine": describe_machine(),
            **found,
        }
        if part == "speed":
            content["speed"] = made
        else:
            domains[part] = made
        content = {**content, "seed": 0, "domains": domains}
        write_json(arguments.output, content)
    print(table(domains))
    if arguments.update_tables:
        replace_table(NAME, table(domains))


if __name__ == "__main__":
    main()
