"""What an argument is called by whoever gave it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping

# As messages name arguments: "`ways` must be ... . Received: ways=3".
_ARGUMENT = re.compile(
    r"`(?P<names>[a-z_]+(?: [+] [a-z_]+)*)(?P<equals>=[^`]*)?`"
    r"|(?P<before>^|[\s(;])(?<!--argument )(?P<given>[a-z_]+)="
    r"(?P<value>True\b|False\b|None\b)?"
)


def rename_arguments(
    message: str,
    names: Mapping[str, str],
    *,
    values: Mapping[tuple[str, str], str] | None = None,
) -> str:
    """A message with other names for arguments.

    Args:
        message: Names arguments in backquotes, also a sum of them, and as
            `name=value`.
        names: The names to say, by those of the arguments.
        values: What to say for `name=True`, `name=False` and `name=None`, by name and
            value, where that is something else.
    """

    def renamed(found: re.Match[str]) -> str:
        if found["names"] is None:
            return found["before"] + given(found["given"], found["value"] or "")
        if found["equals"] is not None:
            return f"`{given(found['names'], found['equals'][1:])}`"
        said = " + ".join(names.get(name, name) for name in found["names"].split(" + "))
        return f"`{said}`"

    def given(name: str, value: str) -> str:
        usual = f"{names.get(name, name)}={value}"
        return (values or {}).get((name, value), usual)

    return _ARGUMENT.sub(renamed, message)


@contextlib.contextmanager
def reworded_errors(reword: Callable[[str], str]) -> Iterator[None]:
    """Lets errors about what was given say it in other words; else they stay.

    Args:
        reword: From a message to the one to say.
    """
    try:
        yield
    except (ValueError, TypeError, OSError, ImportError) as error:
        # The first of an error of the system is its number.
        if error.args and isinstance(error.args[0], str):
            error.args = (reword(error.args[0]), *error.args[1:])
        raise


@contextlib.contextmanager
def renamed_arguments(names: Mapping[str, str]) -> Iterator[None]:
    """Lets errors say the names of arguments that the caller knows.

    Args:
        names: The names to say, by those of the arguments.

    Example:

    ```python
    with renamed_arguments({"tasks": "train_tasks"}):
        Episodes(table, tasks=0)  # ValueError: `train_tasks` must be ...
    ```
    """
    with reworded_errors(lambda message: rename_arguments(message, names)):
        yield
