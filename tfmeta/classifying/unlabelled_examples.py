"""Examples without a class, as somebody gives them on a command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from tfmeta.classifying.query_files import QueryFiles
from tfmeta.classifying.query_texts import QueryTexts
from tfmeta.datasets.own.array_files import check_finite_examples, open_array
from tfmeta.datasets.own.npz_file import is_npz, read_labelled_arrays


@dataclasses.dataclass(frozen=True, eq=False)
class UnlabelledExamples:
    """Examples of one kind, before any picture is opened.

    Attributes:
        examples: Files of pictures, or texts; arrays as one array
            `(examples, *example)`.
        names: What each is called.
    """

    examples: Sequence[Path] | Sequence[str] | np.ndarray = ()
    names: tuple[str, ...] = ()

    @classmethod
    def found(
        cls, path: Path, kind: str, class_names: Sequence[str]
    ) -> UnlabelledExamples:
        """Those at a path; classes that a folder or a column names are passed over.

        Args:
            path: A picture or a folder of pictures; a file of texts, one a line or
                with the column `text`; a `.npy` file with an example in each row, or a
                `.npz` file of such an array.
            kind: What they must be, `"pictures"`, `"texts"` or `"arrays"`.
            class_names: The classes that there are.

        Raises:
            FileNotFoundError: When nothing is there.
            ValueError: When it holds something else, or nothing.
        """
        if kind == "texts":
            texts = QueryTexts.found(path, class_names, unknown_classes=True)
            return cls(texts.texts, texts.names)
        if kind == "pictures":
            files = QueryFiles.found(path, class_names, unknown_classes=True)
            return cls(files.paths, files.names)
        if is_npz(path):
            arrays = read_labelled_arrays(path, labelled=False).examples
        else:
            arrays = np.asarray(open_array(path))
            check_finite_examples(arrays, str(path))
        names = tuple(f"{path.name}[{row}]" for row in range(len(arrays)))
        return cls(arrays, names)

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
