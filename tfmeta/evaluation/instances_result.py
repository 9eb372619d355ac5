"""What a measurement by instance found."""

from __future__ import annotations

import dataclasses
from typing import Any, TypedDict

import numpy as np

from tfmeta.evaluation.class_interval import ClassInterval, over_test_classes
from tfmeta.evaluation.intervals import over_episode_draws
from tfmeta.evaluation.kept import KeptClassName, KeptPretraining, check_ids
from tfmeta.evaluation.participants import padded_rows, rows_of
from tfmeta.evaluation.pretraining import Pretraining, setting
from tfmeta.printable import one_line


class _KeptProtocol(TypedDict):
    table: str
    fingerprint: str
    ways: int
    instances: int
    episodes: int
    seed: int


class KeptInstances(TypedDict):
    """An `InstancesResult`, in a file."""

    protocol: _KeptProtocol
    pretraining: KeptPretraining | None
    guesses: bool
    right: list[list[int]]
    classes: list[KeptClassName]
    episode_classes: list[list[int]] | None


@dataclasses.dataclass(frozen=True, eq=False)
class InstancesResult:
    """How often a class was known the 1st, 2nd, ... time that it came.

    Attributes:
        protocol: What was measured: data and their fingerprint, ways, instances of a
            class, episodes, seed. Two results compare only when it is equal.
        right: Int `(episodes, instances)`: how many of the ways were right at their
            1st, 2nd, ... instance.
        guesses: Whether the learner answers with classes of which nothing was told, so
            that the first instance of one can be right.
        class_names: The test classes.
        class_clusters: Per class, the class it was made from.
        episode_classes: Int32 `(episodes, ways)`: the classes of each episode.
        pretraining: What the learner's encoders were pre-trained on, and whether test
            classes were in it; `None` for nothing.
    """

    protocol: dict[str, Any]
    right: np.ndarray
    guesses: bool
    class_names: tuple[str, ...]
    class_clusters: tuple[str, ...]
    episode_classes: np.ndarray | None
    pretraining: Pretraining | None = None

    def __post_init__(self) -> None:
        episodes, instances, ways = (
            self.protocol[name] for name in ("episodes", "instances", "ways")
        )
        if self.right.shape != (episodes, instances):
            raise ValueError(
                f"`right` must be (episodes, instances), {(episodes, instances)}. "
                f"Received: shape {self.right.shape}"
            )
        if not self.right.size or self.right.min() < 0 or self.right.max() > ways:
            raise ValueError(
                f"`right` must be from 0 to {ways}, the ways. Received: others"
            )
        check_ids(self.episode_classes, len(self.class_names), episodes)

    @property
    def instances(self) -> range:
        """The instances, from 1 on."""
        return range(1, self.right.shape[1] + 1)

    @property
    def chance(self) -> float:
        """Accuracy of a blind guess."""
        return 1 / self.protocol["ways"]

    @property
    def best_first(self) -> float:
        """The most that guessing may give at the first instance, by exclusion alone.

        Of the k-th class to come its label is one of `ways - k + 1` that are not taken.
        """
        ways = self.protocol["ways"]
        return float(np.mean(1 / np.arange(1, ways + 1)))

    def episode_accuracies(self, instance: int) -> np.ndarray:
        """Float64 `(episodes,)`: share of the ways that were right at an instance.

        Args:
            instance: From 1 on.

        Raises:
            ValueError: When there is no such instance.
        """
        if instance not in self.instances:
            raise ValueError(
                f"`instance` must be from 1 to {len(self.instances)}. Received: "
                f"instance={instance!r}"
            )
        return self.right[:, instance - 1] / self.protocol["ways"]

    def accuracy(self, instance: int) -> float:
        """Mean accuracy at an instance, from 0 to 1."""
        return float(np.mean(self.episode_accuracies(instance)))

    def over_episode_draws(self, instance: int) -> float:
        """Half-width of the customary 95 % interval; see `over_episode_draws`."""
        return over_episode_draws(self.episode_accuracies(instance))

    def over_test_classes(self, instance: int) -> ClassInterval:
        """95 % interval of the accuracy over test classes and their examples."""
        return over_test_classes(
            self.episode_accuracies(instance), self.episode_classes, self.class_clusters
        )

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values with every per-episode result."""
        return {
            "protocol": self.protocol,
            "figure": "accuracy by instance",
            "pretraining": self.pretraining and self.pretraining.to_json(),
            "guesses": self.guesses,
            "figures": [
                {
                    "instance": instance,
                    "accuracy": self.accuracy(instance),
                    "over_episode_draws": self.over_episode_draws(instance),
                    "over_test_classes": self.over_test_classes(instance).to_json(),
                }
                for instance in self.instances
            ],
            "right": self.right.tolist(),
            "classes": [
                {"name": name, "made_from": cluster}
                for name, cluster in zip(
                    self.class_names, self.class_clusters, strict=True
                )
            ],
            "episode_classes": rows_of(self.episode_classes),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> InstancesResult:
        """The result of a `to_json`."""
        return cls(
            protocol=values["protocol"],
            right=np.array(values["right"], np.int32),
            guesses=values["guesses"],
            class_names=tuple(c["name"] for c in values["classes"]),
            class_clusters=tuple(c["made_from"] for c in values["classes"]),
            episode_classes=padded_rows(values["episode_classes"]),
            pretraining=Pretraining.from_json(values["pretraining"]),
        )

    @property
    def of_the_first(self) -> str:
        """How the first instance is to be read, in a sentence."""
        if self.guesses:
            return (
                "The 1st may be above chance, up to "
                f"{100 * self.best_first:.2f} %: labels that are taken are ruled out."
            )
        return (
            "The 1st is always wrong: this learner answers with classes that it has "
            "examples of."
        )

    def __str__(self) -> str:
        p = self.protocol
        kind = setting(False, self.pretraining)
        lines: list[str] = []
        reasons: dict[str, None] = {}
        for instance in self.instances:
            over_classes = self.over_test_classes(instance)
            shown = (
                f"{100 * self.accuracy(instance):6.2f} ± "
                f"{100 * self.over_episode_draws(instance):.2f} %"
            )
            name = ordinal(instance)
            lines.append(f"  {name:>8}  {shown:18}  {over_classes.text()}")
            if over_classes.reason is not None:
                reasons[over_classes.reason] = None
        return "\n".join(
            [
                f"{p['ways']}-way, {p['instances']} instances of each class on "
                f"{one_line(p['table'])}, each before its label, {kind}",
                f"  instance  {'accuracy':18}  over test classes",
                *lines,
                f"    chance  {100 * self.chance:6.2f} %",
                f"  ± is 95 % over episode draws ({p['episodes']:,} episodes, seed "
                f"{p['seed']}), the range behind it 95 % over test classes.",
                *(f"  – is no interval over test classes: {r}." for r in reasons),
                f"  {self.of_the_first}",
            ]
        )


def ordinal(number: int) -> str:
    """A number as a place in a row.

    Example:

    ```python
    ordinal(2)  # "2nd"
    ```
    """
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return str(number) + {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
