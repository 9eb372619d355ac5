"""Options of `tfmeta evaluate --matrix`, and what does not go with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from tfmeta.cli.head_options import head_options
from tfmeta.cli.options import WORD, AnyPath, WholeRange

_WHEN = "With --matrix: "
_MOST = 1_000_000
# By their names in Python.
_OF_MATRIX = {
    *("encoder", "size", "learner", "datasets", "most_classes", "images_per_class"),
    *("output", "form"),
}
_BESIDE = {
    *("matrix", "runs", "ways", "shots", "queries", "num_episodes", "seed"),
    "data_dir",
}


@dataclasses.dataclass(frozen=True)
class MatrixJob:
    """What `tfmeta evaluate --matrix` is asked; each field is an option of its name.

    Attributes:
        form: `--format`.
        num_episodes: `--episodes`.
    """

    runs: tuple[Path, ...]
    encoder: tuple[str, ...]
    size: int | None
    learner: str | None
    datasets: tuple[str, ...]
    most_classes: int
    images_per_class: int
    ways: tuple[int, ...]
    shots: tuple[int, ...]
    queries: int | None
    num_episodes: int
    seed: int
    output: Path | None
    form: str
    data_dir: Path | None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> MatrixJob:
        """That of the values of a command line, by their names in Python."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: given[name] for name in names})


def matrix_options(function: Any) -> Any:
    """`--matrix`, and what it takes."""
    decorators = [
        click.option(
            "--matrix",
            is_flag=True,
            help="Measure encoders on several data sets, 5-way 1-shot and 5-shot by "
            "default, in one table: those of --encoder, and those of RUNs with their "
            "own learners. Nothing is kept in the RUNs.",
        ),
        head_options(
            _WHEN,
            encoder_default=False,
            several=" May be repeated. [default: without RUN those that are installed]",
        ),
        click.option(
            "--dataset",
            "datasets",
            type=WORD,
            metavar="NAME|PATH",
            multiple=True,
            help=f"{_WHEN}a name of `tfmeta datasets list`, of which the test classes "
            "are taken, or data of your own: their test split, or else the classes "
            "that no RUN has seen. May be repeated. [default: those of pictures that "
            "are imported]",
        ),
        click.option(
            "--most-classes",
            type=WholeRange(2, _MOST),
            metavar="CLASSES",
            default=200,
            show_default=True,
            help=f"{_WHEN}of more classes so many are drawn.",
        ),
        click.option(
            "--images-per-class",
            type=WholeRange(2, _MOST),
            metavar="IMAGES",
            default=100,
            show_default=True,
            help=f"{_WHEN}of more examples of a class so many are drawn; each is "
            "encoded once, and its features are kept.",
        ),
        click.option(
            "--output",
            type=AnyPath(dir_okay=False),
            metavar="FILE.json",
            help=f"{_WHEN}a new file for all figures with their intervals.",
        ),
        click.option(
            "--format",
            "form",
            type=click.Choice(["text", "csv", "markdown"]),
            default="text",
            show_default=True,
            help=f"{_WHEN}how the table is printed.",
        ),
    ]
    for decorate in reversed(decorators):
        function = decorate(function)
    return function


def check_matrix_options(context: click.Context) -> bool:
    """Whether a matrix is asked for; options that do not go together are refused.

    Raises:
        click.UsageError: Names the option.
    """
    given = context.params
    asked = bool(given["matrix"])
    for parameter in context.command.params:
        name = parameter.name or ""
        if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        said = parameter.opts[0]
        if name in _OF_MATRIX and not asked:
            raise click.UsageError(
                f"{said} needs --matrix. Received: {said} without", context
            )
        if asked and name not in _OF_MATRIX | _BESIDE:
            raise click.UsageError(
                f"{said} must be left out with --matrix. Received: {said}", context
            )
    if not asked:
        if not given["runs"]:
            runs = next(p for p in context.command.params if p.name == "runs")
            raise click.MissingParameter(ctx=context, param=runs)
        return False
    if len(given["ways"]) > 1:
        raise click.UsageError(
            "--ways must be given once with --matrix. Received: "
            f"{' and '.join(map(str, given['ways']))}",
            context,
        )
    for name in () if given["encoder"] or not given["runs"] else ("size", "learner"):
        if given[name] is not None:
            raise click.UsageError(
                f"--{name} is for encoders of --encoder. Received: RUNs alone", context
            )
    output = given["output"]
    if output is not None and output.suffix.lower() != ".json":
        raise click.UsageError(
            f"--output must name a .json file. Received: {output}", context
        )
    return True
