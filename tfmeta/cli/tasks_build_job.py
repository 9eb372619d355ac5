"""The work of `tfmeta tasks build`."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tfmeta.argument_names import renamed_arguments
from tfmeta.cli.head_options import PICTURES, TEXTS
from tfmeta.cli.output import say
from tfmeta.cli.progress import shown_progress
from tfmeta.cli.tasks_data import (
    candidates_of,
    class_digest,
    encoder_for,
    from_anywhere,
    side_of,
)
from tfmeta.cli.tasks_in_words import distance_lines
from tfmeta.cli.tensorflow_start import start_tensorflow
from tfmeta.console import Console
from tfmeta.printable import shell_word

if TYPE_CHECKING:
    import keras

    from tfmeta.datasets import ClassTable


@dataclasses.dataclass(frozen=True)
class BuildJob:
    """What `tfmeta tasks build` is asked; see its options."""

    library: Path
    dataset: str
    split: str | None
    run: Path | None
    encoder: str | None
    size: int | None
    count: int
    ways: int
    shots: int
    queries: int
    start: str
    alike: str | None
    metric: str
    candidates: tuple[str, ...]
    picture: Path | None
    seed: int
    data_dir: Path | None

    def build(self) -> None:
        """Builds the library, and says what is in it.

        Raises:
            FileExistsError: When something is at `library`.
            ValueError: When an option does not suit; nothing is left then.
            OSError: When it cannot be written.
        """
        if os.path.lexists(self.library):
            raise FileExistsError(
                "LIBRARY must be a path where nothing is. Received: "
                f"{self.library}, which is there"
            )
        start_tensorflow("metric")
        from tfmeta.datasets.registry import DATASETS
        from tfmeta.features import features_dir
        from tfmeta.tasks.building import build_library
        from tfmeta.tasks.kept_parts import number_of_parts

        split, table, classes = self._table()
        encoder = self._encoder(table)
        names = tuple(map(from_anywhere, self.candidates))
        candidates = candidates_of(names, self.dataset, table, self.data_dir)
        known = self.dataset in DATASETS
        about = {
            "dataset": self.dataset if known else from_anywhere(self.dataset),
            "class_digest": classes,
            "split": split,
        }
        kept = number_of_parts(self.library)
        if kept:
            say(
                f"{kept} part(s) of a build that was stopped are kept; those of these "
                "options are used again",
                err=True,
            )
        with (
            shown_progress(Console(stderr=True), "Building") as progress,
            self._said_when_stopped(),
        ):
            library = build_library(
                self.library,
                table,
                encoder,
                tasks=self.count,
                ways=self.ways,
                shots=self.shots,
                queries=self.queries,
                start=self.start,  # type: ignore[arg-type]
                alike=self.alike,  # type: ignore[arg-type]
                metric=self.metric,  # type: ignore[arg-type]
                seed=self.seed,
                candidates=candidates,
                about=about,
                cache_dir=features_dir(self.data_dir),
                progress=progress,
            )
        with library:
            groups = len(set(library.groups) - {""})
            of = f" of {groups} groups" if groups else ""
            say(
                f"{self.library}: {len(library)} tasks{of}, of {table.num_classes} "
                "classes"
            )
            say(*distance_lines(library.about["metric"]))
            if self.picture is not None:
                from tfmeta.cli.tasks_map import save_map

                grey = save_map(library, self.picture)
                others = f"; the {grey} smallest of {groups} groups are grey"
                others *= bool(grey)
                say(f"Their map: {self.picture}{others}")
        place = shell_word(self.library)
        say(f"Is it worth it: tfmeta tasks evaluate {place}")

    @contextlib.contextmanager
    def _said_when_stopped(self) -> Iterator[None]:
        """In words what is kept of a build that ends by a signal."""
        from tfmeta.tasks.kept_parts import number_of_parts, parts_folder

        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            parts = number_of_parts(self.library)
            kept = f"{parts} part(s) in {parts_folder(self.library)} and "
            kept *= bool(parts)
            say(
                f"{self.library} is not there yet. Kept: {kept}features of examples; "
                "the same command goes on from there.",
                err=True,
            )
            raise

    def _table(self) -> tuple[str, ClassTable, str]:
        from tfmeta.datasets import load

        split = self.split
        with renamed_arguments({"name": "dataset"}):
            table = load(
                self.dataset,
                split="train" if split in (None, "half") else split,
                data_dir=self.data_dir,
            )
        if split is None:
            split = "train" if table.groups is None else "half"
        return split, side_of(table, split, self.seed)[0], class_digest(table)

    def _encoder(self, table: ClassTable) -> keras.Model:
        from tfmeta.runs.data import kind_of

        if self.run is not None:
            with renamed_arguments({"encoder": "run"}):
                return encoder_for(str(self.run), self.dataset, table, self.data_dir)
        name = self.encoder or (TEXTS if kind_of(table) == "text" else PICTURES)
        return encoder_for(name, self.dataset, table, self.data_dir, size=self.size)
