"""miniImageNet and tieredImageNet as picture files, in a folder or an archive."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from tfmeta.datasets.imagenet.catalogue import Catalogue
from tfmeta.datasets.imagenet.file_names import (
    by_number,
    class_of,
    is_ilsvrc,
    is_picture,
    numbered,
)
from tfmeta.datasets.imagenet.picture_source import Picture, describe_form
from tfmeta.datasets.imagenet.ravi_lists import RaviLists
from tfmeta.datasets.imagenet.stored_files import StoredFiles

# Most classes of ILSVRC-2012 have as many pictures; none has more.
_ILSVRC_MOST = 1300


class PictureTree:
    """Picture files, their class named by their folder or by themselves.

    Read are `<class>/<file>` below any folders, `images/<file>` with names as in
    the lists of Ravi and Larochelle, and the training pictures of ILSVRC-2012
    (`<class>/<class>_<number>.JPEG`), from which classes that the data set does
    not have are left out. Lists, where there are any, decide which pictures
    count. Pictures of a class are ordered by the numbers in their names.

    Args:
        files: The files.
        catalogue: What they should be.
        lists: Which pictures count, or `None` for all.
        needs_lists: Whether lists are needed to choose from ILSVRC-2012.

    Raises:
        ValueError: When a picture has no class or is there twice, or when lists
            are needed and missing.
    """

    def __init__(
        self,
        files: StoredFiles,
        catalogue: Catalogue,
        lists: RaviLists | None = None,
        *,
        needs_lists: bool = False,
    ) -> None:
        self.path, self.catalogue = files.path, catalogue
        self._files = files
        by_class, unclassed = _by_class(files.names)
        if unclassed and lists is None:
            raise ValueError(
                f"{self.path}: every picture must lie in a folder named after its "
                f"class, such as 'n01532829'. Received: {len(unclassed):,} others, "
                f"the first {unclassed[0]!r}"
            )
        wanted = {c: by_class[c] for c in by_class if c in catalogue.split_of}
        ilsvrc = bool(wanted) and all(
            is_ilsvrc(n) for names in wanted.values() for n in names
        )
        self.notes: tuple[str, ...] = ()
        if ilsvrc and len(wanted) < len(by_class):
            others = len(by_class) - len(wanted)
            self.notes += (f"Other classes of ImageNet, left out: {others:,}.",)
            by_class = wanted
        already_chosen = ilsvrc and _as_many_as_chosen(wanted, catalogue)
        if already_chosen:
            self.notes += (
                "The pictures are named as in ILSVRC-2012 and are as many as they "
                "should be: they were taken to be the right ones.",
            )
            chosen = {c: _unique(files.path, names) for c, names in wanted.items()}
        elif lists is not None:
            chosen = self._listed(lists, wanted, unclassed, ilsvrc)
        elif ilsvrc and needs_lists:
            raise ValueError(
                f"{self.path}: of the pictures of ILSVRC-2012, train.csv, val.csv and "
                "test.csv of github.com/twitter/meta-learning-lstm must say which "
                "count; put them beside the folders. Received: none of them"
            )
        else:
            chosen = {c: _unique(files.path, names) for c, names in by_class.items()}
        self.sizes = {c: len(names) for c, names in chosen.items()}
        self._chosen = {
            names[name]: (class_name, rank, f"{class_name}/{name}")
            for class_name, names in chosen.items()
            for rank, name in enumerate(sorted(names, key=by_number))
        }
        digest = files.digest + (lists.digest if lists else "")
        self.digest = hashlib.sha256(digest.encode()).hexdigest()
        pictures = (p for split in catalogue.classes for p in self.pictures(split))
        self.form = next(map(describe_form, pictures), "without a picture")

    def pictures(self, split: str) -> Iterator[Picture]:
        """The pictures of one split, in the order of the files."""
        wanted = {
            file
            for file, (class_name, _, _) in self._chosen.items()
            if self.catalogue.split_of.get(class_name) == split
        }
        for file, load in self._files.read(wanted):
            yield Picture(*self._chosen[file], source=self.path, load=load)

    def _listed(
        self,
        lists: RaviLists,
        by_class: Mapping[str, list[str]],
        unclassed: list[str],
        ilsvrc: bool,
    ) -> dict[str, dict[str, str]]:
        """The listed pictures that are there: file by listed name, by class."""
        self.notes += (
            "train.csv, val.csv and test.csv are the authors' files."
            if lists.official
            else "train.csv, val.csv and test.csv are not the authors' files byte for "
            "byte; they were used as they are.",
        )
        everything = [n for names in by_class.values() for n in names] + unclassed
        listed = [n for n in everything if _base(n) in lists.all_names]
        files = _unique(self.path, listed)
        if files or not ilsvrc:
            return {
                class_name: {name: files[name] for name in names if name in files}
                for class_name, names in lists.names.items()
            }
        self.notes += _numbering_note(by_class)
        found: dict[str, dict[str, str]] = {}
        for class_name, names in lists.names.items():
            ordered = sorted(by_class.get(class_name, []), key=by_number)
            pairs = ((name, numbered(ordered, name)) for name in names)
            found[class_name] = {name: file for name, file in pairs if file is not None}
        return found


def _by_class(names: tuple[str, ...]) -> tuple[dict[str, list[str]], list[str]]:
    by_class: dict[str, list[str]] = {}
    unclassed = []
    for name in filter(is_picture, names):
        class_name = class_of(name)
        if class_name is None:
            unclassed.append(name)
        else:
            by_class.setdefault(class_name, []).append(name)
    return by_class, unclassed


def _as_many_as_chosen(by_class: Mapping[str, list[str]], catalogue: Catalogue) -> bool:
    """Whether each class has exactly the pictures that somebody would choose."""
    least, most = catalogue.class_sizes
    sizes = [len(by_class.get(name, [])) for name in catalogue.split_of]
    return least == most and set(sizes) == {least}


def _unique(path: Path, names: list[str]) -> dict[str, str]:
    """File by its last part, which must differ."""
    files: dict[str, str] = {}
    for name in names:
        other = files.setdefault(_base(name), name)
        if other != name:
            raise ValueError(
                f"{path}: pictures of a class must differ in their names. Received: "
                f"{other!r} and {name!r}"
            )
    return files


def _numbering_note(by_class: Mapping[str, list[str]]) -> tuple[str, ...]:
    fewer = [c for c, names in by_class.items() if len(names) < _ILSVRC_MOST]
    if not fewer:
        return ()
    return (
        "The lists number the pictures of a class in ILSVRC-2012, so that a missing "
        "file would shift those behind it. That the following classes are complete "
        f"cannot be told by their number of pictures, which is below {_ILSVRC_MOST:,} "
        f"(as in some classes it should be): {', '.join(sorted(fewer))}.",
    )


def _base(name: str) -> str:
    return PurePosixPath(name).name
