import html.parser

import pytest

from tfmeta.pages.markup import element, named, page


class Reader(html.parser.HTMLParser):
    """Text and tags as a parser that is not ours finds them."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.said, self.attributes = [], [], {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.update(attrs)

    def handle_data(self, data):
        self.said.append(data)


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "&lt;b&gt; &amp; &",
    "</title></style><b>",
    "<!-- ]]> -->",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_stays_text_as_content_and_as_an_attribute(text):
    whole = page(text, "p {}", element("p", text, element("i", text), text, title=text))
    read = Reader(whole)
    assert read.tags == [
        *("html", "head", "meta", "meta", "meta", "meta", "title", "style"),
        *("body", "p", "i"),
    ]
    said = "".join(read.said)
    assert said.count(text) == 4
    assert read.attributes["title"] == text


def test_what_controls_a_line_or_its_direction_is_written_out():
    made = element("p", "a\x00b\n", "\u202ec", title="\x1b[31m")
    assert made.text == "a\\x00b\\n\\u202ec"
    assert made.get("title") == "\\x1b[31m"
    # Scripts from right to left, and joined emoji, are no such thing.
    assert element("p", "שלום 👩‍🔬").text == "שלום 👩‍🔬"


def test_bytes_of_names_that_are_no_text_can_be_written():
    text = page("\udce9", "", element("p", "\udce9"))
    assert "\\xe9" in text.encode("utf-8").decode("utf-8")


def test_lists_and_nothing_are_content():
    made = element("p", "a", [element("b", "c"), None, ["d"]], None, "e", lang=None)
    assert (made.text, made[0].tail, len(made), made.attrib) == ("a", "de", 1, {})


def test_long_names_keep_both_ends():
    made = named("first" + "x" * 500 + "last", most=20)
    assert made.text.startswith("first")
    assert made.text.endswith("last")
    assert len(made.text) == 21
    assert len(made.get("title")) == 509


def test_a_page_loads_nothing():
    text = page("A", "")
    assert "default-src 'none'" in text
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
