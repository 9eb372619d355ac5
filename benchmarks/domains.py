"""Encoders beside each other on four domains, as `tfmeta evaluate --matrix` has it.

EfficientNet-Lite0, pre-trained, and a Conv4 that is trained here for 150 steps on
generated glyphs, on glyphs, Omniglot, miniImageNet and the 123 classes of Tiny ImageNet
that tieredImageNet has too. Omniglot and miniImageNet must be imported. Results go to
results/domains.json and, by `--update-tables`, to RESULTS.md.

    python benchmarks/domains.py --folder tiered_classes_tiny64_jpeg.tar.gz
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from photo_defaults import as_folder
from report import RESULTS, replace_table

from tfmeta.json_files import read_json
from tfmeta.matrix.tables import markdown_lines

NAME = "domains"
TRAINING = ("--epochs", "3", "--steps-per-epoch", "50", "--seed", "0")
MATRIX = (
    *("--matrix", "--encoder", "efficientnet_lite0", "--size", "128"),
    *("--dataset", "glyphs", "--dataset", "omniglot", "--dataset", "mini_imagenet"),
    *("--dataset", "tiny_imagenet", "--most-classes", "123"),
    *("--images-per-class", "30"),
)


def measure(archive: Path) -> None:
    """Trains, measures, and writes the result file."""
    with tempfile.TemporaryDirectory() as temporary:
        here = Path(temporary)
        with as_folder(archive) as classes:
            shutil.copytree(classes, here / "tiny_imagenet")
        written = ["--output", here / f"{NAME}.json"]
        for command in (
            ["train", "--run", "conv4_glyphs", *TRAINING],
            ["evaluate", "conv4_glyphs", *MATRIX, *written],
        ):
            line = [sys.executable, "-m", "tfmeta.cli.main", *map(str, command)]
            subprocess.run(line, cwd=here, check=True)
        shutil.copy(here / f"{NAME}.json", RESULTS / f"{NAME}.json")


def main() -> None:
    """Measures, and writes the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, help="the archive; without, only tables")
    parser.add_argument(
        "--update-tables", action="store_true", help="write the table in RESULTS.md"
    )
    arguments = parser.parse_args()
    if arguments.folder is not None:
        measure(arguments.folder)
    content = read_json(RESULTS / f"{NAME}.json")
    table = "\n".join(
        [
            *markdown_lines(content),
            "",
            "`python benchmarks/domains.py --folder "
            "tiered_classes_tiny64_jpeg.tar.gz`, "
            f"commit {content['commit'][:12]}.",
        ]
    )
    print(table)
    if arguments.update_tables:
        replace_table(NAME, table)


if __name__ == "__main__":
    main()
