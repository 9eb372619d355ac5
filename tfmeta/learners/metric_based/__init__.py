"""Learners that compare a query with the support in an embedding space."""

from tfmeta.submodules import on_demand

__getattr__ = on_demand(__name__)
