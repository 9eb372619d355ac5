"""Which data a figure is of."""

from __future__ import annotations

import hashlib

import numpy as np

from tfmeta.datasets import ClassTable


def fingerprint(table: ClassTable) -> str:
    """Short digest of a table: its names, its sizes, an example of each class."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update("\n".join([table.name, *table.class_names]).encode())
    digest.update(np.asarray(table.offsets, "<i8").tobytes())
    digest.update(f"{table.examples.dtype} {table.example_shape}".encode())
    for start in table.offsets[:-1]:
        example = table.examples[start]
        if isinstance(example, str):  # bytes of an object array are addresses
            digest.update(f"{len(example)} {example}".encode())
        else:
            digest.update(np.ascontiguousarray(example).tobytes())
    return digest.hexdigest()
