"""Metric learning over tasks: what they are like, and which are alike."""

from tfmeta.tasks.adapted_parameters import AdaptedParameters
from tfmeta.tasks.description import Describer, Description
from tfmeta.tasks.feature_statistics import FeatureStatistics
from tfmeta.tasks.fisher_information import FisherInformation, fisher_distances
from tfmeta.tasks.task_metric import TaskMetric
from tfmeta.tasks.task_network import TaskNetwork

__all__ = [
    "AdaptedParameters",
    "Describer",
    "Description",
    "FeatureStatistics",
    "FisherInformation",
    "TaskMetric",
    "TaskNetwork",
    "fisher_distances",
]
