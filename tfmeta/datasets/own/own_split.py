"""One split of data of one's own: classes that the other splits do not have."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from tfmeta.datasets.class_splits import (
    RATIOS,
    assign_by_ratio,
    split_by_group,
    split_by_ratio,
)
from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.own.class_folders import list_class_files
from tfmeta.datasets.own.given_splits import given_splits
from tfmeta.datasets.own.labelled_files import LabelledFiles
from tfmeta.datasets.own.open_own import is_table, is_tfds, list_own_files, open_own
from tfmeta.datasets.own.picture_files import PictureDtype, PictureSize
from tfmeta.datasets.own.read_files import form_of_files, read_files


def load_own_split(
    path: str | os.PathLike[str],
    split: str,
    *,
    seed: int = 0,
    ratios: Mapping[str, float] = RATIOS,
    by_group: bool = False,
    size: PictureSize | None = None,
    channels: Literal[1, 3] | None = None,
    dtype: PictureDtype | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> ClassTable:
    """Loads one split of data that `open_own` opens; splits share no class.

    Classes are split by ratio and seed (`tfmeta.datasets.class_splits`), and only
    the files of the split are read. A folder with the sub-folders `train`,
    `validation` (or `val`) and `test`, each with a sub-folder per class, is taken
    as it is split. All splits have the form of the whole: one with colours makes
    all of them colour.

    Args:
        path: As of `tfmeta.datasets.own.open_own`.
        split: Name of the split.
        seed: Seed of the split, an int from 0. It names the split as `path` names
            the data: with another, classes of the test would have been trained on.
        ratios: Share of the classes by name of the split, without given splits.
        by_group: Whether groups stay together, as of `split_by_group`.
        size: As of `open_own`.
        channels: Likewise.
        dtype: Likewise.
        data_dir: Likewise.
        on_progress: Likewise.

    Returns:
        The table of the split.

    Raises:
        FileNotFoundError: When there is nothing at `path`.
        ValueError: As of `open_own` and `split_by_ratio`, for an unknown split,
            and when given splits share a class.

    Example:

    ```python
    train = load_own_split("photos", "train", size=(84, 84))
    test = load_own_split("photos", "test", size=(84, 84))
    set(train.origins) & set(test.origins)  # set()
    ```
    """
    apart = is_tfds(path) or is_table(path)
    given = {} if apart else given_splits(path)
    known = list(given or ratios)
    if split not in known:
        raise ValueError(f"`split` must be one of {known}. Received: {split!r}")
    if apart:
        table = open_own(
            path,
            size=size,
            channels=channels,
            dtype=dtype,
            data_dir=data_dir,
            on_progress=on_progress,
        )
        cut = split_by_group if by_group else split_by_ratio
        return cut(table, ratios, seed=seed)[split]
    if given:
        whole, chosen = _given(Path(path), given, split)
    else:
        whole = list_own_files(path)
        units = _units(whole, by_group)
        what = f"{whole.group_level}s" if by_group else "classes"
        assigned = assign_by_ratio(units, ratios, seed=seed, what=what)
        pairs = zip(whole.class_names, assigned, strict=True)
        chosen = whole.take_classes([name for name, found in pairs if found == split])
    form = form_of_files(whole, size=size, channels=channels, dtype=dtype)
    return read_files(chosen, form, on_progress=on_progress)


def _given(
    path: Path, given: Mapping[str, Path], split: str
) -> tuple[LabelledFiles, LabelledFiles]:
    """All files, and those of one split, under the name of the whole."""
    name = path.resolve().name
    parts = {s: list_class_files(f, name=name) for s, f in given.items()}
    split_of: dict[str, str] = {}
    for part, files in parts.items():
        for class_name in files.class_names:
            if class_name in split_of:
                raise ValueError(
                    f"the splits in {str(path)!r} must share no class. Received: "
                    f"{class_name!r} in {split_of[class_name]!r} and {part!r}"
                )
            split_of[class_name] = part
    whole = LabelledFiles(
        source=path,
        name=name,
        files=tuple(f for files in parts.values() for f in files.files),
        labels=tuple(x for files in parts.values() for x in files.labels),
    )
    return whole, parts[split]


def _units(files: LabelledFiles, by_group: bool) -> list[str]:
    if not by_group:
        return list(files.class_names)
    if files.groups is None:
        raise ValueError(
            f"{str(files.source)!r} must have groups when `by_group` is True. "
            "Received: none"
        )
    return [files.groups[name] for name in files.class_names]
