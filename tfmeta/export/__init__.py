"""SavedModels that need TensorFlow alone: embed and classify."""

from tfmeta.export.saved_model import save

__all__ = ["save"]
