"""Text from somebody else's disk in a line of output, of a shell, or of Markdown."""

from __future__ import annotations

import re
import shlex
import unicodedata

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}
# Control, format, surrogate and unassigned characters, line and paragraph separators:
# what ends a line, moves the cursor or turns the direction of writing.
_ESCAPED = {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}
# Persian and Indic scripts are not written without these two, nor many emoji.
_JOINERS = {"\u200c", "\u200d"}

# In HTML and in tables of Markdown only an entity is safe in every renderer; the last
# makes links.
_ENTITIES = {c: f"&#{ord(c)};" for c in "&<>|$@"}
_BACKSLASHED = re.compile(r"[\\`*\[\]~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def printable(text: str) -> str:
    r"""The text with an escape, as Python writes it, for what is not to be seen.

    A line of tab-separated fields cannot be forged by a name, nor the terminal
    controlled. The backslash is escaped too, so that nothing becomes ambiguous.

    Args:
        text: Any text; bytes of a file name that are not UTF-8 come as lone
            surrogates.

    Example:

    ```python
    printable("cat.png\nforged.png\tdog")  # 'cat.png\\nforged.png\\tdog'
    ```
    """
    return "".join(map(_escape, text))


def one_line(text: str) -> str:
    r"""A sentence with names in it, on one line whatever they hold.

    As `printable`, but a backslash stays: of a sentence nobody reads a name back, and
    what is quoted in it by `repr` is escaped already.

    Example:

    ```python
    one_line("Wrote runs/a\nb")  # 'Wrote runs/a\\nb'
    ```
    """
    return "\\".join(map(printable, text.split("\\")))


def short_name(name: str, most: int = 28) -> str:
    """A name for where there is little room, as in a picture; as `printable`.

    Args:
        name: The name.
        most: The most characters; of a longer one begin and end stay, for names often
            differ in their ends.
    """
    name = printable(name)
    if len(name) <= most:
        return name
    return f"{name[: (most - 1) // 2]}…{name[len(name) - most // 2 :]}"


def shell_word(text: object) -> str:
    r"""A word of a command, so that it can be pasted into a shell.

    Args:
        text: The word, e.g. a path. What is not to be seen is written as `$'\n'` is,
            which bash and zsh read.

    Example:

    ```python
    shell_word("my run")  # "'my run'"
    ```
    """
    word = str(text)
    if one_line(word) == word:
        return shlex.quote(word)
    escaped = printable(word).replace("'", "\\'")
    return f"$'{escaped}'"


def markdown_text(text: str) -> str:
    r"""Text inside a line of Markdown, that is no markup there whatever it holds.

    As `one_line`, with an escape for what Markdown, or the HTML in it, would read.
    Nothing becomes a link either, and no column of a table. A line must not begin
    with it.

    Args:
        text: Any text, e.g. a name from somebody else's disk.

    Example:

    ```python
    markdown_text("<b>[cat](x)")  # '&#60;b&#62;\\[cat\\](x)'
    ```
    """
    escaped = _BACKSLASHED.sub(r"\\\g<0>", one_line(text))
    escaped = "".join(_ENTITIES.get(c, c) for c in escaped)
    # What renderers make links of by themselves.
    escaped = escaped.replace("://", "&#58;//")
    return re.sub(r"(?i)(www)\.", r"\1&#46;", escaped)


def _escape(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    if unicodedata.category(character) not in _ESCAPED or character in _JOINERS:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
