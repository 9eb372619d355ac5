"""A training run on disk: configuration, training, evaluation, pictures."""

from tfmeta.submodules import on_demand

__getattr__ = on_demand(__name__)
