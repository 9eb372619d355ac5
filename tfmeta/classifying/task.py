"""What is asked: examples with their classes, and others without."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

UNKNOWN = -1

Example = TypeVar("Example", Path, str, np.ndarray)


@dataclasses.dataclass(frozen=True)
class Task(Generic[Example]):
    """A task before any of its examples is read.

    Attributes:
        class_names: Name of each label.
        support: The labelled examples: files of pictures, texts, or arrays; none
            where classes are known by their names alone.
        support_labels: Int32 `(support,)`.
        query: Those to classify, likewise.
        query_names: What each of them is called in the answers.
        query_labels: Int32 `(queries,)`, -1 for a class that the support does not
            have; `None` where the queries come without classes.
        notes: What was passed over where examples were listed.
    """

    class_names: tuple[str, ...]
    support: tuple[Example, ...]
    support_labels: np.ndarray
    query: tuple[Example, ...]
    query_names: tuple[str, ...]
    query_labels: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def without(self, examples: Collection[Example]) -> Task[Example]:
        """The task without some of its examples.

        Raises:
            ValueError: When a class, or the query, would have none left; names it.
        """
        left = set(examples)
        support = [i for i, one in enumerate(self.support) if one not in left]
        query = [i for i, one in enumerate(self.query) if one not in left]
        labels = self.support_labels[support]
        lost = np.setdiff1d(self.support_labels, labels)
        if len(lost):
            empty = [self.class_names[label] for label in lost]
            raise ValueError(
                "every class of `--support` must have an example that can be read. "
                f"Received: none of {', '.join(map(repr, empty))}"
            )
        if not query:
            raise ValueError(
                "`--query` must have an example that can be read. Received: none of "
                f"{len(self.query)}"
            )
        known = self.query_labels
        return dataclasses.replace(
            self,
            support=tuple(self.support[i] for i in support),
            support_labels=labels,
            query=tuple(self.query[i] for i in query),
            query_names=tuple(self.query_names[i] for i in query),
            query_labels=None if known is None else known[query],
        )


def number_labels(
    names: Sequence[str], class_names: Sequence[str], *, unknown: bool = False
) -> np.ndarray:
    """The label of each name.

    Args:
        names: Names of classes.
        class_names: The classes, by label.
        unknown: Whether names that are none of them become -1.

    Raises:
        KeyError: For such a name where `unknown` is False.

    Returns:
        Int32 `(names,)`.
    """
    number = {name: label for label, name in enumerate(class_names)}
    found = [number.get(n, UNKNOWN) if unknown else number[n] for n in names]
    return np.array(found, np.int32)


def check_classes(class_names: Sequence[str], source: Path) -> None:
    """Checks that there is a choice.

    Raises:
        ValueError: When there are fewer than two classes.
    """
    if len(class_names) < 2:
        raise ValueError(
            f"{source} must hold at least 2 classes"
            + (", one sub-folder each" if source.is_dir() else "")
            + f". Received: 1, {class_names[0]!r}"
        )
