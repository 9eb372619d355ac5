"""How `tfmeta evaluate` is asked for a protocol, as each says of itself."""

from __future__ import annotations

import dataclasses
from typing import Any

import click
from click.core import ParameterSource

from tfmeta.cli.config_options import Decorator, option_of
from tfmeta.runs.measuring.protocol import MeasuringProtocol
from tfmeta.runs.measuring.registry import PROTOCOLS
from tfmeta.runs.parameter import declared

_Protocol = type[MeasuringProtocol[Any, Any]]
# What the command takes, whatever is measured.
_OF_ALL = {"runs", "protocol", "untrained", "data_dir"}


def protocol_options(function: Any) -> Any:
    """Options that ask for a protocol, each followed by those of its own."""
    decorators: list[Decorator] = []
    for protocol in PROTOCOLS:
        if protocol.asked == "flag":
            decorators.append(
                click.option(
                    f"--{protocol.name}",
                    _parameter_of(protocol),
                    is_flag=True,
                    help=protocol.help,
                )
            )
        decorators += [
            option_of(place, place.parameter.help) for place in declared(protocol)
        ]
    choices = [p for p in PROTOCOLS if p.asked == "choice"]
    decorators.append(
        click.option(
            "--protocol",
            type=click.Choice([protocol.name for protocol in choices]),
            help=" ".join(f"{protocol.name}: {protocol.help}" for protocol in choices),
        )
    )
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


def chosen_protocol(
    context: click.Context, task: str = "classification"
) -> MeasuringProtocol[Any, Any]:
    """The protocol that a command line asks for, with its options.

    Args:
        context: Of the command.
        task: What the learners of the runs do, which says what they are measured by.

    Raises:
        click.UsageError: When it asks for two, or for one of other runs, or gives one
            what is another's.
    """
    given = context.params
    usual = _usual(task)
    for protocol in PROTOCOLS:
        if protocol.measures != task:
            _refuse_of_other_runs(context, protocol, usual)
    for protocol in PROTOCOLS:
        if protocol.asked == "choice" and protocol.name == given["protocol"]:
            _refuse_other_options(context, protocol)
            return _made(protocol, given)
    flagged = [p for p in PROTOCOLS if p.asked == "flag" and given[_parameter_of(p)]]
    flags = [f"--{protocol.name}" for protocol in flagged]
    if len(flags) > 1:
        raise click.UsageError(
            f"{' and '.join(flags)} must be given one at a time. Received: "
            f"{'both' if len(flags) == 2 else 'all of them'}"
        )
    chosen = flagged[0] if flagged else usual
    others = [*flags, *(["--untrained"] if given["untrained"] else [])]
    for protocol in (p for p in PROTOCOLS if p.measures == task):
        for place in declared(protocol):
            value = given[place.name]
            if value is not None and value is not False:
                _check_own_option(protocol, chosen, place.name, value, others)
    return _made(chosen, given)


def _check_own_option(
    protocol: _Protocol, chosen: _Protocol, name: str, value: Any, others: list[str]
) -> None:
    option = f"--{name.replace('_', '-')}"
    if protocol.asked == "default":
        if others:
            raise click.UsageError(
                f"{option} {protocol.of_usual_runs[name]}. Received: {option} with "
                f"{others[0]}"
            )
    elif protocol is not chosen:
        asked = f"--{protocol.name}"
        if protocol.asked == "choice":
            asked = f"--protocol {protocol.name}"
        shown = option if value is True else f"{option} {value}"
        raise click.UsageError(f"{option} needs {asked}. Received: {shown} without")


def _refuse_of_other_runs(
    context: click.Context, protocol: _Protocol, usual: _Protocol
) -> None:
    """Refuses what asks for a protocol of other runs, and the options of it alone."""
    taken = _OF_ALL | {field.name for field in dataclasses.fields(usual)}
    own = {field.name for field in dataclasses.fields(protocol)} - taken
    if protocol.asked == "flag":
        own.add(_parameter_of(protocol))
    if protocol.asked == "choice" and context.params["protocol"] == protocol.name:
        own.add("protocol")
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if name in own and source is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"{parameter.opts[0]} must be left out for a run of {usual.measures}. "
                f"Received: {parameter.opts[0]}",
                context,
            )


def _refuse_other_options(context: click.Context, protocol: _Protocol) -> None:
    taken = _OF_ALL | {field.name for field in dataclasses.fields(protocol)}
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if name not in taken and source is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"{parameter.opts[0]} must be left out with --protocol "
                f"{protocol.name}, {protocol.takes_no_more}. Received: "
                f"{parameter.opts[0]}",
                context,
            )


def _made(protocol: _Protocol, given: dict[str, Any]) -> MeasuringProtocol[Any, Any]:
    names = [field.name for field in dataclasses.fields(protocol)]
    chosen = {name: given[name] for name in names if given[name] is not None}
    return protocol(**chosen)


def _usual(task: str) -> _Protocol:
    usual = (p for p in PROTOCOLS if p.asked == "default")
    return next(protocol for protocol in usual if protocol.measures == task)


def _parameter_of(protocol: _Protocol) -> str:
    return protocol.name.replace("-", "_")
