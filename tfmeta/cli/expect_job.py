"""The work of `tfmeta expect`, and its order."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmeta.argument_names import renamed_arguments
from tfmeta.classifying.picture_task import check_classes
from tfmeta.classifying.query_files import QueryFiles
from tfmeta.classifying.text_task import read_named_texts
from tfmeta.classifying.unreadable import find_no_pictures
from tfmeta.cli.classify_job import warn
from tfmeta.cli.gallery_examples import GivenExamples
from tfmeta.cli.head_options import PICTURES, TEXTS, named_encoder
from tfmeta.cli.progress import RepeatedProgress, progress_bar
from tfmeta.cli.tensorflow_start import start_tensorflow
from tfmeta.console import Console
from tfmeta.datasets.reading.unreadable import left_out
from tfmeta.printable import shell_word

if TYPE_CHECKING:
    import keras
    import numpy as np

    from tfmeta.estimation import Expectation


@dataclasses.dataclass(frozen=True, eq=False)
class ExpectReport:
    """What is expected, and of which files.

    Attributes:
        source: Where the examples are from.
        expected: The expectation.
        files: The picture of each example; `None` where they are no pictures.
        unlabelled_files: Likewise of the unlabelled.
        pretraining: What the encoder saw before.
        encoder_words: The options that name the encoder, as they were given.
        warnings: What the user should know besides.
    """

    source: Path
    expected: Expectation
    files: Sequence[Path] | None
    unlabelled_files: Sequence[Path] | None
    pretraining: str | None
    encoder_words: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def commands(self) -> tuple[str, ...]:
        """What to type next: these classes to work."""
        from tfmeta.estimation.heads import HEADS

        kind = self.expected.kind
        if kind == "arrays":
            return ()
        head = self.expected.choice.head
        learner, _ = HEADS.get(head, (head, {}))
        words = ["--support", shell_word(self.source), *self.encoder_words]
        how = " ".join([*words, "--learner", learner])
        query = "NEW_TEXTS" if kind == "texts" else "NEW_PICTURES"
        return (
            f"tfmeta classify {how} --query {query}",
            f"tfmeta gallery enrol NEW_GALLERY {how}",
        )

    def write_page(self, path: Path) -> None:
        """Writes the page."""
        from tfmeta.pages.expectation_page import write_expectation_page

        write_expectation_page(
            self.expected,
            path,
            files=self.files,
            unlabelled_files=self.unlabelled_files,
            source=str(self.source),
            pretraining=self.pretraining,
            commands=self.commands,
        )


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

    def estimate(self) -> ExpectReport:
        """The report.

        Raises:
            ValueError: When there is nothing to choose between, nothing to leave out,
                or examples cannot be read.
        """
        given = self._given()
        names = tuple(given.class_sizes)
        self._check_choice(given)
        others = _Unlabelled()
        if self.unlabelled is not None:
            others = _Unlabelled.found(self.unlabelled, given.kind, names)
        given, others, skipped = self._without_no_pictures(given, others)
        warn(skipped)
        start_tensorflow("metric")
        encoder = self._encoder(given.kind)
        return self._estimated(encoder, given, others)

    def _given(self) -> GivenExamples:
        given = GivenExamples.of_support(self.source)
        warn(given.notes)
        return given

    def _check_choice(self, given: GivenExamples) -> None:
        check_classes(sorted(given.class_sizes), self.source)
        if max(given.class_sizes.values()) < 2:
            raise ValueError(
                f"{self.source} must hold a class with at least 2 examples, of which "
                "one can be left out and answered by the rest. Received: "
                f"{len(given.class_sizes):,} classes with 1 example each"
            )

    def _without_no_pictures(
        self, given: GivenExamples, others: _Unlabelled
    ) -> tuple[GivenExamples, _Unlabelled, list[str]]:
        """Without what is no picture by its head, which is found at once."""
        if given.kind != "pictures":
            return given, others, []
        files: Any = [*given.examples, *others.examples]
        bad = find_no_pictures(files, skip_bad=self.skip_bad)
        return self._without(given, others, bad)

    def _without(
        self, given: GivenExamples, others: _Unlabelled, bad: dict[Path, str]
    ) -> tuple[GivenExamples, _Unlabelled, list[str]]:
        if not bad:
            return given, others, []
        total = len(given.examples) + len(others.examples)
        left = given.without(bad)
        self._check_choice(left)
        return left, others.without(bad), [left_out(bad, total)]

    def _encoder(self, kind: str) -> keras.Model:
        encoder = named_encoder(
            self.encoder or (TEXTS if kind == "texts" else PICTURES), self.size
        )
        takes_texts = encoder.inputs[0].dtype == "string"
        if takes_texts != (kind == "texts"):
            raise ValueError(
                f"`encoder` must be one of {kind}, as {self.source} holds. Received: "
                f"{self.encoder}"
            )
        return encoder

    def _estimated(
        self, encoder: keras.Model, given: GivenExamples, others: _Unlabelled
    ) -> ExpectReport:
        from tfmeta.encoders import pretraining_data
        from tfmeta.estimation import expect
        from tfmeta.features import example_digests

        features, given, others, skipped = self._embedded(encoder, given, others)
        others, rows, notes = others.without_labelled(given)
        count = len(given.examples)
        kept = features[count:][rows]
        # That classes hold the same examples, or one each.
        said = renamed_arguments(
            {"labels": "FOLDER" if self.source.is_dir() else "FILE"}
        )
        with said, _bars() as report:
            expected = expect(
                features[:count],
                given.labels,
                head=self.head,
                kind=given.kind,
                encoder=self.encoder or encoder.name,
                examples=_names(given.examples, self.source),
                unlabelled=kept if len(kept) else None,
                unlabelled_names=others.names if len(kept) else None,
                recall=self.recall,
                seed=self.seed,
                on_progress=report,
                digests=example_digests(given.examples),
            )
        pictures = given.kind == "pictures"
        return ExpectReport(
            source=self.source,
            expected=expected,
            files=given.examples if pictures else None,  # type: ignore[arg-type]
            unlabelled_files=others.examples if pictures else None,  # type: ignore[arg-type]
            pretraining=pretraining_data(encoder),
            encoder_words=self._encoder_words(),
            warnings=(*skipped, *notes),
        )

    def _embedded(
        self, encoder: keras.Model, given: GivenExamples, others: _Unlabelled
    ) -> tuple[np.ndarray, GivenExamples, _Unlabelled, list[str]]:
        examples: Any = [*given.examples, *others.examples]
        with progress_bar(Console(stderr=True), "Embedding") as report:
            if given.kind == "texts":
                from tfmeta.features import features_of

                features = features_of(
                    encoder, examples, cache_dir=self.cache_dir, progress=report
                )
                return features, given, others, []
            from tfmeta.classifying.photographs import features_of_files

            features, bad = features_of_files(
                encoder,
                examples,
                skip_bad=self.skip_bad,
                cache_dir=self.cache_dir,
                on_progress=report,
            )
        return features, *self._without(given, others, bad)

    def _encoder_words(self) -> tuple[str, ...]:
        words: list[str] = []
        if self.encoder is not None:
            words += ["--encoder", shell_word(self.encoder)]
        if self.size is not None:
            words += ["--size", str(self.size)]
        return tuple(words)


@dataclasses.dataclass(frozen=True)
class _Unlabelled:
    """Examples without a label, and what each is called."""

    examples: tuple[Path | str, ...] = ()
    names: tuple[str, ...] = ()

    @classmethod
    def found(cls, path: Path, kind: str, classes: Sequence[str]) -> _Unlabelled:
        with renamed_arguments({"query": "unlabelled"}):
            if kind == "texts":
                texts = read_named_texts(classes, path).query
                return cls(texts, texts)
            files = QueryFiles.found(path, classes, unknown_classes=True)
            return cls(files.paths, files.names)

    def at(self, rows: Sequence[int]) -> _Unlabelled:
        return _Unlabelled(
            tuple(self.examples[row] for row in rows),
            tuple(self.names[row] for row in rows),
        )

    def without(self, bad: Collection[Path]) -> _Unlabelled:
        """Those that can be read."""
        return self.at([i for i, one in enumerate(self.examples) if one not in bad])

    def without_labelled(
        self, given: GivenExamples
    ) -> tuple[_Unlabelled, list[int], list[str]]:
        """Those that are not among the labelled by content; their rows, and a note."""
        from tfmeta.features import example_digests

        if not self.examples:
            return self, [], []
        seen = set(map(bytes, example_digests(given.examples)))
        rows = []
        for row, digest in enumerate(map(bytes, example_digests(self.examples))):
            if digest not in seen:
                seen.add(digest)
                rows.append(row)
        again = len(self.examples) - len(rows)
        if not again:
            return self, rows, []
        note = (
            f"{again:,} of {len(self.examples):,} unlabelled examples are passed over: "
            "the same have a label, or are there twice"
        )
        return self.at(rows), rows, [note]


def _names(examples: Sequence[Path | str], source: Path) -> list[str]:
    """What people call examples: texts as they are, files below their folder."""
    folder = source if source.is_dir() else source.resolve().parent
    return [
        one.relative_to(folder).as_posix()
        if isinstance(one, Path) and one.is_relative_to(folder)
        else str(one)
        for one in examples
    ]


@contextlib.contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar for each kind of work, one after the other."""
    bars: dict[str, RepeatedProgress] = {}

    def report(what: str, done: int, of_all: int) -> None:
        if what not in bars:
            bars[what] = RepeatedProgress(Console(stderr=True), what)
        bars[what](done, of_all)

    try:
        yield report
    finally:
        for bar in bars.values():
            bar.stop()
