"""What ONNX, LiteRT, float16 and int8 cost in accuracy, on Omniglot's test characters.

Exports a trained run in every format and precision, and classifies the queries of the
same test episodes with each: in Keras, by `classify`, and for int8 also by the nearest
mean of the embeddings of `encoder.tflite`, the file whose activations are integers too.
"""

from __future__ import annotations

import argparse
import datetime
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from report import (
    RESULTS,
    command_line,
    describe_machine,
    git_commit,
    paired,
    replace_table,
    write_json,
)

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes
from tfmeta.evaluation.intervals import over_episode_draws
from tfmeta.export.litert import LiteRTAnswers
from tfmeta.export.onnx_model import ONNXAnswers
from tfmeta.json_files import read_json
from tfmeta.learners import FewShotLearner
from tfmeta.runs.data import load_split
from tfmeta.runs.edge_export import export_run_to_litert, export_run_to_onnx
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner

NAME = "edge_accuracy"
TASKS = ((5, 1), (20, 1))
QUERIES = 5
SEED = 0
EMBEDDED = 500
OURS = "Keras"

Task = dict[str, np.ndarray]
Classify = Callable[[Task], np.ndarray]


def by_learner(learner: FewShotLearner) -> Classify:
    """Classes of queries by the learner itself, compiled."""

    @tf.function(reduce_retracing=True)
    def logits(support: tf.Tensor, labels: tf.Tensor, query: tf.Tensor) -> tf.Tensor:
        state = learner.adapt(support[None], labels[None], training=False)
        return learner.predict_query(state, query[None], training=False)[0]

    def classify(task: Task) -> np.ndarray:
        one_hot = np.eye(task["support_labels"].max() + 1, dtype=np.float32)
        labels = one_hot[task["support_labels"]]
        return logits(task["support"], labels, task["query"]).numpy().argmax(axis=1)

    return classify


def by_file(answers: Callable[[Task], Any]) -> Classify:
    """Classes of queries by the file of `classify`."""
    return lambda task: answers(task)["probabilities"].argmax(axis=1)


def by_means(answers: Callable[[Task], Any]) -> Classify:
    """Classes of queries by the nearest mean of embeddings of the encoder's file."""

    def classify(task: Task) -> np.ndarray:
        labels = task["support_labels"]
        support, query = (
            answers({"examples": task[name]})["embeddings"]
            for name in ("support", "query")
        )
        means = [support[labels == way].mean(axis=0) for way in range(labels.max() + 1)]
        gaps = np.square(query[:, None] - np.stack(means)[None]).sum(axis=-1)
        return gaps.argmin(axis=1)

    return classify


def tasks_of(table: ClassTable, ways: int, shots: int, count: int) -> list[Any]:
    """The episodes, with the classes of their queries."""
    episodes = Episodes(
        table, ways=ways, shots=shots, queries=QUERIES, tasks=1, seed=SEED
    )
    found = []
    for inputs, y in episodes.as_dataset(steps=count):
        labels = np.argmax(inputs["support_labels"][0], axis=-1).astype(np.int32)
        task = {
            "support": inputs["support"][0].numpy(),
            "support_labels": labels,
            "query": inputs["query"][0].numpy(),
        }
        found.append((task, y[0].numpy()))
    return found


def export_all(
    folder: RunFolder, learner: FewShotLearner, test: ClassTable, to: Path, data: Any
) -> dict[str, Path]:
    """Every format and precision, by its name in the table."""
    train = load_split(folder.read_config(), "train", data)
    found = {"ONNX": export_run_to_onnx(folder, learner, test, to / "onnx")}
    for precision in ("float32", "float16", "int8"):
        found[f"LiteRT {precision}"] = export_run_to_litert(
            folder, learner, train, to / precision, precision=precision
        )
    return found


def measure_all(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything the table says."""
    folder = RunFolder(arguments.run)
    config, learner = folder.read_config(), load_learner(folder)
    test = load_split(config, "test", arguments.data_dir)
    rows = np.linspace(0, len(test.examples) - 1, EMBEDDED).astype(int)
    shown = np.stack([test.examples[row] for row in rows])
    expected = learner.encoder(shown, training=False).numpy()
    methods: dict[str, Classify] = {OURS: by_learner(learner)}
    files: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as to:
        made = export_all(folder, learner, test, Path(to), arguments.data_dir)
        for name, version in made.items():
            kind = ONNXAnswers if name == "ONNX" else LiteRTAnswers
            functions = read_json(version / "tfmeta.json")["functions"]
            encoder, classify = (
                version / functions[function]["file"]
                for function in ("embed", "classify")
            )
            embed = kind(encoder)
            gap = np.abs(embed({"examples": shown})["embeddings"] - expected).max()
            files[name] = {
                "encoder_bytes": encoder.stat().st_size,
                "classify_bytes": classify.stat().st_size,
                "largest_embedding_difference": float(gap),
            }
            methods[name] = by_file(kind(classify))
            if name.endswith("int8"):
                methods[f"{name}, means of the encoder"] = by_means(embed)
    return {
        "format_version": 1,
        "benchmark": NAME,
        "command": command_line(),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": git_commit(),
        "machine": describe_machine(),
        "config": config.to_json(),
        "largest_embedding": float(np.abs(expected).max()),
        "files": files,
        "tasks": [
            measure(test, ways, shots, arguments.episodes, methods)
            for ways, shots in TASKS
        ],
    }


def measure(
    test: ClassTable,
    ways: int,
    shots: int,
    count: int,
    methods: dict[str, Classify],
) -> dict[str, Any]:
    """Accuracies on the same episodes."""
    tasks = tasks_of(test, ways, shots, count)
    accuracies = {}
    for name, classify in methods.items():
        accuracies[name] = [np.mean(classify(task) == y) for task, y in tasks]
        print(f"{ways}-way {shots}-shot, {name}: {np.mean(accuracies[name]):.4f}")
    return {
        "protocol": {
            "ways": ways,
            "shots": shots,
            "queries": QUERIES,
            "episodes": count,
            "seed": SEED,
        },
        "results": {
            name: {
                "accuracy": float(np.mean(values)),
                "over_episode_draws": over_episode_draws(np.array(values)),
                "minus_keras": paired(values, accuracies[OURS]),
            }
            for name, values in accuracies.items()
        },
    }


def markdown(content: dict[str, Any]) -> str:
    """The table, and under it what a reader needs to judge it."""
    tasks = content["tasks"]
    named = [
        f"{t['protocol']['ways']}-way {t['protocol']['shots']}-shot" for t in tasks
    ]
    lines = [
        f"| {' | '.join(['', *(x for n in named for x in (n, 'minus Keras'))])} "
        "| encoder, kB | classify, kB | embeddings differ by |",
        "|---" * (2 * len(tasks) + 4) + "|",
    ]
    for name in tasks[0]["results"]:
        cells = []
        for task in tasks:
            result = task["results"][name]
            gap = result["minus_keras"]
            cells.append(
                f"{100 * result['accuracy']:.2f} ± "
                f"{100 * result['over_episode_draws']:.2f}"
            )
            cells.append(
                ""
                if name == OURS
                else f"{100 * gap['difference']:+.3f} ± {100 * gap['half_width']:.3f}"
            )
        file = content["files"].get(name)
        cells += (
            ["", "", ""]
            if file is None
            else [
                f"{file['encoder_bytes'] / 1000:.0f}",
                f"{file['classify_bytes'] / 1000:.0f}",
                f"{file['largest_embedding_difference']:.1e}",
            ]
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    protocol = tasks[0]["protocol"]
    lines += [
        "",
        "Accuracy in percent of one Prototypical Network with Conv4 on Omniglot's test "
        "characters, inductive, with 95 % intervals over the drawing of episodes; "
        f"{protocol['episodes']:,} test episodes of seed {protocol['seed']} with "
        f"{protocol['queries']} queries per class, the same for every line, and the "
        "paired difference. One checkpoint, the epoch selected on validation "
        f"characters. Embeddings of {EMBEDDED} test pictures, the largest absolute "
        f"difference, where the largest number is {content['largest_embedding']:.2g}. "
        "Activations of the int8 encoder are quantised by the ranges of 500 training "
        "pictures; `classify` in int8 has weights of 8 bits alone. "
        f"`{content['command']}`, commit {(content['commit'] or 'unknown')[:12]}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures, writes the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="run folder, trained on omniglot")
    parser.add_argument("--data-dir", type=Path, help="where data sets are kept")
    parser.add_argument("--episodes", type=int, default=600)
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
