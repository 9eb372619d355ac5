"""Omniglot: 1,623 handwritten characters of 50 alphabets."""

from tfmeta.submodules import on_demand

__getattr__ = on_demand(__name__)
