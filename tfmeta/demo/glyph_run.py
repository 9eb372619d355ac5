"""The run of characters that the page has by itself: what it is, and where it is kept.

It is trained once, at the first start, and is a run like any other.
"""

from __future__ import annotations

import os

from tfmeta.datasets.data_dir import resolve_data_dir
from tfmeta.export.version_folder import list_versions
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.defaults import default_config
from tfmeta.runs.run_folder import RunFolder

# Of the ten epochs of a run the last ones add little.
_CHOSEN = {"epochs": 8}


def glyph_run(data_dir: str | os.PathLike[str] | None = None) -> RunFolder:
    """Where it is kept.

    Args:
        data_dir: As of `resolve_data_dir`.
    """
    return RunFolder(resolve_data_dir(data_dir) / "demo" / "glyphs")


def is_ready(folder: RunFolder) -> bool:
    """Whether it is trained, measured and exported, in this order."""
    return bool(list_versions(folder.saved_model))


def glyph_run_config(folder: RunFolder) -> TrainConfig:
    """What is trained; where that was begun already, what was begun.

    Raises:
        ValueError: When the file that says it is damaged.
    """
    if folder.exists:
        return folder.read_config()
    return default_config("glyphs", _CHOSEN)
