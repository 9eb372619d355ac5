"""What an argument is called by whoever gave it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping

# As messages name arguments: "`ways` must be ... . Received: ways=3".
_ARGUMENT = re.compile(
    r"`(?P<name>[a-z_]+)(?P<rest>[=, +][^`]*)?`"
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
        message: Names an argument in backquotes, and as `name=value`.
        names: The names to say, by those of the arguments.
        values: What to say for `name=True`, `name=False` and `name=None`, by name and
            value, where that is something else.
    """

    def renamed(found: re.Match[str]) -> str:
        name = found["name"] or found["given"]
        if name not in names:
            return found[0]
        if found["name"]:
            return f"`{names[name]}{found['rest'] or ''}`"
        value = found["value"] or ""
        said = (values or {}).get((name, value), f"{names[name]}={value}")
        return f"{found['before']}{said}"

    return _ARGUMENT.sub(renamed, message)


@contextlib.contextmanager
def reworded_errors(reword: Callable[[str], str]) -> Iterator[None]:
    """Lets errors about what was given say it in other words; else they stay.

    Args:
        reword: From a message to the one to say.

    Example:

    ```python
    names = {"tasks": "train_tasks"}
    with reworded_errors(lambda message: rename_arguments(message, names)):
        Episodes(table, tasks=0)  # ValueError: `train_tasks` must be ...
    ```
    """
    try:
        yield
    except (ValueError, TypeError, OSError, ImportError) as error:
        # The first of an error of the system is its number.
        if error.args and isinstance(error.args[0], str):
            error.args = (reword(error.args[0]), *error.args[1:])
        raise
