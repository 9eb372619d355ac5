"""A row of a table of published figures: what is trained, and what is measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfmeta.runs.config import TrainConfig
from tfmeta.runs.former_config import from_flat
from tfmeta.runs.measuring.in_tables import InTables
from tfmeta.runs.measuring.registry import protocols_in_tables

# 2 has a configuration in parts; in 1 it is flat.
ROW_FORMAT_VERSION = 2


@dataclasses.dataclass(frozen=True)
class Paper:
    """Where a method comes from.

    Attributes:
        authors: Their names, as a list in words.
        year: Of publication.
        title: Title of the paper.
    """

    authors: str
    year: int
    title: str


@dataclasses.dataclass(frozen=True)
class Published:
    """A figure that others have published.

    Attributes:
        percent: The figure: an accuracy, or an error rate where the column is one.
        source: Which paper and table it stands in.
        half_width: Half-width of its 95 % interval, where the paper gives one.
        checked: Where the figure was read; `None` when nobody has looked, which
            a table says.
    """

    percent: float
    source: str
    half_width: float | None = None
    checked: str | None = None


@dataclasses.dataclass(frozen=True)
class Column:
    """A figure to measure.

    Attributes:
        published: What others have reached.
        kind: How it is measured, a `kind` of `tfmeta.runs.measuring`: `"episodes"`,
            an accuracy on test episodes, `"lake"`, the error rate in Lake's 20-way
            one-shot test within an alphabet, or `"instances"`, the accuracy at the
            instance of a class that comes after `shots` others, in sequences that hold
            `shots + queries` of each.
        ways: Classes per test episode.
        shots: Support examples per class.
        queries: Queries per class.
        goal: The percentage to reach: at least, of an accuracy; at most, of an
            error rate.
    """

    published: Published
    kind: str = "episodes"
    ways: int = 5
    shots: int = 1
    queries: int = 15
    goal: float | None = None

    def __post_init__(self) -> None:
        known = protocols_in_tables()
        if self.kind not in known:
            raise ValueError(
                f"`kind` of a column must be one of {', '.join(known)}. Received: "
                f"kind={self.kind!r}"
            )

    @property
    def label(self) -> str:
        """What is measured, in words."""
        return self._protocol.label(ways=self.ways, shots=self.shots)

    @property
    def bound(self) -> str:
        """Which side of the goal is wanted: an accuracy above, an error below."""
        return self._protocol.bound

    def measured_by(self, *, test_episodes: int) -> InTables[Any, Any]:
        """The protocol that gives its figure.

        Args:
            test_episodes: Test episodes per figure.
        """
        return self._protocol.of_column(
            ways=self.ways,
            shots=self.shots,
            queries=self.queries,
            num_episodes=test_episodes,
        )

    def meets_goal(self, percent: float) -> bool | None:
        """Whether a figure is as good as the goal, `None` without one."""
        if self.goal is None:
            return None
        return percent <= self.goal if self.bound == "≤" else percent >= self.goal

    @property
    def _protocol(self) -> type[InTables[Any, Any]]:
        return protocols_in_tables()[self.kind]


@dataclasses.dataclass(frozen=True)
class Row:
    """One training, and the columns that it fills.

    Attributes:
        name: Name of its file, and of its run folders.
        title: The method, as the table shows it.
        paper: Where the method comes from.
        config: What a configuration's JSON holds where it is not the default; the
            seed is left out.
        columns: What is measured of the trained learner.
        note: A sentence for the table, e.g. of what differs from the paper.
    """

    name: str
    title: str
    paper: Paper
    config: Mapping[str, Any]
    columns: tuple[Column, ...]
    note: str | None = None

    def train_config(self, *, seed: int = 0, budget: float = 1.0) -> TrainConfig:
        """What is trained.

        Args:
            seed: Seed of weights and episodes.
            budget: The number of epochs is multiplied by it; the learning rate
                falls over the longer run.

        Raises:
            ValueError: When the row holds what no configuration has.
        """
        config = TrainConfig.from_json({**self.config, "seed": seed})
        epochs = max(1, round(config.epochs * budget))
        return dataclasses.replace(config, epochs=epochs)

    def folder_name(self, *, seed: int = 0, budget: float = 1.0) -> str:
        """Name of the run folder."""
        longer = "" if budget == 1 else f"-budget{budget:g}"
        return f"{self.name}{longer}-seed{seed}"

    @classmethod
    def from_json(cls, name: str, values: Mapping[str, Any]) -> Row:
        """The row of a file's content.

        Raises:
            ValueError: For what a row does not have or must have; names it.
        """
        known = _pick(
            "a row",
            values,
            required=("title", "paper", "config", "columns"),
            optional=("format_version", "note"),
        )
        if "seed" in known["config"]:
            raise ValueError(
                "`config` of a row must not name a seed, `--seeds` does. Received: "
                f"seed={known['config']['seed']!r}"
            )
        paper = _pick("`paper`", known["paper"], required=("authors", "year", "title"))
        columns = tuple(_column(column) for column in known["columns"])
        if not columns:
            raise ValueError("`columns` of a row must hold at least 1. Received: none")
        config = known["config"]
        if known.get("format_version", ROW_FORMAT_VERSION) < 2:
            config = from_flat(config)
        row = cls(
            name=name,
            title=known["title"],
            paper=Paper(**paper),
            config=dict(config),
            columns=columns,
            note=known.get("note"),
        )
        row.train_config()
        return row


def _column(values: Any) -> Column:
    chosen = _pick(
        "a column",
        values,
        required=("published",),
        optional=("kind", "ways", "shots", "queries", "goal"),
    )
    published = _pick(
        "`published`",
        chosen["published"],
        required=("percent", "source"),
        optional=("half_width", "checked"),
    )
    return Column(**{**chosen, "published": Published(**published)})


def _pick(
    what: str,
    values: Any,
    *,
    required: tuple[str, ...],
    optional: tuple[str, ...] = (),
) -> dict[str, Any]:
    """A mapping with the required keys and none that is not known."""
    wanted = f"{what} must hold {', '.join(required)}"
    if optional:
        wanted += f", and may hold {', '.join(optional)}"
    if not isinstance(values, Mapping):
        raise ValueError(f"{wanted}. Received: {values!r}")
    missing = [key for key in required if key not in values]
    if missing:
        raise ValueError(f"{wanted}. Received: none of {', '.join(missing)}")
    unknown = [key for key in values if key not in (*required, *optional)]
    if unknown:
        raise ValueError(f"{wanted}. Received: {', '.join(unknown)}")
    return dict(values)
