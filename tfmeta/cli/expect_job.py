"""The work of `tfmeta expect`, and its order."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfmeta.argument_names import renamed_arguments, reworded_errors
from tfmeta.classifying.labelled_examples import LabelledExamples, labelled_examples
from tfmeta.classifying.task import check_classes
from tfmeta.classifying.unlabelled_examples import UnlabelledExamples
from tfmeta.classifying.unreadable import find_no_pictures
from tfmeta.cli.classify_job import warn
from tfmeta.cli.head_options import PICTURES, TEXTS, named_encoder
from tfmeta.cli.progress import progress_bar, progress_bars
from tfmeta.cli.tensorflow_start import start_tensorflow
from tfmeta.console import Console
from tfmeta.datasets.own.csv_columns import CsvColumns
from tfmeta.datasets.reading.unreadable import left_out

if TYPE_CHECKING:
    import keras

    from tfmeta.cli.expect_report import ExpectReport

_DEFAULTS = {"pictures": PICTURES, "texts": TEXTS}


@dataclasses.dataclass(frozen=True)
class ExpectJob:
    """What `tfmeta expect` is asked.

    Attributes:
        source: FOLDER or FILE.
        encoder: `--encoder`, `None` for the default.
        size: `--size`, `None` for the encoder's own.
        head: `--head`.
        unlabelled: `--unlabelled`.
        recall: `--recall`.
        seed: `--seed`.
        skip_bad: `--skip-bad`.
        cache_dir: Where features are kept; `None` to keep none.
        columns: What the columns of CSV files are called, by argument.
    """

    source: Path
    encoder: str | None
    size: int | None
    head: str
    unlabelled: Path | None
    recall: float
    seed: int
    skip_bad: bool
    cache_dir: Path | None
    columns: Mapping[str, str]

    def estimate(self) -> ExpectReport:
        """The report.

        Raises:
            FileNotFoundError: When a file is missing.
            ValueError: When there is nothing to choose between, nothing to leave out,
                or examples cannot be read.
        """
        labelled = labelled_examples(
            self.source, skip_bad=self.skip_bad, **self.columns
        )
        warn(labelled.notes)
        self._check(labelled)
        others = UnlabelledExamples()
        if self.unlabelled is not None:
            with reworded_errors(self._not_of_classify):
                others = UnlabelledExamples.found(
                    self.unlabelled,
                    labelled,
                    columns=CsvColumns(**self.columns),
                    skip_bad=self.skip_bad,
                )
            warn(others.notes)
        if labelled.kind == "pictures":
            files: Any = [*labelled.examples, *others.examples]
            bad = find_no_pictures(files, skip_bad=self.skip_bad)
            labelled, others = self._without(labelled, others, bad)
        start_tensorflow("metric")
        encoder = self._encoder(labelled.kind)
        if labelled.kind == "pictures":
            assert encoder is not None
            features, labelled, others = self._of_pictures(encoder, labelled, others)
        else:
            features = self._of_others(encoder, labelled, others)
        return self._report(encoder, features, labelled, others)

    @property
    def _source_word(self) -> str:
        """What SOURCE is called in the command's usage."""
        return "FOLDER" if self.source.is_dir() else "FILE"

    def _not_of_classify(self, message: str) -> str:
        """A message about queries, in the words of this command."""
        renamed = message.replace("--query", "--unlabelled")
        return renamed.replace("--support", self._source_word)

    def _check(self, labelled: LabelledExamples) -> None:
        """Checks that there is a choice, and something to leave out."""
        sizes = labelled.class_sizes
        check_classes(labelled.class_names, self.source)
        if max(sizes.values()) < 2:
            raise ValueError(
                f"{self.source} must hold a class with at least 2 examples: one is "
                "left out and answered by the others. Received: 1 example of each of "
                f"{len(sizes):,} classes"
            )

    def _without(
        self,
        labelled: LabelledExamples,
        others: UnlabelledExamples,
        bad: dict[Path, str],
    ) -> tuple[LabelledExamples, UnlabelledExamples]:
        """What is left without pictures that cannot be read; says how many they are."""
        if not bad:
            return labelled, others
        warn([left_out(bad, len(labelled.examples) + len(others.examples))])
        left = labelled.without(bad)
        self._check(left)
        return left, others.without(bad)

    def _encoder(self, kind: str) -> keras.Model | None:
        if self.size is not None and kind != "pictures":
            raise ValueError(
                "`size` is for pictures. Received: "
                f"size={self.size} with the {kind} of {self.source}"
            )
        name = self.encoder or _DEFAULTS.get(kind)
        if name is None:
            return None
        encoder = named_encoder(name, self.size)
        if (encoder.inputs[0].dtype == "string") != (kind == "texts"):
            raise ValueError(
                f"`encoder` must be one of {kind}, which {self.source} holds. "
                f"Received: encoder={name}"
            )
        return encoder

    def _of_pictures(
        self,
        encoder: keras.Model,
        labelled: LabelledExamples,
        others: UnlabelledExamples,
    ) -> tuple[np.ndarray, LabelledExamples, UnlabelledExamples]:
        """Features of all pictures that can be read, and what these are."""
        from tfmeta.classifying.photographs import features_of_files

        files: Any = [*labelled.examples, *others.examples]
        with progress_bar(Console(stderr=True), "Embedding") as report:
            features, bad = features_of_files(
                encoder,
                files,
                skip_bad=self.skip_bad,
                cache_dir=self.cache_dir,
                on_progress=report,
            )
        return features, *self._without(labelled, others, bad)

    def _of_others(
        self,
        encoder: keras.Model | None,
        labelled: LabelledExamples,
        others: UnlabelledExamples,
    ) -> np.ndarray:
        """Features of texts and arrays; without an encoder arrays are features."""
        if encoder is None:
            return _joined(labelled.examples, others.examples)
        from tfmeta.features import features_of

        examples: Any = [*labelled.examples, *others.examples]
        with progress_bar(Console(stderr=True), "Embedding") as report:
            return features_of(
                encoder, examples, cache_dir=self.cache_dir, progress=report
            )

    def _report(
        self,
        encoder: keras.Model | None,
        features: np.ndarray,
        labelled: LabelledExamples,
        others: UnlabelledExamples,
    ) -> ExpectReport:
        from tfmeta.cli.expect_report import ExpectReport
        from tfmeta.encoders import pretraining_data
        from tfmeta.estimation import expect
        from tfmeta.features import example_digests

        digests = example_digests(labelled.examples)
        rows = _new_rows(digests, example_digests(others.examples))
        warn(_passed_over(len(others.examples) - len(rows), len(others.examples)))
        others = others.at(rows)
        count = len(labelled.examples)
        # Texts say more than the line that they are in.
        of_texts: Any = labelled.examples if labelled.kind == "texts" else None
        names = dict.fromkeys(("labels", "features"), self._source_word)
        bars = progress_bars(Console(stderr=True))
        with renamed_arguments(names), bars as report:
            expected = expect(
                features[:count],
                labelled.labels,
                head=self.head,
                kind=labelled.kind,
                encoder=self.encoder or _DEFAULTS.get(labelled.kind),
                examples=of_texts or labelled.names,
                unlabelled=features[count:][rows] if rows else None,
                unlabelled_names=others.names if rows else None,
                recall=self.recall,
                seed=self.seed,
                on_progress=report,
                digests=digests,
            )
        pictures = labelled.kind == "pictures"
        files: Any = (labelled.examples, others.examples)
        options = {**self.columns, "encoder": self.encoder, "size": self.size}
        return ExpectReport(
            source=self.source,
            expected=expected,
            files=files[0] if pictures else None,
            unlabelled_files=files[1] if pictures else None,
            pretraining=pretraining_data(encoder),
            options={k: v for k, v in options.items() if v is not None},
        )


def _joined(labelled: Any, unlabelled: Any) -> np.ndarray:
    """Arrays as features, one below the other."""
    examples = np.asarray(labelled)
    both = np.concatenate([examples, unlabelled]) if len(unlabelled) else examples
    return both.reshape(len(both), -1)


def _new_rows(labelled: np.ndarray, unlabelled: np.ndarray) -> list[int]:
    """The first of each unlabelled content that has no label."""
    seen = set(map(bytes, labelled))
    rows = []
    for row, digest in enumerate(map(bytes, unlabelled)):
        if digest not in seen:
            seen.add(digest)
            rows.append(row)
    return rows


def _passed_over(count: int, of_all: int) -> Sequence[str]:
    if not count:
        return ()
    verb = "is" if count == 1 else "are"
    return (
        f"{count:,} of {of_all:,} unlabelled examples {verb} passed over: the same has "
        "a label, or is there before",
    )
