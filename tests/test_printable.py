import subprocess
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmeta.printable import one_line, printable, shell_word, short_name


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
