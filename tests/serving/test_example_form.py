import re

import numpy as np
import pytest
from running_server import b64, png

from tfmeta.serving.example_form import ExampleForm
from tfmeta.serving.limits import MOST_CHARACTERS, Limits
from tfmeta.serving.refusals import Refusal

GREY = ExampleForm((4, 4, 1), "uint8", floats=True)
TEXT = ExampleForm((), "string")
VECTOR = ExampleForm((2,), "float32")
LIMITS = Limits(pixels=100)


def refusal(form, value):
    with pytest.raises(Refusal) as caught:
        form.read(value, "`x`", LIMITS)
    assert caught.value.status == 422
    return caught.value.message


def test_the_kind_follows_from_shape_and_dtype():
    assert [GREY.kind, TEXT.kind, VECTOR.kind] == ["picture", "text", "array"]
    assert ExampleForm((8, 8), "uint8").kind == "picture"
    assert ExampleForm((8, 8, 1), "float32").kind == "array"


def test_each_kind_is_read():
    content = png(np.zeros((4, 4), np.uint8))
    assert GREY.read(b64(content), "x", LIMITS) == content
    assert GREY.read(content, "x", LIMITS) == content
    assert TEXT.read("a text", "x", LIMITS) == "a text"
    assert VECTOR.read([1, 2.5], "x", LIMITS).tolist() == [1, 2.5]


def test_pixels_stay_whole_and_floats_stay_floats():
    whole = GREY.read([[0, 1, 2, 255]] * 4, "x", LIMITS)
    assert (whole.dtype, whole.shape) == ("uint8", (4, 4, 1))
    floats = GREY.read([[0.5, 1, 2, 255]] * 4, "x", LIMITS)
    assert (floats.dtype, floats.shape) == ("float32", (4, 4, 1))


@pytest.mark.parametrize(
    ("form", "value", "message"),
    [
        (GREY, {"b64": "?"}, "must be base64"),
        (GREY, {"b64": 3}, "must be a text, base64 .RFC 4648.. Received: a number"),
        (GREY, {"b64": "", "x": 1}, "must hold a file as"),
        (GREY, {}, "a mapping of nothing"),
        (GREY, b"no picture", "no known picture"),
        (GREY, "a text", "Received: a text"),
        (GREY, [[0] * 4] * 3, r"Received: shape \[3, 4, 1\]"),
        (GREY, None, "Received: null"),
        (VECTOR, {"b64": ""}, "Received: a file"),
        (VECTOR, [1, 2, 3], r"numbers, float32 of shape \[2\]. Received: shape \[3\]"),
        (VECTOR, 1, "Received: a number"),
        (VECTOR, [1, float("inf")], "finite"),
        (TEXT, 3, "must be a text. Received: a number"),
        (TEXT, "x" * (MOST_CHARACTERS + 1), "at most 100,000 characters"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_others_are_refused(form, value, message):
    assert re.search(message, refusal(form, value)), refusal(form, value)


def test_a_picture_of_too_many_pixels_is_not_decoded():
    bomb = png(np.zeros((2000, 2000), np.uint8), optimize=True)
    assert len(bomb) < 10_000
    assert "at most 100 pixels. Received: 2000 x 2000" in refusal(GREY, bomb)


def test_a_free_size_takes_any_but_none():
    form = ExampleForm((None, 2), "float32")
    assert form.read([[1, 2], [3, 4]], "x", LIMITS).shape == (2, 2)
    assert "shape [0]" in refusal(form, [])
