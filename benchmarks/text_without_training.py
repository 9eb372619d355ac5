"""Few-shot intents without training: token vectors of WordLlama, two heads.

Measures on all intents of CLINC150 and BANKING77, on the sentences that their authors
keep for testing. Beside the tokens that the graph finds, the same with those of the
library tokenizers, on the same episodes: what it costs that TensorFlow alone answers.
Imports the data from --from where the data folder does not hold them.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from few_shot_text import DATA_SETS, import_where_absent
from report import (
    RESULTS,
    command_line,
    describe_machine,
    git_commit,
    paired,
    replace_table,
    write_json,
)
from tokenizers import Tokenizer

import tfmeta
from tfmeta.datasets import ClassTable
from tfmeta.encoders.pretrained.installed_weights import installed_file
from tfmeta.encoders.pretrained.safetensors_file import read_matrix
from tfmeta.episodes import Episodes
from tfmeta.evaluation import ClassInterval, EvaluationResult, evaluate
from tfmeta.features import features_of
from tfmeta.json_files import read_json
from tfmeta.layers import MeanTokenVector
from tfmeta.learners import FewShotLearner, LogisticRegression, SimpleShot

NAME = "text_without_training"
TASKS = ((5, 1), (5, 5), (20, 10))
QUERIES = 15
BATCHES = (1, 32, 256, 1024)
IN_GRAPH, BY_LIBRARY = "SimpleShot", "SimpleShot, tokens of the library tokenizers"
LOGISTIC = "LogisticRegression"


def installed(suffix: str) -> Path:
    """A file of the package."""
    return installed_file("wordllama", suffix, what=NAME, extra="texts")


def all_texts(name: str, data_dir: Path | None) -> list[str]:
    """All sentences of a data set, those of no intent included."""
    splits = ("train", "validation", "test", "out_of_scope")
    return [
        str(text)
        for split in (splits if name == "clinc150" else splits[:3])
        for text in tfmeta.datasets.load(name, split=split, data_dir=data_dir).examples
    ]


def library_means(texts: list[str]) -> np.ndarray:
    """Means of token vectors by the library tokenizers and NumPy."""
    encoded = _library().encode_batch(texts, add_special_tokens=False)
    vectors = read_matrix(installed(".safetensors")).astype(np.float32)
    return np.stack([vectors[one.ids].mean(axis=0) for one in encoded])


def _library() -> Tokenizer:
    return Tokenizer.from_file(str(installed(".json")))


def agreement(layer: MeanTokenVector, texts: list[str]) -> dict[str, int]:
    """How many texts have the same tokens."""
    expected = _library().encode_batch(texts, add_special_tokens=False)
    same = 0
    for start in range(0, len(texts), 1024):
        found = layer.tokenize(tf.constant(texts[start : start + 1024])).to_list()
        ids = [one.ids for one in expected[start : start + 1024]]
        same += sum(a == b for a, b in zip(found, ids, strict=True))
    return {"texts": len(texts), "same_tokens": same}


def speeds(encoder: keras.Model, texts: list[str], rounds: int) -> list[dict[str, Any]]:
    """Texts a second, in the graph and by the library, at several batch sizes."""
    embed = tf.function(
        lambda batch: encoder(batch, training=False),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    library, vectors = _library(), read_matrix(installed(".safetensors"))
    vectors = vectors.astype(np.float32)

    def by_library(batch: list[str]) -> None:
        for one in library.encode_batch(batch, add_special_tokens=False):
            vectors[one.ids].mean(axis=0)

    found = []
    for size in BATCHES:
        count = min(len(texts), max(size * 4, 300)) // size * size
        for name, call in (
            ("in the graph", lambda batch: embed(tf.constant(batch)).numpy()),
            ("tokenizers and NumPy", by_library),
        ):
            rates = [_rate(call, texts[:count], size) for _ in range(rounds + 1)][1:]
            found.append(
                {
                    "method": name,
                    "batch": size,
                    "texts_per_second": {
                        "median": statistics.median(rates),
                        "min": min(rates),
                        "max": max(rates),
                    },
                }
            )
    return found


def _rate(call: Callable[[list[str]], Any], texts: list[str], size: int) -> float:
    began = time.perf_counter()
    for start in range(0, len(texts), size):
        call(texts[start : start + size])
    return len(texts) / (time.perf_counter() - began)


def on_features(make: Callable[[keras.Model], FewShotLearner]) -> FewShotLearner:
    """A head on features that are computed already."""
    features = keras.Input((256,))
    return make(keras.Model(features, keras.layers.Identity()(features)))


def measure(
    table: ClassTable, encoder: keras.Model, num_episodes: int
) -> list[dict[str, Any]]:
    """All figures of one data set."""
    ours = dataclasses.replace(table, examples=features_of(encoder, table.examples))
    library = dataclasses.replace(
        table, examples=library_means([str(text) for text in table.examples])
    )
    methods = {
        IN_GRAPH: (ours, on_features(SimpleShot)),
        BY_LIBRARY: (library, on_features(SimpleShot)),
        LOGISTIC: (ours, on_features(LogisticRegression)),
    }
    tasks = []
    for ways, shots in TASKS:
        results = {}
        for name, (examples, learner) in methods.items():
            episodes = Episodes(
                examples, ways=ways, shots=shots, queries=QUERIES, tasks=10
            )
            # Nothing is trained: no class was seen.
            results[name] = evaluate(
                learner, episodes, num_episodes=num_episodes, seen_classes=()
            )
        tasks.append(_task(results))
        print(*results.values(), sep="\n")
    return tasks


def _task(results: dict[str, EvaluationResult]) -> dict[str, Any]:
    ours = results[IN_GRAPH].episode_accuracies
    return {
        "protocol": results[IN_GRAPH].protocol,
        "results": {
            name: {
                "accuracy": result.accuracy,
                "over_episode_draws": result.over_episode_draws,
                "over_test_classes": result.over_test_classes.to_json(),
                "minus_simple_shot": paired(result.episode_accuracies, ours),
            }
            for name, result in results.items()
        },
    }


def markdown(content: dict[str, Any]) -> str:
    """The table, and under it what a reader needs to judge it."""
    lines = [
        "| all intents | | accuracy | over episode draws | over test classes "
        "| minus SimpleShot |",
        "|---|---|---|---|---|---|",
    ]
    for name, measured in content["data_sets"].items():
        for task in measured["tasks"]:
            protocol = task["protocol"]
            where = f"{DATA_SETS[name]} {protocol['ways']}-way {protocol['shots']}-shot"
            for method, result in task["results"].items():
                if method == BY_LIBRARY:
                    continue
                over_classes = ClassInterval.from_json(result["over_test_classes"])
                gap = result["minus_simple_shot"]
                paired = f"{100 * gap['difference']:+.2f} ± "
                paired += f"{100 * gap['half_width']:.2f}"
                lines.append(
                    f"| {where} | {method} | {100 * result['accuracy']:.2f} "
                    f"| ± {100 * result['over_episode_draws']:.2f} "
                    f"| {over_classes.text()} "
                    f"| {'' if method == IN_GRAPH else paired} |"
                )
    protocol = content["data_sets"]["clinc150"]["tasks"][0]["protocol"]
    same = sum(m["tokens"]["same_tokens"] for m in content["data_sets"].values())
    texts = sum(m["tokens"]["texts"] for m in content["data_sets"].values())
    gaps = [
        abs(task["results"][BY_LIBRARY]["minus_simple_shot"]["difference"])
        for measured in content["data_sets"].values()
        for task in measured["tasks"]
    ]
    rates = "; ".join(
        f"{line['method']}, {line['batch']} at once: "
        f"{line['texts_per_second']['median']:,.0f}"
        for line in content["speeds"]
    )
    lines += [
        "",
        "Accuracy in percent, inductive, without any training. The encoder is "
        '`tfmeta.encoders.pretrained("wordllama")`; test tasks are of all 150 intents '
        "of CLINC150 and all 77 of BANKING77, of the sentences that their authors keep "
        "for testing (30 and 40 of each). "
        f"{protocol['episodes']:,} test episodes of seed {protocol['seed']} with "
        f"{protocol['queries']} queries per class, the same for every line. Intervals "
        "are 95 %: over the drawing of episodes, and over test classes with their "
        "sentences; the last column is the paired difference over identical episodes. "
        f"{same:,} of {texts:,} sentences have the same tokens in the graph as by the "
        f"library tokenizers, and accuracies differ by {100 * max(gaps):.2f} at most. "
        f"Texts a second ({content['machine']['cores']} cores of "
        f"{content['machine']['processor']}, load "
        f"{content['machine']['load_average'][0]:g}): {rates}. "
        f"`{content['command']}`, commit {(content['commit'] or 'unknown')[:12]}.",
    ]
    return "\n".join(lines) + "\n"


def measure_all(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything the table says."""
    encoder = tfmeta.encoders.pretrained("wordllama")
    (layer,) = (x for x in encoder._flatten_layers() if isinstance(x, MeanTokenVector))
    data_sets, texts = {}, []
    for name in DATA_SETS:
        folder = arguments.source and arguments.source / name
        import_where_absent(name, arguments.data_dir, folder)
        everything = all_texts(name, arguments.data_dir)
        test = tfmeta.datasets.load(
            name, split="test", data_dir=arguments.data_dir, protocol="all_intents"
        )
        data_sets[name] = {
            "tokens": agreement(layer, everything),
            "tasks": measure(test, encoder, arguments.episodes),
        }
        texts += [str(text) for text in test.examples]
    return {
        "format_version": 1,
        "benchmark": NAME,
        "command": command_line(),
        "commit": git_commit(),
        "machine": describe_machine(),
        "data_sets": data_sets,
        "speeds": speeds(encoder, texts, arguments.rounds),
    }


def main() -> None:
    """Measures, writes the table."""
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
    parser.add_argument("--rounds", type=int, default=5, help="of the timing")
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
