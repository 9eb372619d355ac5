"""Reading what came from somewhere else, without trusting it."""

from tfmeta.submodules import on_demand

__getattr__ = on_demand(__name__)
