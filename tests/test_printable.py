import subprocess
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt  # which rich brings

from tfmeta.printable import (
    markdown_text,
    one_line,
    printable,
    shell_word,
    short_name,
)

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


@pytest.mark.parametrize(
    "text", ["cat 1.png", "字 é ß", "ب می‌خواهم", "👨‍👩‍👧", "a/b", "\u3000"]
)
def test_what_can_be_seen_stays(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\tb\nc\r", r"a\tb\nc\r"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x9b2J\x7f\x00", r"\x9b2J\x7f\x00"),
        ("a\u2028b\u2029c\x85", r"a\u2028b\u2029c\x85"),
        ("\u202egnp.tac", r"\u202egnp.tac"),
        ("caf\udce9", r"caf\xe9"),
        ("\U000e0001", r"\U000e0001"),
        ("a\\nb", r"a\\nb"),
    ],
)
def test_what_moves_the_cursor_is_escaped(text, expected):
    assert printable(text) == expected


@given(st.text())
def test_it_is_one_line_without_control(text):
    found = printable(text)
    assert len(f"{found}.".splitlines()) == 1
    assert not any(unicodedata.category(c) == "Cc" for c in found)
    if "\\" not in text and found == text:
        return
    # Nothing becomes ambiguous.
    assert found != text


@given(st.text())
def test_a_sentence_is_one_line_whose_backslashes_stay(text):
    found = one_line(text)
    assert len(f"{found}.".splitlines()) == 1
    if printable(text) == text.replace("\\", "\\\\"):
        assert found == text


@pytest.mark.parametrize(
    ("name", "most", "short"),
    [
        ("alphabet/character01", 28, "alphabet/character01"),
        ("alphabet/character01", 11, "alpha…ter01"),
        ("alphabet/character01", 10, "alph…ter01"),
        ("a\nb", 28, r"a\nb"),
    ],
)
def test_begin_and_end_of_a_long_name_stay(name, most, short):
    assert short_name(name, most) == short
    assert len(short_name(name, most)) <= most


@pytest.mark.parametrize("word", ["runs/a", "my run", "it's", "a\nb'c", "-x", "", "ü"])
def test_a_word_comes_out_of_a_shell_as_it_was(word):
    shell = f"printf '%s' {shell_word(word)}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True)
    assert done.stdout == word
    assert len(shell.splitlines()) == 1


HOSTILE = [
    "<script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "![x](http://a.b/c.png)",
    "a | b | c",
    "a\n\n# title\n- list\n",
    "`code` ``` fence",
    "*a* **b** _c_ __d__ ~~e~~",
    "\u202egnp.tac\u2066",
    "&lt;b&gt; &amp; &#60;",
    "\\<b\\> \\[a\\](b)",
    "<!-- --> <a@b.c> http://a.b www.a.b a@b.c <http://a.b>",
    "$x$ $$y$$",
    "[a]: http://b",
]


def check_is_text(text):
    """That nothing of a text is markup, by somebody else's parser."""
    escaped = markdown_text(text)
    opened, inline, closed = MARKDOWN.parse(f"a {escaped} z")
    assert (opened.type, inline.type, closed.type) == (
        "paragraph_open",
        "inline",
        "paragraph_close",
    )
    assert {token.type for token in inline.children} == {"text"}
    assert "".join(t.content for t in inline.children) == f"a {one_line(text)} z"
    table = MARKDOWN.parse(f"| a | b |\n|---|---|\n| {escaped} | c |")
    cells = [token for token in table if token.type == "td_open"]
    assert len(cells) == 2


@pytest.mark.parametrize("text", HOSTILE)
def test_in_markdown_it_is_text(text):
    check_is_text(text)
    for mark in ("<", ">", "|", "@", "://", "www."):
        assert mark not in markdown_text(text)


@given(st.text() | st.text(alphabet="a1 _*`[]()<>!&|\\~#:/.\n"))
def test_any_text_is_text_in_markdown(text):
    check_is_text(text)


def test_plain_names_stay_plain_in_markdown():
    for name in ("mini_imagenet", "glyphs-seed0", "alphabet/character01 (2)", "字 é"):
        assert markdown_text(name) == name
