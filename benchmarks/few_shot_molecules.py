"""Few-shot toxicity: a Prototypical Network beside random forests, same episodes.

Every task is an assay: 5 or 10 active and as many inactive molecules to learn from,
16 of each to tell apart. Trains on the training assays, chooses the number of steps
on the validation assays, trains on both for so many steps, and measures the mean
area under the ROC curve of fixed test episodes. Needs rdkit for the fingerprints.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from baselines import Classifier, evaluate_baseline
from few_shot_text import import_where_absent
from report import (
    RESULTS,
    command_line,
    describe_machine,
    git_commit,
    replace_table,
    write_json,
)
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer

import tfmeta
from tfmeta.datasets import ClassTable
from tfmeta.encoders import TextEncoder
from tfmeta.episodes import Episodes
from tfmeta.evaluation import EvaluationResult, compare, evaluate
from tfmeta.evaluation.intervals import over_episode_draws
from tfmeta.json_files import read_json
from tfmeta.learners import PrototypicalNetwork

NAME = "few_shot_molecules"
DATA_SETS = {"tox21": "Tox21", "sider": "SIDER"}
SHOTS = (5, 10)
QUERIES = 16
LEARNER = "Prototypical Network"
FINGERPRINTS = "random forest on Morgan fingerprints"
COUNTS = "random forest on character n-grams"


@dataclasses.dataclass(frozen=True)
class Settings:
    """Of the training; chosen on validation episodes of Tox21."""

    shots: int = 5
    queries: int = 16
    tasks: int = 4
    learning_rate: float = 1e-3
    character_ngrams: tuple[int, int] = (1, 6)
    max_terms: int = 8000
    radius: float = 2.0
    features: int = 256
    epochs: int = 6
    steps_per_epoch: int = 100
    seed: int = 0
    trees: int = 100


def build(table: ClassTable, settings: Settings) -> PrototypicalNetwork:
    """A learner whose terms are those of the molecules of a table."""
    learner = PrototypicalNetwork(
        TextEncoder(
            np.unique(table.examples),
            words=False,
            character_ngrams=settings.character_ngrams,
            standardize=False,
            max_terms=settings.max_terms,
            radius=settings.radius,
            features=settings.features,
            seed=settings.seed,
        )
    )
    learner.compile(keras.optimizers.Adam(settings.learning_rate))
    return learner


def fit(
    table: ClassTable,
    settings: Settings,
    epochs: int,
    validation: Episodes | None = None,
) -> tuple[PrototypicalNetwork, dict[str, Any]]:
    """Trains on the assays of a table."""
    learner = build(table, settings)
    episodes = Episodes(
        table,
        ways=2,
        shots=settings.shots,
        queries=settings.queries,
        tasks=settings.tasks,
        same_group=True,
        seed=settings.seed,
    )
    areas: list[float] = []

    def measure(epoch: int, logs: dict[str, float]) -> None:
        if validation is not None:
            # Nothing is selected by what this learner has not been trained on.
            result = evaluate(learner, validation, num_episodes=600, seen_classes=())
            areas.append(result.auroc)
            print(f"validation AUROC {result.auroc:.4f}")

    began = time.perf_counter()
    learner.fit(
        episodes.as_dataset(),
        steps_per_epoch=settings.steps_per_epoch,
        epochs=epochs,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=measure)],
        shuffle=False,
        verbose=2,
    )
    return learner, {
        "epochs": epochs,
        "seconds": time.perf_counter() - began,
        "validation_auroc": areas,
    }


def fingerprints(molecules: Sequence[str]) -> np.ndarray:
    """Morgan fingerprints of radius 2 and 2,048 bits; 0 for what rdkit refuses."""
    from rdkit import Chem, RDLogger
    from rdkit.Chem import rdFingerprintGenerator

    RDLogger.DisableLog("rdApp.*")
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    unique, place = np.unique(molecules, return_inverse=True)
    bits = np.zeros((len(unique), 2048), np.float32)
    for row, smiles in enumerate(unique):
        molecule = Chem.MolFromSmiles(smiles)
        if molecule is not None:
            bits[row] = generator.GetFingerprintAsNumPy(molecule)
    return bits[place]


def ngram_counts(molecules: Sequence[str]) -> np.ndarray:
    """Counts of the 2,048 most frequent n-grams of one to four characters."""
    vectorizer = CountVectorizer(
        analyzer="char", lowercase=False, ngram_range=(1, 4), max_features=2048
    )
    return vectorizer.fit_transform(molecules).toarray().astype(np.float32)


def forest(features: np.ndarray, trees: int) -> Classifier:
    """A random forest fitted on each support."""

    def classify(support: np.ndarray, query: np.ndarray) -> np.ndarray:
        labels = np.repeat(np.arange(len(support)), support.shape[1])
        model = RandomForestClassifier(trees, random_state=0)
        model.fit(features[support.ravel()], labels)
        # What `predict_proba` gives, without its threads.
        asked = features[query]
        return np.mean(
            [tree.tree_.predict(asked) for tree in model.estimators_], axis=0
        )

    return classify


def measure(
    name: str, data_dir: Path | None, settings: Settings, num_episodes: int
) -> dict[str, Any]:
    """All figures of one data set."""
    splits = {
        split: tfmeta.datasets.load(name, split=split, data_dir=data_dir)
        for split in ("train", "validation", "trainval", "test")
    }
    validation = Episodes(
        splits["validation"],
        ways=2,
        shots=5,
        queries=QUERIES,
        tasks=20,
        same_group=True,
        seed=1,
    )
    _, search = fit(splits["train"], settings, settings.epochs, validation)
    epochs = int(np.argmax(search["validation_auroc"])) + 1
    learner, training = fit(splits["trainval"], settings, epochs)
    molecules = splits["test"].examples
    features = {FINGERPRINTS: fingerprints(molecules), COUNTS: ngram_counts(molecules)}
    tasks = []
    for shots in SHOTS:
        episodes = Episodes(
            splits["test"],
            ways=2,
            shots=shots,
            queries=QUERIES,
            tasks=10,
            same_group=True,
        )
        results = {
            LEARNER: evaluate(
                learner,
                episodes,
                num_episodes=num_episodes,
                seen_classes=splits["trainval"].origins,
            )
        }
        for method, of_molecules in features.items():
            results[method] = evaluate_baseline(
                forest(of_molecules, settings.trees), episodes, results[LEARNER]
            )
        assays = assays_of(episodes, num_episodes)
        tasks.append(
            {
                "protocol": results[LEARNER].protocol,
                "results": {
                    method: describe(result, results[LEARNER], assays)
                    for method, result in results.items()
                },
            }
        )
        print(*results.values(), sep="\n")
    return {"search": search, "training": training, "tasks": tasks}


def assays_of(episodes: Episodes, count: int) -> np.ndarray:
    """The assay of each episode."""
    steps = range(-(-count // episodes.tasks))
    classes = np.concatenate([episodes.class_ids(step)[:, 0] for step in steps])
    return np.array(episodes.table.groups)[classes[:count]]


def describe(
    result: EvaluationResult, learner: EvaluationResult, assays: np.ndarray
) -> dict[str, Any]:
    """The figures of one method: over all episodes, and those of each assay."""
    areas = result.episode_auroc
    # The paired difference of areas: `compare` takes what an episode has one of.
    paired = compare(
        dataclasses.replace(learner, episode_accuracies=learner.episode_auroc),
        dataclasses.replace(result, episode_accuracies=areas),
    )
    return {
        "auroc": result.auroc,
        "over_episode_draws": result.auroc_over_episode_draws,
        "learner_minus_this": dataclasses.asdict(paired),
        "accuracy": result.accuracy,
        "assays": {
            str(assay): {
                "auroc": float(areas[assays == assay].mean()),
                "over_episode_draws": over_episode_draws(areas[assays == assay]),
                "episodes": int(np.sum(assays == assay)),
            }
            for assay in np.unique(assays)
        },
    }


def markdown(content: dict[str, Any]) -> str:
    """A table for each data set, and under them what a reader needs to judge."""
    lines = []
    for name, measured in content["data_sets"].items():
        assays = list(measured["tasks"][0]["results"][LEARNER]["assays"])
        lines += [
            f"| {DATA_SETS[name]} | | AUROC | over episode draws "
            f"| Prototypical Network minus this | {' | '.join(assays)} |",
            f"|---|---|---|---|---|{'---|' * len(assays)}",
        ]
        for task in measured["tasks"]:
            for method, result in task["results"].items():
                figure = f"{100 * result['auroc']:.1f}"
                paired = result["learner_minus_this"]
                gap = f"{100 * paired['difference']:+.1f} ± "
                gap += f"{100 * paired['half_width']:.1f}"
                cells = [
                    f"{task['protocol']['shots']} of each",
                    method,
                    f"**{figure}**" if method == LEARNER else figure,
                    f"± {100 * result['over_episode_draws']:.1f}",
                    "" if method == LEARNER else gap,
                    *(
                        f"{100 * of_assay['auroc']:.1f}"
                        for of_assay in result["assays"].values()
                    ),
                ]
                lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    measurements = content["data_sets"].values()
    first = next(iter(measurements))
    settings, machine = first["settings"], first["machine"]
    protocol = first["tasks"][0]["protocol"]
    seconds = max(
        m["search"]["seconds"] + m["training"]["seconds"] for m in measurements
    )
    counts = [
        f"{len(m['tasks'][0]['results'][LEARNER]['assays'])} of {DATA_SETS[name]}"
        for name, m in content["data_sets"].items()
    ]
    commands = [
        f"`{m['command']}`, commit {(m['commit'] or 'unknown')[:12]}"
        for m in measurements
    ]
    lines.append(
        "Mean area under the ROC curve in percent, 50 by chance, inductive. An episode "
        "is a test assay, 5 or 10 active and as many inactive molecules as support, "
        f"{protocol['queries']} and {protocol['queries']} as queries; "
        f"{protocol['episodes']:,} episodes of seed {protocol['seed']}, the same for "
        "every line of a table. The 95 % interval covers the drawing of episodes from "
        "these assays. It says nothing of other assays: there are "
        f"{' and '.join(counts)}, shown one by one. Test assays as in Guo et al., "
        "2021, *Few-Shot Graph Learning for Molecular Property Prediction*; molecules, "
        "not outcomes, are shared with training. Random forests are fitted on each "
        f"support (scikit-learn, {settings['trees']} trees). The network reads SMILES "
        "strings as n-grams of characters; the number of steps was chosen on "
        "validation assays, then it was trained on all training assays (seed "
        f"{settings['seed']}, at most {seconds:.0f} seconds together on "
        f"{machine['cores']} cores, {machine['processor']}). {'; '.join(commands)}."
    )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Trains, measures, writes the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, help="where data sets are kept")
    parser.add_argument(
        "--from", dest="source", type=Path, help="folder with tox21.csv and sider.csv"
    )
    parser.add_argument(
        "--data-set",
        choices=DATA_SETS,
        action="append",
        help="measure this one alone and keep what the result file has of the other",
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
    settings = Settings(seed=arguments.seed)
    file = arguments.results / f"{NAME}.json"
    content = {"format_version": 1, "benchmark": NAME, "data_sets": {}}
    if arguments.table_only or (arguments.data_set and file.exists()):
        content = read_json(file)
    chosen = () if arguments.table_only else arguments.data_set or DATA_SETS
    for name in chosen:
        import_where_absent(name, arguments.data_dir, arguments.source)
        content["data_sets"][name] = {
            "command": command_line(),
            "commit": git_commit(),
            "machine": describe_machine(),
            "settings": dataclasses.asdict(settings),
            **measure(name, arguments.data_dir, settings, arguments.episodes),
        }
    if chosen:
        write_json(file, content)
    table = markdown(content)
    print(table)
    if arguments.update_tables:
        replace_table(NAME, table)


if __name__ == "__main__":
    main()
