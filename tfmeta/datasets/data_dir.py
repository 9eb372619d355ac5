"""Where prepared data sets are kept on this machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tfmeta.locks import locked_file

ENVIRONMENT_VARIABLE = "TFMETA_DATA_DIR"


def resolve_data_dir(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """The folder that data sets are downloaded to and read from.

    Args:
        data_dir: The folder, or `None` for the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.

    Returns:
        The folder, with `~` expanded. It may not exist yet.

    Example:

    ```python
    resolve_data_dir("~/data")  # PosixPath('/home/you/data')
    ```
    """
    if data_dir is None:
        data_dir = os.environ.get(ENVIRONMENT_VARIABLE) or "~/.cache/tfmeta"
    return Path(data_dir).expanduser()


def table_path(data_dir: str | os.PathLike[str] | None, name: str) -> Path:
    """Where the table of a name lies in a data folder.

    Args:
        data_dir: As of `resolve_data_dir`.
        name: Name of the table, mostly that of its data set.
    """
    return resolve_data_dir(data_dir) / "tables" / name


@contextlib.contextmanager
def one_at_a_time(data_dir: str | os.PathLike[str] | None, name: str) -> Iterator[None]:
    """Lets one process at a time write a data set into a data folder.

    Another process waits until the first is done: look then whether there is
    anything left to do.

    Args:
        data_dir: As of `resolve_data_dir`; made if it is not there.
        name: Name of the data set.
    """
    path = resolve_data_dir(data_dir) / "locks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked_file(path):
        yield
