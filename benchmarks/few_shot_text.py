"""Few-shot intents: a Prototypical Network beside TF-IDF on identical episodes.

Trains on the intents of the training split, chooses the epoch on validation
episodes, and measures 10-way 1-shot and 5-shot on fixed test episodes. Imports the
data from --from where the data folder does not hold them.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from baselines import evaluate_baseline, nearest_centroid
from report import (
    RESULTS,
    command_line,
    describe_machine,
    git_commit,
    replace_table,
    write_json,
)
from sklearn.feature_extraction.text import TfidfVectorizer

import tfmeta
from tfmeta.datasets import ClassTable
from tfmeta.datasets.registry import import_dataset
from tfmeta.encoders import TextEncoder
from tfmeta.episodes import Episodes
from tfmeta.evaluation import ClassInterval, EvaluationResult, compare, evaluate
from tfmeta.json_files import read_json
from tfmeta.learners import PrototypicalNetwork

NAME = "few_shot_text"
DATA_SETS = {"clinc150": "CLINC150", "banking77": "BANKING77"}
SHOTS = (1, 5)
WAYS, QUERIES = 10, 10
TF_IDF = {
    "TF-IDF of words": {"analyzer": "word", "token_pattern": r"(?u)\b\w+\b"},
    "TF-IDF of characters": {"analyzer": "char_wb", "ngram_range": (2, 4)},
}
LEARNER, UNTRAINED = "Prototypical Network", "Prototypical Network, untrained"


@dataclasses.dataclass(frozen=True)
class Settings:
    """Of the training; chosen on validation episodes of CLINC150."""

    ways: int = 60
    shots: int = 1
    queries: int = 5
    learning_rate: float = 3e-4
    radius: float = 3.0
    forget: float = 0.3
    features: int = 1024
    epochs: int = 6
    steps_per_epoch: int = 100
    seed: int = 0


def import_where_absent(name: str, data_dir: Path | None, folder: Path | None) -> None:
    """Imports a data set from a folder, where the data folder does not hold it."""
    try:
        tfmeta.datasets.load(name, data_dir=data_dir)
    except FileNotFoundError:
        if folder is None:
            raise
        print(*import_dataset(name, folder, data_dir=data_dir).notes, sep="\n")


def load_splits(name: str, data_dir: Path | None) -> dict[str, ClassTable]:
    """The three splits."""
    return {
        split: tfmeta.datasets.load(name, split=split, data_dir=data_dir)
        for split in ("train", "validation", "test")
    }


def train(
    splits: dict[str, ClassTable], settings: Settings
) -> tuple[PrototypicalNetwork, PrototypicalNetwork, dict[str, Any]]:
    """A trained learner, the same one untrained, and how it went."""
    learner = PrototypicalNetwork(
        TextEncoder(
            splits["train"].examples,
            features=settings.features,
            radius=settings.radius,
            forget=settings.forget,
            seed=settings.seed,
        )
    )
    untrained = keras.models.clone_model(learner)
    untrained.set_weights(learner.get_weights())
    learner.compile(keras.optimizers.Adam(settings.learning_rate))
    episodes = Episodes(
        splits["train"],
        ways=min(settings.ways, splits["train"].num_classes),
        shots=settings.shots,
        queries=settings.queries,
        seed=settings.seed,
    )
    validation = Episodes(
        splits["validation"], ways=WAYS, shots=1, queries=QUERIES, tasks=10, seed=1
    )
    best = keras.callbacks.EarlyStopping(
        "val_accuracy",
        mode="max",
        patience=settings.epochs,
        restore_best_weights=True,
        start_from_epoch=0,
    )
    began = time.perf_counter()
    history = learner.fit(
        episodes.as_dataset(),
        validation_data=validation.as_dataset(steps=40),
        steps_per_epoch=settings.steps_per_epoch,
        epochs=settings.epochs,
        callbacks=[best],
        shuffle=False,
        verbose=2,
    )
    accuracies = history.history["val_accuracy"]
    return (
        learner,
        untrained,
        {
            "seconds": time.perf_counter() - began,
            "validation_accuracies": accuracies,
            "chosen_epoch": int(np.argmax(accuracies)) + 1,
        },
    )


def tf_idf_cosines(
    splits: dict[str, ClassTable], options: dict[str, Any]
) -> np.ndarray:
    """Cosines of all test texts, by terms and rarities of the training texts."""
    vectorizer = TfidfVectorizer(**options).fit(splits["train"].examples)
    vectors = vectorizer.transform(splits["test"].examples)
    return (vectors @ vectors.T).toarray()


def measure(
    splits: dict[str, ClassTable], settings: Settings, num_episodes: int
) -> dict[str, Any]:
    """All figures of one data set."""
    learner, untrained, training = train(splits, settings)
    cosines = {name: tf_idf_cosines(splits, o) for name, o in TF_IDF.items()}
    seen = {*splits["train"].origins, *splits["validation"].origins}
    tasks = []
    for shots in SHOTS:
        episodes = Episodes(
            splits["test"], ways=WAYS, shots=shots, queries=QUERIES, tasks=10
        )
        ours = {
            name: evaluate(
                model, episodes, num_episodes=num_episodes, seen_classes=seen
            )
            for name, model in ((LEARNER, learner), (UNTRAINED, untrained))
        }
        results = ours | {
            name: evaluate_baseline(nearest_centroid(c), episodes, ours[LEARNER])
            for name, c in cosines.items()
        }
        tasks.append(_task(results))
        print(*results.values(), sep="\n")
    return {"training": training, "tasks": tasks}


def _task(results: dict[str, EvaluationResult]) -> dict[str, Any]:
    return {
        "protocol": results[LEARNER].protocol,
        "results": {
            name: {
                "accuracy": result.accuracy,
                "over_episode_draws": result.over_episode_draws,
                "over_test_classes": result.over_test_classes.to_json(),
                "learner_minus_this": dataclasses.asdict(
                    compare(results[LEARNER], result)
                ),
            }
            for name, result in results.items()
        },
    }


def markdown(content: dict[str, Any]) -> str:
    """The table, and under it what a reader needs to judge it."""
    lines = [
        "| 10-way | | accuracy | over episode draws | over test classes "
        "| Prototypical Network minus this |",
        "|---|---|---|---|---|---|",
    ]
    for name, measured in content["data_sets"].items():
        for task in measured["tasks"]:
            where = f"{DATA_SETS[name]} {task['protocol']['shots']}-shot"
            for method, result in task["results"].items():
                over_classes = ClassInterval.from_json(result["over_test_classes"])
                paired = result["learner_minus_this"]
                gap = f"{100 * paired['difference']:+.2f} ± "
                gap += f"{100 * paired['half_width']:.2f}"
                figure = f"{100 * result['accuracy']:.2f}"
                lines.append(
                    f"| {where} | {method} "
                    f"| {f'**{figure}**' if method == LEARNER else figure} "
                    f"| ± {100 * result['over_episode_draws']:.2f} "
                    f"| {over_classes.text()} "
                    f"| {'' if method == LEARNER else gap} |"
                )
    settings = content["settings"]
    steps = settings["epochs"] * settings["steps_per_epoch"]
    protocol = content["data_sets"]["clinc150"]["tasks"][0]["protocol"]
    seconds = max(m["training"]["seconds"] for m in content["data_sets"].values())
    lines += [
        "",
        "Accuracy in percent, inductive. CLINC150: intents of three test domains that "
        "share none with the five of training and the two of validation. BANKING77: 20 "
        "test intents of its one domain. "
        f"{protocol['episodes']:,} test episodes of seed {protocol['seed']} with "
        f"{protocol['queries']} queries per class, the same for every line. Intervals "
        "are 95 %: over the drawing of episodes, and over test classes with their "
        "sentences; the last column is the paired difference over "
        "identical episodes. TF-IDF: scikit-learn's, fitted on the training classes, "
        "cosine to the mean of the support. The network is trained from random "
        f"vectors on the training classes alone, {settings['ways']}-way "
        f"{settings['shots']}-shot (47-way for BANKING77, which has no more classes), "
        f"{steps:,} steps of seed {settings['seed']}, at most {seconds:.0f} seconds a "
        f"data set on {content['machine']['cores']} "
        f"cores ({content['machine']['processor']}); the epoch was chosen on "
        "validation classes, the settings on those of CLINC150. "
        f"`{content['command']}`, commit {(content['commit'] or 'unknown')[:12]}.",
    ]
    return "\n".join(lines) + "\n"


def measure_all(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything the table says."""
    settings = Settings(seed=arguments.seed)
    data_sets = {}
    for name in DATA_SETS:
        folder = arguments.source and arguments.source / name
        import_where_absent(name, arguments.data_dir, folder)
        splits = load_splits(name, arguments.data_dir)
        data_sets[name] = measure(splits, settings, arguments.episodes)
    return {
        "format_version": 1,
        "benchmark": NAME,
        "command": command_line(),
        "commit": git_commit(),
        "machine": describe_machine(),
        "settings": dataclasses.asdict(settings),
        "data_sets": data_sets,
    }


def main() -> None:
    """Trains, measures, writes the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, help="where data sets are kept")
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        help="folder with clinc150/ and banking77/ as their authors publish them",
    )
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="of the training")
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
        content = measure_all(arguments)
        write_json(file, content)
    table = markdown(content)
    print(table)
    if arguments.update_tables:
        replace_table(NAME, table)


if __name__ == "__main__":
    main()
