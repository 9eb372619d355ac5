"""Pictures of classes that are known by their names alone.

A linear map from the token vectors of WordLlama to the features of EfficientNet-Lite0,
by a `ZeroShotPrototypicalNetwork`, is fitted on miniImageNet's 64 training classes:
each is described by WordNet's words for it. The setting (noise on the vectors of names,
and whether features are projected, too) and the best epoch are chosen on the 16
validation classes alone; then the 20 test classes are measured. They were seen in
pre-training: ImageNet, which the features were trained on, holds all of them, so that
the figure says what a map of names finds in such features, and nothing of classes that
are new to them.

Beside it stand, on the same episodes, chance (one in the number of ways) and a control:
the same training with the names dealt out among the training classes at random, which
leaves nothing to be known of others. Pictures are a seeded subset of each class, the
same for all.

    python benchmarks/zero_shot_images.py

Features are computed once and kept in the data folder. Results go to
results/zero_shot_images.json, with a table in Markdown beside it.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from pathlib import Path
from typing import Any

import keras
import numpy as np
from report import RESULTS, command_line, describe_machine, git_commit, write_json

from tfmeta.datasets import ClassTable, load
from tfmeta.encoders import Projection, pretrained
from tfmeta.episodes import Episodes
from tfmeta.evaluation import (
    ClassInterval,
    EvaluationResult,
    compare,
    evaluate,
    over_training_seeds,
)
from tfmeta.features import features_dir, features_of
from tfmeta.layers import Sphere
from tfmeta.learners import ZeroShotPrototypicalNetwork
from tfmeta.seeds import spawn_seeds

NAME = "zero_shot_images"
SPLITS = ("train", "validation", "test")
# Noise on the vectors of names, and whether a projection of features is trained.
SETTINGS = [(noise, False) for noise in (0.0, 0.1, 0.2, 0.4)] + [(0.2, True)]
EPOCHS, STEPS, TRAIN_WAYS, TRAIN_QUERIES, RATE = 8, 40, 40, 5, 1e-3
QUERIES, VALIDATION_EPISODES = 15, 300


def subset(table: ClassTable, per_class: int, seed: int) -> ClassTable:
    """So many pictures of each class, drawn from a seed."""
    rng = np.random.default_rng(seed)
    rows = [
        np.sort(rng.choice(np.arange(begin, end), per_class, replace=False))
        for begin, end in zip(table.offsets[:-1], table.offsets[1:], strict=True)
    ]
    return dataclasses.replace(
        table,
        examples=np.asarray(table.examples[np.concatenate(rows)]),
        offsets=per_class * np.arange(table.num_classes + 1),
    )


def with_features(table: ClassTable, arguments: argparse.Namespace) -> ClassTable:
    """Features for examples, and the vectors of names for names."""
    encoder = pretrained("efficientnet_lite0", size=arguments.size)
    kept = features_dir(arguments.data_dir)
    features = features_of(encoder, table.examples, cache_dir=kept)
    vectors = features_of(pretrained("wordllama"), list(table.class_attributes))
    return dataclasses.replace(table, examples=features, class_attributes=vectors)


def make_learner(
    noise: float, projected: bool, seed: int, features: int, words: int
) -> ZeroShotPrototypicalNetwork:
    """The map, between features and vectors of names; as a run begins with it."""
    image_seed, word_seed = spawn_seeds(seed, 2, stream=NAME)
    inputs = keras.Input((features,))
    encoder = keras.Model(inputs, Sphere(8.0)(inputs))
    if projected:
        encoder = Projection(features, seed=image_seed)
    return ZeroShotPrototypicalNetwork(
        encoder,
        Projection(words, units=features, gain=1.0, noise=noise, seed=word_seed),
    )


def fit(
    learner: ZeroShotPrototypicalNetwork,
    train: ClassTable,
    validation: ClassTable,
    seed: int,
) -> dict[str, Any]:
    """Trains, keeps the epoch that is best on validation classes, and says which."""
    schedule = keras.optimizers.schedules.CosineDecay(RATE, EPOCHS * STEPS)
    learner.compile(keras.optimizers.Adam(schedule))
    drawn = {"seed": seed, "support": "attributes"}
    episodes = Episodes(train, ways=TRAIN_WAYS, queries=TRAIN_QUERIES, **drawn)
    held_out = Episodes(validation, ways=5, queries=QUERIES, tasks=10, **drawn)
    episodes.check_disjoint(held_out)
    best = keras.callbacks.EarlyStopping(
        "val_accuracy", mode="max", patience=EPOCHS, restore_best_weights=True
    )
    history = learner.fit(
        episodes.as_dataset(),
        epochs=EPOCHS,
        steps_per_epoch=STEPS,
        validation_data=held_out.as_dataset(steps=VALIDATION_EPISODES // 10).cache(),
        callbacks=[best],
        shuffle=False,
        verbose=0,
    ).history["val_accuracy"]
    return {"accuracy": max(history), "epoch": 1 + int(np.argmax(history))}


def measure(
    learner: ZeroShotPrototypicalNetwork,
    table: ClassTable,
    ways: int,
    episodes: int,
    seed: int,
    seen: ClassTable,
) -> EvaluationResult:
    """Accuracy on classes that the map has not seen."""
    drawn = Episodes(
        table, ways=ways, queries=QUERIES, tasks=10, seed=seed, support="attributes"
    )
    return evaluate(
        learner,
        drawn,
        num_episodes=episodes,
        seen_classes=seen.origins,
        encode_once=True,
    )


def with_names_dealt_out(table: ClassTable, seed: int) -> ClassTable:
    """The control: each class has the name of another one."""
    order = np.random.default_rng(seed).permutation(table.num_classes)
    while (order == np.arange(len(order))).any():
        order = np.random.default_rng([seed, *order]).permutation(len(order))
    return dataclasses.replace(table, class_attributes=table.class_attributes[order])


def choose(
    train: ClassTable, validation: ClassTable, seeds: range
) -> list[dict[str, Any]]:
    """Accuracies of all settings on validation classes, the best one first."""
    found = []
    for noise, projected in SETTINGS:
        accuracies = []
        for seed in seeds:
            learner = make_learner(noise, projected, seed, *lengths(train))
            accuracies.append(fit(learner, train, validation, seed)["accuracy"])
        found.append(
            {
                "noise": noise,
                "features_projected": projected,
                "validation_accuracies": accuracies,
            }
        )
        print(found[-1], flush=True)
    return sorted(found, key=lambda one: -statistics.mean(one["validation_accuracies"]))


def lengths(table: ClassTable) -> tuple[int, int]:
    """Of features, and of vectors of names."""
    assert table.class_attributes is not None
    return table.example_shape[0], table.class_attributes.shape[1]


def measure_all(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything the table says."""
    train, validation, test = (
        with_features(
            subset(
                load("mini_imagenet", split=split, data_dir=arguments.data_dir),
                arguments.per_class,
                arguments.data_seed,
            ),
            arguments,
        )
        for split in SPLITS
    )
    seeds = range(arguments.seeds)
    settings = choose(train, validation, range(arguments.choice_seeds))
    noise, projected = settings[0]["noise"], settings[0]["features_projected"]
    all_ways = sorted({5, test.num_classes})
    results: dict[int, list[EvaluationResult]] = {ways: [] for ways in all_ways}
    controls: dict[int, list[EvaluationResult]] = {ways: [] for ways in all_ways}
    for seed in seeds:
        for found, table in (
            (results, train),
            (controls, with_names_dealt_out(train, seed)),
        ):
            learner = make_learner(noise, projected, seed, *lengths(train))
            fit(learner, table, validation, seed)
            for ways in all_ways:
                found[ways].append(
                    measure(learner, test, ways, arguments.episodes, 0, train)
                )
                print(found[ways][-1], flush=True)
    return {
        "format_version": 1,
        "benchmark": NAME,
        "command": command_line(),
        "commit": git_commit(),
        "machine": describe_machine(),
        "settings": {
            "pictures_per_class": arguments.per_class,
            "data_seed": arguments.data_seed,
            "pixels": arguments.size,
            "training_seeds": list(seeds),
            "epochs": EPOCHS,
            "steps_per_epoch": STEPS,
            "train_ways": TRAIN_WAYS,
            "learning_rate": RATE,
        },
        "pretraining": "imagenet (test classes seen), wordllama",
        "validation": settings,
        "tasks": [task(results[ways], controls[ways]) for ways in all_ways],
    }


def task(
    results: list[EvaluationResult], controls: list[EvaluationResult]
) -> dict[str, Any]:
    """One number of ways: each training, and what it is better than."""
    runs = []
    for result, control in zip(results, controls, strict=True):
        paired = compare(result, control)
        assert paired.over_test_classes is not None
        runs.append(
            {
                "accuracy": result.accuracy,
                "over_episode_draws": result.over_episode_draws,
                "over_test_classes": result.over_test_classes.to_json(),
                "minus_chance": result.accuracy - result.chance,
                "control": control.accuracy,
                "control_over_test_classes": control.over_test_classes.to_json(),
                "minus_control": {
                    "difference": paired.difference,
                    "half_width": paired.half_width,
                    "over_test_classes": paired.over_test_classes.to_json(),
                },
            }
        )
    spread = over_training_seeds(results) if len(results) > 1 else None
    return {
        "protocol": results[0].protocol,
        "chance": results[0].chance,
        "mean": statistics.mean(result.accuracy for result in results),
        "spread": None if spread is None else str(spread),
        "recall": {
            name: float(
                np.mean([r.class_correct[i] / r.class_total[i] for r in results])
            )
            for i, name in enumerate(results[0].class_names)
        },
        "runs": runs,
    }


def markdown(content: dict[str, Any]) -> str:
    """The table, and under it what a reader needs to judge it."""
    lines = [
        "| ways | training | accuracy | over episode draws | over test classes "
        "| chance | names dealt out | minus those |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for measured in content["tasks"]:
        ways = measured["protocol"]["ways"]
        for seed, run in enumerate(measured["runs"]):
            over_classes = ClassInterval.from_json(run["over_test_classes"])
            paired = run["minus_control"]
            lines.append(
                f"| {ways} | seed {seed} | {100 * run['accuracy']:.2f} "
                f"| ± {100 * run['over_episode_draws']:.2f} | {over_classes.text()} "
                f"| {100 * measured['chance']:.0f} | {100 * run['control']:.2f} "
                f"| {100 * paired['difference']:+.2f} "
                f"± {100 * paired['half_width']:.2f} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Chooses, measures, prints and writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", help="where miniImageNet is [the default]")
    parser.add_argument("--per-class", type=int, default=100, help="pictures [100]")
    parser.add_argument("--data-seed", type=int, default=0, help="that draws them [0]")
    parser.add_argument("--size", type=int, default=128, help="pixels [128]")
    parser.add_argument("--seeds", type=int, default=3, help="trainings [3]")
    parser.add_argument("--choice-seeds", type=int, default=1, help="that choose [1]")
    parser.add_argument("--episodes", type=int, default=1000, help="measured [1000]")
    parser.add_argument("--output", type=Path, default=RESULTS / f"{NAME}.json")
    arguments = parser.parse_args()
    content = measure_all(arguments)
    table = markdown(content)
    print(table)
    write_json(arguments.output, content)


if __name__ == "__main__":
    main()
