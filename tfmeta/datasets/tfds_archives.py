"""Data sets that TensorFlow Datasets prepares from archives of their authors."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tfmeta.datasets.reading.archives import read_archive
from tfmeta.durable import flush, put_in_place
from tfmeta.json_files import json_text

_PROBE_SECONDS = 15.0
_UNPACKED = "unpacked"


@dataclasses.dataclass(frozen=True)
class CheckedArchive:
    """An archive on this machine that holds what its authors' archive holds.

    Args:
        path: The archive.
        content: What was found in it, e.g. `"964 characters, 19,280 pictures"`.
        sha256: Its checksum.
        url: Where its authors publish it.
        official_sha256: The checksum of what they publish, as TensorFlow
            Datasets registers it.
    """

    path: Path
    content: str
    sha256: str
    url: str
    official_sha256: str

    @property
    def official(self) -> bool:
        """Whether this is the authors' archive, byte for byte."""
        return self.sha256 == self.official_sha256

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        if self.official:
            return ()
        return (
            f"{self.path.name} is complete ({self.content}) but not the authors' file "
            f"byte for byte: its SHA-256 is {self.sha256}, theirs "
            f"{self.official_sha256}.",
        )


def sha256_of(path: Path) -> str:
    """The checksum of a file."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def import_folder(data_dir: Path, name: str) -> Iterator[Path]:
    """An empty folder to prepare a data set in, for one process at a time.

    Another process waits until the first is done: look then whether there is
    anything left to do. What a killed process has left is removed.

    Args:
        data_dir: The data folder, made if it is not there.
        name: Name of the data set.

    Yields:
        The folder, on the disk of the data folder. It is removed in the end.
    """
    folder = data_dir / f"{name}.importing"
    downloads = data_dir / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    with _lock(downloads / f"{name}.lock"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """A lock that ends with this process, however it ends."""
    with path.open("wb") as file:
        with contextlib.suppress(ImportError):  # Windows has none
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def lay_into_cache(
    name: str,
    archive: CheckedArchive,
    data_dir: Path,
    folder: Path,
    *,
    on_member: Callable[[], None] | None = None,
) -> None:
    """Puts an archive where TensorFlow Datasets keeps a finished download.

    What is in it is put where `prepare` looks for it, too.

    Args:
        name: Name of the builder.
        archive: The archive.
        data_dir: The data folder.
        folder: What `import_folder` gave.
        on_member: Called whenever a file was unpacked.
    """
    from tensorflow_datasets.core.download import resource

    downloads = data_dir / "downloads" / name
    downloads.mkdir(parents=True, exist_ok=True)
    file_name = resource.get_dl_fname(archive.url, archive.official_sha256)
    cached = downloads / file_name
    info = Path(resource.get_info_path(cached))
    # The information file says that the archive beside it is whole: it goes
    # first and comes back last.
    info.unlink(missing_ok=True)
    shutil.copyfile(archive.path, folder / "archive")
    put_in_place(folder / "archive", cached)
    content = {
        "dataset_names": [name],
        "original_fname": archive.path.name,
        "url_info": {
            "checksum": archive.sha256,
            "filename": archive.path.name,
            "size": cached.stat().st_size,
        },
        "urls": [archive.url],
    }
    (folder / "info").write_text(json_text(content, info), "utf-8")
    put_in_place(folder / "info", info)
    method = resource.Resource(path=cached).extract_method.name
    _unpack(archive.path, folder / _UNPACKED / f"{method}.{cached.name}", on_member)


def _unpack(path: Path, folder: Path, on_member: Callable[[], None] | None) -> None:
    """Unpacks as TensorFlow Datasets would, several times as fast and warily."""
    made: set[Path] = set()
    for name, content in read_archive(path):
        target = folder / name
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        target.write_bytes(content)
        if on_member is not None:
            on_member()


def prepare(
    name: str,
    data_dir: Path,
    folder: Path,
    *,
    on_example: Callable[[], None] | None = None,
) -> Any:
    """Lets TensorFlow Datasets download what is not cached, and prepare.

    Args:
        name: Name of the builder.
        data_dir: The data folder, where the data set is in the end.
        folder: What `import_folder` gave.
        on_example: Called whenever TensorFlow Datasets has read an example.
            With it, no progress bars of its own are shown.

    Returns:
        The builder, prepared.

    Raises:
        OSError: When it cannot be prepared.
    """
    import tensorflow_datasets as tfds

    # In a folder of our own: what a killed process leaves would stay for ever,
    # and an earlier unpacking of other archives would be taken for this one.
    builder = tfds.builder(name, data_dir=folder)
    try:
        with _reporting(builder, on_example) if on_example else nullcontext():
            builder.download_and_prepare(
                download_dir=data_dir / "downloads",
                download_config=tfds.download.DownloadConfig(
                    extract_dir=folder / _UNPACKED, try_download_gcs=False
                ),
            )
    # It raises errors of many types, of TensorFlow and of its own.
    except Exception as error:
        raise OSError(
            f"TensorFlow Datasets must be able to prepare {name!r} in {data_dir}. "
            f"Received: {type(error).__name__}: {error}"
        ) from error
    prepared = Path(builder.data_path)
    final = data_dir / prepared.relative_to(folder)
    final.parent.mkdir(parents=True, exist_ok=True)
    os.replace(prepared, final)
    flush(final.parent)
    return tfds.builder(name, data_dir=data_dir)


@contextlib.contextmanager
def _reporting(builder: Any, on_example: Callable[[], None]) -> Iterator[None]:
    """Reports through `on_example` instead of bars and lines of its own."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.utils import tqdm_utils

    generate = builder._generate_examples  # which each builder must implement

    def counted(*arguments: Any, **named: Any) -> Iterator[Any]:
        for example in generate(*arguments, **named):
            on_example()
            yield example

    builder._generate_examples = counted
    builder._log_download_bytes = builder._log_download_done = lambda: None
    shown = getattr(tqdm_utils, "_active", True)
    tfds.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            tfds.enable_progress_bar()


def connection_problem(url: str) -> str | None:
    """Why something cannot be downloaded, or `None` when it can.

    TensorFlow Datasets would retry for minutes before it gives up.

    Args:
        url: Where it is.

    Returns:
        What went wrong.
    """
    outcome = [f"no answer within {_PROBE_SECONDS:g} s from {url}"]

    def probe() -> None:
        request = urllib.request.Request(url, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=_PROBE_SECONDS):
                outcome.clear()
        except (urllib.error.URLError, OSError) as error:
            outcome[0] = f"{url}: {error}"

    # A thread, because looking up a host name knows no time limit.
    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(_PROBE_SECONDS)
    return outcome[0] if outcome else None
