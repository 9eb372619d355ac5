"""The one console of the package, to which text is text and a line is a line."""

from __future__ import annotations

from typing import Any

import rich.console
from rich.style import Style
from rich.text import Text

from tfmeta.printable import one_line


class Console(rich.console.Console):
    """A console of `rich` that takes nothing in names for markup or control.

    Square brackets, `:smile:` and figures are written as they are, long lines are
    left to the terminal, and what `say` is given cannot become another line.

    Args:
        stderr: Whether to write to stderr, as what is no answer goes.
        **attributes: Of `rich.console.Console`.

    Example:

    ```python
    Console().say("The run is in run[red]1")
    ```
    """

    def __init__(self, *, stderr: bool = False, **attributes: Any) -> None:
        plain = {"markup": False, "emoji": False, "highlight": False}
        super().__init__(stderr=stderr, **{**plain, "soft_wrap": True, **attributes})

    def say(self, *lines: str, style: str | Style = "") -> None:
        """Writes sentences, one line each, whatever names are in them."""
        for line in lines:
            self.print(Text(one_line(line), style=style))

    def show(self, *parts: object) -> None:
        """Writes tables, and texts of several lines with their names escaped."""
        for part in parts:
            if isinstance(part, str):
                self.say(*part.split("\n"))
            else:
                self.print(part)

    def on_broken_pipe(self) -> None:
        """Leaves it to the caller that nobody reads on; rich would end the process."""
        raise  # noqa: PLE0704  # called where the error is handled
