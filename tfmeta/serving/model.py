"""What answers requests, whatever it is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from tfmeta.serving.example_form import Example, ExampleForm
from tfmeta.serving.refusals import Refusal


@dataclasses.dataclass(frozen=True)
class TensorForm:
    """A named tensor of a signature.

    Attributes:
        shape: `None` for a free size.
        dtype: Of TensorFlow.
    """

    shape: tuple[int | None, ...]
    dtype: str


@dataclasses.dataclass(frozen=True)
class Signature:
    """A function of named tensors.

    Attributes:
        inputs: What it takes, by name.
        outputs: What it gives.
        batchable: Whether every tensor has the rows as its first axis, and a row's
            answer depends on no other row.
        files: Names of inputs whose strings are picture files.
    """

    inputs: Mapping[str, TensorForm]
    outputs: Mapping[str, TensorForm]
    batchable: bool = False
    files: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, eq=False)
class Ranking:
    """The most probable classes of queries.

    Attributes:
        class_names: Of each query, the most probable first.
        probabilities: Likewise, finite.
        accepted: Whether the first is the answer; else it is none of these.
        warnings: What is to be known of the answers.
    """

    class_names: Sequence[Sequence[str]]
    probabilities: Sequence[Sequence[float]]
    accepted: Sequence[bool]
    warnings: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class ClassesPage:
    """Some of the classes that a model knows.

    Attributes:
        sizes: Number of examples by name, in order of enrolment.
        total: How many classes there are.
        change: Number of the latest change, `None` where nothing can change.
    """

    sizes: Mapping[str, int]
    total: int
    change: int | None


class EnrolledClasses(Protocol):
    """Classes that clients may change; every change is on the disk when it returns."""

    def enrol(self, classes: Mapping[str, Sequence[Example]]) -> dict[str, Any]:
        """Adds classes, or examples to classes; those that are there are passed over.

        Raises:
            Exception: As of `Gallery.enrol`; then nothing is enrolled.
        """
        ...

    def rename(self, name: str, to: str) -> dict[str, Any]:
        """Gives a class another name; raises as `Gallery.rename`."""
        ...

    def forget(self, name: str, examples: Sequence[int] | None) -> dict[str, Any]:
        """Removes a class, or examples of it; raises as `Gallery.forget`."""
        ...

    def examples_of(self, name: str) -> list[dict[str, Any]]:
        """Id and source of each example of a class; `KeyError` where there is none."""
        ...


class Model(Protocol):
    """A model of one version."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def version(self) -> str:
        """Which one it is."""
        ...

    @property
    def platform(self) -> str:
        """What it is made of, for the open inference protocol."""
        ...

    @property
    def blocks(self) -> bool:
        """Whether it waits for files and other processes, so that it needs a thread."""
        ...

    @property
    def queries(self) -> ExampleForm:
        """What a query is."""
        ...

    @property
    def support(self) -> ExampleForm | None:
        """What an example of a support is; `None` where it takes none."""
        ...

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """Functions of tensors, by name."""
        ...

    @property
    def default_signature(self) -> str:
        """The name of one of them."""
        ...

    @property
    def enrolled(self) -> EnrolledClasses | None:
        """Classes that clients may change; `None` where there are none."""
        ...

    def check(self) -> None:
        """Raises where it cannot answer now."""
        ...

    def classes(self, offset: int, limit: int) -> ClassesPage:
        """Classes that it knows, from one on."""
        ...

    async def embed(self, examples: Sequence[Example]) -> np.ndarray:
        """Float `(examples, *embedding)`, finite.

        Raises:
            Refusal: 409, when the model embeds nothing.
            ValueError: When an example has no finite embedding.
        """
        ...

    async def classify(self, examples: Sequence[Example], top: int) -> Ranking:
        """The most probable of the classes that it knows.

        Raises:
            Refusal: 409, when it knows none.
            ValueError: When an answer is not finite.
        """
        ...

    async def classify_task(
        self,
        support: Mapping[str, Sequence[Example]],
        examples: Sequence[Example],
        top: int,
        *,
        open_set: bool = False,
    ) -> Ranking:
        """The most probable of the classes of a support, which is given by class.

        Args:
            support: Examples of each class.
            examples: The queries.
            top: How many classes to name.
            open_set: Whether a query may be of none of them, by a threshold that
                `tfmeta evaluate --open-set` has fitted.

        Raises:
            Refusal: 409, when it takes no support, or has no threshold.
            ValueError: When an answer is not finite.
        """
        ...

    async def call(
        self, signature: str, tensors: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """What a signature gives.

        Args:
            signature: Its name.
            tensors: All its inputs, of its shapes and dtypes; texts and files as
                `bytes` objects.

        Raises:
            Exception: As TensorFlow does for values that it does not take.
        """
        ...

    def close(self) -> None:
        """Gives back what it holds; nobody asks it any more."""
        ...


def cannot(message: str) -> Refusal:
    """The refusal of what this model does for nobody."""
    return Refusal(409, message)
