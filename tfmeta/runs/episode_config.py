"""What the tasks of a run consist of."""

from __future__ import annotations

import dataclasses
from typing import Any

from tfmeta.runs.parameter import FROM_DATA, parameter

# What data bound besides, as soon as they are read.
MOST = 1_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpisodeConfig:
    """What a task consists of, as `Episodes(table, **config)` takes it.

    A pair `(smallest, largest)` of shots lets them vary from task to task. What the
    fields are is said by their `help`, which `tfmeta train --help` prints.
    """

    ways: int = parameter(
        5,
        "Classes per {where} task.",
        unit="classes",
        at_least=2,
        at_most=MOST,
        of_task="classification",
    )
    shots: int | tuple[int, int] = parameter(
        1,
        "Support examples per class of a {where} task, of regression per task; 1-5 "
        "lets them vary from task to task.",
        unit="examples",
        at_least=1,
        at_most=MOST,
        of_task=FROM_DATA,
    )
    queries: int = parameter(
        15,
        "Queries per class of a {where} task, of regression per task.",
        unit="examples",
        at_least=1,
        at_most=MOST,
        of_task=FROM_DATA,
    )
    unlabelled: int = parameter(
        0,
        "Unlabelled examples per class in every task.",
        unit="examples",
        at_least=0,
        at_most=MOST,
        of_all_tasks=True,
        of_task="classification",
    )
    distractors: int = parameter(
        0,
        "Classes per task with unlabelled examples alone.",
        unit="classes",
        at_least=0,
        at_most=MOST,
        of_all_tasks=True,
        of_task="classification",
    )
    same_group: bool = parameter(
        False,
        "Draw all classes of a task from one group (alphabet, domain, superclass).",
        opposite="any_group",
        of_all_tasks=True,
        of_task="classification",
    )

    def __post_init__(self) -> None:
        if isinstance(self.shots, list):  # as JSON has it
            object.__setattr__(self, "shots", tuple(self.shots))

    @property
    def least_shots(self) -> int:
        """The smallest number of shots of a task."""
        return self.shots if isinstance(self.shots, int) else min(self.shots)

    @property
    def most_shots(self) -> int:
        """The largest number of shots of a task."""
        return self.shots if isinstance(self.shots, int) else max(self.shots)

    def keys(self) -> list[str]:
        """Names of the arguments of `Episodes`, for `**`."""
        return [field.name for field in dataclasses.fields(self)]

    def __getitem__(self, name: str) -> Any:
        """The value of an argument, for `**`."""
        return getattr(self, name)


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeldOutEpisodeConfig(EpisodeConfig):
    """What a task of classes that are held out consists of: all have equal shots."""

    shots: int = parameter(
        1,
        "Support examples per class of a {where} task, of regression per task.",
        unit="examples",
        at_least=1,
        at_most=MOST,
        of_task=FROM_DATA,
    )

    def with_given(self, **values: int | None) -> HeldOutEpisodeConfig:
        """The same with other values; those that are `None` stay."""
        given: dict[str, Any] = {
            name: value for name, value in values.items() if value is not None
        }
        return dataclasses.replace(self, **given)
