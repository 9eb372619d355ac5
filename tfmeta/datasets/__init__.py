"""Where classes come from: every data set is a `ClassTable`."""

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.registry import load
from tfmeta.submodules import on_demand

__all__ = ["ClassTable", "load"]

__getattr__ = on_demand(__name__)
