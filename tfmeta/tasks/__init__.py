"""Metric learning over tasks: what they are like, and which are alike."""

from tfmeta.submodules import on_demand
from tfmeta.tasks.adapted_parameters import AdaptedParameters
from tfmeta.tasks.alike_tasks import (
    alike_batches,
    alike_by_classes,
    alike_by_gain,
    alike_by_group,
    transfer_gains,
)
from tfmeta.tasks.description import Describer, Description
from tfmeta.tasks.feature_statistics import FeatureStatistics
from tfmeta.tasks.fisher_information import FisherInformation, fisher_distances
from tfmeta.tasks.library import Neighbour, TaskLibrary
from tfmeta.tasks.task_metric import TaskMetric
from tfmeta.tasks.task_network import TaskNetwork
from tfmeta.tasks.warm_start import WarmStart

__all__ = [
    "AdaptedParameters",
    "Describer",
    "Description",
    "FeatureStatistics",
    "FisherInformation",
    "Neighbour",
    "TaskLibrary",
    "TaskMetric",
    "TaskNetwork",
    "WarmStart",
    "alike_batches",
    "alike_by_classes",
    "alike_by_gain",
    "alike_by_group",
    "fisher_distances",
    "transfer_gains",
]

__getattr__ = on_demand(__name__)
