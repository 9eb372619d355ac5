"""The work of `tfmeta classify` where classes are those of a gallery."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmeta.cli.classify_job import warn
from tfmeta.cli.gallery_facts import GalleryFacts
from tfmeta.cli.gallery_words import CLASSES_FIRST, other_ground
from tfmeta.cli.progress import progress_bar
from tfmeta.cli.tensorflow_start import start_tensorflow
from tfmeta.console import Console
from tfmeta.gallery.store import GalleryStore
from tfmeta.gallery.tables import DATABASE
from tfmeta.printable import shell_word

if TYPE_CHECKING:
    from tfmeta.classifying.answers import Answers
    from tfmeta.classifying.task import Task
    from tfmeta.gallery import Gallery


@dataclasses.dataclass(frozen=True)
class ClassifyGalleryJob:
    """What `tfmeta classify GALLERY` is asked.

    Attributes:
        gallery: The folder of the gallery.
        query: `--query`.
        skip_bad: `--skip-bad`.
        columns: Likewise of `ClassifyJob`.
        check_sides: As of `ClassifyJob`.
    """

    gallery: Path
    query: Path
    skip_bad: bool
    columns: Mapping[str, str]
    check_sides: Callable[[str, bool], None]

    def answer(self) -> tuple[Answers, Sequence[Path]]:
        """The answers, and the files of the queries where they are pictures."""
        with contextlib.closing(GalleryStore(self.gallery / DATABASE)) as store:
            facts, sizes = GalleryFacts.of(store), store.class_sizes()
        if not sizes:
            raise ValueError(
                f"{self.gallery} must have at least one class. Received: none; "
                f"{CLASSES_FIRST.format(gallery=shell_word(self.gallery))}"
            )
        open_set = facts.has_threshold(sizes)
        if facts.kind == "arrays":
            raise ValueError(
                f"{self.gallery} must hold pictures or texts, which come from files. "
                f"Received: one of {facts.dtype} examples of shape {facts.shape}; "
                "tfmeta.Gallery classifies them in Python"
            )
        texts = facts.kind == "texts"
        if texts:
            task: Task[Any] = self._texts(sizes, open_set)
        else:
            task = self._pictures(facts, sizes, open_set)
        if len(sizes) == 1 and not open_set and facts.threshold is None:
            warn([f"{self.gallery} has one class and no threshold: that is the answer"])
        start_tensorflow("metric")
        from tfmeta.classifying.task import number_labels
        from tfmeta.gallery import Gallery

        with contextlib.closing(Gallery(self.gallery)) as gallery:
            task, answers = self._answers(gallery, task)
        labels = None
        if task.query_labels is not None:
            # Others may have enrolled, renamed and removed classes meanwhile.
            names = [_name_of(tuple(sizes), label) for label in task.query_labels]
            labels = number_labels(names, answers.class_names, unknown=True)
            open_set = answers.open_set or bool((labels < 0).any())
        answers = dataclasses.replace(
            answers,
            labels=labels,
            open_set=open_set,
            of="text" if texts else "picture",
            in_files=self.query.is_dir(),
        )
        return answers, () if texts else task.query

    def _texts(self, sizes: Mapping[str, int], open_set: bool) -> Task[str]:
        from tfmeta.classifying.text_task import read_named_texts
        from tfmeta.datasets.own.csv_columns import CsvColumns

        task = read_named_texts(
            tuple(sizes),
            self.query,
            unknown_classes=open_set,
            columns=CsvColumns(**self.columns),
            named_by=f"the gallery {self.gallery}",
            skip_bad=self.skip_bad,
        )
        warn(task.notes)
        self.check_sides("texts", task.query_labels is not None)
        return task

    def _pictures(
        self, facts: GalleryFacts, sizes: Mapping[str, int], open_set: bool
    ) -> Task[Path]:
        from tfmeta.classifying.picture_task import find_named_task
        from tfmeta.classifying.query_texts import holds_texts
        from tfmeta.classifying.unreadable import check_heads

        if holds_texts(self.query):
            raise ValueError(
                f"`--query` must be a picture or a folder of them, as {self.gallery} "
                f"holds pictures. Received: {self.query}, of texts"
            )
        task = find_named_task(
            tuple(sizes),
            self.query,
            unknown_classes=open_set,
            named_by=f"the gallery {self.gallery}",
        )
        self.check_sides("pictures", task.query_labels is not None)
        task, skipped = check_heads(task, skip_bad=self.skip_bad)
        warn(skipped)
        warn(other_ground(facts, task.query, self.gallery))
        return task

    def _answers(self, gallery: Gallery, task: Task[Any]) -> tuple[Task[Any], Answers]:
        from tfmeta.datasets.reading.pictures import ACCEPTED_PICTURE, UnreadablePicture
        from tfmeta.datasets.reading.unreadable import (
            find_unreadable,
            left_out,
            refuse_unreadable,
        )
        from tfmeta.gallery.examples import ExampleEncoder

        def ask() -> Answers:
            with progress_bar(Console(stderr=True), "Embedding") as report:
                return gallery.classify(
                    task.query, names=task.query_names, on_progress=report
                )

        try:
            return task, ask()
        except (UnreadablePicture, OSError):
            if not task.query or isinstance(task.query[0], str):
                raise
            unreadable = find_unreadable(
                task.query, ExampleEncoder(gallery.learner).read
            )
            if not unreadable:
                raise
        total = len(task.query)
        if not self.skip_bad:
            refuse_unreadable(unreadable, total, ACCEPTED_PICTURE)
        task = task.without(unreadable)
        warn([left_out(unreadable, total)])
        return task, ask()


def _name_of(names: Sequence[str], label: int) -> str:
    # No class is called by an empty name.
    return names[label] if label >= 0 else ""
