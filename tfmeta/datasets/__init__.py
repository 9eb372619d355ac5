"""Where classes come from: every data set is a `ClassTable`."""

from tfmeta.datasets.class_table import ClassTable

__all__ = ["ClassTable"]
