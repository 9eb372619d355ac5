"""The model that answers now, and newer versions of it that take its place."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from tfmeta.classifying.saved_model import newest_version
from tfmeta.serving.model import Model

logger = logging.getLogger(__name__)


class CurrentModel:
    """A model, which a newer version may replace.

    Who is answering has the model that was there when he began, which is freed when
    the last of them is done: no request waits and none is dropped.

    Args:
        model: The first one.
        versions: Folder in which newer versions appear, `None` where none does.
        load: From a version folder to the model.
        on_load: Called after each attempt with whether it did.
    """

    def __init__(
        self,
        model: Model,
        *,
        versions: Path | None = None,
        load: Callable[[Path], Model] | None = None,
        on_load: Callable[[bool], None] | None = None,
    ) -> None:
        self._model = model
        self._versions = versions
        self._load = load
        self._on_load = on_load
        # That could not be loaded, with what was there of it.
        self._failed: tuple[str, list[tuple[str, int, int]]] | None = None
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None

    def get(self) -> Model:
        """The newest version that is loaded."""
        return self._model

    def watch(self, every: float) -> None:
        """Looks for newer versions from now on.

        Args:
            every: Seconds between two looks.
        """
        if self._versions is None:
            return
        self._watcher = threading.Thread(
            target=self._watch, args=(every,), name="versions", daemon=True
        )
        self._watcher.start()

    def look(self) -> bool:
        """Takes up a newer version, if there is one.

        Returns:
            Whether it has.
        """
        if self._versions is None or self._load is None:
            return False
        newest = newest_version(self._versions)
        if newest is None:
            return False
        if int(newest.name) <= int(self._model.version):
            return False
        # One that is still being copied is looked at again when more of it is there.
        state = newest.name, _files_of(newest)
        if state == self._failed:
            return False
        try:
            model = self._load(newest)
        # Whatever is wrong with it, the one that answers goes on.
        except Exception as error:
            self._failed = state
            logger.error("version %s is not taken up: %s", newest.name, error)
            model = None
        if self._on_load is not None:
            self._on_load(model is not None)
        if model is None:
            return False
        self._model = model
        logger.info("version %s of %s answers from now on", model.version, model.name)
        return True

    def close(self) -> None:
        """Ends the watching, and closes the model."""
        self._stop.set()
        if self._watcher is not None:
            self._watcher.join()
        self._model.close()

    def _watch(self, every: float) -> None:
        while not self._stop.wait(every):
            try:
                self.look()
            except OSError as error:  # A folder that cannot be read just now.
                logger.warning("versions cannot be looked at: %s", error)


def _files_of(folder: Path) -> list[tuple[str, int, int]]:
    """Path, size and time of change of everything in a folder."""
    found = []
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found.append((str(path), status.st_size, status.st_mtime_ns))
    return found
