"""The folder of a task library: its file, its learner, and what was read of them."""

from __future__ import annotations

import json
import logging
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np

# Registers what files hold.
import tfmeta.encoders
import tfmeta.learners
import tfmeta.losses  # noqa: F401
from tfmeta.durable import flush, naming
from tfmeta.durable import remove as remove_file
from tfmeta.finite_checks import check_finite_weights
from tfmeta.json_files import json_text
from tfmeta.model_files import check_model_file, loading
from tfmeta.sqlite.errors import damaged
from tfmeta.sqlite.new_folder import new_folder
from tfmeta.tasks.library_file import (
    CHANGES,
    DATABASE,
    SCHEMA,
    SCORES,
    Entries,
    LibraryFile,
    quoted,
)
from tfmeta.tasks.library_learner import shapes_of, with_tasks
from tfmeta.tasks.warm_start import WarmStart

_LOG = logging.getLogger(__name__)
_FolderT = TypeVar("_FolderT", bound="LibraryFolder")
_LEARNER, _STEPS, _RATE = "learner_file", "steps", "learning_rate"
_ABOUT, _CANDIDATES = "about", "candidates"


class LibraryFolder:
    """Tasks on disk, and in memory as long as nobody changes them.

    See `TaskLibrary`, which adds what is done with them.
    """

    def __init__(self, path: str | os.PathLike[str], *, wait: float = 30.0) -> None:
        self.path = Path(path)
        self._wait = wait
        if not self.path.joinpath(DATABASE).is_file():
            raise FileNotFoundError(
                f"{self.path} must be the folder of a task library. Received: "
                f"{'one without ' + DATABASE if self.path.is_dir() else 'none'}"
            )
        file = LibraryFile(self.path / DATABASE, {}, wait=wait)
        try:
            facts = file.facts()
        finally:
            file.close()
        self._load(facts)

    def _load(self, facts: dict[str, str]) -> None:
        name = facts.get(_LEARNER, "")
        file = self.path / Path(name).name
        with loading("the learner of a task library", file):
            check_model_file(file)
            learner = keras.saving.load_model(file, compile=False, safe_mode=True)
        if not isinstance(learner, WarmStart):
            raise ValueError(
                f"{file} must be the learner of a task library. Received: a "
                f"{type(learner).__name__}"
            )
        check_finite_weights(f"{file}", learner.variables)
        self._learner, self._learner_file = learner, name
        try:
            self.steps = int(facts[_STEPS])
            self.learning_rate = float(facts[_RATE])
            self.about: dict[str, Any] = json.loads(facts[_ABOUT])
            self.candidates = tuple(map(str, json.loads(facts[_CANDIDATES])))
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(self.path / DATABASE, SCHEMA.what, error) from error
        shapes = {**shapes_of(learner), SCORES: (len(self.candidates),)}
        self._file = LibraryFile(self.path / DATABASE, shapes, wait=self._wait)
        self._read: tuple[str, Entries, list[str]] | None = None

    @classmethod
    def create(
        cls: type[_FolderT],
        path: str | os.PathLike[str],
        learner: WarmStart,
        *,
        steps: int = 100,
        learning_rate: float = 0.01,
        candidates: Sequence[str] = (),
        about: Mapping[str, Any] | None = None,
    ) -> _FolderT:
        """Makes a new one without tasks.

        Args:
            path: The folder, which is not there.
            learner: Says what is trained on every task, and how tasks are described and
                embedded. Tasks that it knows are not taken over.
            steps: Of training the network of a task that is added.
            learning_rate: Likewise.
            candidates: What is chosen among for a new task, such as names of encoders
                or earlier runs: how good each is on a task is kept with it.
            about: What else is to be known of the library, JSON.

        Raises:
            FileExistsError: When something is there.
            OSError: When it cannot be written.
        """
        check_finite_weights("`learner`", learner.variables)
        name = f"learner-{uuid.uuid4().hex[:8]}.keras"
        facts = {
            _LEARNER: name,
            _STEPS: str(steps),
            _RATE: repr(float(learning_rate)),
            _ABOUT: json_text(dict(about or {}), "about"),
            _CANDIDATES: json_text(list(candidates), "candidates"),
        }
        with new_folder(Path(path)) as building:
            with_tasks(learner, None).save(building / name)
            LibraryFile.make(building / DATABASE, facts)
        return cls(path)

    @classmethod
    def load(
        cls: type[_FolderT], path: str | os.PathLike[str], *, wait: float = 30.0
    ) -> _FolderT:
        """Opens one, as the constructor does."""
        return cls(path, wait=wait)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a copy, which is not this one any more.

        Raises:
            FileExistsError: When something is there.
            OSError: When it cannot be written.
        """
        entries, _, facts = self._file.read()
        with new_folder(Path(path)) as building:
            shutil.copyfile(self.path / facts[_LEARNER], building / facts[_LEARNER])
            LibraryFile.make(building / DATABASE, facts)
            copy = LibraryFile(building / DATABASE, self._file.shapes)
            try:
                copy.add(entries)
            finally:
                copy.close()

    def __enter__(self: _FolderT) -> _FolderT:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; a closed library is of no use."""
        self._file.close()

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r}, {len(self)} tasks)"

    @property
    def names(self) -> tuple[str, ...]:
        """Of the tasks, in the order in which they were added."""
        return self.entries.names

    @property
    def groups(self) -> tuple[str, ...]:
        """Of each task what it is of."""
        return self.entries.groups

    @property
    def classes(self) -> tuple[tuple[str, ...], ...]:
        """Of each task the names of its classes."""
        return self.entries.classes

    @property
    def embeddings(self) -> np.ndarray:
        """Of each task its embedding, `(tasks, size)`."""
        return self.entries.numbers["embedding"]

    @property
    def damaged(self) -> list[str]:
        """Names of tasks whose rows are not as they were written, and are skipped."""
        _ = self.entries
        return list(self._read[2]) if self._read else []

    def remove(self, *names: str) -> None:
        """Removes tasks, also damaged ones.

        Raises:
            KeyError: When one is not there; nothing was removed.
        """
        self._file.remove(names)
        self._read = None

    def _replace(self, learner: WarmStart, entries: Entries, changes: str) -> None:
        """Writes another learner, and with it all tasks anew.

        Args:
            learner: The learner.
            entries: The tasks.
            changes: The number of changes that they were read at.

        Raises:
            ValueError: When others have changed the library since; nothing was written.
            OSError: When it cannot be written.
        """
        name = f"learner-{uuid.uuid4().hex[:8]}.keras"
        file, former = self.path / name, self.path / self._learner_file
        with naming(file):
            try:
                learner.save(file)
                flush(file)
                flush(self.path)
                self._file.replace(entries, {_LEARNER: name}, changes)
            except BaseException:
                remove_file(file)
                raise
        remove_file(former)
        self._learner, self._learner_file, self._read = learner, name, None

    @property
    def entries(self) -> Entries:
        """What is on disk now, read again where somebody has changed it."""
        return self._now()[1]

    def _now(self) -> tuple[str, Entries]:
        """The number of changes that there were, and what is there after them."""
        changes = self._file.changes()
        if self._read is None or self._read[0] != changes:
            entries, skipped, facts = self._file.read()
            if facts[_LEARNER] != self._learner_file:
                self._file.close()
                self._load(facts)
                return self._now()
            if skipped:
                _LOG.warning(
                    "%s: skipped %d damaged task(s): %s",
                    self.path,
                    len(skipped),
                    ", ".join(map(quoted, skipped[:20])),
                )
            self._read = (facts[CHANGES], entries, skipped)
        return self._read[:2]
