import numpy as np
import pytest

from tfmeta.serving.nested_lists import as_numbers, flattened


@pytest.mark.parametrize(
    ("value", "shape"),
    [(3, ()), ([], (0,)), ([[], []], (2, 0)), ([[1, 2], [3, 4], [5, 6]], (3, 2))],
    ids=str,
)
def test_nested_lists_have_the_shape_of_numpy(value, shape):
    values, found = flattened(value, "x")
    assert found == shape == np.shape(value)
    assert values == np.ravel(value).tolist()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1, 2], [3]], "x must not be ragged. Received: lists of lengths from 1 to 2"),
        ([1, [2]], "x must hold lists or values at each level"),
        ([[[1]], [2]], "x must hold lists or values"),
    ],
    ids=str,
)
def test_what_is_no_array_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        flattened(value, "x")


def test_too_many_dimensions_are_refused():
    value = 1
    for _ in range(100):
        value = [value]
    with pytest.raises(ValueError, match="at most 32 dimensions"):
        flattened(value, "x")


@pytest.mark.parametrize(
    ("values", "dtype", "received"),
    [
        ([1, 256], "uint8", "some from 1 to 256"),
        ([-1], "uint8", "some from -1 to -1"),
        ([10**30], "int64", "larger ones"),
        ([1.5], "int32", "numbers with a fraction"),
        ([1, True], "int32", "true or false"),
        ([1, "2"], "float32", "texts"),
        ([None], "float32", "null"),
        ([{}], "float32", "mappings"),
        ([1e39], "float32", "1 that are not"),
        ([float("inf"), 0.0], "float64", "1 that are not"),
        ([10**400], "float64", "1 that are not"),
        ([1], "bool", "whole numbers"),
    ],
    ids=str,
)
def test_values_of_another_type_or_range_are_refused(values, dtype, received):
    with pytest.raises(ValueError, match=f"Received: {received}"):
        as_numbers(values, np.dtype(dtype), "x")


def test_numbers_become_the_dtype():
    for values, dtype in (([0, 255], "uint8"), ([1, 2.5], "float32"), ([True], "bool")):
        found = as_numbers(values, np.dtype(dtype), "x")
        assert found.dtype == dtype and found.tolist() == values
    assert as_numbers([], np.dtype("uint8"), "x").shape == (0,)
