"""The meta-test protocol: fixed episodes, honest intervals, paired comparison."""

from tfmeta.evaluation.auroc import auroc
from tfmeta.evaluation.evaluate import evaluate
from tfmeta.evaluation.intervals import over_episode_draws, over_test_classes
from tfmeta.evaluation.realistic import RealisticEpisodes, realistic_episodes
from tfmeta.evaluation.result import EvaluationResult, PairedComparison, compare

__all__ = [
    "EvaluationResult",
    "PairedComparison",
    "RealisticEpisodes",
    "auroc",
    "compare",
    "evaluate",
    "over_episode_draws",
    "over_test_classes",
    "realistic_episodes",
]
