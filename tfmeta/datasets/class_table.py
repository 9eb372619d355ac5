"""The class table: examples grouped by class, the source of every episode."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tfmeta.datasets.class_attributes import as_class_attributes, pick_attributes
from tfmeta.datasets.storage.examples import Examples, StoredExamples, lie_in_memory
from tfmeta.datasets.storage.rotated import RotatedExamples
from tfmeta.datasets.storage.selected import SelectedExamples, select_rows


@dataclasses.dataclass(frozen=True, eq=False)
class ClassTable:
    """Examples grouped by class.

    Rows `offsets[c]:offsets[c + 1]` of `examples` belong to class `c`.

    Args:
        name: Name of the data set, e.g. `"omniglot"`. It prefixes `origins`,
            so that equal class names of two data sets are not confused.
        examples: Array of shape `(examples, *example)`, any dtype, grouped by
            class; for text of shape `(examples,)` with dtype object, each a
            str. It need not lie in memory: a memory map or
            `EncodedPictures` will do, and stays where it is.
        offsets: Integer array of shape `(classes + 1,)`: where each class
            begins, and the end.
        class_names: One name per class.
        groups: The hierarchy: one group name per class (for Omniglot its
            alphabet), or `None` where the data has none.
        group_level: What a group is called, e.g. `"alphabet"`.
        origin_names: For a class made from another one (a rotation), the name
            of the class it was made from; by default the class's own name.
        description: One line on where the examples come from.
        class_attributes: What is known of a class besides its examples: an array
            `(classes, *attribute)` of numbers, or of texts as str objects, or
            `None`. Zero-shot learners enrol a class by it.
        cut_from: Name of a larger data set that the classes are part of, e.g.
            `"imagenet"`, or `None`.

    Raises:
        ValueError: When the parts do not fit each other, when a class is
            empty or when two classes share a name.

    Example:

    ```python
    table = ClassTable.from_arrays(
        "toy", np.zeros((6, 28, 28, 1), "uint8"), ["a", "a", "a", "b", "b", "b"]
    )
    table.num_classes, table.class_sizes  # 2, [3 3]
    ```
    """

    name: str
    examples: Examples
    offsets: np.ndarray
    class_names: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    group_level: str = "group"
    origin_names: tuple[str, ...] | None = None
    description: str = ""
    class_attributes: np.ndarray | None = None
    cut_from: str | None = None

    def __post_init__(self) -> None:
        offsets = np.asarray(self.offsets, np.int64)
        object.__setattr__(self, "offsets", offsets)
        object.__setattr__(self, "examples", _as_examples(self.examples))
        if len(self.class_names) == 0:
            raise ValueError(
                f"`class_names` of table {self.name!r} must name at least one "
                "class. Received: an empty table"
            )
        if offsets.shape != (len(self.class_names) + 1,):
            raise ValueError(
                f"`offsets` of table {self.name!r} must have shape "
                f"({len(self.class_names) + 1},), one more than there are "
                f"classes. Received: {offsets.shape}"
            )
        if offsets[0] != 0 or offsets[-1] != len(self.examples):
            raise ValueError(
                f"`offsets` of table {self.name!r} must run from 0 to the "
                f"number of examples, {len(self.examples)}. Received: "
                f"{offsets[0]} to {offsets[-1]}"
            )
        empty = np.flatnonzero(np.diff(offsets) <= 0)
        if len(empty):
            raise ValueError(
                f"every class of table {self.name!r} must have an example. "
                f"Received: class {self.class_names[empty[0]]!r} with 0"
            )
        if len(set(self.class_names)) != len(self.class_names):
            names = list(self.class_names)
            twice = next(n for n in names if names.count(n) > 1)
            raise ValueError(
                f"`class_names` of table {self.name!r} must differ. Received: "
                f"{twice!r} twice"
            )
        if self.examples.dtype == object:
            self._check_text()
        for field in ("groups", "origin_names"):
            names = getattr(self, field)
            if names is not None and len(names) != len(self.class_names):
                raise ValueError(
                    f"`{field}` of table {self.name!r} must have one entry per "
                    f"class, {len(self.class_names)}. Received: {len(names)}"
                )
        if self.class_attributes is not None:
            attributes = as_class_attributes(
                self.class_attributes, self.name, len(self.class_names)
            )
            object.__setattr__(self, "class_attributes", attributes)

    def _check_text(self) -> None:
        if self.example_shape != ():
            raise ValueError(
                f"`examples` of table {self.name!r}, being text, must have shape "
                f"(examples,). Received: {self.examples.shape}"
            )
        others = {type(e).__name__ for e in self.examples if not isinstance(e, str)}
        if others:
            raise ValueError(
                f"`examples` of table {self.name!r} must be numbers, or each a str. "
                f"Received: {', '.join(sorted(others))}"
            )

    @classmethod
    def from_arrays(
        cls,
        name: str,
        examples: Examples | Sequence[str],
        labels: Sequence[str] | Sequence[int] | np.ndarray,
        *,
        groups: dict[str, str] | None = None,
        group_level: str = "group",
        description: str = "",
        class_attributes: Mapping[str, Any] | None = None,
    ) -> ClassTable:
        """Groups examples by their labels; classes come out sorted.

        Args:
            name: Name of the data set.
            examples: Array of shape `(examples, *example)`, or texts. What is no
                array in memory stays where it is, and is not copied.
            labels: The class of each example, a name or an integer; integers are
                sorted as numbers and become names such as `"10"`.
            groups: Group name by class name, or `None`.
            group_level: What a group is called.
            description: One line on where the examples come from.
            class_attributes: What describes a class, by class name, or `None`.

        Returns:
            The table.

        Raises:
            ValueError: When labels and examples differ in number, or labels are
                neither names nor integers.
        """
        if len(examples) != len(labels):
            raise ValueError(
                "`labels` must name the class of every example, "
                f"{len(examples)}. Received: {len(labels)} labels"
            )
        class_names, codes = np.unique(_as_labels(labels), return_inverse=True)
        order = np.argsort(codes, kind="stable")
        counts = np.bincount(codes, minlength=len(class_names))
        names = tuple(str(n) for n in class_names)
        return cls(
            name=name,
            examples=select_rows(_as_examples(examples), order),
            offsets=np.concatenate([[0], np.cumsum(counts)]),
            class_names=names,
            groups=None if groups is None else tuple(groups[n] for n in names),
            group_level=group_level,
            description=description,
            class_attributes=(
                None
                if class_attributes is None
                else np.asarray([class_attributes[n] for n in names])
            ),
        )

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def num_examples(self) -> int:
        """The number of examples of all classes together."""
        return len(self.examples)

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return tuple(self.examples.shape[1:])

    @cached_property
    def class_sizes(self) -> np.ndarray:
        """Int64 array of shape `(classes,)`: the number of examples of each."""
        return np.diff(self.offsets)

    @cached_property
    def origins(self) -> tuple[str, ...]:
        """Per class, `name/` and the class it was made from.

        Rotations of one character share their origin. Two splits are disjoint
        when they share no origin.
        """
        names = self.class_names if self.origin_names is None else self.origin_names
        return tuple(f"{self.name}/{n}" for n in names)

    def examples_of(self, class_id: int) -> np.ndarray:
        """The examples of one class, shape `(examples, *example)`.

        Where the table is a memory map, a view of it.
        """
        return self.examples[self.offsets[class_id] : self.offsets[class_id + 1]]

    def take_classes(self, class_ids: Sequence[int]) -> ClassTable:
        """A table of some of the classes, in the order given.

        Only examples that lie in memory are copied.
        """
        ids = [int(c) for c in class_ids]
        if not ids:
            raise ValueError(
                f"`class_ids` must name at least one class of table {self.name!r}. "
                "Received: none"
            )
        sizes = self.class_sizes[ids]

        def pick(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
            return None if names is None else tuple(names[c] for c in ids)

        return dataclasses.replace(
            self,
            examples=select_rows(self.examples, self._rows_of(ids)),
            offsets=np.concatenate([[0], np.cumsum(sizes)]),
            class_names=tuple(self.class_names[c] for c in ids),
            groups=pick(self.groups),
            origin_names=pick(self.origin_names),
            class_attributes=pick_attributes(self.class_attributes, ids),
        )

    def _rows_of(self, ids: Sequence[int]) -> np.ndarray:
        return np.concatenate(
            [np.arange(self.offsets[c], self.offsets[c + 1]) for c in ids]
        )

    def with_rotations(self) -> ClassTable:
        """A table with each class four times: turned by 0, 90, 180, 270 degrees.

        The turned classes count as classes of their own, as in Santoro et al.
        (2016, *Meta-Learning with Memory-Augmented Neural Networks*); their
        origin stays the class they were made from. Turns are anti-clockwise.
        Pictures that do not lie in memory are turned when they are read.

        Raises:
            ValueError: When examples are not square pictures.
        """
        shape = self.example_shape
        if len(shape) != 3 or shape[0] != shape[1]:
            raise ValueError(
                "rotations need square pictures (height, width, channels). "
                f"Received: examples of shape {shape}"
            )
        origin = self.class_names if self.origin_names is None else self.origin_names
        turns = range(4)
        classes = np.repeat(np.arange(self.num_classes), 4)
        sizes = self.class_sizes[classes]
        rows = self._rows_of([int(c) for c in classes])
        turned: Examples = RotatedExamples(
            SelectedExamples(self.examples, rows),
            np.repeat(np.tile(turns, self.num_classes), sizes),
        )
        if lie_in_memory(self.examples):
            turned = np.asarray(turned)

        def repeat(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
            return None if names is None else tuple(n for n in names for _ in turns)

        return dataclasses.replace(
            self,
            examples=turned,
            offsets=np.concatenate([[0], np.cumsum(sizes)]),
            class_names=tuple(
                f"{n}/rot{90 * k:03d}" for n in self.class_names for k in turns
            ),
            groups=repeat(self.groups),
            origin_names=repeat(origin),
            class_attributes=pick_attributes(self.class_attributes, classes),
        )

    def __repr__(self) -> str:
        return (
            f"ClassTable({self.name!r}, {self.num_classes} classes, "
            f"{self.num_examples} examples of shape {self.example_shape} "
            f"{self.examples.dtype})"
        )


def _as_examples(examples: Any) -> Examples:
    """Examples as a table keeps them: texts as str objects, lists as arrays."""
    if not isinstance(examples, np.ndarray | StoredExamples):
        examples = np.asarray(examples)
    return examples.astype(object) if examples.dtype.kind == "U" else examples


def _as_labels(labels: Sequence[str] | Sequence[int] | np.ndarray) -> np.ndarray:
    """Labels as an array of names or of integers, of shape `(examples,)`."""
    array = np.asarray(labels)
    if array.dtype == object and all(isinstance(label, str) for label in array):
        array = array.astype(str)
    if array.ndim != 1 or array.dtype.kind not in "Uiub":
        raise ValueError(
            "`labels` must be one name or integer for each example. Received: "
            f"{array.dtype} of shape {array.shape}"
        )
    return array
