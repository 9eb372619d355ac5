"""Writes the two short tables of the README from results/: accuracies, ratios."""

from __future__ import annotations

import argparse
from typing import Any

from report import FOLDER, RESULTS

from tfmeta.json_files import read_json
from tfmeta.reproduction.readme import put_into_readme


def _of_row(name: str, row: str, number: int) -> tuple[float, float]:
    """Percent and half of the interval over episode draws, of a published table."""
    content = read_json(RESULTS / f"{name}.json")
    found = next(r for r in content["rows"] if r["row"] == row)
    figure = found["runs"][0]["figures"][number]
    low, high = figure["intervals"]["episode draws"]
    return figure["percent"], (high - low) / 2


def _without_training(
    name: str, data_set: str, task: tuple[int, int], method: str
) -> tuple[float, float]:
    measured = read_json(RESULTS / f"{name}.json")["data_sets"][data_set]
    for one in measured["tasks"]:
        if (one["protocol"]["ways"], one["protocol"]["shots"]) == task:
            result = one["results"][method]
            return 100 * result["accuracy"], 100 * result["over_episode_draws"]
    raise ValueError(f"{name}.json must hold {task} of {data_set}. Received: no such")


def results() -> str:
    """Four rows: drawings, photographs from scratch and pre-trained, texts."""
    rows = [
        (
            "Omniglot, 5-way 1-shot",
            "Siamese Network, triplet loss, trained 20 minutes",
            _of_row("omniglot", "siamese", 0),
        ),
        (
            "miniImageNet, 5-way 1-shot",
            "Baseline++ on Conv4, trained 27 minutes",
            _of_row("mini-imagenet", "baseline_plus_plus", 0),
        ),
        (
            "miniImageNet, 5-way 5-shot",
            "SimpleShot on EfficientNet-Lite0, untrained; "
            "**classes seen in pre-training**",
            _without_training(
                "photos_without_training", "mini_imagenet", (5, 5), "SimpleShot, 224"
            ),
        ),
        (
            "CLINC150, 5-way 1-shot",
            "SimpleShot on WordLlama, untrained",
            _without_training(
                "text_without_training", "clinc150", (5, 1), "SimpleShot"
            ),
        ),
    ]
    lines = ["| test classes | learner, two CPU cores | accuracy, % |", "|---|---|---|"]
    lines += [
        f"| {task} | {learner} | {percent:.2f} ± {half_width:.2f} |"
        for task, learner, (percent, half_width) in rows
    ]
    lines += ["", "1,000 episodes of seed 0; 95 % intervals over episode draws."]
    return "\n".join(lines) + "\n"


def _goal(name: str, what: str) -> dict[str, Any]:
    goals = read_json(RESULTS / f"{name}.json")["goals"]
    return next(goal["measured"] for goal in goals if goal["what"] == what)


def ratios() -> str:
    """Four ratios of speed, each of one interleaved run."""
    inference = read_json(RESULTS / "encoder_inference.json")["groups"]
    served = next(g for g in inference if "256" in g["name"])["contestants"]
    measured = {
        "training an encoder, 60-way 1-shot, over PyTorch": _goal(
            "encoder_training", "60-way 1-shot, tfmeta over PyTorch eager"
        ),
        "drawing episodes, 16 tasks a batch, over learn2learn": _goal(
            "episode_drawing", "tfmeta over learn2learn, tasks a batch: 16"
        ),
        "second-order MAML, 5 inner steps, over learn2learn": _goal(
            "maml_training", "5 inner steps, 4 tasks: tfmeta over learn2learn"
        ),
        "embedding 256 pictures by the SavedModel, over PyTorch": next(
            c["ratio"] for c in served if c["name"] == "SavedModel, embed"
        ),
    }
    lines = ["| how many times as fast | median (smallest to largest) |", "|---|---|"]
    lines += [
        f"| {what} | {v['median']:.3g} ({v['min']:.3g} to {v['max']:.3g}) |"
        for what, v in measured.items()
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Puts both into the README."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    for name, table in (("results", results()), ("ratios", ratios())):
        print(table)
        put_into_readme(FOLDER.parent / "README.md", name, table)


if __name__ == "__main__":
    main()
