"""Values of JSON are of the types that are wanted, or the place is named."""

from typing import Any, Literal, TypedDict

import pytest

from tfmeta.json_types import check_type


class Example(TypedDict):
    shape: list[int | None]
    dtype: str


class AtLeast(TypedDict):
    example: Example


class Described(AtLeast, total=False):
    figure: float
    kind: Literal["a", 1]
    more: dict[str, list[bool]] | None
    any: Any


GOOD = {"example": {"shape": [None, 3], "dtype": "uint8"}}


@pytest.mark.parametrize(
    "value",
    [
        *(GOOD, {**GOOD, "figure": 1, "other": object}, {**GOOD, "any": [1, "x"]}),
        *({**GOOD, "more": None}, {**GOOD, "more": {"x": [True]}, "kind": 1}),
    ],
)
def test_what_fits_comes_back(value):
    assert check_type(value, Described, "a.json") is value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "a.json must be a mapping with example. Received: a list of 0"),
        ({}, "`example` in a.json must be there, a mapping with shape, dtype. "),
        ({"example": {}}, "`example.shape` in a.json must be there, a list. "),
        (
            {"example": {"shape": [3, "x"], "dtype": "u"}},
            "`example.shape[1]` in a.json must be an integer below 2**63 or null. "
            "Received: 'x'",
        ),
        (
            {"example": {"shape": [True], "dtype": "u"}},
            "`example.shape[0]` in a.json must be an integer below 2**63 or null. "
            "Received: True",
        ),
        ({"example": {"shape": [2**70], "dtype": "u"}}, "Received: a larger integer"),
        ({**GOOD, "figure": float("nan")}, "`figure` in a.json must be a finite"),
        ({**GOOD, "figure": "1"}, "`figure` in a.json must be a finite number"),
        ({**GOOD, "kind": True}, "`kind` in a.json must be one of 'a', 1. "),
        ({**GOOD, "more": 3}, "`more` in a.json must be a mapping or null. "),
        ({**GOOD, "more": {"x": [0]}}, "`more.x[0]` in a.json must be true or false. "),
        ({**GOOD, "figure": "x" * 900}, "xxx..."),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(value, message):
    with pytest.raises(ValueError) as raised:
        check_type(value, Described, "a.json")
    assert message in str(raised.value)
    assert len(str(raised.value)) < 200
