"""TensorFlow Datasets with what it needs for ArrayRecord."""

from __future__ import annotations

import importlib.util
from typing import Any

# Under this key the metadata of a builder hold what it has no place for.
METADATA_KEY = "tfmeta"


def import_tensorflow_datasets() -> Any:
    """TensorFlow Datasets; imported late, it takes a second.

    Raises:
        ImportError: When the package `array_record` is not installed.
    """
    if importlib.util.find_spec("array_record") is None:
        raise ImportError(
            "ArrayRecord needs the package `array_record`. Received: an environment "
            "without; install it with `pip install array_record`"
        )
    import tensorflow_datasets as tfds

    return tfds
