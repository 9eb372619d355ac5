"""Reading data sets that TensorFlow Datasets has prepared."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.datasets.class_attributes import attributes_from_json, attributes_to_json
from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.reading.pictures import FORMATS
from tfmeta.datasets.storage.array_record.tensorflow_datasets import (
    METADATA_KEY,
    import_tensorflow_datasets,
)
from tfmeta.datasets.storage.layout import ENCODED_PICTURES, TEXT, TableLayout
from tfmeta.datasets.storage.opening import open_table
from tfmeta.datasets.storage.picture_files import decode_picture_file
from tfmeta.datasets.storage.table_folder import write_table

_BATCH = 256


def read_array_record(
    path: str | os.PathLike[str],
    table_path: str | os.PathLike[str] | None = None,
    *,
    split: str | None = None,
    example_key: str | None = None,
    label_key: str | None = None,
    keep_encoded: bool | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> ClassTable:
    """Reads a data set that TensorFlow Datasets has prepared as ArrayRecord.

    Args:
        path: Its folder, the one with `dataset_info.json`.
        table_path: Where to write the table, for one larger than memory (it
            is opened with `open_table`); `None` to have it in memory.
        split: Name of the split; `None` where there is only one.
        example_key: Name of the feature that becomes the example; by default
            what the data set calls the input of supervised learning, or the
            only one beside the label.
        label_key: Name of the feature that is the class; by default the only
            class label. Examples without a label are left out.
        keep_encoded: Whether JPEG and PNG stay encoded. By default as the
            table that was written did; other data sets are decoded.
        on_progress: Called with the number of examples read, and of all.

    Returns:
        The table: classes in the order of the label, those without an example
        left out.

    Raises:
        FileNotFoundError: When there is no such data set.
        ImportError: When the package `array_record` is not installed.
        ValueError: When it is in another format, when it is not clear which
            split or feature to take, when examples differ in shape.

    Example:

    ```python
    table = read_array_record("cifar10/3.0.2", split="train")
    ```
    """
    tfds = import_tensorflow_datasets()
    path = Path(path)
    if not (path / "dataset_info.json").is_file():
        raise FileNotFoundError(
            f"{path} must be the folder of a data set that TensorFlow Datasets has "
            "prepared. Received: a path without dataset_info.json"
        )
    builder = tfds.builder_from_directory(path)
    info = builder.info
    if info.file_format is None or info.file_format.value != "array_record":
        raise ValueError(
            f"{path} must be prepared with file_format='array_record'. Received: "
            f"{getattr(info.file_format, 'value', None)!r}"
        )
    split = _choose("split", split, list(info.splits), list(info.splits), path)
    label_key, example_key = _choose_features(tfds, info, label_key, example_key, path)
    about = dict(info.metadata or {}).get(METADATA_KEY, {})
    if keep_encoded is None:
        keep_encoded = about.get("dtype") == ENCODED_PICTURES
    feature = info.features[example_key]

    labels = _read_labels(tfds, builder, split, label_key)
    order = np.argsort(labels, kind="stable")[np.count_nonzero(labels < 0) :]
    if len(order) == 0:
        raise ValueError(
            f"split {split!r} of {path} must have examples with a label. Received: "
            f"{len(labels)} without"
        )
    present, sizes = np.unique(labels[order], return_counts=True)

    read = _reader(tfds, builder, split, example_key, keep_encoded)
    first = read(int(order[0]))
    shape: tuple[int, ...]
    if isinstance(first, bytes):
        height, width, _ = decode_picture_file(first, feature.shape[-1]).shape
        shape, dtype = (height, width, feature.shape[-1]), ENCODED_PICTURES
    elif isinstance(first, str):
        shape, dtype = (), TEXT
    else:
        shape, dtype = first.shape, first.dtype.name

    def pick(names: Any) -> tuple[str, ...] | None:
        return None if names is None else tuple(names[c] for c in present)

    names = pick(info.features[label_key].names)
    assert names is not None
    layout = TableLayout(
        name=about.get("name", info.name),
        class_names=names,
        class_sizes=tuple(sizes),
        example_shape=shape,
        dtype=dtype,
        groups=pick(about.get("groups")),
        group_level=about.get("group_level", "group"),
        origin_names=pick(about.get("origin_names")),
        attributes=_pick_attributes(about.get("attributes"), present),
        description=info.description,
        source_digest=f"{path.resolve()} {info.full_name} {split} {example_key}",
    )
    items = (
        (row, lambda place=int(place): read(place)) for row, place in enumerate(order)
    )
    if table_path is not None:
        write_table(table_path, layout, items, on_progress=on_progress)
        return open_table(table_path)
    with tempfile.TemporaryDirectory(prefix="tfmeta-") as folder:
        table_path = Path(folder) / "table"
        write_table(table_path, layout, items, on_progress=on_progress)
        return open_table(table_path, memory_map=False)


def _pick_attributes(
    attributes: dict[str, Any] | None, present: np.ndarray
) -> dict[str, Any] | None:
    if attributes is None:
        return None
    return attributes_to_json(attributes_from_json(attributes)[present])


def _choose(
    argument: str, given: str | None, allowed: list[str], likely: list[str], path: Path
) -> str:
    """The name that was given, or the only likely one."""
    if given is None and len(likely) == 1:
        return likely[0]
    if given not in allowed:
        raise ValueError(
            f"`{argument}` of {path} must be one of {sorted(allowed)}. "
            f"Received: {given!r}"
        )
    return given


def _choose_features(
    tfds: Any, info: Any, label_key: str | None, example_key: str | None, path: Path
) -> tuple[str, str]:
    """Names of the label and of the example."""
    supervised = [k for k in info.supervised_keys or () if isinstance(k, str)]
    is_label = {
        k: isinstance(f, tfds.features.ClassLabel) for k, f in info.features.items()
    }
    labels = [k for k, yes in is_label.items() if yes]
    usual = [k for k in supervised[1:2] if is_label.get(k)]
    label_key = _choose("label_key", label_key, labels, usual or labels, path)
    others = [k for k in info.features if k != label_key]
    usual = [k for k in supervised[:1] if k in others]
    return label_key, _choose("example_key", example_key, others, usual or others, path)


def _read_labels(tfds: Any, builder: Any, split: str, key: str) -> np.ndarray:
    source = builder.as_data_source(split, decoders=_undecoded(tfds, builder.info))
    labels = [
        example[key]
        for start in range(0, len(source), _BATCH)
        for example in source.__getitems__(
            list(range(start, min(start + _BATCH, len(source))))
        )
    ]
    return np.asarray(labels, np.int64)


def _reader(
    tfds: Any, builder: Any, split: str, key: str, keep_encoded: bool
) -> Callable[[int], Any]:
    """From the place of an example in the split to the example."""
    feature = builder.info.features[key]
    picture = (
        isinstance(feature, tfds.features.Image)
        and feature.np_dtype == np.uint8
        and feature.shape[-1] in (1, 3)
    )
    # What TensorFlow Datasets decodes with depends on whether OpenCV is there.
    decoders = _undecoded(tfds, builder.info)
    if not picture:
        decoders.pop(key, None)
    source = builder.as_data_source(split, decoders=decoders)

    def read(place: int) -> Any:
        value = source[place][key]
        if picture and not keep_encoded:
            return decode_picture_file(value, feature.shape[-1], FORMATS)
        if isinstance(feature, tfds.features.Text):
            return value.decode()
        return value if picture else np.asarray(value)

    return read


def _undecoded(tfds: Any, info: Any) -> dict[str, Any]:
    """Decoders that leave all pictures as they are stored."""
    return {
        key: tfds.decode.SkipDecoding()
        for key, feature in info.features.items()
        if isinstance(feature, tfds.features.Image)
    }
