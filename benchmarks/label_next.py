"""Which examples to label next: accuracy by labels, beside labelling at random.

Tasks begin with a few labels; ten more are asked for at a time, by each strategy of
label_strategies.py from the same pool. The strategy was chosen on validation classes
of CLINC150 (--validation compares all on those of three data sets), what it gains is
measured on test classes. The encoder of pictures has
seen miniImageNet's classes in its pre-training on ImageNet.

    python benchmarks/label_next.py --update-tables
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from label_strategies import MARGIN, OURS, RANDOM, STRATEGIES, Asked
from label_tasks import Learned, PoolTask, Setting
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
from tfmeta.estimation.covering import directions
from tfmeta.estimation.heads import head_on_features
from tfmeta.estimation.refits import Refits, Split, softmax
from tfmeta.features import features_dir, features_of
from tfmeta.json_files import read_json

NAME = "label_next"
IN_BATCHES_OF = 10
# As many ways as tasks of all strategies have.
FEW_WAYS = 5
BUDGETS = (5, 10, 20, 50)
# Orders at random of each task, and how many labels they are measured at.
ORDERS = 3
FOLLOWED = (0, 5, 10, 20, 30, 50, 75, 100, 150)
PHOTOGRAPHS, TEXTS, CHARACTERS = "mini_imagenet", "clinc150", "omniglot"
# Pictures of a class, and classes, that features are computed for; the first of each.
LIMITS = {PHOTOGRAPHS: (60, 20), TEXTS: (150, 45), CHARACTERS: (20, 50)}
ENCODERS = {
    PHOTOGRAPHS: "efficientnet_lite0",
    TEXTS: "wordllama",
    CHARACTERS: "efficientnet_lite0",
}
SIZES = {
    PHOTOGRAPHS: {"pool": 40, "queries": 15},
    TEXTS: {"pool": 50, "queries": 20},
    CHARACTERS: {"pool": 10, "queries": 5},
}
SETTINGS = (
    *(
        Setting(data, 5, shots, **SIZES[data])
        for shots in (1, 2, 5)
        for data in (PHOTOGRAPHS, TEXTS, CHARACTERS)
    ),
    *(
        Setting(data, 5, 2, **SIZES[data], kind=kind)
        for kind in ("unbalanced", "half unknown")
        for data in (PHOTOGRAPHS, TEXTS)
    ),
    *(Setting(data, 20, 1, **SIZES[data]) for data in (CHARACTERS, TEXTS, PHOTOGRAPHS)),
)
# Where the fitted head is measured as well.
FITTED = tuple(Setting(data, 5, 1, **SIZES[data]) for data in (PHOTOGRAPHS, TEXTS))
FITTED_HEAD = "logistic_regression"


def features_by_class(
    data: str, split: str, data_dir: Path | None
) -> tuple[np.ndarray, np.ndarray]:
    """Features of unit length, and their classes."""
    table = tfmeta.datasets.load(data, split=split, data_dir=data_dir)
    each, classes = LIMITS[data]
    starts = table.offsets[:-1][:classes]
    rows = (starts[:, None] + np.arange(each)).reshape(-1)
    arguments = {} if data == TEXTS else {"size": 128}
    if data != TEXTS:
        arguments["input_shape"] = table.example_shape
    encoder = tfmeta.encoders.pretrained(ENCODERS[data], **arguments)
    features = features_of(
        encoder, table.examples[rows], cache_dir=features_dir(data_dir)
    )
    return directions(features), np.repeat(np.arange(len(starts)), each)


def follow(
    setting: Setting,
    names: list[str],
    features: np.ndarray,
    labels: np.ndarray,
    tasks: int,
    seed: int,
) -> dict[str, Any]:
    """Accuracies of all strategies on the same tasks."""
    cosines = features @ features.T
    budgets = [b for b in BUDGETS if b < setting.ways * setting.pool]
    at = {name: np.zeros((tasks, len(budgets))) for name in names}
    start = np.zeros(tasks)
    pool = len(PoolTask.drawn(setting, labels, np.random.default_rng(0)).pool)
    counts = [count for count in FOLLOWED if count <= pool]
    curve = np.zeros((tasks, len(counts)))
    unknown = dict.fromkeys(names, 0)
    seconds = dict.fromkeys(names, 0.0)
    for number in range(tasks):
        rng = np.random.default_rng([seed, number])
        task = PoolTask.drawn(setting, labels, rng)
        start[number] = Learned(task, features, cosines).accuracy()
        for _ in range(ORDERS):
            order = rng.permutation(task.pool)
            learned = Learned(task, features, cosines)
            found = []
            for less, count in zip([0, *counts], counts, strict=False):
                learned.label(order[less:count])
                found.append(learned.accuracy())
            curve[number] += np.array(found) / ORDERS
        for name in names:
            chance = np.random.default_rng([seed, number, 1])
            learned = Learned(task, features, cosines)
            while len(learned.seen) - len(task.labelled) < budgets[-1]:
                began = time.perf_counter()
                asked = Asked(
                    features,
                    cosines,
                    learned.left,
                    learned.seen,
                    learned.probabilities(),
                    min(IN_BATCHES_OF, len(learned.left)),
                    chance,
                )
                rows = learned.left[STRATEGIES[name](asked)]
                seconds[name] += time.perf_counter() - began
                for half in np.split(rows, [5]):
                    learned.label(half)
                    done = len(learned.seen) - len(task.labelled)
                    if done in budgets:
                        at[name][number, budgets.index(done)] = learned.accuracy()
            given = learned.seen[len(task.labelled) :]
            unknown[name] += int((task.classes[given] < 0).sum())
    random = curve[:, [counts.index(budget) for budget in budgets]]
    mean = curve.mean(axis=0)
    return {
        **vars(setting),
        "budgets": budgets,
        "start": float(start.mean()),
        "random": random.mean(axis=0).tolist(),
        "random_curve": {"labels": counts, "accuracy": mean.tolist()},
        "strategies": {
            name: {
                "gain": [
                    paired(at[name][:, i], random[:, i]) for i in range(len(budgets))
                ],
                "as_random": [
                    labels_for(float(value), counts, mean)
                    for value in at[name].mean(axis=0)
                ],
                "unknown_share": unknown[name] / (tasks * budgets[-1]),
                "seconds_per_batch": seconds[name] / tasks / -(-budgets[-1] // 10),
            }
            for name in names
        },
    }


def labels_for(accuracy: float, counts: list[int], curve: np.ndarray) -> float | None:
    """How many labels at random take as much; `None` for more than were followed."""
    reached = np.flatnonzero(curve >= accuracy)
    if not len(reached):
        return None
    last = int(reached[0])
    if last == 0:
        return 0.0
    low, high = curve[last - 1], curve[last]
    share = (accuracy - low) / (high - low)
    return float(counts[last - 1] + share * (counts[last] - counts[last - 1]))


def follow_fitted(
    setting: Setting, features: np.ndarray, labels: np.ndarray, tasks: int, seed: int
) -> dict[str, Any]:
    """Accuracies of a fitted head, labels at random and by `label_next`."""
    cosines = features @ features.T
    refits = Refits(
        head_on_features(FITTED_HEAD, features.shape[1]),
        features,
        labels,
        int(labels.max()) + 1,
    )
    drawn = [
        PoolTask.drawn(setting, labels, np.random.default_rng([seed, number]))
        for number in range(tasks)
    ]
    steps = BUDGETS[-1] // IN_BATCHES_OF
    accuracies = {name: np.zeros((steps + 1, tasks)) for name in (RANDOM, OURS)}
    for name, found in accuracies.items():
        chance = [np.random.default_rng([seed, number, 1]) for number in range(tasks)]
        seen = [task.labelled for task in drawn]
        left = [task.pool for task in drawn]
        for step in range(steps + 1):
            splits = [
                Split(seen[n], np.concatenate([task.queries, left[n]]))
                for n, task in enumerate(drawn)
            ]
            for n, logits in refits.logits(splits):
                queries = drawn[n].queries
                right = logits[: len(queries)].argmax(axis=1) == labels[queries]
                found[step, n] = right.mean()
                # Classes that are not in the task have no probability.
                own = np.unique(labels[drawn[n].labelled])
                asked = Asked(
                    features,
                    cosines,
                    left[n],
                    seen[n],
                    softmax(logits[len(queries) :][:, own]),
                    IN_BATCHES_OF,
                    chance[n],
                )
                rows = left[n][STRATEGIES[name](asked)]
                seen[n] = np.concatenate([seen[n], rows])
                left[n] = np.setdiff1d(left[n], rows)
    budgets = [IN_BATCHES_OF * step for step in range(1, steps + 1)]
    return {
        **vars(setting),
        "head": FITTED_HEAD,
        "budgets": budgets,
        "random": accuracies[RANDOM][1:].mean(axis=1).tolist(),
        "gain": [
            paired(accuracies[OURS][step], accuracies[RANDOM][step])
            for step in range(1, steps + 1)
        ],
    }


def measure_chosen(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What `label_next` gains on test classes, after each setting all so far."""
    settings: list[dict[str, Any]] = []
    fitted: list[dict[str, Any]] = []
    kept = {
        data: features_by_class(data, "test", arguments.data_dir) for data in LIMITS
    }
    for setting in SETTINGS:
        settings.append(
            follow(
                setting,
                [MARGIN, OURS],
                *kept[setting.data],
                arguments.tasks,
                arguments.seed,
            )
        )
        yield {"settings": settings, "fitted": fitted}
    for setting in FITTED:
        fitted.append(
            follow_fitted(setting, *kept[setting.data], arguments.tasks, arguments.seed)
        )
        yield {"settings": settings, "fitted": fitted}


def measure_all_strategies(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What every strategy gains on validation classes, after each setting."""
    names = [name for name in STRATEGIES if name != RANDOM]
    settings: list[dict[str, Any]] = []
    for setting in SETTINGS:
        if setting.ways > FEW_WAYS or setting.kind != "balanced":
            continue
        features, labels = features_by_class(
            setting.data, "validation", arguments.data_dir
        )
        settings.append(
            follow(setting, names, features, labels, arguments.tasks, arguments.seed)
        )
        yield {"settings": settings}


def markdown(content: dict[str, Any], validation: dict[str, Any] | None) -> str:
    """The tables, and under them what a reader needs to judge them."""
    lines = [*_gains(content), "", *_conditions(content), ""]
    if content["fitted"]:
        lines += [*_fitted(content["fitted"]), ""]
    if validation is not None:
        lines += [
            *_strategies(validation),
            "",
            f"Points over labelling at random on {FEW_WAYS}-way tasks of validation "
            f"classes, {validation['tasks']} of seed {validation['seed']} for each "
            "data set and number of shots; mean over data sets and over "
            f"{', '.join(map(str, BUDGETS))} labels (characters up to 20). "
            f"`{validation['command']}`, commit "
            f"{(validation['commit'] or 'unknown')[:12]}.",
            "",
        ]
    return "\n".join(lines)


def _gains(content: dict[str, Any]) -> list[str]:
    columns = " | ".join(f"{budget} more" for budget in BUDGETS)
    lines = [
        f"| data | ways | labelled of each | before | {columns} "
        "| as many at random | least margin, 10 more | 50 more |",
        "|---" * (4 + len(BUDGETS) + 3) + "|",
    ]
    for line in content["settings"]:
        ours, margin = line["strategies"][OURS], line["strategies"][MARGIN]
        kind = "" if line["kind"] == "balanced" else f", {line['kind']}"
        known = len(line["budgets"])
        cells = [
            f"{100 * random:.1f} {_signed(gain)}"
            for random, gain in zip(line["random"], ours["gain"], strict=True)
        ]
        as_random = [
            f"more than {line['random_curve']['labels'][-1]}"
            if count is None
            else f"{count:.0f}"
            for count in ours["as_random"]
        ]
        row = [
            f"{line['data']}{kind}",
            str(line["ways"]),
            str(line["shots"]),
            f"{100 * line['start']:.1f}",
            *cells,
            *[""] * (len(BUDGETS) - known),
            ", ".join(as_random),
            _signed(margin["gain"][1]),
            _signed(margin["gain"][3]) if known > 3 else "",
        ]
        lines.append(f"| {' | '.join(row)} |")
    return lines


def _conditions(content: dict[str, Any]) -> list[str]:
    photographs, texts, characters = (
        next(line for line in content["settings"] if line["data"] == data)
        for data in (PHOTOGRAPHS, TEXTS, CHARACTERS)
    )
    return [
        "Accuracy of SimpleShot in percent when so many more examples are labelled at "
        f"random (mean of {ORDERS} orders), and the points that `label_next` adds on "
        f"the same tasks, with 95 % intervals over the drawing of {content['tasks']} "
        f"tasks of seed {content['seed']}; they say nothing of other classes. "
        f"{IN_BATCHES_OF} are chosen at a time (5 are the first half of that), from a "
        f"pool of {photographs['pool']} photographs of each class, {texts['pool']} "
        f"texts or {characters['pool']} drawings; accuracy is that on "
        f"{photographs['queries']}, {texts['queries']} or {characters['queries']} "
        'others of each. "As many at random" is how many '
        "labels at random take to the same mean accuracy, by each of the numbers "
        "before. Unbalanced: of four classes the pool has a half, a quarter, an "
        "eighth and a sixteenth of that. Half "
        "unknown: as many classes besides, whose examples cost a label and teach "
        "nothing; of the 50 that `label_next` chose "
        + " and ".join(
            f"{100 * line['strategies'][OURS]['unknown_share']:.0f} % "
            f"({line['data']}; by least margin "
            f"{100 * line['strategies'][MARGIN]['unknown_share']:.0f} %)"
            for line in content["settings"]
            if line["kind"] == "half unknown"
        )
        + " were such. Pictures by EfficientNet-Lite0 at 128 pixels, the first 60 of "
        "each of miniImageNet's 20 test classes, **which the encoder has seen in its "
        "pre-training on ImageNet**, and the drawings of the first 50 test "
        "characters; texts of 45 test intents by WordLlama. "
        f"`{content['command']}`, commit {(content['commit'] or 'unknown')[:12]}.",
    ]


def _fitted(settings: list[dict[str, Any]]) -> list[str]:
    budgets = settings[0]["budgets"]
    columns = " | ".join(f"{budget} more" for budget in budgets)
    lines = [
        f"| data, by {FITTED_HEAD} | ways | labelled of each | {columns} |",
        "|---" * (3 + len(budgets)) + "|",
    ]
    for line in settings:
        cells = " | ".join(
            f"{100 * random:.1f} {_signed(gain)}"
            for random, gain in zip(line["random"], line["gain"], strict=True)
        )
        lines.append(f"| {line['data']} | {line['ways']} | {line['shots']} | {cells} |")
    return lines


def _strategies(validation: dict[str, Any]) -> list[str]:
    settings = validation["settings"]
    shots = sorted({line["shots"] for line in settings})
    columns = " | ".join(f"{count} labelled of each" for count in shots)
    lines = [
        f"| strategy, validation classes | {columns} | least of all cells |",
        "|---" * (2 + len(shots)) + "|",
    ]
    for name in settings[0]["strategies"]:
        gains = {
            count: [
                100 * gain["difference"]
                for line in settings
                if line["shots"] == count
                for gain in line["strategies"][name]["gain"]
            ]
            for count in shots
        }
        cells = " | ".join(f"{np.mean(values):+.2f}" for values in gains.values())
        least = min(min(values) for values in gains.values())
        lines.append(f"| {name} | {cells} | {least:+.2f} |")
    return lines


def _signed(gain: dict[str, float]) -> str:
    return f"{100 * gain['difference']:+.1f} ± {100 * gain['half_width']:.1f}"


def main() -> None:
    """Measures, writes the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, help="where data sets are kept")
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--validation",
        action="store_true",
        help="all strategies on validation classes",
    )
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument(
        "--table-only",
        action="store_true",
        help="measure nothing, take the result files",
    )
    parser.add_argument("--update-tables", action="store_true")
    arguments = parser.parse_args()
    files = {
        kind: arguments.results / f"{NAME}{kind}.json" for kind in ("", "_validation")
    }
    if not arguments.table_only:
        measure = measure_all_strategies if arguments.validation else measure_chosen
        began = time.perf_counter()
        content = {
            "format_version": 1,
            "benchmark": NAME,
            "command": command_line(),
            "commit": git_commit(),
            "machine": describe_machine(),
            "tasks": arguments.tasks,
            "seed": arguments.seed,
        }
        for found in measure(arguments):
            content |= {**found, "seconds": time.perf_counter() - began}
            write_json(files["_validation" if arguments.validation else ""], content)
            print(f"{content['seconds']:.0f} s", found["settings"][-1], flush=True)
    found = [read_json(file) if file.exists() else None for file in files.values()]
    if found[0] is None:
        print("no table yet: the test classes are to be measured first")
        return
    text = markdown(*found)
    print(text)
    if arguments.update_tables:
        replace_table(NAME, text)


if __name__ == "__main__":
    main()
