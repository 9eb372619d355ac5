"""Examples without a class, as somebody gives them on a command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from tfmeta.classifying.labelled_examples import LabelledExamples
from tfmeta.classifying.query_arrays import QueryArrays
from tfmeta.classifying.query_files import QueryFiles
from tfmeta.classifying.query_texts import QueryTexts
from tfmeta.datasets.own.csv_columns import CsvColumns
from tfmeta.datasets.own.csv_texts import USUAL_COLUMNS


@dataclasses.dataclass(frozen=True, eq=False)
class UnlabelledExamples:
    """Examples of one kind, before any picture is opened.

    Attributes:
        examples: Files of pictures, or texts; arrays as one array
            `(examples, *example)`.
        names: What each is called.
        notes: What was passed over, one sentence each.
    """

    examples: Sequence[Path] | Sequence[str] | np.ndarray = ()
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def found(
        cls,
        path: Path,
        labelled: LabelledExamples,
        *,
        columns: CsvColumns = USUAL_COLUMNS,
        skip_bad: bool = False,
    ) -> UnlabelledExamples:
        """Those at a path; classes that folders or a column name are passed over.

        Args:
            path: As the queries of `tfmeta classify`, of the kind of the labelled.
            labelled: The examples with a class.
            columns: What the columns of a CSV file are called.
            skip_bad: Whether files of texts and arrays that cannot be read are left
                out.

        Raises:
            FileNotFoundError: When nothing is there.
            ValueError: When it holds something else, or nothing.
        """
        names = labelled.class_names
        if labelled.kind == "texts":
            texts = QueryTexts.found(
                path, names, unknown_classes=True, columns=columns, skip_bad=skip_bad
            )
            return cls(texts.texts, texts.names, texts.notes)
        if labelled.kind == "pictures":
            files = QueryFiles.found(path, names, unknown_classes=True)
            return cls(files.paths, files.names)
        shape = np.asarray(labelled.examples).shape[1:]
        arrays = QueryArrays.found(path, names, shape, skip_bad=skip_bad)
        return cls(arrays.arrays, arrays.names, arrays.notes)

    def at(self, rows: Sequence[int]) -> UnlabelledExamples:
        """Some of them, by number."""
        examples = self.examples
        return UnlabelledExamples(
            examples[np.asarray(rows, int)]
            if isinstance(examples, np.ndarray)
            else tuple(examples[row] for row in rows),  # type: ignore[arg-type]
            tuple(self.names[row] for row in rows),
        )

    def without(self, bad: Collection[Path]) -> UnlabelledExamples:
        """Those whose files can be read."""
        return self.at([i for i, one in enumerate(self.examples) if one not in bad])
