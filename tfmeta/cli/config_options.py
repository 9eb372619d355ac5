"""Options of the command line, made from the fields of a run's configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from tfmeta.cli.options import WORD, FiniteRange, Shots, WholeRange, parse_arguments
from tfmeta.runs.config import HeldOutEpisodeConfig, options
from tfmeta.runs.defaults import defaults_in_words
from tfmeta.runs.parameter import Place, places

_Function = TypeVar("_Function", bound=Callable[..., Any])
Decorator = Callable[[Any], Any]


def config_options(
    after: Mapping[str, Iterable[Decorator]],
) -> Callable[[_Function], _Function]:
    """All options of a configuration; a command gets them by their names.

    Args:
        after: Further options of the command, by the name of the one before them.
    """
    decorators: list[Decorator] = []
    defaults = defaults_in_words()
    for place in options():
        help = place.parameter.help.format(where=place.where)
        decorators.append(option_of(place, f"{help} [default: {defaults[place.name]}]"))
        decorators += after.get(place.name, ())

    def decorate(function: _Function) -> _Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def task_options(*, default: str, several: Iterable[str] = ()) -> Decorator:
    """`--ways`, `--shots` and `--queries` of the tasks to measure on.

    Args:
        default: What they are by default, in words.
        several: Those that may be repeated.
    """
    known = {place.name: place for place in places(HeldOutEpisodeConfig)}

    def decorate(function: Any) -> Any:
        for name in ("queries", "shots", "ways"):
            place, multiple = known[name], name in several
            help = place.parameter.help.format(where="test")
            help = f"{help[:-1]}; may be repeated." if multiple else help
            help = f"{help} [default: {default}]"
            function = option_of(place, help, multiple=multiple)(function)
        return function

    return decorate


def option_of(place: Place, help: str, **attributes: Any) -> Decorator:
    """The option of a parameter.

    Args:
        place: The parameter.
        help: What `--help` says of it.
        **attributes: Of `click.option`.
    """
    known = place.parameter
    flag = f"--{(known.option or place.name).replace('_', '-')}"
    if known.opposite is not None:
        flag = f"{flag}/--{known.opposite.replace('_', '-')}"
        return click.option(flag, place.name, default=None, help=help)
    if place.type is bool:
        return click.option(flag, place.name, is_flag=True, help=help)
    if _is_mapping(place.type):
        return click.option(
            flag,
            place.name,
            multiple=True,
            metavar="NAME=VALUE",
            callback=lambda _context, _option, words: (
                parse_arguments(words, flag) or None
            ),
            help=help,
        )
    metavar = None if known.unit is None else known.unit.upper()
    return click.option(
        flag, place.name, type=_type(place), metavar=metavar, help=help, **attributes
    )


def _is_mapping(annotation: Any) -> bool:
    members = _members(annotation)
    return any(getattr(one, "__origin__", one) is dict for one in members)


def _members(annotation: Any) -> tuple[Any, ...]:
    members = getattr(annotation, "__args__", ())
    return (annotation, getattr(annotation, "__origin__", None), *members)


def _type(place: Place) -> Any:
    """What click turns a word into, and refuses with the option's name."""
    known, members = place.parameter, _members(place.type)
    if known.choices is not None:
        return click.Choice(known.choices)
    if tuple[int, int] in members:
        assert known.at_most is not None
        return Shots(int(known.at_most))
    if int in members:
        most = None if known.at_most is None else int(known.at_most)
        return WholeRange(known.at_least, most)
    if float in members:
        return FiniteRange(known.above, known.at_most, min_open=True)
    return WORD
