"""How a distance over tasks is best learned: of which kind, and from which signal.

- A domain of `task_transfer.py`: precision at 1 of a network and of a matrix on tasks
  of classes that are held out of the library's side, by which `tfmeta tasks build`
  chooses one, beside that on new tasks, as `task_transfer.py` has measured it.
- `gain`, on Omniglot: a distance that is learned from alphabets and one from what the
  start at one task's network gains another, measured on all pairs of 300 tasks. Both
  from the same tasks; judged on new tasks by whether the nearest is of the same
  alphabet, and by the accuracy after 5 steps of training that begins at the body of the
  nearest and of the mixture of 5, from pre-training, as `tfmeta tasks build` does.

    python benchmarks/task_supervision.py --parts clinc150 gain --update-tables
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from report import (
    RESULTS,
    command_line,
    describe_machine,
    git_commit,
    replace_table,
    write_json,
)
from task_transfer import (
    COMPONENTS,
    DOMAINS,
    EPOCHS,
    LIBRARY,
    LIBRARY_STEPS,
    NEW,
    QUERIES,
    RATE,
    SHOTS,
    TEMPERATURE,
    UNITS,
    WAYS,
    all_classes,
    all_rows,
    components,
    trained_conv4,
    with_features,
)

from tfmeta.json_files import read_json
from tfmeta.tasks import TaskNetwork, alike_by_gain, alike_by_group, transfer_gains
from tfmeta.tasks.distance_choice import chosen_distance, distance_kinds
from tfmeta.tasks.drawn_tasks import draw_tasks, halved_groups
from tfmeta.tasks.evaluating import accuracies_from, figure_of, retrieved
from tfmeta.tasks.learned_starts import pretrained_start
from tfmeta.tasks.starts import mixed_start, mixture_weights, nearest_tasks
from tfmeta.tasks.supervision import held_out_classes

NAME = "task_supervision"
MEASURED, EPISODES, STEPS = 300, 200, 5
# What `task_transfer.py` calls them.
OF_NEW = {
    "network": "statistics, learned distance",
    "linear": "mean embedding, learned distance",
}


def choice(name: str) -> dict[str, Any]:
    """Which distance is chosen for a domain."""
    domain = DOMAINS[name]()
    first, _ = components(domain.first, domain.second)
    of = {"ways": WAYS.get(name, 5), "shots": SHOTS, "queries": QUERIES}
    held_out = held_out_classes(first, "group", LIBRARY, seed=0, **of)
    found = chosen_distance(
        distance_kinds(),
        held_out,
        lambda kind, lessons: kind.learned(lessons, epochs=EPOCHS, seed=0),
    )
    ways = held_out.asked.class_ids.shape[1] if held_out is not None else None
    return {**found, "ways": ways, "classes": first.num_classes}


def gain() -> dict[str, Any]:
    """A distance of measured gains beside one of alphabets."""
    began = time.perf_counter()
    halves = halved_groups(all_classes("omniglot", rotations=False))
    encoder = trained_conv4(halves[0], EPISODES)
    first, second = components(*(with_features(encoder, side) for side in halves))
    of = {"ways": 5, "shots": SHOTS, "queries": QUERIES}
    library = draw_tasks(first, MEASURED, seed=0, **of)
    new = draw_tasks(second, NEW, seed=2, **of)
    network = pretrained_start(TaskNetwork(COMPONENTS, 5, (UNITS,), seed=0), first)
    parameters = network.fit(*all_rows(library), steps=LIBRARY_STEPS)
    prepared = time.perf_counter()
    gains = transfer_gains(
        network,
        parameters,
        library.support,
        library.labels,
        library.query,
        library.query_labels,
    )
    measured = time.perf_counter()
    signals = {
        "alphabet": alike_by_group(library.groups),
        "measured gain": alike_by_gain(gains),
    }
    others = ~np.eye(MEASURED, dtype=bool)
    plain = network.started(NEW)
    starts = {"pre-training": plain}
    right = {}
    for kind in distance_kinds().values():
        for signal, alike in signals.items():
            name = f"{kind.name}, {signal}"
            metric = kind.learned(
                lambda _, alike=alike: (library, alike), epochs=EPOCHS, seed=0
            )
            known, asked = (metric.embed(kind.of(tasks)) for tasks in (library, new))
            right[name] = retrieved(
                known, library.groups, asked, new.groups, neighbours=1
            )
            found = nearest_tasks(tf.constant(asked), tf.constant(known), 5)
            for start, count in (("nearest", 1), ("mixture of 5", 5)):
                distances, numbers = (part[:, :count] for part in found)
                near = tuple(tf.gather(part, numbers) for part in parameters)
                weights = mixture_weights(distances, TEMPERATURE)
                starts[f"{name}, {start}"] = mixed_start(near, weights, None, plain)
    accuracies = accuracies_from(
        network,
        starts,
        new.support,
        new.labels,
        new.query,
        new.query_labels,
        steps=(STEPS,),
        learning_rate=RATE,
    )
    one = {name: values[:, 0] for name, values in accuracies.items()}

    def figure(values: np.ndarray, least: float = 0.0) -> dict[str, Any]:
        made = figure_of(values, new.class_ids, second.class_names, bounds=(least, 1.0))
        return {
            "mean": made.mean,
            "half_width": made.half_width,
            "over_classes": made.over_classes.to_json(),
        }

    return {
        "tasks": {"library": MEASURED, "new": NEW, **of},
        "classes": [first.num_classes, second.num_classes],
        "episodes_of_the_encoder": EPISODES,
        "steps": STEPS,
        "seconds": {"preparing": prepared - began, "gains": measured - prepared},
        "mean_gain_in_loss": float(gains[others].mean()),
        "alike_of_the_same_alphabet": {
            "by measured gain": float(
                signals["alphabet"][signals["measured gain"] & others].mean()
            ),
            "any two": float(signals["alphabet"][others].mean()),
        },
        "retrieval": {name: figure(values) for name, values in right.items()},
        "accuracy": {name: figure(values) for name, values in one.items()},
        "over_pretraining": {
            name: figure(values - one["pre-training"], -1.0)
            for name, values in one.items()
            if name != "pre-training"
        },
        "gain_over_alphabet": {
            f"{kind}, {start}": figure(
                one[f"{kind}, measured gain, {start}"]
                - one[f"{kind}, alphabet, {start}"],
                -1.0,
            )
            for kind in distance_kinds()
            for start in ("nearest", "mixture of 5")
        },
    }


def table(content: dict[str, Any]) -> str:
    """The tables in Markdown."""

    def percent(figure: dict[str, Any]) -> str:
        return f"{100 * figure['mean']:.1f} ± {100 * figure['half_width']:.1f}"

    def points(figure: dict[str, Any]) -> str:
        ends = figure["over_classes"]["ends"]
        if ends is None:
            return f"{100 * figure['mean']:+.2f} ± {100 * figure['half_width']:.2f}"
        low, high = (100 * end for end in ends)
        return f"{100 * figure['mean']:+.2f} ({low:.2f} to {high:.2f})"

    of_new = read_json(RESULTS / "task_transfer.json")["domains"]
    lines = [
        "| precision at 1, % | network, held out | linear, held out | chosen | "
        "network, new tasks | linear, new tasks |",
        "|---|---|---|---|---|---|",
    ]
    notes = []
    for name, found in content.get("choices", {}).items():
        right = found["precision_at_1"]
        held_out = [percent(right[kind]) if right else "–" for kind in OF_NEW]
        new = [
            percent(of_new[name]["retrieval"][kind]["at_1"]) for kind in OF_NEW.values()
        ]
        cells = [name, *held_out, found["chosen"], *new]
        lines.append(f"| {' | '.join(cells)} |")
        said = f", {found['ways']}-way where held out" if right else ""
        notes.append(_about(f"{name}{said}; {found['classes']} classes", found))
    found = content.get("gain")
    if found:
        lines += [
            "",
            "| Omniglot, learned from | same alphabet at 1, % | nearest, accuracy, % | "
            "over pre-training, points | mixture of 5 | over pre-training |",
            "|---|---|---|---|---|---|",
        ]
        for name, right in found["retrieval"].items():
            cells = [name, percent(right)]
            for start in ("nearest", "mixture of 5"):
                cells.append(percent(found["accuracy"][f"{name}, {start}"]))
                cells.append(points(found["over_pretraining"][f"{name}, {start}"]))
            lines.append(f"| {' | '.join(cells)} |")
        lines += [
            "",
            "| measured gain less alphabet, points | |",
            "|---|---|",
            *(
                f"| {name} | {points(figure)} |"
                for name, figure in found["gain_over_alphabet"].items()
            ),
        ]
        known, others = found["classes"]
        notes.append(
            _about(
                f"gain: {found['tasks']['library']} tasks of {known} classes, "
                f"{found['tasks']['new']} new ones of {others} others, 5-way 5-shot, "
                f"after {found['steps']} steps; pre-training alone "
                f"{percent(found['accuracy']['pre-training'])} %",
                found,
            )
        )
    return "\n".join([*lines, "", *notes])


def _about(what: str, found: dict[str, Any]) -> str:
    return f"- {what}. `{found['command']}`, commit {str(found['commit'])[:12]}."


def main() -> None:
    """Measures part by part, keeps each, and writes the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", nargs="*", choices=[*DOMAINS, "gain"], default=[])
    parser.add_argument("--output", type=Path, default=RESULTS / f"{NAME}.json")
    parser.add_argument("--update-tables", action="store_true")
    arguments = parser.parse_args()
    content = read_json(arguments.output) if arguments.output.exists() else {}
    for part in arguments.parts:
        made = {
            "command": command_line(),
            "commit": git_commit(),
            "machine": describe_machine(),
            "seed": 0,
            **(gain() if part == "gain" else choice(part)),
        }
        if part == "gain":
            content["gain"] = made
        else:
            content.setdefault("choices", {})[part] = made
        write_json(arguments.output, content)
    print(table(content))
    if arguments.update_tables:
        replace_table(NAME, table(content))


if __name__ == "__main__":
    main()
