"""What a served signature takes and gives: its examples, labels and tensors."""

from tfmeta.submodules import on_demand

__getattr__ = on_demand(__name__)
