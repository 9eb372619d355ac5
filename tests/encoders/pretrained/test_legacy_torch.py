"""Weight files of PyTorch, read without PyTorch and without trusting them."""

from collections import OrderedDict

import numpy as np
import pytest
from legacy_files import (
    INTEGERS,
    Call,
    Global,
    storage,
    tensor,
    write_legacy,
)

from tfmeta.encoders.pretrained.legacy_torch import read_legacy_state

SIX = np.arange(6, dtype="<f4")


def written(tmp_path, one, values=None, **options):
    state = OrderedDict(weight=one)
    path = tmp_path / "weights.pth"
    return write_legacy(
        path, state, {"0": SIX} if values is None else values, **options
    )


def test_reads_tensors_in_their_shapes_dtypes_and_order(tmp_path):
    state = OrderedDict(
        rows=tensor(storage(), (2, 3), (3, 1)),
        columns=tensor(storage(), (3, 2), (1, 3)),
        last=tensor(storage(), (2,), (1,), offset=4),
        none=tensor(storage(), (0, 3), (3, 1)),
        count=tensor(storage(INTEGERS, "1", 1), (), ()),
    )
    values = {"0": SIX, "1": np.array([7], "<i8")}
    found = read_legacy_state(write_legacy(tmp_path / "a.pth", state, values))
    assert list(found) == list(state)
    np.testing.assert_array_equal(found["rows"], SIX.reshape(2, 3))
    np.testing.assert_array_equal(found["columns"], SIX.reshape(2, 3).T)
    np.testing.assert_array_equal(found["last"], [4, 5])
    assert found["none"].shape == (0, 3)
    assert found["count"].dtype == np.int64 and found["count"] == 7
    assert {array.dtype.name for name, array in found.items() if name != "count"} == {
        "float32"
    }


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((2, 3), (3, 1), 1),  # the last number is behind the storage
        ((2, 3), (4, 1), 0),
        ((7,), (0,), 0),  # many numbers over one
        ((10**6, 10**6), (0, 0), 0),
        ((2, 3), (3,), 0),
        ((-1,), (1,), 0),
        ((2,), (-1,), 5),
        ((2,), (1,), -1),
        ((True,), (1,), 0),
        ((2.0,), (1,), 0),
        ((2**70,), (0,), 0),
        ("ab", (1, 1), 0),
    ],
)
def test_refuses_tensors_beyond_their_storage(tmp_path, shape, strides, offset):
    path = written(tmp_path, tensor(storage(), shape, strides, offset=offset))
    with pytest.raises(ValueError, match=r"weights .*weights\.pth.* Received: "):
        read_legacy_state(path)


@pytest.mark.parametrize(
    ("one", "options", "received"),
    [
        (tensor(Global("os", "system"), (2,), (1,)), {}, "the name os.system"),
        (Call(Global("builtins", "eval"), "1"), {}, "the name builtins.eval"),
        (Call(Global("torch", "load"), "x"), {}, "the name torch.load"),
        (Call(Global("collections", "OrderedDict"), [("a", 1)]), {}, "TypeError"),
        (tensor(3, (2,), (1,)), {}, "a tensor without a storage"),
        (tensor(storage(tag="module"), (2,), (1,)), {}, "another kind"),
        (tensor(storage(view=("1", 0, 2)), (2,), (1,)), {}, "without a key"),
        (tensor(storage(count=-1), (2,), (1,)), {}, "without a key"),
        (5, {}, "something else than tensors"),
        (tensor(storage(), (2,), (1,)), {"magic": 7}, "another format"),
        (
            tensor(storage(), (2,), (1,)),
            {"machine": {"little_endian": False}},
            "not little-endian",
        ),
        (tensor(storage(), (2,), (1,)), {"counts": {"0": 2**60}}, "a storage of"),
        (tensor(storage(), (2,), (1,)), {"counts": {"0": -1}}, "a storage of -1"),
        (
            tensor(storage(), (2,), (1,)),
            {"values": {"0": SIX, "1": SIX}},
            "not those of its tensors",
        ),
        (
            tensor(storage(), (6,), (1,)),
            {"values": {"0": np.array([0, 1, np.nan, 3, 4, 5], "<f4")}},
            "NaN or infinity in 'weight'",
        ),
    ],
)
def test_refuses_what_is_no_state_of_finite_numbers(tmp_path, one, options, received):
    path = written(tmp_path, one, **options)
    with pytest.raises(ValueError) as caught:
        read_legacy_state(path)
    assert received in str(caught.value) and str(path) in str(caught.value)


def test_a_hostile_pickle_runs_nothing(tmp_path):
    made = tmp_path / "made"
    one = Call(Global("os", "mkdir"), str(made))
    with pytest.raises(ValueError, match=r"os\.mkdir"):
        read_legacy_state(written(tmp_path, one))
    assert not made.exists()


def test_a_file_cut_or_lengthened_anywhere_is_refused(tmp_path):
    path = written(tmp_path, tensor(storage(), (2, 3), (3, 1)))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="weights"):
            read_legacy_state(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(ValueError, match="1 bytes behind its end"):
        read_legacy_state(path)


def test_flipped_bytes_give_a_state_or_a_clear_error(tmp_path):
    path = written(tmp_path, tensor(storage(), (2, 3), (3, 1)))
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] = rng.integers(256)
        path.write_bytes(bytes(damaged))
        try:
            state = read_legacy_state(path)
        except ValueError as error:
            assert str(path) in str(error)
            refused += 1
        else:
            assert all(np.isfinite(array).all() for array in state.values())
    assert refused > 100


def test_sizes_are_bounded_before_anything_is_read(tmp_path):
    path = written(tmp_path, tensor(storage(), (2, 3), (3, 1)))
    with pytest.raises(ValueError, match="bytes, more than 64"):
        read_legacy_state(path, max_bytes=64)
    # Tensors that share a storage are counted each.
    one = tensor(storage(count=1000), (1000,), (1,))
    state = OrderedDict((f"weight{n}", one) for n in range(20))
    values = {"0": np.zeros(1000, "<f4")}
    many = write_legacy(tmp_path / "many.pth", state, values)
    with pytest.raises(ValueError, match="tensors of 80,000 bytes, more than 40,000"):
        read_legacy_state(many, max_bytes=40_000)


def test_names_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="none there"):
        read_legacy_state(tmp_path / "none.pth")
