"""The splits of data of one's own: classes that the other splits do not have."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from tfmeta.datasets.class_splits import RATIOS, groups_with_origins
from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.hash_splits import assign_by_hash
from tfmeta.datasets.own.class_folders import list_class_files
from tfmeta.datasets.own.csv_columns import CsvColumns
from tfmeta.datasets.own.given_splits import given_splits
from tfmeta.datasets.own.labelled_files import LabelledFiles
from tfmeta.datasets.own.open_own import (
    check_columns,
    is_whole,
    list_own_files,
    open_own,
)
from tfmeta.datasets.own.picture_files import PictureDtype, PictureSize
from tfmeta.datasets.own.read_files import form_of_files, read_files
from tfmeta.datasets.own.readable import naming_all_unreadable, without_unreadable

Own = LabelledFiles | ClassTable


@dataclasses.dataclass(frozen=True)
class OwnSplits:
    """Data of one's own, divided, before any file is read.

    Attributes:
        whole: All of them: files, or a table where they come as one.
        split_of: The split of each class of `whole`, `None` for one that is in none.
        names: Names of the splits.
        form: `size`, `channels` and `dtype` of pictures, as of `open_own`.
    """

    whole: Own
    split_of: tuple[str | None, ...]
    names: tuple[str, ...]
    form: Mapping[str, Any]

    def origins(self, split: str | None) -> tuple[str, ...]:
        """Origins of the classes of a split, or of those in none; sorted."""
        pairs = zip(self.whole.origins, self.split_of, strict=True)
        return tuple(sorted({origin for origin, found in pairs if found == split}))

    @property
    def whole_notes(self) -> tuple[str, ...]:
        """What was passed over where files were listed, one sentence each."""
        return () if isinstance(self.whole, ClassTable) else self.whole.notes

    def take(self, split: str) -> Own:
        """What a split consists of, nothing read.

        Raises:
            ValueError: For an unknown split, and for one without a class.
        """
        if split not in self.names:
            raise ValueError(
                f"`split` must be one of {list(self.names)}. Received: {split!r}"
            )
        chosen = [c for c, found in enumerate(self.split_of) if found == split]
        if not chosen:
            raise ValueError(
                f"split {split!r} of {self.whole.name!r} must have a class. Received: "
                "none of those that it is to have is there"
            )
        if isinstance(self.whole, ClassTable):
            return self.whole.take_classes(chosen)
        return self.whole.take_classes([self.whole.class_names[c] for c in chosen])

    def read(
        self, split: str, *, on_progress: Callable[[int, int], None] | None = None
    ) -> ClassTable:
        """The table of a split, in the form of the whole.

        Raises:
            FileNotFoundError, ValueError: As `load_own_split`.
        """
        taken = self.take(split)
        if isinstance(taken, ClassTable):
            return taken
        assert isinstance(self.whole, LabelledFiles)
        with naming_all_unreadable(self.whole):
            form = form_of_files(self.whole, **self.form)
            return read_files(taken, form, on_progress=on_progress)


def split_own(
    path: str | os.PathLike[str],
    *,
    seed: int = 0,
    ratios: Mapping[str, float] = RATIOS,
    by_group: bool = False,
    kept: Mapping[str, Collection[str]] | None = None,
    size: PictureSize | None = None,
    channels: Literal[1, 3] | None = None,
    dtype: PictureDtype | None = None,
    skip_bad: bool = False,
    text_column: str | None = None,
    path_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> OwnSplits:
    """Divides data that `open_own` opens; arguments as of `load_own_split`.

    Raises:
        FileNotFoundError, ValueError: As `load_own_split`.

    Example:

    ```python
    split_own("photos").origins("test")  # ('photos/cup', 'photos/spoon')
    ```
    """
    form: dict[str, Any] = {"size": size, "channels": channels, "dtype": dtype}
    columns = CsvColumns(text_column, path_column, label_column, group_column)
    check_columns(path, columns)
    whole: Own
    split_of: dict[str, str | None] = {}
    opens_whole = is_whole(path, columns)
    given = {} if opens_whole else given_splits(path)
    if given:
        whole, split_of = _given(Path(path), given, skip_bad=skip_bad)
        names = tuple(given)
    else:
        if opens_whole:
            whole = open_own(
                path,
                data_dir=data_dir,
                on_progress=on_progress,
                **{**form, **columns.given},
            )
        else:
            whole = list_own_files(path, skip_bad=skip_bad, columns=columns)
        names = tuple(ratios)
    if kept is not None:
        names = tuple(dict.fromkeys([*kept, "test"]))
        split_of = _kept(whole, kept)
    elif not given:
        units = _units(whole, by_group)
        what = f"{whole.group_level}s" if by_group else "classes"
        # A group may have all the classes of a task.
        drawn = assign_by_hash(
            units, ratios, seed=seed, least=1 if by_group else 2, what=what
        )
        split_of.update(zip(whole.class_names, drawn, strict=True))
    found = tuple(split_of.get(name) for name in whole.class_names)
    return OwnSplits(whole=whole, split_of=found, names=names, form=form)


def load_own_split(
    path: str | os.PathLike[str],
    split: str,
    *,
    seed: int = 0,
    ratios: Mapping[str, float] = RATIOS,
    by_group: bool = False,
    kept: Mapping[str, Collection[str]] | None = None,
    size: PictureSize | None = None,
    channels: Literal[1, 3] | None = None,
    dtype: PictureDtype | None = None,
    skip_bad: bool = False,
    text_column: str | None = None,
    path_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> ClassTable:
    """Loads one split of data that `open_own` opens; splits share no class.

    Classes are split by a hash of their names
    (`tfmeta.datasets.hash_splits.assign_by_hash`), so that further ones move hardly
    any of them, and only the files of the split are read. A folder with the
    sub-folders `train`, `validation` (or `val`) and `test`, each with a sub-folder per
    class, is taken as it is split. All splits have the form of the whole: one with
    colours makes all of them colour.

    Args:
        path: As of `tfmeta.datasets.own.open_own`.
        split: Name of the split.
        seed: Seed of the split, an int from 0. It names the split as `path` names
            the data: with another, classes of the test would have been trained on.
        ratios: Share of the classes by name of the split, without given splits.
        by_group: Whether groups stay together, as of `split_by_group`.
        kept: Origins of the classes by name of the split, as they were split before;
            then none of the above counts. A split `"test"` that is not among them has
            all other classes; else these are in none.
        size: As of `open_own`.
        channels: Likewise.
        dtype: Likewise.
        skip_bad: Whether files, lines and class folders are left out that something is
            wrong with, as of `list_own_files`.
        text_column: As of `open_own`.
        path_column: Likewise.
        label_column: Likewise.
        group_column: Likewise.
        data_dir: Likewise.
        on_progress: Likewise.

    Returns:
        The table of the split.

    Raises:
        FileNotFoundError: When there is nothing at `path`.
        ValueError: As of `open_own` and `assign_by_hash`, for an unknown split,
            and when given splits share a class.

    Example:

    ```python
    train = load_own_split("photos", "train", size=(84, 84))
    test = load_own_split("photos", "test", size=(84, 84))
    set(train.origins) & set(test.origins)  # set()
    ```
    """
    splits = split_own(
        path,
        seed=seed,
        ratios=ratios,
        by_group=by_group,
        kept=kept,
        size=size,
        channels=channels,
        dtype=dtype,
        skip_bad=skip_bad,
        text_column=text_column,
        path_column=path_column,
        label_column=label_column,
        group_column=group_column,
        data_dir=data_dir,
        on_progress=on_progress,
    )
    return splits.read(split, on_progress=on_progress)


def _given(
    path: Path, given: Mapping[str, Path], *, skip_bad: bool
) -> tuple[LabelledFiles, dict[str, str | None]]:
    """All files under the name of the whole, and the split of each class."""
    name = path.resolve().name
    parts = {
        s: list_class_files(f, name=name, skip_bad=skip_bad) for s, f in given.items()
    }
    split_of: dict[str, str | None] = {}
    groups: dict[str, str] = {}
    for part, files in parts.items():
        for class_name in files.class_names:
            if class_name in split_of:
                raise ValueError(
                    f"the splits in {str(path)!r} must share no class. Received: "
                    f"{class_name!r} in {split_of[class_name]!r} and {part!r}"
                )
            split_of[class_name] = part
            groups[class_name] = (files.groups or {}).get(class_name, part)
    whole = LabelledFiles(
        source=path,
        name=name,
        files=tuple(f for files in parts.values() for f in files.files),
        labels=tuple(x for files in parts.values() for x in files.labels),
        groups=groups if any(files.groups for files in parts.values()) else None,
        notes=tuple(note for files in parts.values() for note in files.notes),
    )
    return without_unreadable(whole) if skip_bad else whole, split_of


def _kept(whole: Own, kept: Mapping[str, Collection[str]]) -> dict[str, str | None]:
    split_of_origin = {o: split for split, origins in kept.items() for o in origins}
    others = None if "test" in kept else "test"
    return {
        name: split_of_origin.get(origin, others)
        for name, origin in zip(whole.class_names, whole.origins, strict=True)
    }


def _units(whole: Own, by_group: bool) -> list[str]:
    """What is assigned to splits, for each class: its origin's name, or its group.

    Names alone, so that a folder that is moved keeps its splits.
    """
    if not by_group:
        return [origin.removeprefix(f"{whole.name}/") for origin in whole.origins]
    if isinstance(whole, ClassTable):
        return list(groups_with_origins(whole))
    if whole.groups is None:
        raise ValueError(
            f"{str(whole.source)!r} must have groups when `by_group` is True. "
            "Received: none"
        )
    return [whole.groups[name] for name in whole.class_names]
