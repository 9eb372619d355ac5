"""Where classes come from: every data set is a `ClassTable`."""

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.registry import load

__all__ = ["ClassTable", "load"]
