"""Where prepared data sets are kept on this machine."""

from __future__ import annotations

import os
from pathlib import Path

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
