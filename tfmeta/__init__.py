"""tfmeta: few-shot and meta-learning in Keras, from episodes to a served model."""

from typing import Any

from tfmeta._version import __version__
from tfmeta.submodules import on_demand

_SUBPACKAGES = (
    "callbacks",
    "classifying",
    "control",
    "datasets",
    "demo",
    "distances",
    "encoders",
    "episodes",
    "estimation",
    "evaluation",
    "export",
    "features",
    "gallery",
    "layers",
    "learners",
    "losses",
    "matrix",
    "pages",
    "registry",
    "reproduction",
    "runs",
    "serving",
    "signatures",
    "sqlite",
    "tasks",
    "testing",
    "tuning",
)

__all__ = ["FewShotClassifier", "Gallery", "__version__", "load", *_SUBPACKAGES]

_subpackage = on_demand(__name__, _SUBPACKAGES)


def __getattr__(name: str) -> Any:
    # Subpackages are imported when they are first used: `import tfmeta` and
    # `tfmeta --help` do not wait for TensorFlow.
    if name == "load":
        from tfmeta.loading import load

        return load
    if name == "Gallery":
        from tfmeta.gallery import Gallery

        return Gallery
    if name == "FewShotClassifier":
        from tfmeta.few_shot_classifier import FewShotClassifier

        return FewShotClassifier
    return _subpackage(name)


def __dir__() -> list[str]:
    return sorted(__all__)
