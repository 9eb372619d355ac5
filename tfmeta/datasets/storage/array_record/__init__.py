"""Exchanging tables with TensorFlow Datasets, in its format ArrayRecord."""

from tfmeta.datasets.storage.array_record.reading import read_array_record
from tfmeta.datasets.storage.array_record.writing import write_array_record

__all__ = ["read_array_record", "write_array_record"]
