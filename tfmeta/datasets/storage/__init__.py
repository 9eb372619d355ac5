"""Examples that do not lie in memory as arrays, and tables on disk."""

from tfmeta.submodules import on_demand

__getattr__ = on_demand(__name__)
