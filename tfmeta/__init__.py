"""tfmeta: few-shot and meta-learning in Keras, from episodes to a served model."""

import importlib
from types import ModuleType

from tfmeta._version import __version__

_SUBPACKAGES = (
    "callbacks",
    "classifying",
    "datasets",
    "distances",
    "encoders",
    "episodes",
    "evaluation",
    "export",
    "features",
    "layers",
    "learners",
    "losses",
    "registry",
    "reproduction",
    "runs",
    "signatures",
    "testing",
    "tuning",
)

__all__ = ["__version__", *_SUBPACKAGES]


def __getattr__(name: str) -> ModuleType:
    # Subpackages are imported when they are first used: `import tfmeta` and
    # `tfmeta --help` do not wait for TensorFlow.
    if name in _SUBPACKAGES:
        return importlib.import_module(f"tfmeta.{name}")
    raise AttributeError(f"module 'tfmeta' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
