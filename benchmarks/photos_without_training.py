"""Few-shot photographs without training: EfficientNet-Lite0 at two sizes, two heads.

Measures on miniImageNet's 20 test classes, which the encoder has seen in its
pre-training on ImageNet, and on Omniglot's test characters, which it has not. Every
head and size answers the same episodes. Features are computed once and kept beside the
data, so that a second run takes seconds.

    python benchmarks/photos_without_training.py --update-tables
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

import keras
from report import (
    RESULTS,
    command_line,
    describe_machine,
    git_commit,
    paired,
    replace_table,
    write_json,
)

import tfmeta
from tfmeta.episodes import Episodes
from tfmeta.evaluation import ClassInterval, EvaluationResult, evaluate
from tfmeta.features import features_dir, features_of
from tfmeta.json_files import read_json
from tfmeta.learners import LogisticRegression, SimpleShot

NAME = "photos_without_training"
ENCODER = "efficientnet_lite0"
QUERIES = 15
HEADS = {"SimpleShot": SimpleShot, "LogisticRegression": LogisticRegression}
# Pixels that pictures are brought to; all else is held against the first.
SIZES = {"mini_imagenet": (224, 128), "omniglot": (128,)}
TITLES = {"mini_imagenet": "miniImageNet (seen)", "omniglot": "Omniglot"}
TASKS = {
    "mini_imagenet": ((5, 1), (5, 5), (20, 10)),
    "omniglot": ((5, 1), (5, 5), (20, 1)),
}


def measure(
    name: str, data_dir: Path | None, num_episodes: int
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """All figures of one data set, and what encoding it took."""
    table = tfmeta.datasets.load(name, split="test", data_dir=data_dir)
    on_size, encoding = {}, {}
    for size in SIZES[name]:
        encoder = tfmeta.encoders.pretrained(
            ENCODER, input_shape=table.example_shape, size=size
        )
        began, cpu = time.perf_counter(), time.process_time()
        features = features_of(
            encoder, table.examples, cache_dir=features_dir(data_dir)
        )
        encoding[str(size)] = {
            "pictures": len(features),
            "seconds": time.perf_counter() - began,
            "cpu_seconds": time.process_time() - cpu,
        }
        print(f"{name} at {size}: {encoding[str(size)]}", flush=True)
        on_size[size] = dataclasses.replace(table, examples=features)
    queries = min(
        QUERIES, int(table.class_sizes.min()) - max(s for _, s in TASKS[name])
    )
    tasks = []
    for ways, shots in TASKS[name]:
        results = {}
        for size, examples in on_size.items():
            for head, make in HEADS.items():
                episodes = Episodes(
                    examples, ways=ways, shots=shots, queries=queries, tasks=10
                )
                inputs = keras.Input(examples.example_shape)
                learner = make(keras.Model(inputs, keras.layers.Identity()(inputs)))
                # Nothing is trained: these are no classes of a training.
                results[f"{head}, {size}"] = evaluate(
                    learner, episodes, num_episodes=num_episodes, seen_classes=()
                )
        print(*results.values(), sep="\n", flush=True)
        tasks.append(_task(results))
    return tasks, encoding


def _task(results: dict[str, EvaluationResult]) -> dict[str, Any]:
    first = next(iter(results.values()))
    return {
        "protocol": first.protocol,
        "results": {
            name: {
                "accuracy": result.accuracy,
                "over_episode_draws": result.over_episode_draws,
                "over_test_classes": result.over_test_classes.to_json(),
                "minus_first": paired(
                    result.episode_accuracies, first.episode_accuracies
                ),
            }
            for name, result in results.items()
        },
    }


def markdown(content: dict[str, Any]) -> str:
    """The table, and under it what a reader needs to judge it."""
    lines = [
        "| | head, pixels | accuracy | over episode draws | over test classes "
        "| minus the first |",
        "|---|---|---|---|---|---|",
    ]
    for name, measured in content["data_sets"].items():
        for task in measured["tasks"]:
            protocol = task["protocol"]
            where = f"{TITLES[name]} {protocol['ways']}-way {protocol['shots']}-shot"
            for number, (method, result) in enumerate(task["results"].items()):
                over_classes = ClassInterval.from_json(result["over_test_classes"])
                gap = result["minus_first"]
                paired = f"{100 * gap['difference']:+.2f} ± "
                paired += f"{100 * gap['half_width']:.2f}"
                lines.append(
                    f"| {where} | {method} | {100 * result['accuracy']:.2f} "
                    f"| ± {100 * result['over_episode_draws']:.2f} "
                    f"| {over_classes.text()} | {paired if number else ''} |"
                )
    protocol = next(iter(content["data_sets"].values()))["tasks"][0]["protocol"]
    lines += [
        "",
        "Accuracy in percent, inductive, without any training: "
        f'`tfmeta.encoders.pretrained("{ENCODER}")`, pictures brought to the pixels '
        "named. **The encoder was trained on ImageNet, of which miniImageNet's test "
        "classes are a part**: these figures say how well classes that it knows are "
        "told apart by few examples, not how well unseen ones are. "
        f"{protocol['episodes']:,} episodes of seed {protocol['seed']}, the same for "
        f"every line of a task, {QUERIES} queries a class. Intervals are 95 %. "
        f"`{content['command']}`, commit {(content['commit'] or 'unknown')[:12]}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures, writes the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, help="where data sets are kept")
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument(
        "--data-sets", nargs="+", choices=list(TASKS), default=list(TASKS)
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument(
        "--table-only",
        action="store_true",
        help="measure nothing, take the result file",
    )
    parser.add_argument("--update-tables", action="store_true")
    arguments = parser.parse_args()
    file = arguments.results / f"{NAME}.json"
    if arguments.table_only:
        content = read_json(file)
    else:
        measured = {
            name: measure(name, arguments.data_dir, arguments.episodes)
            for name in arguments.data_sets
        }
        content = {
            "format_version": 1,
            "benchmark": NAME,
            "command": command_line(),
            "commit": git_commit(),
            "machine": describe_machine(),
            "data_sets": {
                name: {"tasks": tasks, "encoding": encoding}
                for name, (tasks, encoding) in measured.items()
            },
        }
        write_json(file, content)
    table = markdown(content)
    print(table)
    if arguments.update_tables:
        replace_table(NAME, table)


if __name__ == "__main__":
    main()
