"""A parameter of a run: its field says all that is known of it."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal

_KEY = "parameter"
Task = Literal["classification", "regression", "control"]
# Those that learn from examples that are there before the learner is.
FROM_DATA: tuple[Task, ...] = ("classification", "regression")


@dataclasses.dataclass(frozen=True)
class Parameter:
    """What is known of a parameter besides its name, type and default.

    Attributes:
        help: What it says, in a sentence; `{where}` stands for the tasks that it is
            of.
        unit: What its number counts, or its text is.
        at_least: Its smallest value.
        at_most: Its largest value: more is a slip of the hand, which would end in
            TensorFlow or in the memory. What data allow is said when they are read.
        above: What its value lies above.
        choices: All its values.
        option: Name of the option, where it is not that of the field; `None` for
            that.
        opposite: Name of the option for `False`.
        without: Its default in words, where that is `None` or depends on others.
        of_all_tasks: Whether training, validation and test have one option for it.
        trains_on: Which learners it is for, `None` for all.
        of_training: Whether it says how something is trained, and so nothing of a
            learner without training steps.
        has_option: Whether the command line has an option for it.
        of_task: Which runs it is for, by what their learners do; `None` for all.
    """

    help: str
    unit: str | None = None
    at_least: int | None = None
    at_most: int | float | None = None
    above: float | None = None
    choices: tuple[str, ...] | None = None
    option: str | None = None
    opposite: str | None = None
    without: str | None = None
    of_all_tasks: bool = False
    trains_on: Literal["episodes", "examples"] | None = None
    of_training: bool = False
    has_option: bool = True
    of_task: Task | tuple[Task, ...] | None = None

    def is_of(self, task: Task) -> bool:
        """Whether runs of such tasks make use of it."""
        if self.of_task is None or isinstance(self.of_task, tuple):
            return self.of_task is None or task in self.of_task
        return task == self.of_task


def parameter(default: Any, help: str, **known: Any) -> Any:
    """The field of a parameter; `known` are attributes of `Parameter`."""
    metadata = {_KEY: Parameter(help, **known)}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=dict, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Part:
    """Where a configuration holds another one.

    Attributes:
        where: The tasks that it is of, in words.
        prefix: What its options begin with.
        trains_on: Which learners those options are for, `None` for all.
    """

    where: str
    prefix: str = ""
    trains_on: Literal["episodes", "examples"] | None = None


def part(default: Any, where: str, **known: Any) -> Any:
    """The field of a part, a frozen dataclass of parameters."""
    metadata = {_KEY: Part(where, **known)}
    return dataclasses.field(default_factory=lambda: default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Place:
    """A parameter in its place in a configuration.

    Attributes:
        name: Its name on the command line and in messages, with `_`: `"train_ways"`.
        path: Names of the fields that lead to it: `("training", "ways")`.
        type: The type of its value.
        parameter: What else is known.
        where: The tasks that it is of, in words; empty outside of a part.
        trains_on: Which learners it is for, `None` for all.
    """

    name: str
    path: tuple[str, ...]
    type: Any
    parameter: Parameter
    where: str = ""
    trains_on: str | None = None

    def value_in(self, config: Any) -> Any:
        """Its value in a configuration."""
        for name in self.path:
            config = getattr(config, name)
        return config

    def check(self, value: Any) -> None:
        """Refuses a value of another type or beyond the bounds.

        Raises:
            ValueError: Names the parameter, what is accepted and what came.
        """
        if not _accepts(self.type, self.parameter, value):
            raise ValueError(
                f"`{self.name}` must be {self.accepted}. Received: {self.name}="
                f"{value!r}"
            )

    @property
    def accepted(self) -> str:
        """What it accepts, in words."""
        known, kinds = self.parameter, _kinds(self.type)
        if known.choices is not None:
            return f"one of {', '.join(known.choices)}"
        words = []
        for kind in kinds:
            name = "pair of ints (smallest, largest)" if kind is tuple else None
            name = name or {float: "finite number"}.get(kind, kind.__name__)
            words.append("None" if kind is types.NoneType else _with_article(name))
        bounds = []
        if known.at_least is not None:
            bounds.append(f"of at least {known.at_least}")
        if known.above is not None:
            bounds.append(f"above {known.above:g}")
        if known.at_most is not None:
            bounds.append(f"{'and ' * bool(bounds)}of at most {known.at_most}")
        return " ".join([" or ".join(words), *bounds])


def places(config: type) -> tuple[Place, ...]:
    """All parameters of a configuration, in the order of its fields."""
    return _places(config)


@functools.cache
def _places(config: type) -> tuple[Place, ...]:
    return tuple(_each_place(config))


def _each_place(config: type) -> Iterator[Place]:
    hints = typing.get_type_hints(config)
    for field in dataclasses.fields(config):
        known = field.metadata[_KEY]
        if isinstance(known, Parameter):
            yield Place(
                field.name,
                (field.name,),
                hints[field.name],
                known,
                trains_on=known.trains_on,
            )
            continue
        for inner in places(hints[field.name]):
            shared = inner.parameter.of_all_tasks
            yield dataclasses.replace(
                inner,
                name=inner.name if shared else known.prefix + inner.name,
                path=(field.name, *inner.path),
                where=known.where,
                trains_on=None if shared else known.trains_on,
            )


def declared(holder: type) -> list[Place]:
    """The parameters among the fields of a class that has others besides."""
    hints = typing.get_type_hints(holder)
    return [
        Place(field.name, (field.name,), hints[field.name], field.metadata[_KEY])
        for field in dataclasses.fields(holder)
        if _KEY in field.metadata
    ]


def parts(config: type) -> list[str]:
    """Names of the fields that hold another configuration."""
    fields = dataclasses.fields(config)
    return [f.name for f in fields if isinstance(f.metadata[_KEY], Part)]


def _kinds(annotation: Any) -> list[Any]:
    """The classes that a type is one of; of `tuple[int, int]` it is `tuple`."""
    is_union = isinstance(annotation, types.UnionType)
    members = typing.get_args(annotation) if is_union else (annotation,)
    return [typing.get_origin(member) or member for member in members]


def _accepts(annotation: Any, known: Parameter, value: Any) -> bool:
    kinds = _kinds(annotation)
    if value is None:
        return types.NoneType in kinds
    if isinstance(value, bool):
        return bool in kinds
    if known.choices is not None:
        return value in known.choices
    if isinstance(value, tuple) and tuple in kinds:
        inside = [_accepts(int, known, end) for end in value]
        return len(value) == 2 and all(inside) and value[0] <= value[1]
    if isinstance(value, int) and int not in kinds and float in kinds:
        try:
            value = float(value)
        except OverflowError:
            return False
    if not isinstance(value, tuple(kinds)) or isinstance(value, tuple):
        return False
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if isinstance(value, int | float):
        return (
            (known.at_least is None or value >= known.at_least)
            and (known.above is None or value > known.above)
            and (known.at_most is None or value <= known.at_most)
        )
    return True


def _with_article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
