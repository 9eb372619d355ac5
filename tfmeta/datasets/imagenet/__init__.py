"""Parts of ImageNet: miniImageNet and tieredImageNet."""

from tfmeta.submodules import on_demand

__getattr__ = on_demand(__name__)
