"""What `expect` says of a task from its ten examples a class, beside the truth.

Tasks of five classes are drawn from miniImageNet's test classes, which the encoder has
seen in its pre-training on ImageNet, from Omniglot's test characters, which it has not,
and from CLINC150's test intents. Each has ten examples a class; all others of these
classes are the queries that tell the truth. Features are computed once and kept beside
the data.

    python benchmarks/expectation.py --update-tables
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
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
from tfmeta.estimation import Expectation, expect
from tfmeta.estimation.heads import in_their_span, shared_head
from tfmeta.estimation.refits import Refits, Split
from tfmeta.evaluation.intervals import over_episode_draws, over_trials
from tfmeta.features import features_dir, features_of
from tfmeta.json_files import read_json

NAME = "expectation"
WAYS, SHOTS, SIZE = 5, 10, 128
# Tasks, classes (all where there are fewer) and examples of each that are encoded.
SETTINGS = {
    "mini_imagenet": ("miniImageNet (seen)", "efficientnet_lite0", 100, 20, 60),
    "omniglot": ("Omniglot", "efficientnet_lite0", 100, 60, 20),
    "clinc150": ("CLINC150", "wordllama", 200, 150, 150),
}


def features_by_class(name: str, split: str, data_dir: Path | None) -> np.ndarray:
    """Features of some examples of each class, `(classes, examples, features)`."""
    _, encoder_name, _, classes, most = SETTINGS[name]
    table = tfmeta.datasets.load(name, split=split, data_dir=data_dir)
    rows = chosen_rows(table, classes, most)
    arguments = {}
    if encoder_name != "wordllama":
        arguments = {"input_shape": table.example_shape, "size": SIZE}
    encoder = tfmeta.encoders.pretrained(encoder_name, **arguments)
    began = time.perf_counter()
    examples = [table.examples[row] for row in rows.reshape(-1)]
    found = features_of(encoder, examples, cache_dir=features_dir(data_dir))
    print(
        f"{name}: {len(examples)} features in {time.perf_counter() - began:.0f} s",
        flush=True,
    )
    return found.reshape(*rows.shape, -1)


def chosen_rows(table: ClassTable, classes: int, most: int) -> np.ndarray:
    """The first rows of classes that are drawn, as many of each."""
    sizes = np.asarray(table.class_sizes)
    starts = np.cumsum(sizes) - sizes
    drawn = np.random.default_rng(0).permutation(len(sizes))[:classes]
    return np.sort(starts[drawn])[:, None] + np.arange(min(most, sizes.min()))


def measure(
    features: np.ndarray,
    tasks: int,
    seed: int,
    keep: Callable[[list[dict[str, Any]]], None],
) -> None:
    """Estimate and truth of each task, kept after every ten."""
    found = []
    for number in range(tasks):
        rng = np.random.default_rng([seed, number])
        classes = rng.permutation(len(features))[:WAYS]
        rows = np.stack([rng.permutation(features.shape[1]) for _ in classes])
        by_class = features[classes[:, None], rows]
        given = by_class[:, :SHOTS].reshape(WAYS * SHOTS, -1)
        names = np.repeat([f"class {place}" for place in range(WAYS)], SHOTS)
        began = time.perf_counter()
        expected = expect(given, list(names), seed=number)
        seconds = time.perf_counter() - began
        found.append(
            {
                "head": expected.choice.head,
                "estimate": expected.accuracy.value,
                "low": expected.accuracy.low,
                "high": expected.accuracy.high,
                "seconds": seconds,
                **truth_of(by_class, expected),
                "curve": [
                    [point.shots, point.accuracy.value] for point in expected.curve
                ],
            }
        )
        if number % 10 == 9 or number == tasks - 1:
            keep(found)
            print(number + 1, summary(found), flush=True)


def truth_of(by_class: np.ndarray, expected: Expectation) -> dict[str, Any]:
    """Accuracy on all others, of the head on all that was given and on twice as many.

    With twice as many the queries are those that are left; none where that is less
    than as many again.
    """
    per_class = by_class.shape[1]
    flat = in_their_span(by_class.reshape(-1, by_class.shape[-1]))
    labels = np.repeat(np.arange(WAYS), per_class)
    place = np.tile(np.arange(per_class), WAYS)
    refits = Refits(
        shared_head(expected.choice.head, flat.shape[1]), flat, labels, WAYS
    )

    def share(shots: int) -> float:
        split = Split(np.flatnonzero(place < shots), np.flatnonzero(place >= shots))
        ((_, logits),) = refits.logits([split])
        return float((logits.argmax(axis=1) == labels[split.test]).mean())

    found: dict[str, Any] = {
        "truth": share(SHOTS),
        "queries": WAYS * (per_class - SHOTS),
    }
    if per_class >= 4 * SHOTS:
        last = expected.curve[-1].accuracy
        found["twice"] = {
            "estimate": last.value,
            "low": last.low,
            "high": last.high,
            "truth": share(2 * SHOTS),
        }
    return found


def summary(tasks: list[dict[str, Any]]) -> dict[str, Any]:
    """Error, bias and coverage, each with its interval over the drawing of tasks."""
    gaps = np.array([task["estimate"] - task["truth"] for task in tasks])
    covered = [task["low"] <= task["truth"] <= task["high"] for task in tasks]
    agree = [_agree(task) for task in tasks]
    found = {
        "truth": float(np.mean([task["truth"] for task in tasks])),
        "absolute_error": _mean(np.abs(gaps)),
        "bias": _mean(gaps),
        "width": float(np.mean([task["high"] - task["low"] for task in tasks])),
        "coverage": _share(covered),
        "agreement": _share(agree),
        "seconds": float(np.median([task["seconds"] for task in tasks])),
    }
    twice = [task["twice"] for task in tasks if "twice" in task]
    if twice:
        gains = np.array(
            [
                [
                    task["twice"]["estimate"] - task["estimate"],
                    task["twice"]["truth"] - task["truth"],
                ]
                for task in tasks
            ]
        )
        found["twice"] = {
            "gain_estimated": _mean(gains[:, 0]),
            "gain_true": _mean(gains[:, 1]),
            "absolute_error": _mean(
                np.array([abs(one["estimate"] - one["truth"]) for one in twice])
            ),
            "coverage": _share(
                [one["low"] <= one["truth"] <= one["high"] for one in twice]
            ),
        }
    return found


def _agree(task: dict[str, Any]) -> bool:
    """Whether estimate and truth may be equal, by the intervals of both.

    The truth is a share of some queries, with an error of its own, and of 50 queries
    all may be right where 97 % are. By Newcombe's interval for a difference (1998,
    *Interval Estimation for the Difference Between Independent Proportions*).
    """
    queries = task["queries"]
    low, high = over_trials(task["truth"] * queries, queries)
    gap = task["estimate"] - task["truth"]
    below = np.hypot(task["estimate"] - task["low"], high - task["truth"])
    above = np.hypot(task["high"] - task["estimate"], task["truth"] - low)
    return bool(gap - below <= 0 <= gap + above)


def _mean(values: np.ndarray) -> dict[str, float]:
    half = over_episode_draws(values)
    return {"mean": float(values.mean()), "half_width": half}


def _share(hits: list[bool]) -> dict[str, float]:
    low, high = over_trials(sum(hits), len(hits))
    return {"mean": float(np.mean(hits)), "low": low, "high": high}


def markdown(content: dict[str, Any]) -> str:
    """The table, and under it what a reader needs to judge it."""
    lines = [
        "| tasks | truth | mean absolute error | bias | width of the interval "
        "| holds the truth | agrees with it, by the errors of both |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, measured in content["data_sets"].items():
        found = measured["summary"]
        lines.append(
            f"| {len(measured['tasks'])} of {SETTINGS[name][0]} "
            f"| {100 * found['truth']:.1f} | {_points(found['absolute_error'])} "
            f"| {_points(found['bias'], '+')} | {100 * found['width']:.1f} "
            f"| {_percent(found['coverage'])} "
            f"| {_percent(found['agreement'])} |"
        )
    first = next(iter(content["data_sets"].values()))
    twice = [
        f"{SETTINGS[name][0]} {_points(found['gain_estimated'], '+')} expected, "
        f"{_points(found['gain_true'], '+')} found, the interval holds the truth in "
        f"{_percent(found['coverage'])}"
        for name, measured in content["data_sets"].items()
        if (found := measured["summary"].get("twice"))
    ]
    lines += [
        "",
        f'`tfmeta.estimation.expect` with `head="auto"` on {WAYS} classes × {SHOTS} '
        "examples, beside the accuracy of the head that it chose on all other examples "
        "of these classes: "
        + ", ".join(
            f"{measured['tasks'][0]['queries']} queries of {SETTINGS[name][0]}"
            for name, measured in content["data_sets"].items()
        )
        + ". Points and percent. The interval is of 95 %; it is to hold the truth in "
        "as many tasks. The truth is a share of queries itself, of Omniglot of few: "
        "the last column asks whether both may be equal, by Newcombe's interval. "
        "Intervals in the table are 95 % over the drawing of tasks from these classes "
        "and examples, which tasks share. Ten more examples a class: "
        + "; ".join(twice)
        + f". Features by EfficientNet-Lite0 at {SIZE} pixels, trained on ImageNet, "
        "**of which miniImageNet's classes are a part**, and not on characters; of "
        "texts by WordLlama. The picture of all tasks is "
        f"[results/{NAME}.png](results/{NAME}.png). Seed {first['seed']}, "
        f"`{first['command']}`, commit {(first['commit'] or 'unknown')[:12]}.",
    ]
    return "\n".join(lines) + "\n"


def _points(value: dict[str, float], sign: str = "") -> str:
    return f"{100 * value['mean']:{sign}.1f} ± {100 * value['half_width']:.1f}"


def _percent(value: dict[str, float]) -> str:
    low, high = (100 * value[end] for end in ("low", "high"))
    return f"{100 * value['mean']:.1f} ({low:.0f} to {high:.0f})"


def draw(content: dict[str, Any], path: Path) -> None:
    """The scatter picture: estimate and interval by truth."""
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    data_sets = content["data_sets"]
    figure, axes = plt.subplots(
        1, len(data_sets), figsize=(4 * len(data_sets), 4), squeeze=False
    )
    for axis, (name, measured) in zip(axes[0], data_sets.items(), strict=True):
        values = np.array(
            [
                [100 * task[key] for key in ("truth", "estimate", "low", "high")]
                for task in measured["tasks"]
            ]
        )
        truth, estimate, low, high = values.T
        held = (low <= truth) & (truth <= high)
        for part, colour in ((held, "#4477aa"), (~held, "#cc3311")):
            axis.errorbar(
                truth[part],
                estimate[part],
                yerr=np.abs([estimate - low, high - estimate])[:, part],
                fmt="o",
                markersize=3,
                color=colour,
                ecolor=(colour, 0.2),
                linewidth=0,
                elinewidth=1,
            )
        ends = [min(truth.min(), low.min()) - 2, 101]
        axis.plot(ends, ends, color="black", linewidth=0.8)
        axis.set(
            xlim=ends,
            ylim=ends,
            aspect="equal",
            title=SETTINGS[name][0],
            xlabel="accuracy on all other examples, %",
            ylabel="expected accuracy and interval, %",
        )
    figure.tight_layout()
    figure.savefig(path, dpi=100, metadata={"Software": None})
    plt.close(figure)


def write_tasks(
    file: Path,
    arguments: argparse.Namespace,
    name: str,
    classes: int,
    tasks: list[dict[str, Any]],
) -> None:
    """Writes what there is of one data set; what the file has of others stays."""
    found = read_json(file)["data_sets"] if file.exists() else {}
    found[name] = {
        "command": command_line(),
        "commit": git_commit(),
        "machine": describe_machine(),
        "seed": arguments.seed,
        "split": arguments.split,
        "classes": classes,
        "summary": summary(tasks),
        "tasks": tasks,
    }
    content = {
        "format_version": 1,
        "benchmark": NAME,
        "data_sets": {key: found[key] for key in SETTINGS if key in found},
    }
    write_json(file, content)


def main() -> None:
    """Measures, writes the table and the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, help="where data sets are kept")
    parser.add_argument(
        "--only", choices=SETTINGS, help="one data set; the others stay as they are"
    )
    parser.add_argument("--split", default="test", help="whose classes")
    parser.add_argument("--tasks", type=int, help="so many of each data set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument(
        "--table-only",
        action="store_true",
        help="measure nothing, take the result file",
    )
    parser.add_argument("--update-tables", action="store_true")
    arguments = parser.parse_args()
    file = arguments.results / f"{NAME}.json"
    if not arguments.table_only:
        for name in [arguments.only] if arguments.only else SETTINGS:
            features = features_by_class(name, arguments.split, arguments.data_dir)
            keep = functools.partial(write_tasks, file, arguments, name, len(features))
            count = arguments.tasks or SETTINGS[name][2]
            measure(features, count, arguments.seed, keep)
    content = read_json(file)
    for measured in content["data_sets"].values():
        measured["summary"] = summary(measured["tasks"])
    write_json(file, content)
    text = markdown(content)
    print(text)
    draw(content, file.with_suffix(".png"))
    if arguments.update_tables:
        replace_table(NAME, text)


if __name__ == "__main__":
    main()
