"""Files of one matrix, and files that are not."""

import json

import numpy as np
import pytest

from tfmeta.encoders.pretrained.safetensors_file import read_matrix

MATRIX = np.arange(6, dtype="<f2").reshape(3, 2)
VALUES = MATRIX.tobytes()
TENSOR = {"dtype": "F16", "shape": [3, 2], "data_offsets": [0, 12]}


def write(path, header, values=VALUES, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = len(text) if length is None else length
    path.write_bytes(length.to_bytes(8, "little") + text + values)
    return path


def test_one_matrix(tmp_path):
    header = {"__metadata__": {"format": "pt"}, "weight": TENSOR}
    found = read_matrix(write(tmp_path / "a.safetensors", header))
    np.testing.assert_array_equal(found, MATRIX)
    assert found.dtype == np.float16


@pytest.mark.parametrize(
    ("header", "options", "message"),
    [
        ({"w": TENSOR, "v": TENSOR}, {}, "2 tensors"),
        ({}, {}, "0 tensors"),
        ([1], {}, "0 tensors"),
        (b"{", {}, "no JSON"),
        (b"[" * 100_000, {}, "no JSON"),
        (b"\xff\xfe", {}, "no JSON"),
        ({"w": TENSOR}, {"length": 2**63}, "a header of"),
        ({"w": {**TENSOR, "dtype": "BF16"}}, {}, "BF16"),
        ({"w": {**TENSOR, "dtype": ["F16"]}}, {}, "tensor 'w'"),
        ({"w": {**TENSOR, "shape": [6]}}, {}, "tensor 'w'"),
        ({"w": {**TENSOR, "shape": [-3, -2]}}, {}, "tensor 'w'"),
        ({"w": {**TENSOR, "shape": [2**40, 2**40]}}, {}, "of 12 bytes"),
        ({"w": {**TENSOR, "data_offsets": [2, 14]}}, {}, "of 12 bytes"),
        ({"w": TENSOR}, {"values": b"12"}, "of 2 bytes"),
        ({"w": None}, {}, "tensor 'w': None"),
        ({"w": TENSOR}, {"values": b"\x00\x7c" * 6}, "not finite"),
    ],
)
def test_other_files_are_refused(tmp_path, header, options, message):
    path = write(tmp_path / "a.safetensors", header, **options)
    with pytest.raises(ValueError, match=f"a.safetensors must be .*{message}"):
        read_matrix(path)


def test_a_short_file(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"1234")
    with pytest.raises(ValueError, match="4 bytes with a header"):
        read_matrix(path)
    with pytest.raises(FileNotFoundError):
        read_matrix(tmp_path / "absent")
