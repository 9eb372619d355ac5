"""Data sets that TensorFlow Datasets holds, downloads and prepares."""

from __future__ import annotations

import contextlib
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfmeta.datasets.dataset import Dataset

_PROBE_SECONDS = 15.0


def find_builder(record: Dataset, name: str, data_dir: Path, *, url: str) -> Any:
    """A builder of TensorFlow Datasets that is prepared or can be.

    Args:
        record: The data set that is asked for, for the message.
        name: Name of the builder.
        data_dir: The data folder.
        url: What it would download.

    Returns:
        The builder, for `prepared`.

    Raises:
        FileNotFoundError: When it is neither in the data folder nor to be had.
    """
    import tensorflow_datasets as tfds

    builder = tfds.builder(name, data_dir=data_dir)
    problem = None if builder.is_prepared() else connection_problem(url)
    if problem is not None:
        raise record.missing(data_dir, because=f"cannot be downloaded ({problem})")
    return builder


def prepared(builder: Any) -> Any:
    """The builder, once it has downloaded and prepared what was not.

    Raises:
        OSError: When it cannot be prepared.
    """
    if builder.is_prepared():
        return builder
    import tensorflow_datasets as tfds

    config = tfds.download.DownloadConfig(try_download_gcs=False)
    data_dir = Path(builder.data_path).parents[1]
    try:
        builder.download_and_prepare(
            download_dir=data_dir / "downloads", download_config=config
        )
    # It raises errors of many types, of TensorFlow and of its own.
    except Exception as error:
        raise OSError(
            f"TensorFlow Datasets must be able to prepare {builder.name!r} in "
            f"{data_dir}. Received: {type(error).__name__}: {error}"
        ) from error
    return builder


@contextlib.contextmanager
def readable(builder: Any) -> Iterator[None]:
    """Reads what is prepared; what is damaged is named.

    Raises:
        ValueError: When TensorFlow cannot read the records.
    """
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        raise ValueError(
            f"the prepared TFDS data set at {builder.data_path} must be readable; "
            f"delete that folder and prepare it again. Received: {error.message}"
        ) from error


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
