"""A gallery's threshold by cross-validation: what it accepts and rejects, measured.

Galleries of a few of miniImageNet's 20 test classes, which the encoder has seen in its
pre-training on ImageNet, are asked for other pictures of these classes and for pictures
of others. Features are computed once and kept beside the data.

    python benchmarks/gallery_threshold.py --update-tables
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
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
from tfmeta.evaluation.intervals import over_episode_draws
from tfmeta.features import features_dir, features_of
from tfmeta.json_files import read_json
from tfmeta.learners import LogisticRegression, SimpleShot

NAME = "gallery_threshold"
ENCODER = "efficientnet_lite0"
WAYS, QUERIES, RECALL = 5, 20, 0.95
HEADS = {"SimpleShot": SimpleShot, "LogisticRegression": LogisticRegression}
SETTINGS = (
    ("SimpleShot", 2),
    ("SimpleShot", 5),
    ("SimpleShot", 10),
    ("SimpleShot", 20),
    ("LogisticRegression", 10),
)
FIGURES = ("known accepted", "unknown rejected", "accepted, and right")


def measure(
    features: np.ndarray, head: str, shots: int, galleries: int, seed: int
) -> dict[str, Any]:
    """What galleries of one head and size accept; `features` by class."""
    inputs = keras.Input(features.shape[2:])
    learner = HEADS[head](keras.Model(inputs, keras.layers.Identity()(inputs)))
    rng = np.random.default_rng(seed)
    figures: dict[str, list[float]] = {name: [] for name in FIGURES}
    scores: dict[str, int] = {}
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        gallery = tfmeta.Gallery.create(
            Path(folder) / "gallery", learner, recall=RECALL
        )
        for _ in range(galleries):
            classes = rng.permutation(len(features))[: 2 * WAYS]
            rows = [rng.permutation(features.shape[1]) for _ in classes]
            known = classes[:WAYS]
            gallery.enrol_embeddings(
                {
                    str(name): features[name][row[:shots]]
                    for name, row in zip(known, rows, strict=False)
                }
            )
            asked = [
                features[name][row[shots : shots + QUERIES]]
                for name, row in zip(classes, rows, strict=True)
            ]
            answers = gallery.classify_embeddings(np.concatenate(asked))
            found = answers.classes.reshape(2, WAYS, QUERIES)
            figures["known accepted"].append(float((found[0] >= 0).mean()))
            figures["unknown rejected"].append(float((found[1] < 0).mean()))
            right = found[0] == np.arange(WAYS)[:, None]
            figures["accepted, and right"].append(float(right.mean()))
            threshold = gallery.threshold()
            assert threshold is not None
            scores[threshold.score] = scores.get(threshold.score, 0) + 1
            gallery.undo()
        gallery.close()
    return {
        "head": head,
        "shots": shots,
        "figures": {
            name: {
                "mean": float(np.mean(values)),
                "half_width": over_episode_draws(np.array(values)),
                "lowest": min(values),
            }
            for name, values in figures.items()
        },
        "scores": scores,
        "seconds": time.perf_counter() - began,
    }


def markdown(content: dict[str, Any]) -> str:
    """The table, and under it what a reader needs to judge it."""
    lines = [
        "| head | examples a class | known accepted | unknown rejected "
        "| accepted, and right |",
        "|---|---|---|---|---|",
    ]
    for line in content["settings"]:
        figures = " | ".join(
            f"{100 * figure['mean']:.1f} ± {100 * figure['half_width']:.1f}"
            for figure in line["figures"].values()
        )
        lines.append(f"| {line['head']} | {line['shots']} | {figures} |")
    lines += [
        "",
        f"Percent of queries. {content['galleries']} galleries of seed "
        f"{content['seed']}, each of {WAYS} of miniImageNet's 20 test classes, drawn "
        f"anew; {QUERIES} other pictures of each, and as many of {WAYS} classes that "
        "are not enrolled. The threshold is by cross-validation of what is enrolled, "
        f"and asked to accept {100 * RECALL:.0f} % of the known. "
        f'`tfmeta.encoders.pretrained("{ENCODER}")`, without any training. **The '
        "encoder was trained on ImageNet, of which these classes are a part.** "
        "Intervals are 95 % over the drawing of galleries from these classes; they say "
        f"nothing of other classes. `{content['command']}`, commit "
        f"{(content['commit'] or 'unknown')[:12]}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures, writes the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, help="where data sets are kept")
    parser.add_argument("--galleries", type=int, default=200)
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
    if arguments.table_only:
        content = read_json(file)
    else:
        table = tfmeta.datasets.load(
            "mini_imagenet", split="test", data_dir=arguments.data_dir
        )
        encoder = tfmeta.encoders.pretrained(ENCODER, input_shape=table.example_shape)
        features = features_of(
            encoder, table.examples, cache_dir=features_dir(arguments.data_dir)
        )
        by_class = features.reshape(table.num_classes, -1, features.shape[-1])
        settings = []
        for head, shots in SETTINGS:
            settings.append(
                measure(by_class, head, shots, arguments.galleries, arguments.seed)
            )
            print(settings[-1], flush=True)
        content = {
            "format_version": 1,
            "benchmark": NAME,
            "command": command_line(),
            "commit": git_commit(),
            "machine": describe_machine(),
            "galleries": arguments.galleries,
            "seed": arguments.seed,
            "settings": settings,
        }
        write_json(file, content)
    text = markdown(content)
    print(text)
    if arguments.update_tables:
        replace_table(NAME, text)


if __name__ == "__main__":
    main()
