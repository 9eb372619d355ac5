"""What a run says of itself beside its export: its data, training and figures."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfmeta.datasets import ClassTable
from tfmeta.datasets.registry import DATASETS
from tfmeta.evaluation import EvaluationResult, OpenSetResult
from tfmeta.registry import learner_entry
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.data import light_ground
from tfmeta.runs.measuring.on_episodes import read_results
from tfmeta.runs.measuring.open_set import OpenSet
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.run_in_words import describe_run
from tfmeta.runs.train_command import train_command


def describe_export(folder: RunFolder, table: ClassTable) -> dict[str, Any]:
    """The `description` of a run's export, as `DescribedRun` has it.

    Args:
        folder: The run.
        table: Classes of its data set, of any split.

    Raises:
        ValueError: When a file with results is damaged.
    """
    config = folder.read_config()
    entry, record = learner_entry(config.learner), DATASETS.get(config.dataset)
    return {
        "learner": {
            "name": config.learner,
            "title": entry.title,
            "summary": entry.summary,
            "family": entry.family,
            "support": entry.support,
        },
        "training_data": table.name,
        "training_data_description": record.description
        if record
        else table.description,
        "training_data_licence": record.licence if record else "unknown",
        "light_ground": light_ground(table),
        "classes": folder.seen_by_split(),
        "training": _training_in_words(config),
        "protocol": config.to_json(),
        "command": train_command(config),
        "commit": folder.read_environment().get("commit"),
        "failure": folder.failure,
        "test_figures": [_figure(result) for result in read_results(folder)],
        "open_set": [_open_set(result) for result in OpenSet().read(folder)],
    }


def _training_in_words(config: TrainConfig) -> str:
    trained = f"This run {describe_run(config)}"
    if learner_entry(config.learner).trains_on == "nothing":
        return f"{trained}."
    valid = config.validation
    return (
        f"{trained}. It takes {config.steps:,} steps with seed {config.seed} and keeps "
        f"the weights of the best of {config.epochs:,} epochs, by "
        f"{config.validation_episodes:,} tasks ({valid.ways}-way {valid.shots}-shot) "
        "of the validation classes."
    )


def _figure(result: EvaluationResult) -> dict[str, Any]:
    return {
        **_episodes(result.protocol),
        "test_classes": len(set(result.class_clusters)),
        "accuracy": result.accuracy,
        "over_episode_draws": result.over_episode_draws,
        "over_test_classes": result.over_test_classes.to_json(),
        "chance": result.chance,
        "calibration_error": result.expected_calibration_error,
        "class_recall": _recall(result),
        "transductive": result.transductive,
        "beside_transductive": _beside(result),
        "pretraining": result.pretraining and result.pretraining.to_json(),
    }


def _episodes(protocol: dict[str, Any]) -> dict[str, Any]:
    """What fixes the episodes of a figure, but for the fingerprint of their data."""
    of_tasks = {k: protocol[k] for k in ("ways", "shots", "queries", "episodes")}
    return {
        **of_tasks,
        "data": protocol["table"],
        "seed": protocol.get("seed"),
        "same_group": bool(protocol.get("same_group")),
        "unlabelled": protocol.get("unlabelled", 0),
        "support": protocol.get("support", "examples"),
        "query_dirichlet": protocol.get("query_dirichlet"),
    }


def _recall(result: EvaluationResult) -> dict[str, Any] | None:
    """How far the classes lie apart; `None` where their answers were not kept."""
    asked = np.flatnonzero(result.class_total)
    if not len(asked):
        return None
    recall = result.class_recall[asked]
    return {
        "classes": len(asked),
        "median": float(np.median(recall)),
        "lowest": float(recall.min()),
        "lowest_class": result.class_names[asked[recall.argmin()]],
    }


def _beside(result: EvaluationResult) -> dict[str, float | None] | None:
    beside = result.transduction
    if beside is None:
        return None
    unequal = None if beside.unequal is None else float(beside.unequal.mean())
    return {"alone": float(beside.alone.mean()), "unequal_classes": unequal}


def _open_set(result: OpenSetResult) -> dict[str, Any]:
    kept, threshold = result.to_json(), result.threshold
    return {
        **_episodes(result.protocol),
        "test_classes": len(set(result.class_clusters)),
        "unknown_ways": result.protocol["unknown_ways"],
        "figures": {
            name: {key: value for key, value in figure.items() if key != "episodes"}
            for name, figure in kept["figures"].items()
        },
        "threshold": {
            "score": threshold.score,
            "value": threshold.value,
            "recall": threshold.recall,
            "validation_episodes": threshold.protocol["episodes"],
        },
        "transductive": result.transductive,
        "pretraining": kept["pretraining"],
    }
