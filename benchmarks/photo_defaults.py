"""Which learner to take for photographs: candidates at equal time, over three seeds.

On miniImageNet and on a folder of classes, each candidate trains for the same wall
time (`--seconds`): a short training says what its steps and validations cost, and the
number of its steps follows. Candidates on a pre-trained encoder find their features
computed; how long that took is told apart, since it is paid once for all of them. What
has nothing to train takes no time.

Figures are of *validation* classes, 5-way 1-shot and 5-shot, episodes of another seed
than those that chose the best epoch; that choice favours the candidates that have one,
a little. Test classes are not touched. Encoders trained on ImageNet have seen the
classes of miniImageNet and of Tiny ImageNet; the result says which.

    python benchmarks/photo_defaults.py --folder tiered_classes_tiny64_jpeg.tar.gz

The folder holds one sub-folder a class, or is an archive of pictures whose folders are
named after their classes. Results go to results/photo_defaults.json and, by
`--update-tables`, to RESULTS.md.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from interleaved import in_own_process, start_tensorflow
from report import (
    RESULTS,
    command_line,
    describe_machine,
    git_commit,
    replace_table,
    write_json,
)

from tfmeta.json_files import read_json

NAME = "photo_defaults"
PRETRAINED = "efficientnet_lite0"
CANDIDATES: dict[str, dict[str, Any]] = {
    "prototypical": {"learner": "prototypical"},
    "prototypical, strides": {"learner": "prototypical", "encoder": "conv4_strides"},
    "baseline": {"learner": "baseline"},
    "baseline_plus_plus": {"learner": "baseline_plus_plus"},
    "prototypical on features": {"learner": "prototypical", "encoder": PRETRAINED},
    "baseline_plus_plus on features": {
        "learner": "baseline_plus_plus",
        "encoder": PRETRAINED,
    },
    "simple_shot": {"learner": "simple_shot", "encoder": PRETRAINED},
    "logistic_regression": {"learner": "logistic_regression", "encoder": PRETRAINED},
}
CALIBRATION_STEPS = 3
SHOTS = (1, 5)
# Of the episodes that are measured; those that choose the epoch have the run's seed.
MEASURED_SEED = 1_000


def measure_run(
    *,
    dataset: str,
    options: dict[str, Any],
    seed: int,
    seconds: float,
    epochs: int,
    episodes: int,
    threads: int,
    data_dir: str | None,
) -> dict[str, Any]:
    """Trains one candidate for `seconds`, and measures it on validation classes."""
    start_tensorflow(threads)
    from tfmeta.encoders import pretraining_data
    from tfmeta.episodes import Episodes
    from tfmeta.evaluation import evaluate
    from tfmeta.features import features_dir
    from tfmeta.json_files import read_json
    from tfmeta.registry import learner_entry
    from tfmeta.runs.data import load_split
    from tfmeta.runs.defaults import default_config
    from tfmeta.runs.run_folder import RunFolder
    from tfmeta.runs.train import train

    config = default_config(dataset, {**options, "seed": seed}, data_dir=data_dir)
    trains = learner_entry(config.learner).trains_on != "nothing"
    features: list[tuple[float, int]] = []

    def run(path: str, **changes: int) -> tuple[Any, list[float]]:
        marks: list[float] = []
        learner = train(
            config.with_options(changes),
            RunFolder(path),
            data_dir=data_dir,
            callbacks=[_marking(marks)],
            on_features=lambda done, _: features.append((time.monotonic(), done)),
        )
        return learner, marks

    with tempfile.TemporaryDirectory() as folder:
        changes = {}
        if trains:
            # An epoch of few steps and one of many: what a step costs, and the rest.
            few, many = CALIBRATION_STEPS, 4 * CALIBRATION_STEPS
            cost = [
                _second_epoch(run(f"{folder}/{n}", epochs=2, steps_per_epoch=n)[1])
                for n in (few, many)
            ]
            step = max((cost[1] - cost[0]) / (many - few), 1e-5)
            validation = max(cost[0] - few * step, 0.0)
            steps = int((seconds / epochs - validation) / step)
            changes = {"epochs": epochs, "steps_per_epoch": max(steps, 1)}
        learner, marks = run(f"{folder}/run", **changes)
        timing = RunFolder(f"{folder}/run").timing_file
        trained = read_json(timing)["training_seconds"] if timing.exists() else 0.0
    table = load_split(config, "validation", data_dir)
    seen = load_split(config, "train", data_dir).origins
    figures = {}
    for shots in SHOTS:
        drawn = Episodes(
            table,
            ways=5,
            shots=shots,
            queries=min(15, int(table.class_sizes.min()) - shots),
            tasks=10,
            seed=MEASURED_SEED,
        )
        begin = time.monotonic()
        result = evaluate(
            learner,
            drawn,
            num_episodes=episodes,
            seen_classes=seen,
            cache_dir=features_dir(data_dir),
        )
        figures[str(shots)] = {
            "accuracy": result.accuracy,
            "over_episode_draws": result.over_episode_draws,
            "seconds": time.monotonic() - begin,
        }
    return {
        "figures": figures,
        "training_seconds": trained,
        "steps": epochs * changes["steps_per_epoch"] if changes else 0,
        "feature_seconds": features[-1][0] - features[0][0] if features else 0.0,
        "pretrained_on": pretraining_data(learner.encoder),
    }


def _marking(marks: list[float]) -> Any:
    """A callback that notes when epochs end."""
    import keras

    return keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: marks.append(time.monotonic())
    )


def _second_epoch(marks: list[float]) -> float:
    """Seconds of the second epoch: in the first, graphs are made."""
    return marks[1] - marks[0]


@contextmanager
def as_folder(path: Path) -> Iterator[Path]:
    """A folder of classes, unpacked from an archive where it is one."""
    if path.is_dir():
        yield path
        return
    from tfmeta.datasets.reading.archives import read_archive

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "classes"
        for name, content in read_archive(path):
            file = root / Path(name).parent.name / Path(name).name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        yield root


def table_of(content: dict[str, Any]) -> str:
    """The means over seeds, with the spread of one training."""
    lines = [
        "| data set | candidate | 5w1s | 5w5s | trained |",
        "|---|---|---|---|---|",
    ]
    for dataset, candidates in content["figures"].items():
        for name, runs in candidates.items():
            cells = []
            for shots in map(str, SHOTS):
                found = [100 * run["figures"][shots]["accuracy"] for run in runs]
                deviation = statistics.stdev(found) if len(found) > 1 else 0.0
                cells.append(f"{statistics.mean(found):.1f} (s {deviation:.1f})")
            seconds = statistics.mean(run["training_seconds"] for run in runs)
            seen = ", pre-trained" if runs[0]["pretrained_on"] else ""
            lines.append(
                f"| {dataset} | {name}{seen} | {' | '.join(cells)} | {seconds:.0f} s |"
            )
    asked = content["settings"]
    lines += [
        "",
        "Mean accuracy in percent on validation classes, with the standard deviation "
        f"over {asked['seeds']} trainings (s); {asked['episodes']:,} episodes of "
        f"another seed than those that chose the epoch, {asked['threads']} thread"
        f"{'' if asked['threads'] == 1 else 's'}, from random weights in "
        f"{asked['dtype_policy'] or 'float32'}, {asked['seconds']:.0f} seconds of "
        "training and validation. Pre-trained encoders have seen these classes. "
        f"`{content['command']}`, commit {content['commit'][:12]}.",
    ]
    return "\n".join(lines) + "\n"


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="folder or archive of classes")
    parser.add_argument("--data-dir", help="where miniImageNet is [the default]")
    parser.add_argument("--seconds", type=float, default=300, help="to train [300]")
    parser.add_argument("--epochs", type=int, default=10, help="of these seconds [10]")
    parser.add_argument(
        "--validation-episodes", type=int, help="after each [the data set's default]"
    )
    parser.add_argument(
        "--dtype-policy", help="of what trains from random weights [float32]"
    )
    parser.add_argument("--seeds", type=int, default=3, help="trainings each [3]")
    parser.add_argument("--episodes", type=int, default=1000, help="measured [1000]")
    parser.add_argument("--threads", type=int, default=2, help="of each [2]")
    parser.add_argument(
        "--dataset", default="mini_imagenet", help="beside the folder [mini_imagenet]"
    )
    parser.add_argument("--only", action="append", help="a candidate; may be repeated")
    parser.add_argument("--output", type=Path, default=RESULTS / f"{NAME}.json")
    parser.add_argument(
        "--table-only", action="store_true", help="measure nothing, take the output"
    )
    parser.add_argument(
        "--update-tables", action="store_true", help="put the table into RESULTS.md"
    )
    return parser.parse_args()


def _with_asked(
    options: dict[str, Any], arguments: argparse.Namespace
) -> dict[str, Any]:
    """A candidate's options, and those of the command line that it makes use of."""
    from tfmeta.registry import learner_entry

    asked = {}
    if learner_entry(options["learner"]).trains_on != "nothing":
        asked["validation_episodes"] = arguments.validation_episodes
    if options.get("encoder") != PRETRAINED:
        asked["dtype_policy"] = arguments.dtype_policy
    return {**options, **{n: v for n, v in asked.items() if v is not None}}


def measure_all(arguments: argparse.Namespace, datasets: dict[str, str]) -> dict:
    """All runs, seed by seed, so that what the machine does falls on all alike."""
    figures: dict[str, dict[str, list[Any]]] = {}
    for seed in range(arguments.seeds):
        for dataset, where in datasets.items():
            for name, options in CANDIDATES.items():
                if arguments.only and name not in arguments.only:
                    continue
                found = in_own_process(
                    measure_run,
                    dataset=where,
                    options=_with_asked(options, arguments),
                    seed=seed,
                    seconds=arguments.seconds,
                    epochs=arguments.epochs,
                    episodes=arguments.episodes,
                    threads=arguments.threads,
                    data_dir=arguments.data_dir,
                )
                print(f"{dataset}, {name}, seed {seed}: {found}", flush=True)
                figures.setdefault(dataset, {}).setdefault(name, []).append(found)
    return figures


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """All candidates, with what they were measured by."""
    datasets = {arguments.dataset: arguments.dataset}
    with as_folder(arguments.folder or Path.cwd()) as folder:
        if arguments.folder is not None:
            datasets["folder"] = str(folder)
        figures = measure_all(arguments, datasets)
    return {
        "format_version": 1,
        "benchmark": NAME,
        "command": command_line(),
        "commit": git_commit(),
        "machine": describe_machine(),
        "settings": {
            name: getattr(arguments, name)
            for name in (
                *("seconds", "epochs", "validation_episodes", "dtype_policy"),
                *("seeds", "episodes", "threads"),
            )
        },
        "candidates": CANDIDATES,
        "figures": figures,
    }


def main() -> None:
    """Trains, measures, prints and writes."""
    arguments = parse_arguments()
    if arguments.table_only:
        content = read_json(arguments.output)
    else:
        content = measure(arguments)
        write_json(arguments.output, content)
    table = table_of(content)
    print(table)
    if arguments.update_tables:
        replace_table(NAME, table)


if __name__ == "__main__":
    main()
