"""Writing a table as a data set of TensorFlow Datasets."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.storage.array_record.tensorflow_datasets import (
    METADATA_KEY,
    import_tensorflow_datasets,
)
from tfmeta.datasets.storage.layout import (
    ENCODED_PICTURES,
    TEXT,
    TableLayout,
    layout_and_loader,
)
from tfmeta.durable import put_in_place

_VERSION = "1.0.0"
_KEPT = ("name", "groups", "group_level", "origin_names", "dtype", "attributes")


def write_array_record(
    table: ClassTable,
    path: str | os.PathLike[str],
    *,
    split: str = "train",
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Writes a table as a data set of TensorFlow Datasets.

    Whatever knows TensorFlow Datasets can read it:
    `tfds.builder_from_directory(path).as_data_source("train")` gives
    `{"image": ..., "label": ...}` for pictures (stored as PNG, or as the files
    that they are where the table keeps them encoded), `"text"` for text, and
    else `"example"`. Groups, origins and class attributes are in the metadata of
    the builder.

    Args:
        table: The table.
        path: Folder that the data set becomes. As `data_dir/"my_set/1.0.0"` it
            is found by `tfds.builder("my_set", data_dir=data_dir)`, for a table
            of that name.
        split: Name of its one split.
        on_progress: Called with the number of examples written, and of all.

    Raises:
        FileExistsError: When there is something at `path`.
        ImportError: When the package `array_record` is not installed.
        ValueError: When a class has a name that TensorFlow Datasets cannot
            keep.

    Example:

    ```python
    write_array_record(table, "my_set/1.0.0")
    tfds.builder_from_directory("my_set/1.0.0").as_data_source("train")[0]
    ```
    """
    tfds = import_tensorflow_datasets()
    path = Path(path)
    if os.path.lexists(path):
        raise FileExistsError(
            f"{path} must not exist, a data set is never overwritten. Received: "
            "something is there; remove it first to write it again"
        )
    wrong = [n for n in table.class_names if not n or n != n.strip() or "\n" in n]
    if wrong:
        raise ValueError(
            "class names must be of one line, without space around it, for "
            f"TensorFlow Datasets to keep them. Received: {wrong[0]!r}"
        )
    layout, load = layout_and_loader(table)
    key, feature = _feature(tfds, layout)
    features = {
        key: feature,
        "label": tfds.features.ClassLabel(names=table.class_names),
    }
    about = {k: v for k, v in layout.to_json().items() if k in _KEPT}

    def examples() -> Iterator[tuple[int, dict[str, Any]]]:
        labels = np.repeat(np.arange(table.num_classes), table.class_sizes)
        for row, label in enumerate(labels):
            yield row, {key: load(row), "label": int(label)}
            if on_progress is not None:
                on_progress(row + 1, len(labels))

    path.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}-"))
    try:
        builder = _builder_class(tfds)(
            name=_identifier(table.name),
            version=_VERSION,
            data_dir=building,
            description=table.description or f"Class table {table.name}.",
            features=tfds.features.FeaturesDict(features),
            supervised_keys=(key, "label"),
            metadata={METADATA_KEY: about},
            split_datasets={split: examples()},
            file_format="array_record",
        )
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(try_download_gcs=False)
        )
        put_in_place(Path(builder.data_dir), path)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _identifier(name: str) -> str:
    """A name that TensorFlow Datasets takes for a data set."""
    word = re.sub(r"\W", "_", name.lower(), flags=re.ASCII)
    return word if word[:1].isalpha() else f"table_{word}"


def _feature(tfds: Any, layout: TableLayout) -> tuple[str, Any]:
    """Name and kind of the feature that examples become."""
    shape = layout.example_shape
    if layout.dtype == TEXT:
        return "text", tfds.features.Text()
    if layout.dtype == ENCODED_PICTURES:
        return "image", tfds.features.Image(shape=shape)
    if layout.dtype == "uint8" and len(shape) == 3 and shape[2] in (1, 3):
        return "image", tfds.features.Image(shape=shape, encoding_format="png")
    return "example", tfds.features.Tensor(shape=shape, dtype=np.dtype(layout.dtype))


def _builder_class(tfds: Any) -> Any:
    adhoc: Any = tfds.dataset_builders.AdhocBuilder

    class Builder(adhoc, skip_registration=True):  # type: ignore[call-arg]
        """One that also keeps metadata, and says what is input and what label."""

        def __init__(
            self, *, supervised_keys: tuple[str, str], metadata: dict, **arguments: Any
        ) -> None:
            self._supervised_keys = supervised_keys
            self._metadata = metadata
            super().__init__(disable_shuffling=True, **arguments)

        def _info(self) -> Any:
            return tfds.core.DatasetInfo(
                builder=self,
                description=self._description,
                features=self._feature_spec,
                supervised_keys=self._supervised_keys,
                metadata=tfds.core.MetadataDict(self._metadata),
                disable_shuffling=self._disable_shuffling,
            )

    return Builder
