"""Learners to be served: as SavedModels, as ONNX and as LiteRT."""

from tfmeta.export.edge import save_litert, save_onnx
from tfmeta.export.saved_model import save

__all__ = ["save", "save_litert", "save_onnx"]
