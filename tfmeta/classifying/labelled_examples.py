"""Examples with their classes, as somebody gives them on a command line."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tfmeta.classifying.query_texts import QueryTexts, holds_texts
from tfmeta.datasets.own.array_files import common_array_form, read_array_files
from tfmeta.datasets.own.csv_columns import CsvColumns, is_csv
from tfmeta.datasets.own.csv_texts import read_labelled_texts
from tfmeta.datasets.own.labelled_files import LabelledFiles
from tfmeta.datasets.own.npz_file import is_npz, read_labelled_arrays
from tfmeta.datasets.own.open_own import check_columns, list_own_files
from tfmeta.datasets.own.picture_folder import list_pictures
from tfmeta.datasets.own.readable import naming_all_unreadable, without_unreadable
from tfmeta.datasets.own.text_files import read_text_files
from tfmeta.printable import one_line

Kind = Literal["pictures", "texts", "arrays"]

_MOST_NAMED = 10


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledExamples:
    """Examples with the class of each, before any picture is opened.

    Attributes:
        kind: What they are.
        examples: Files of pictures, or texts; arrays as one array
            `(examples, *example)` of finite numbers.
        labels: The class name of each.
        names: What each is called for people: its path below the folder, its line in
            a CSV file, or its row in an array.
        notes: What was passed over where they were listed, one sentence each.
    """

    kind: Kind
    examples: tuple[Path, ...] | tuple[str, ...] | np.ndarray
    labels: tuple[str, ...]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def class_sizes(self) -> Counter[str]:
        """Number of examples by class."""
        return Counter(self.labels)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, sorted by name."""
        return tuple(sorted(self.class_sizes))

    @property
    def by_class(self) -> dict[str, list[Path | str | np.ndarray]]:
        """The examples by class, in order."""
        found: dict[str, list[Path | str | np.ndarray]] = {}
        for example, label in zip(self.examples, self.labels, strict=True):
            found.setdefault(label, []).append(example)
        return found

    def at(self, rows: Sequence[int]) -> LabelledExamples:
        """Some of them, by number."""
        examples: Any = self.examples
        if isinstance(examples, np.ndarray):
            examples = examples[np.asarray(rows, int)]
        else:
            examples = tuple(examples[row] for row in rows)
        return dataclasses.replace(
            self,
            examples=examples,
            labels=tuple(self.labels[row] for row in rows),
            names=tuple(self.names[row] for row in rows),
        )

    def without(self, bad: Collection[Path]) -> LabelledExamples:
        """Those whose files can be read.

        Raises:
            ValueError: When a class would have none left; names it.
        """
        rows = [row for row, one in enumerate(self.examples) if one not in bad]
        left = self.at(rows)
        lost = [name for name in self.class_sizes if name not in left.class_sizes]
        if lost:
            raise ValueError(
                "every class must have an example that can be read. Received: none of "
                f"{_some(lost)}"
            )
        return left


def labelled_examples(
    path: Path,
    *,
    text_column: str | None = None,
    path_column: str | None = None,
    label_column: str | None = None,
    skip_bad: bool = False,
) -> LabelledExamples:
    """The examples at a path, with their classes; pictures are listed, not opened.

    | `path` | examples |
    |---|---|
    | a folder with a sub-folder of pictures per class | pictures |
    | one with a sub-folder of `.txt` files per class | texts |
    | one with a sub-folder of `.npy` or `.npz` files per class | arrays |
    | a CSV file with a column of texts | texts |
    | a CSV file with a column of paths | what the files are |
    | a `.npz` file with the arrays `X` and `y` | arrays |

    Args:
        path: The folder or file.
        text_column: For CSV files, the name of the column of texts; `None` for
            `"text"`, where there is one.
        path_column: Likewise of paths; `None` for `"path"`, where there are no texts.
        label_column: Likewise of class names; `None` for `"label"`.
        skip_bad: Whether files of texts and arrays that cannot be read are left out.
            Pictures are not opened here, so none of them is.

    Returns:
        The examples, grouped by class but for those of one file, which are in its
        order.

    Raises:
        FileNotFoundError: When there is nothing at `path`.
        ValueError: When it is none of these, a column is missing, or a text or an
            array cannot be read.

    Example:

    ```python
    examples = labelled_examples(Path("letters"))
    examples.kind, examples.class_sizes  # 'texts', Counter({'complaint': 12, ...})
    ```
    """
    columns = CsvColumns(text_column, path_column, label_column)
    check_columns(path, columns)
    if is_npz(path):
        arrays = read_labelled_arrays(path)
        rows = range(len(arrays.examples))
        names = tuple(f"{path.name}[{row}]" for row in rows)
        return LabelledExamples("arrays", arrays.examples, arrays.label_names, names)
    if is_csv(path) and columns.of_file(path).kind == "texts":
        texts = read_labelled_texts(path, columns)
        names = tuple(f"line {line}" for line in texts.lines)
        return LabelledExamples("texts", texts.texts, texts.labels, names)
    return _of_files(list_own_files(path, columns=columns), skip_bad=skip_bad)


def examples_of_class(name: str, paths: Sequence[Path]) -> LabelledExamples:
    """Those of one class: pictures, folders of them, or files or folders of texts.

    Args:
        name: The class.
        paths: Pictures, or folders of pictures; or files of texts, one a line or as a
            CSV file with the column `text`, or folders of `.txt` files, one text each.

    Raises:
        FileNotFoundError: When there is nothing at a path.
        ValueError: When some are pictures and others texts, or a text cannot be read.

    Example:

    ```python
    examples_of_class("cup", [Path("cup1.jpg"), Path("more_cups")]).kind  # 'pictures'
    ```
    """
    of_texts = [path for path in paths if holds_texts(path)]
    if of_texts and len(of_texts) < len(paths):
        others = [path for path in paths if path not in of_texts]
        raise ValueError(
            "FILE must be pictures alone, or files of texts alone. Received: "
            f"{others[0]} and {of_texts[0]}"
        )
    if of_texts:
        found = [QueryTexts.found(p, (name,), unknown_classes=False) for p in paths]
        texts = tuple(text for one in found for text in one.texts)
        names = tuple(called for one in found for called in one.names)
        return LabelledExamples("texts", texts, (name,) * len(texts), names)
    files: list[Path] = []
    for path in paths:
        files += list_pictures(path) if path.is_dir() else [path]
    called = tuple(map(str, files))
    return LabelledExamples("pictures", tuple(files), (name,) * len(files), called)


def _of_files(files: LabelledFiles, *, skip_bad: bool) -> LabelledExamples:
    if files.kind != "pictures" and skip_bad:
        files = without_unreadable(files)
    examples: tuple[Path, ...] | tuple[str, ...] | np.ndarray = files.files
    with naming_all_unreadable(files):
        if files.kind == "texts":
            examples = tuple(map(str, read_text_files(files).examples[:]))
        elif files.kind == "arrays":
            form = common_array_form(files.files)
            examples = np.asarray(read_array_files(files, form).examples)
    source = files.source
    folder = source if source.is_dir() else source.resolve().parent
    return LabelledExamples(
        files.kind,
        examples,
        files.labels,
        tuple(_below(folder, file) for file in files.files),
        files.notes,
    )


def _below(folder: Path, file: Path) -> str:
    # Those of a CSV file may lie elsewhere.
    within = file.is_relative_to(folder)
    return (file.relative_to(folder) if within else file).as_posix()


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    named = ", ".join(repr(one_line(name)) for name in names[:_MOST_NAMED])
    return f"{named} and {more:,} more" if more > 0 else named
