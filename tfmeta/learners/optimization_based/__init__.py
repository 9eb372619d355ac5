"""Learners that adapt by steps of an inner rule on the support."""

from tfmeta.submodules import on_demand

__getattr__ = on_demand(__name__)
