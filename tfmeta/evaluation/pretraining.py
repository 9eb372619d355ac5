"""What a figure owes to data that an encoder saw before any training of ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from tfmeta.datasets import ClassTable
from tfmeta.learners import FewShotLearner


@dataclasses.dataclass(frozen=True)
class Pretraining:
    """What an encoder was pre-trained on, and whether that held the test classes.

    Such a figure is none of few-shot learning as papers report it, where test classes
    are new to the learner: it stands with this beside it.

    Attributes:
        data: Name of the data, e.g. `"imagenet"`.
        seen: Whether test classes are known to be among its classes. Where they are
            not, nobody knows.

    Example:

    ```python
    str(Pretraining("imagenet", seen=True))  # "seen in pre-training (imagenet)"
    ```
    """

    data: str
    seen: bool

    @classmethod
    def of(
        cls, learner: FewShotLearner, tables: Iterable[ClassTable] = ()
    ) -> Pretraining | None:
        """That of a learner measured on some tables; `None` for one without.

        Args:
            learner: Which declares its `pretraining_data`.
            tables: Where the test classes are from.
        """
        return cls.of_data(
            learner.pretraining_data, (table.cut_from for table in tables)
        )

    @classmethod
    def of_data(
        cls, data: str | None, cut_from: Iterable[str | None]
    ) -> Pretraining | None:
        """That of an encoder, by what it was pre-trained on; `None` for nothing.

        Args:
            data: As of `LearnerContract.pretraining_data`.
            cut_from: What data the test classes are part of, as of `ClassTable`.
        """
        if data is None:
            return None
        known = data.split("+")
        return cls(data, seen=any(name in known for name in cut_from))

    def __str__(self) -> str:
        if self.seen:
            return f"seen in pre-training ({self.data})"
        return f"pre-trained on {self.data}"

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values; `test_classes_seen` is true, or null for unknown."""
        return {"data": self.data, "test_classes_seen": self.seen or None}

    @classmethod
    def from_json(cls, values: dict[str, Any] | None) -> Pretraining | None:
        """That of a `to_json`, or of its absence."""
        if values is None:
            return None
        return cls(str(values["data"]), seen=bool(values["test_classes_seen"]))


def setting(transductive: bool, pretraining: Pretraining | None) -> str:
    """What stands beside a figure, in words.

    Example:

    ```python
    setting(False, None)  # "inductive"
    ```
    """
    kind = "transductive" if transductive else "inductive"
    return kind if pretraining is None else f"{kind}, {pretraining}"
