"""The work of `tfmeta classify`: which of the ways to answer, and its order."""

from __future__ import annotations

import csv
import dataclasses
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfmeta.cli.head_options import PICTURES, TEXTS, named_encoder
from tfmeta.cli.output import say
from tfmeta.cli.progress import progress_bar
from tfmeta.cli.tensorflow_start import start_tensorflow
from tfmeta.console import Console

if TYPE_CHECKING:
    import numpy as np

    from tfmeta.classifying.answers import Answers
    from tfmeta.classifying.labelled_examples import LabelledExamples
    from tfmeta.classifying.task import Task


@dataclasses.dataclass(frozen=True)
class ClassifyJob:
    """What `tfmeta classify` is asked.

    Attributes:
        run: A run folder or a version folder, or `None` for a pre-trained encoder.
        support: `--support`, `None` where `class_names` stand for it.
        query: `--query`.
        class_names: `--classes`.
        encoder: `--encoder`, `None` for the default.
        size: `--size`, `None` for the encoder's own.
        learner: `--learner`.
        prior_shots: `--prior-shots`.
        invert: `--invert`.
        open_set: `--open-set`.
        skip_bad: `--skip-bad`.
        cache_dir: Where features are kept; `None` to keep none.
        columns: What the columns of CSV files are called, by argument.
        check_sides: Called with what queries are, and whether their classes are known,
            before anything is computed.
    """

    run: Path | None
    support: Path | None
    query: Path
    class_names: tuple[str, ...] | None
    encoder: str | None
    size: int | None
    learner: str
    prior_shots: float
    invert: str
    open_set: bool
    skip_bad: bool
    cache_dir: Path | None
    columns: Mapping[str, str]
    check_sides: Callable[[str, bool], None]

    def answer(self) -> tuple[Answers, Sequence[Path]]:
        """The answers, and the files of the queries where they are pictures."""
        from tfmeta.classifying.labelled_examples import labelled_examples
        from tfmeta.classifying.query_texts import holds_texts

        if self.support is None:
            given, kind = None, "texts" if holds_texts(self.query) else "pictures"
        else:
            given = labelled_examples(
                self.support, skip_bad=self.skip_bad, **self.columns
            )
            kind = given.kind
        if kind == "pictures":
            answered = (
                self._pictures_by_encoder if self.run is None else self._pictures_by_run
            )
            return answered(given)
        if kind == "texts":
            of_texts = (
                self._texts_by_encoder if self.run is None else self._texts_by_run
            )
            answers = of_texts(self._text_task(given))
        else:
            assert given is not None
            of_arrays = (
                self._arrays_by_encoder if self.run is None else self._arrays_by_run
            )
            answers = of_arrays(self._array_task(given))
        return dataclasses.replace(answers, in_files=self.query.is_dir()), ()

    def _pictures_by_run(
        self, given: LabelledExamples | None
    ) -> tuple[Answers, Sequence[Path]]:
        from tfmeta.classifying.run_pictures import read_for_run
        from tfmeta.classifying.saved_model import (
            check_takes_descriptions,
            find_saved_model,
        )

        assert self.run is not None
        model = find_saved_model(self.run)
        if self.class_names is not None:
            check_takes_descriptions(model)
        task = self._picture_task(given)
        pictures = read_for_run(model, task, invert=self.invert, skip_bad=self.skip_bad)
        warn(pictures.warnings)
        for note in pictures.notes:
            say(note, err=True)
        start_tensorflow("metric")
        answers: Answers
        if self.class_names is not None:
            from tfmeta.classifying.by_class_names import classify_by_class_names

            answers = classify_by_class_names(model, pictures, _embed_names)
        elif self.open_set:
            from tfmeta.classifying.open_set import classify_open_set

            answers = classify_open_set(self.run, model, pictures)
        else:
            from tfmeta.classifying.by_run import classify_by_run

            answers = classify_by_run(model, pictures)
        return answers, pictures.task.query

    def _texts_by_run(self, task: Task[str]) -> Answers:
        from tfmeta.classifying.by_run import classify_texts_by_run

        model = self._model_of_others("texts")
        start_tensorflow("metric")
        return classify_texts_by_run(model, task)

    def _arrays_by_run(self, task: Task[np.ndarray]) -> Answers:
        from tfmeta.classifying.by_run import classify_arrays_by_run

        model = self._model_of_others("arrays")
        start_tensorflow("metric")
        return classify_arrays_by_run(model, task)

    def _model_of_others(self, kind: str) -> Path:
        """The SavedModel, for what are no pictures."""
        from tfmeta.classifying.saved_model import find_saved_model

        assert self.run is not None
        model = find_saved_model(self.run)
        if self.open_set or self.class_names is not None:
            raise click.UsageError(
                f"--open-set and --classes take pictures with RUN. Received: {kind}"
            )
        return model

    def _pictures_by_encoder(
        self, given: LabelledExamples | None
    ) -> tuple[Answers, Sequence[Path]]:
        from tfmeta.classifying.unreadable import check_heads

        if self.class_names is not None:
            raise click.UsageError(
                "--classes with pictures needs RUN, of a ZeroShotPrototypicalNetwork. "
                "Received: none"
            )
        task, skipped = check_heads(self._picture_task(given), skip_bad=self.skip_bad)
        warn(skipped)
        start_tensorflow("metric")
        from tfmeta.classifying.by_encoder import classify_features, make_head
        from tfmeta.classifying.photographs import embed_files

        encoder = named_encoder(self.encoder or PICTURES, self.size)
        head = make_head(self.learner, encoder)
        with progress_bar(Console(stderr=True), "Embedding") as report:
            task, features, skipped = embed_files(
                encoder,
                task,
                skip_bad=self.skip_bad,
                cache_dir=self.cache_dir,
                on_progress=report,
            )
        warn(skipped)
        return classify_features(head, task, features), task.query

    def _arrays_by_encoder(self, task: Task[np.ndarray]) -> Answers:
        from tfmeta.classifying.array_task import check_vectors

        for name in ("encoder", "size"):
            if getattr(self, name) is not None:
                raise click.UsageError(
                    f"--{name} is for pictures and texts; vectors are compared as they "
                    f"are. Received: the arrays of {self.support}"
                )
        assert self.support is not None
        check_vectors(task, self.support)
        start_tensorflow("metric")
        from tfmeta.classifying.by_encoder import classify_vectors

        return classify_vectors(self.learner, task)

    def _texts_by_encoder(self, task: Task[str]) -> Answers:
        start_tensorflow("metric")
        from tfmeta.classifying.by_encoder import classify_features, make_head
        from tfmeta.features import features_of

        encoder = named_encoder(self.encoder or TEXTS, self.size)
        if encoder.inputs[0].dtype != "string":
            raise ValueError(
                f"`--encoder` must be one of texts, such as {TEXTS}, as --support and "
                f"--query are. Received: {self.encoder}"
            )
        arguments: dict[str, Any] = {}
        prior = None
        if self.prior_shots > 0 or self.class_names is not None:
            arguments = {"prior_shots": self.prior_shots or 1.0}
            prior = features_of(encoder, as_words(task.class_names))
        head = make_head(self.learner, encoder, **arguments)
        features = features_of(encoder, [*task.support, *task.query])
        return classify_features(head, task, features, prior=prior, of="text")

    def _picture_task(self, given: LabelledExamples | None) -> Task[Path]:
        from tfmeta.classifying.picture_task import find_named_task, make_picture_task

        if given is None:
            assert self.class_names is not None
            task = find_named_task(self.class_names, self.query)
        else:
            assert self.support is not None
            task = make_picture_task(
                given, self.support, self.query, unknown_classes=self.open_set
            )
        self._check(task, "pictures")
        return task

    def _text_task(self, given: LabelledExamples | None) -> Task[str]:
        from tfmeta.classifying.text_task import make_text_task, read_named_texts
        from tfmeta.datasets.own.csv_columns import CsvColumns

        known: dict[str, Any] = {
            "columns": CsvColumns(**self.columns),
            "skip_bad": self.skip_bad,
        }
        if given is None:
            assert self.class_names is not None
            task = read_named_texts(self.class_names, self.query, **known)
        else:
            assert self.support is not None
            task = make_text_task(given, self.support, self.query, **known)
        self._check(task, "texts")
        return task

    def _array_task(self, given: LabelledExamples) -> Task[np.ndarray]:
        from tfmeta.classifying.array_task import make_array_task

        assert self.support is not None
        task = make_array_task(given, self.support, self.query, skip_bad=self.skip_bad)
        self._check(task, "arrays")
        return task

    def _check(self, task: Task[Any], kind: str) -> None:
        warn(task.notes)
        self.check_sides(kind, task.query_labels is not None)


def parse_classes(given: str) -> tuple[str, ...]:
    """The names in `--classes`, separated by commas, quoted as in CSV.

    Raises:
        click.UsageError: When there are fewer than two, or one is empty or comes
            twice.
    """
    try:
        (row,) = csv.reader([given], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError):
        row = []
    names = tuple(unicodedata.normalize("NFC", name.strip()) for name in row)
    if len(set(names)) < max(2, len(names)) or not all(names):
        raise click.UsageError(
            "--classes must be at least 2 names between commas, each once. Received: "
            f"{given!r}"
        )
    return names


def as_words(class_names: Sequence[str]) -> list[str]:
    """Names as one would say them: those of folders and columns have underscores."""
    return [name.replace("_", " ") for name in class_names]


def warn(warnings: Sequence[str]) -> None:
    """Prints warnings."""
    say(*(f"Warning: {warning}" for warning in warnings), err=True)


def _embed_names(names: Sequence[str]) -> np.ndarray:
    from tfmeta.features import features_of

    return features_of(named_encoder(TEXTS), list(names))
