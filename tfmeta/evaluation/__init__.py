"""The meta-test protocol: fixed episodes, honest intervals, paired comparison."""

from tfmeta.evaluation.auroc import auroc
from tfmeta.evaluation.calibration import Reliability
from tfmeta.evaluation.class_interval import ClassInterval, over_test_classes
from tfmeta.evaluation.comparison import PairedComparison, compare
from tfmeta.evaluation.confusion import Confusion
from tfmeta.evaluation.evaluate import evaluate, evaluation_protocol
from tfmeta.evaluation.instances import evaluate_instances
from tfmeta.evaluation.instances_result import InstancesResult
from tfmeta.evaluation.intervals import over_episode_draws, over_trials
from tfmeta.evaluation.lake import LakeResult, evaluate_lake
from tfmeta.evaluation.modified_hausdorff import (
    evaluate_modified_hausdorff,
    modified_hausdorff_distance,
)
from tfmeta.evaluation.open_set import evaluate_open_set
from tfmeta.evaluation.open_set_result import OpenSetResult
from tfmeta.evaluation.pretraining import Pretraining
from tfmeta.evaluation.realistic import RealisticEpisodes, realistic_episodes
from tfmeta.evaluation.regression import evaluate_regression
from tfmeta.evaluation.regression_result import RegressionResult
from tfmeta.evaluation.result import EvaluationResult
from tfmeta.evaluation.threshold import Threshold
from tfmeta.evaluation.training_seeds import TrainingSeeds, over_training_seeds
from tfmeta.evaluation.transduction import Transduction
from tfmeta.learners.each_query import each_query_alone

__all__ = [
    "ClassInterval",
    "Confusion",
    "EvaluationResult",
    "InstancesResult",
    "LakeResult",
    "OpenSetResult",
    "PairedComparison",
    "Pretraining",
    "RealisticEpisodes",
    "RegressionResult",
    "Reliability",
    "Threshold",
    "TrainingSeeds",
    "Transduction",
    "auroc",
    "compare",
    "each_query_alone",
    "evaluate",
    "evaluate_instances",
    "evaluate_lake",
    "evaluate_modified_hausdorff",
    "modified_hausdorff_distance",
    "evaluate_open_set",
    "evaluate_regression",
    "evaluation_protocol",
    "over_episode_draws",
    "over_test_classes",
    "over_training_seeds",
    "over_trials",
    "realistic_episodes",
]
