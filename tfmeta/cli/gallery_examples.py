"""What `tfmeta gallery enrol` is given: files of pictures, or texts, by class."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tfmeta.cli.gallery_words import some


@dataclasses.dataclass(frozen=True)
class GivenExamples:
    """Examples with their classes, before any of them is embedded.

    Attributes:
        kind: What they are.
        examples: Files of pictures, or texts.
        labels: The class of each.
        notes: What was passed over.
    """

    kind: Literal["pictures", "texts"]
    examples: tuple[Path | str, ...]
    labels: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of_support(cls, support: Path) -> GivenExamples:
        """Those of `--support`, as `tfmeta classify` takes it."""
        from tfmeta.classifying.picture_task import labelled_pictures
        from tfmeta.datasets.own.csv_texts import is_text_csv, read_labelled_texts

        if is_text_csv(support):
            return cls("texts", *read_labelled_texts(support))
        files = labelled_pictures(support)
        return cls("pictures", files.files, files.labels, files.notes)

    @classmethod
    def of_class(cls, name: str, paths: Sequence[Path]) -> GivenExamples:
        """Those of `--class NAME`: pictures, folders of them, or files of texts."""
        from tfmeta.classifying.text_task import is_text_file, read_named_texts
        from tfmeta.datasets.own.picture_folder import list_pictures

        of_texts = [path for path in paths if is_text_file(path)]
        if of_texts and len(of_texts) < len(paths):
            others = [path for path in paths if path not in of_texts]
            raise ValueError(
                "FILE must be pictures alone, or files of texts alone. Received: "
                f"{others[0]} and {of_texts[0]}"
            )
        texts: list[str] = []
        files: list[Path] = []
        for path in paths:
            if of_texts:
                texts += read_named_texts((name,), path).query
            else:
                files += list_pictures(path) if path.is_dir() else [path]
        if of_texts:
            return cls("texts", tuple(texts), (name,) * len(texts))
        return cls("pictures", tuple(files), (name,) * len(files))

    @property
    def class_sizes(self) -> Counter[str]:
        """Number of examples by class."""
        return Counter(self.labels)

    @property
    def by_class(self) -> dict[str, list[Path | str]]:
        """The examples by class, in order."""
        found: dict[str, list[Path | str]] = {}
        for example, label in zip(self.examples, self.labels, strict=True):
            found.setdefault(label, []).append(example)
        return found

    def at(self, rows: Sequence[int]) -> GivenExamples:
        """Some of them, by number."""
        return dataclasses.replace(
            self,
            examples=tuple(self.examples[row] for row in rows),
            labels=tuple(self.labels[row] for row in rows),
        )

    def without(self, bad: dict[Path, str]) -> GivenExamples:
        """Those that can be read.

        Raises:
            ValueError: When a class would have none left; names it.
        """
        rows = [row for row, one in enumerate(self.examples) if one not in bad]
        left = self.at(rows)
        lost = [name for name in self.class_sizes if name not in left.class_sizes]
        if lost:
            raise ValueError(
                "every class must have an example that can be read. Received: none of "
                f"{some(lost)}"
            )
        return left
