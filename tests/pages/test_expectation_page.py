import re
from html import unescape

import numpy as np
import pytest
from full_disk import files_of_at_most
from made_expectation import make_expectation

from tfmeta.pages.expectation_page import write_expectation_page
from tfmeta.printable import one_line


@pytest.fixture
def written(tmp_path):
    """Writes a page and gives its text."""

    def written(expected, **arguments):
        path = tmp_path / "page.html"
        write_expectation_page(expected, path, **arguments)
        return path.read_text("utf-8")

    return written


def headings(text):
    return [unescape(found) for found in re.findall(r"<h2>(.*?)</h2>", text)]


ALWAYS = (
    *("Would more examples help?", "Class by class", "Which are confused"),
    *("The examples", "How this was found"),
)


def test_all_that_was_found_is_there(written, paint_files):
    expected = make_expectation(shots=3)
    files = paint_files(len(expected.examples))
    text = written(
        expected,
        files=files,
        unlabelled_files=files,
        source="my <folder>",
        pretraining="imagenet",
        next_steps=("tfmeta classify --support 'my <folder>'",),
    )
    assert set(headings(text)) == {
        *ALWAYS,
        *("Worst errors", "Look mislabelled", "There twice", '"None of these"'),
        "Label these next",
    }
    # Every example once, 7 of them wrong, a suspect, two pairs, one to label.
    assert text.count("<img ") == 21 + 7 + 1 + 4 + 1
    seen = unescape(text)
    for said in (
        "Expect 67 % of new pictures right",
        "tfmeta classify --support 'my <folder>'",
        "pre-trained on imagenet",
        "in 3 folds; seed 7",
        "A note of <b>these</b>.",
        "1. in doubt",
        "about 33 points more",
    ):
        assert said in seen
    table = text[text.index("Heads that were tried") :]
    chosen = re.search(r"simple_shot</th><td>66.7 %</td><td>0.500</td><td>(\w+)", table)
    assert chosen[1] == "chosen"


def test_what_was_not_found_takes_no_room(written):
    expected = make_expectation(
        ("a", "b"), suspects=(), doubles=(), rejection=None, to_label=(), notes=()
    )
    right = np.zeros_like(expected.probabilities)
    right[np.arange(len(right)), expected.labels] = 1
    expected = make_expectation(
        ("a", "b"),
        probabilities=right,
        confused=(),
        **{"suspects": (), "doubles": (), "rejection": None, "to_label": ()},
    )
    text = written(expected)
    assert headings(text) == list(ALWAYS)
    assert "None: all answers were right." in text
    assert "<img " not in text


def test_texts_are_quoted_with_their_class(written):
    texts = tuple(f"where is <my> parcel {n}?" for n in range(6))
    text = written(make_expectation(("a", "b"), kind="texts", examples=texts))
    assert text.count("<blockquote") == 6 + 2 + 1 + 4 + 1
    assert "where is &lt;my&gt; parcel 5?" in text
    assert "Expect 67 % of new texts right" in text


def test_an_example_that_was_never_left_out_is_not_called_wrong(written):
    expected = make_expectation(("a", "b"), shots=2)
    expected.probabilities[0] = np.nan
    text = written(expected)
    assert "Of 4 examples 1 was answered wrongly" in text


def test_confusion_has_the_counts_and_their_share(written):
    text = written(make_expectation(("a", "b", "c"), shots=4))
    (matrix,) = re.findall(r'<table class="matrix">(.*?)</table>', text, re.S)
    rows = re.findall(r"<tr>(.*?)</tr>", matrix)[1:]
    found = [re.findall(r"<td[^>]*>(\d*)</td>", row) for row in rows]
    assert found == [["3", "1", ""], ["", "3", "1"], ["1", "", "3"]]
    assert rows[0].count('style="--share: 0.64"') == 1  # 0.15 + 0.65 * 3 / 4
    assert rows[0].count('style="--share: 0.31"') == 1


def test_many_classes_are_listed_without_a_matrix(written):
    names = tuple(f"class {n:03}" for n in range(220))
    text = written(make_expectation(names, shots=2, kind="arrays"))
    assert 'class="matrix"' not in text
    assert "20 more are not shown." in text
    assert "50 of 220 classes." in text


@pytest.mark.slow
def test_fifty_classes_of_twenty_stay_below_five_megabytes(written, paint_files):
    names = tuple(f"class {n:03}" for n in range(50))
    expected = make_expectation(names, shots=20)
    # Noise, which nothing makes smaller: one file for all of them.
    files = paint_files(1, size=(96, 96)) * len(expected.examples)
    text = written(expected, files=files, unlabelled_files=files)
    assert len(text.encode()) < 5_000_000
    assert "the page would be too large" in text
    # What was found comes before the sheet.
    assert text.count("<img ") > 24 + 1 + 4 + 1


def test_a_page_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("before")
    with (
        files_of_at_most(1000),
        pytest.raises(OSError, match=r"page\.html could not be written"),
    ):
        write_expectation_page(make_expectation(("a", "b")), path)
    assert path.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["page.html"]


def test_a_browser_shows_it_offline_on_a_phone_and_on_a_desk(
    tmp_path, paint_files, look_at
):
    expected = make_expectation(shots=2)
    files = paint_files(len(expected.examples))
    path = tmp_path / "a page #1.html"
    write_expectation_page(
        expected,
        path,
        files=files,
        unlabelled_files=files,
        source="x" * 200,
        next_steps=("tfmeta classify --support " + "y" * 200,),
    )
    assert not re.search(r"(?:src|href|url)\W{1,3}(?!data:)\w+:", path.read_text())
    for seen in look_at((path, 400), (path, 1200)):
        assert seen["title"].startswith("Expect 50 % of new pictures right (")
        assert seen["headline"] == "Expect 50 % of new pictures right"
        assert seen["over"] <= 0
        assert (seen["scripts"], seen["handlers"]) == (0, 0)
        assert all(width > 0 for width, _ in seen["pictures"])
        assert one_line(expected.examples[0]) in [alt for _, alt in seen["pictures"]]
        for name in expected.class_names[:-1]:
            assert one_line(name) in seen["names"]
        assert {address.split(":")[0] for address in seen["loaded"]} <= {"data"}


def test_a_browser_refuses_what_is_not_in_the_page(tmp_path, paint_files, look_at):
    from tfmeta.pages.markup import element, page

    (file,) = paint_files(1)
    inside = element("img", src=file.as_uri(), alt="outside")
    script = element("script", "document.title = 'taken'")
    path = tmp_path / "page.html"
    path.write_text(page("as it was", "", inside, script))
    (seen,) = look_at((path, 400))
    assert seen["title"] == "as it was"
    assert seen["pictures"] == [[0, "outside"]]
