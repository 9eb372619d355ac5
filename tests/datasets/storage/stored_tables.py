"""The same tables, stored in every way."""

import dataclasses
import io

import numpy as np
from PIL import Image

from tfmeta.datasets import ClassTable
from tfmeta.datasets.storage.encoded_pictures import EncodedPictures


def make_table(sizes=(3, 1, 4, 2), shape=(5, 5, 3), dtype="uint8", seed=0):
    """Random numbers in classes, with groups and origins."""
    rng = np.random.default_rng(seed)
    return ClassTable(
        name="toy",
        examples=rng.integers(0, 256, (sum(sizes), *shape)).astype(dtype),
        offsets=np.concatenate([[0], np.cumsum(sizes)]),
        class_names=tuple(f"klasse {c} ü" for c in range(len(sizes))),
        groups=tuple(f"group {c % 2}" for c in range(len(sizes))),
        group_level="family",
        origin_names=tuple(f"origin {c}" for c in range(len(sizes))),
        description="random numbers",
    )


def make_text_table():
    texts = ["ein Satz", "", "字", "a\nb", "ein Satz", "\U0001f600 x"]
    return ClassTable.from_arrays("texts", texts, ["b", "a", "b", "c", "a", "c"])


def encode(picture, kind="PNG", **options):
    file = io.BytesIO()
    pixels = picture[..., 0] if picture.shape[-1] == 1 else picture
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def encoded(table, kind="PNG", **options):
    files = [encode(picture, kind, **options) for picture in table.examples]
    examples = EncodedPictures.from_files(files, table.example_shape)
    return dataclasses.replace(table, examples=examples)


def assert_same_table(one, other):
    for field in dataclasses.fields(ClassTable):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name == "examples":
            assert a.dtype == b.dtype and a.shape == b.shape
        if field.name in ("examples", "offsets"):
            np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
        else:
            assert a == b, field.name
