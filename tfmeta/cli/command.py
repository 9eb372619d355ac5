"""A command that says what it was given wrongly in the words of its own options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from tfmeta.argument_names import rename_arguments, reworded_errors


class Command(click.Command):
    """A command whose work may refuse arguments by their names in Python.

    ``ways`` of a message becomes ``--ways``, and `augment=True` becomes `--augment`:
    whoever types a command has options alone.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Does the work."""
        with reworded_errors(lambda message: self.in_options(message, ctx.params)):
            return super().invoke(ctx)

    def in_options(self, message: str, given: Mapping[str, Any]) -> str:
        """A message with the names of options for those of arguments.

        Args:
            message: The message.
            given: The values of the options, by their names in Python.
        """
        names: dict[str, str] = {}
        values: dict[tuple[str, str], str] = {}
        for parameter in self.params:
            said = parameter.opts[0]
            if isinstance(parameter, click.Argument):
                said = parameter.human_readable_name.rstrip(".")
            opposite = (parameter.secondary_opts or [f"no {said}"])[0]
            own = said.lstrip("-").replace("-", "_").lower()
            for name in {own, parameter.name or own}:
                names[name] = said
                values[name, "True"] = said
                values[name, "False"] = opposite
                values[name, "None"] = f"no {said}"
            # Names that a value of NAME=VALUE brings along.
            inside = given.get(parameter.name or "")
            if isinstance(inside, dict):
                names |= {name: f"{said} {name}" for name in inside}
        return rename_arguments(message, names, values=values)


class Group(click.Group):
    """A group of such commands."""

    command_class = Command
