"""Any classification data set that TensorFlow Datasets knows, by its name."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.data_dir import resolve_data_dir
from tfmeta.datasets.own.picture_files import (
    PictureDtype,
    PictureSize,
    height_and_width,
    refuse_form,
)
from tfmeta.datasets.own.tfds_features import Columns, choose_columns
from tfmeta.datasets.reading.pictures import check_form, read_picture
from tfmeta.datasets.tfds_builders import readable
from tfmeta.printable import shell_word


def load_tfds(
    name: str,
    *,
    split: str = "train",
    data_dir: str | os.PathLike[str] | None = None,
    feature: str | None = None,
    label: str | None = None,
    group: str | None = None,
    size: PictureSize | None = None,
    channels: Literal[1, 3] | None = None,
    dtype: PictureDtype | None = None,
    download: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> ClassTable:
    """Loads one split of a TFDS data set as a class table.

    The table is made in memory, whole. Pictures are decoded and resized as those
    of folders are (`tfmeta.datasets.reading.pictures.read_picture`).

    Args:
        name: Name for `tfds.builder`, such as `"caltech101"` or, with a
            configuration and a version, `"glue/sst2:2.0.0"`.
        split: Any split that TFDS understands: `"train"`, `"train+test"`,
            `"train[:10%]"`. TFDS splits examples, not classes: for classes that
            training never sees take `tfmeta.datasets.class_splits`.
        data_dir: Where the prepared data set lies. By default it is looked for in
            the folder of the environment variable `TFMETA_DATA_DIR`
            (`~/.cache/tfmeta` without it) and then in TFDS' own.
        feature: Name of the feature that holds the examples: pictures, text, or a
            tensor. By default the one that the data set names for supervised
            learning, or else its only picture, text or tensor.
        label: Name of the feature that holds the classes, a `ClassLabel`. By
            default the one for supervised learning, or else the only one.
        group: Name of a further `ClassLabel` that says which group each class
            belongs to, or `None`.
        size: For pictures, the height and width in pixels that all are resized
            to, one number for squares, or `None` when all have one size.
        channels: For pictures 1 for grey, 3 for red, green and blue, or `None`
            for what the feature has.
        dtype: For pictures `"uint8"`, `"uint16"` or `None` for what the feature
            has.
        download: Whether TFDS may download and prepare the data set when it is
            not there, into `data_dir`.
        on_progress: Called with the number of examples read, and of all.

    Returns:
        A table of the classes that the split has examples of, sorted by name.
        Text is a table of shape `(examples,)` and dtype object that holds str.

    Raises:
        FileNotFoundError: When the data set is not prepared and `download` is
            False.
        ValueError: When TFDS knows no such name or split, no feature fits (names
            those there are), examples differ in shape, or prepared data is
            damaged.

    Example:

    ```python
    table = load_tfds("omniglot", group="alphabet", size=(28, 28), channels=1)
    table.num_classes  # 964
    ```
    """
    size = height_and_width(size)
    check_form(size, 1 if channels is None else channels)
    builder = _prepared_builder(name, data_dir, download)
    columns = choose_columns(builder.info, feature, label, group)
    if columns.kind != "pictures":
        refuse_form(
            f"feature {columns.feature!r} of {name!r}, which holds {columns.kind}",
            size=size,
            channels=channels,
            dtype=dtype,
        )
    make = _maker(columns, size, channels, dtype)
    total = _num_examples(builder, split)
    examples: Any = None
    labels = np.empty(total, np.int64)
    groups: dict[int, int | None] = {}
    for row, (stored, code, group_code) in enumerate(_rows(builder, split, columns)):
        example = make(stored)
        if examples is None:
            dtype_here = object if columns.kind == "text" else example.dtype
            examples = np.empty((total, *np.shape(example)), dtype_here)
        elif examples.shape[1:] != np.shape(example):
            raise ValueError(
                f"examples of {name!r} must have one shape"
                + ("; give `size`. " if columns.kind == "pictures" else ". ")
                + f"Received: {examples.shape[1:]} and {np.shape(example)}"
            )
        examples[row] = example
        labels[row] = code
        if groups.setdefault(int(code), group_code) != group_code:
            raise ValueError(
                f"`group` must be a feature with one value for each class. Received: "
                f"{group!r}, which differs within class {columns.class_name(code)!r}"
            )
        if on_progress is not None:
            on_progress(row + 1, total)
    return _as_table(builder, split, columns, examples, labels, groups)


def _as_table(
    builder: Any,
    split: str,
    columns: Columns,
    examples: np.ndarray,
    labels: np.ndarray,
    groups: dict[int, int | None],
) -> ClassTable:
    unknown = int((labels < 0).sum())
    if unknown:
        raise ValueError(
            f"every example of {builder.info.full_name!r}, split {split!r}, must have "
            f"a class. Received: {unknown} with a negative label"
        )
    names = {code: columns.class_name(code) for code in groups}
    return ClassTable.from_arrays(
        f"tfds:{builder.name}",
        examples,
        [names[int(code)] for code in labels],
        groups=None
        if columns.group is None
        else {names[c]: columns.group_name(g or 0) for c, g in groups.items()},
        group_level=columns.group or "group",
        description=f"TFDS {builder.info.full_name}, split {split!r}",
    )


def _prepared_builder(
    name: str, data_dir: str | os.PathLike[str] | None, download: bool
) -> Any:
    import tensorflow_datasets as tfds

    folders: list[Path | None] = [resolve_data_dir(data_dir)]
    folders += [None] if data_dir is None else []
    builders = []
    for folder in folders:
        try:
            builders.append(tfds.builder(name, data_dir=folder))
        except tfds.core.DatasetNotFoundError as error:
            close = difflib.get_close_matches(
                name.split("/")[0].split(":")[0], tfds.list_builders(), 5
            )
            raise ValueError(
                "`name` must be a data set that TensorFlow Datasets knows"
                + (f", such as {', '.join(close)}" if close else "")
                + f". Received: {name!r}"
            ) from error
        # A version that does not exist fails an assertion.
        except (ValueError, AssertionError, KeyError, ImportError) as error:
            raise ValueError(
                "`name` must be 'name', 'name/configuration' or 'name:version' of a "
                f"data set of TensorFlow Datasets. Received: {name!r}: {error}"
            ) from error
        if builders[-1].is_prepared():
            return builders[-1]
    if not download:
        places = " nor ".join(str(b.data_path) for b in builders)
        raise FileNotFoundError(
            f"TFDS data set {name!r} must be prepared. Received: it is not in {places}"
            f". `tfds build {shell_word(name.split(':')[0])} "
            f"--data_dir {shell_word(folders[0])}` downloads and prepares it"
        )
    builders[0].download_and_prepare()
    return builders[0]


def _num_examples(builder: Any, split: str) -> int:
    try:
        total = builder.info.splits[split].num_examples
    except (ValueError, KeyError, AssertionError) as error:
        raise ValueError(
            f"`split` of {builder.info.full_name!r} must be made of "
            f"{', '.join(map(repr, builder.info.splits))}. Received: {split!r} "
            f"({error})"
        ) from error
    if total < 1:
        raise ValueError(
            f"`split` of {builder.info.full_name!r} must have examples. Received: "
            f"{split!r} with 0"
        )
    return total


def _rows(
    builder: Any, split: str, columns: Columns
) -> Iterator[tuple[Any, int, int | None]]:
    """The stored example, class and group of each row, always in one order."""
    import tensorflow_datasets as tfds

    # Pictures come as bytes, so that they are read as all other pictures are.
    raw = columns.kind == "pictures"
    wanted = {columns.feature, columns.label} | ({columns.group} - {None})
    dataset = builder.as_dataset(
        split,
        shuffle_files=False,
        decoders=tfds.decode.PartialDecoding(
            {name: True for name in wanted},
            decoders={columns.feature: tfds.decode.SkipDecoding()} if raw else None,
        ),
    )
    with readable(builder):
        for row in dataset.as_numpy_iterator():
            group = None if columns.group is None else int(row[columns.group])
            yield row[columns.feature], int(row[columns.label]), group


def _maker(
    columns: Columns,
    size: tuple[int, int] | None,
    channels: Literal[1, 3] | None,
    dtype: PictureDtype | None,
) -> Callable[[Any], Any]:
    """A function from what is stored to an example."""
    if columns.kind == "pictures":
        stored = columns.picture_form()
        form: dict[str, Any] = {
            "size": size,
            "channels": stored[0] if channels is None else channels,
            "dtype": stored[1] if dtype is None else dtype,
        }
        return lambda content: read_picture(content, **form)
    if columns.kind == "text":
        return lambda content: content.decode("utf-8")
    return np.asarray
