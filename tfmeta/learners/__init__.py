"""Few-shot learners: one paper per file, one contract for all."""

# Registers the layers that saved encoders hold, so that
# `keras.saving.load_model` finds them.
import tfmeta.layers  # noqa: F401
from tfmeta.learners.base import FewShotLearner
from tfmeta.learners.embedding_learner import EmbeddingLearner
from tfmeta.learners.metric_based.baseline import Baseline
from tfmeta.learners.metric_based.baseline_plus_plus import BaselinePlusPlus
from tfmeta.learners.metric_based.gaussian_prototypical_network import (
    GaussianPrototypicalNetwork,
)
from tfmeta.learners.metric_based.logistic_regression import LogisticRegression
from tfmeta.learners.metric_based.matching_network import MatchingNetwork
from tfmeta.learners.metric_based.prototypical_network import PrototypicalNetwork
from tfmeta.learners.metric_based.relation_network import RelationNetwork
from tfmeta.learners.metric_based.semi_supervised_prototypical_network import (
    SemiSupervisedPrototypicalNetwork,
)
from tfmeta.learners.metric_based.siamese_network import SiameseNetwork
from tfmeta.learners.metric_based.simple_shot import SimpleShot
from tfmeta.learners.metric_based.zero_shot_prototypical_network import (
    ZeroShotPrototypicalNetwork,
)
from tfmeta.learners.model_based.memory_augmented_network import (
    MemoryAugmentedNetwork,
)
from tfmeta.learners.model_based.memory_learner import MemoryLearner
from tfmeta.learners.model_based.meta_networks import MetaNetworks
from tfmeta.learners.model_based.sequence_learner import SequenceLearner
from tfmeta.learners.model_based.snail import SNAIL
from tfmeta.learners.optimization_based.anil import ANIL
from tfmeta.learners.optimization_based.gradient_based_learner import (
    GradientBasedLearner,
)
from tfmeta.learners.optimization_based.lstm_meta_learner import LSTMMetaLearner
from tfmeta.learners.optimization_based.maml import MAML
from tfmeta.learners.optimization_based.maml_plus_plus import MAMLPlusPlus
from tfmeta.learners.optimization_based.meta_sgd import MetaSGD
from tfmeta.learners.optimization_based.reptile import Reptile
from tfmeta.learners.optimization_based.training_memory import (
    predict_training_memory,
)
from tfmeta.learners.standardized_learner import StandardizedLearner

__all__ = [
    "ANIL",
    "MAML",
    "SNAIL",
    "GaussianPrototypicalNetwork",
    "SemiSupervisedPrototypicalNetwork",
    "ZeroShotPrototypicalNetwork",
    "Baseline",
    "BaselinePlusPlus",
    "FewShotLearner",
    "GradientBasedLearner",
    "LSTMMetaLearner",
    "LogisticRegression",
    "MAMLPlusPlus",
    "MatchingNetwork",
    "MemoryAugmentedNetwork",
    "MemoryLearner",
    "MetaNetworks",
    "SequenceLearner",
    "MetaSGD",
    "EmbeddingLearner",
    "PrototypicalNetwork",
    "RelationNetwork",
    "Reptile",
    "SiameseNetwork",
    "SimpleShot",
    "StandardizedLearner",
    "predict_training_memory",
]
