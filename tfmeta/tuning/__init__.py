"""Searches for hyper-parameters with keras-tuner, on validation classes alone."""

try:
    import keras_tuner  # noqa: F401

    # keras-tuner imports it at the start of every trial without declaring it,
    # and counts a failed import as a failed trial.
    import tensorboard  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"tfmeta.tuning needs keras-tuner, which could not be imported ({error}). "
        'Install it with: pip install "tfmeta[tuning]"'
    ) from error

from tfmeta.tuning.learner_hypermodel import LearnerHyperModel

__all__ = ["LearnerHyperModel"]
