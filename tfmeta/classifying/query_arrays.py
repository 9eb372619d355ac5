"""The arrays to classify, with or without their classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfmeta.classifying.query_files import QueryFiles, read_all
from tfmeta.classifying.task import number_labels
from tfmeta.datasets.own.array_files import (
    ACCEPTED_ARRAY,
    check_finite_examples,
    open_array,
    read_array,
)
from tfmeta.datasets.own.labelled_files import ARRAY_SUFFIXES, kind_of_files
from tfmeta.datasets.own.npz_archive import opened_npz
from tfmeta.datasets.own.npz_file import is_npz, read_labelled_arrays


@dataclasses.dataclass(frozen=True, eq=False)
class QueryArrays:
    """Arrays of queries.

    Attributes:
        arrays: `(queries, *example)`.
        names: What each is called in the answers: its path below the folder, or its
            file and row.
        labels: Int32 `(queries,)`: class of each; `None` where nothing says it.
        notes: What was left out, one sentence each.
    """

    arrays: np.ndarray
    names: tuple[str, ...]
    labels: np.ndarray | None
    notes: tuple[str, ...] = ()

    @classmethod
    def found(
        cls,
        path: Path,
        class_names: Sequence[str],
        shape: tuple[int, ...],
        *,
        skip_bad: bool = False,
    ) -> QueryArrays:
        """Those of a `.npy` or `.npz` file or of a folder of such files.

        A `.npy` file, and a `.npz` file of one array, holds one example where its
        array is of the shape of the support's examples, and several, along its first
        axis, where it has one axis more. A `.npz` file with the arrays `X` and `y`
        has examples with their classes.

        Args:
            path: The file; or a folder of files of one example each, or of a
                sub-folder of them per class, named as those of the support.
            class_names: Classes of the support.
            shape: Shape of one of its examples.
            skip_bad: Whether files of a folder that cannot be read are left out.

        Raises:
            FileNotFoundError: When nothing is there.
            ValueError: When a file cannot be read, holds arrays of another shape, or
                there is another class than the support's.
        """
        if not path.exists():
            raise FileNotFoundError(
                "`--query` must be a file or a folder of arrays. Received: "
                f"{path}, and nothing is there"
            )
        if path.is_dir():
            files = QueryFiles.found(
                path, class_names, unknown_classes=False, what="array"
            )
            return cls._of_files(files, path, shape, skip_bad=skip_bad)
        if path.suffix.lower() not in ARRAY_SUFFIXES:
            raise ValueError(
                "`--query` must be a .npy or .npz file, or a folder of such, as "
                f"--support holds arrays. Received: {path}"
            )
        labels = None
        if is_npz(path) and _has_examples(path):
            found = read_labelled_arrays(path, labelled=False)
            arrays = found.examples
            if found.labels is not None:
                labels = _number(found.label_names, class_names, path)
        else:
            arrays = np.asarray(open_array(path))
            check_finite_examples(np.atleast_1d(arrays), str(path))
        if arrays.shape == shape and labels is None:
            return cls(arrays[None], (path.name,), None)
        if arrays.shape[1:] != shape or not arrays.ndim:
            raise _of_other_shape(path, arrays.shape, shape)
        names = tuple(f"{path.name}[{row}]" for row in range(len(arrays)))
        return cls(arrays, names, labels)

    @classmethod
    def _of_files(
        cls,
        files: QueryFiles,
        path: Path,
        shape: tuple[int, ...],
        *,
        skip_bad: bool,
    ) -> QueryArrays:
        if kind_of_files(files.paths, path) != "arrays":
            raise ValueError(
                f"folder {str(path)!r} must hold .npy or .npz files, as --support "
                f"holds arrays. Received: {files.paths[0].name!r}"
            )
        arrays, left, notes = read_all(
            files, read_array, ACCEPTED_ARRAY, what="array", skip_bad=skip_bad
        )
        for file, array in zip(left.paths, arrays, strict=True):
            if array.shape != shape:
                raise _of_other_shape(file, array.shape, shape)
        return cls(np.stack(arrays), left.names, left.labels, notes)


def _has_examples(path: Path) -> bool:
    """Whether a `.npz` file has more arrays than one, of which one is the examples."""
    with opened_npz(path) as archive:
        return len(archive.heads) != 1


def _number(named: Sequence[str], class_names: Sequence[str], path: Path) -> np.ndarray:
    others = sorted(set(named) - set(class_names))
    if others:
        raise ValueError(
            f"classes in {path} must be among the support's, "
            f"{', '.join(class_names[:20])}. Received: {', '.join(others[:20])}"
        )
    return number_labels(named, class_names)


def _of_other_shape(
    path: Path, found: tuple[int, ...], shape: tuple[int, ...]
) -> ValueError:
    return ValueError(
        f"{path} must hold an array of shape {shape}, one example as those of "
        f"--support, or (examples, {', '.join(map(str, shape))}), several. Received: "
        f"{found}"
    )
