"""What can be chosen by name: learners, encoders, heads.

Names of modules and plain values alone, so that `--help` does not wait for TensorFlow.
"""

from __future__ import annotations

import dataclasses
import pkgutil
from collections.abc import Mapping
from typing import Any

from tfmeta.control_registry import POLICY_LEARNERS
from tfmeta.encoder_registry import ENCODERS, EncoderEntry, Kind
from tfmeta.learner_record import Family, LearnerEntry

__all__ = [
    "ENCODERS",
    "HEADS",
    "LEARNERS",
    "EncoderEntry",
    "Family",
    "HeadEntry",
    "Kind",
    "LearnerEntry",
    "family_of",
    "is_pretrained",
    "learner_entry",
    "regressing_learners",
    "resolve",
    "takes_one_number_of_ways",
    "usual_encoder",
]


@dataclasses.dataclass(frozen=True)
class HeadEntry:
    """A head of a learner with an inner loop, its argument `head`.

    Attributes:
        summary: One line.
        any_ways: Whether it takes tasks of any number of ways.
    """

    summary: str
    any_ways: bool


_METRIC = "tfmeta.learners.metric_based"
_OPTIMIZATION = "tfmeta.learners.optimization_based"
_MODEL = "tfmeta.learners.model_based"
# As MAML's paper trains on 5-way 1-shot tasks; chosen on the data of none.
_LIKE_TASKS = {"ways": 5, "shots": 1, "train_tasks": 16}
# Of numbers whose deviation is 1; ten rows are those of the paper's sine waves.
_ROWS = {"shots": 10, "queries": 10, "train_queries": 10, "train_tasks": 16}
_ROWS |= {"steps_per_epoch": 200, "validation_episodes": 200}
_STEPS = {"inner_learning_rate": 0.05, "inner_steps": 5}
_REGRESSION = {**_ROWS, "learner_arguments": _STEPS}

LEARNERS: dict[str, LearnerEntry] = {
    "prototypical": LearnerEntry(
        f"{_METRIC}.prototypical_network:PrototypicalNetwork",
        "Prototypical Network",
        "by the distance to the mean embedding of each class (Snell 2017)",
        search={"distance": ("squared_euclidean", "euclidean", "cosine")},
    ),
    "gaussian_prototypical": LearnerEntry(
        f"{_METRIC}.gaussian_prototypical_network:GaussianPrototypicalNetwork",
        "Gaussian Prototypical Network",
        "the same, each example with its own confidence (Fort 2017)",
    ),
    "semi_supervised_prototypical": LearnerEntry(
        f"{_METRIC}.semi_supervised_prototypical_network:"
        "SemiSupervisedPrototypicalNetwork",
        "Semi-Supervised Prototypical Network",
        "prototypes refined by unlabelled examples, or by the queries themselves "
        "(Ren 2018)",
    ),
    "zero_shot_prototypical": LearnerEntry(
        f"{_METRIC}.zero_shot_prototypical_network:ZeroShotPrototypicalNetwork",
        "Zero-Shot Prototypical Network",
        "no examples of a class: its prototype is made of its name, or of other "
        "attributes (Snell 2017)",
        encoder="efficientnet_lite0",
        text_encoder="wordllama",
        support="attributes",
        attribute_encoder="wordllama",
        # Attributes are one row a class.
        defaults={"train_shots": 1, "shots": 1},
    ),
    "matching": LearnerEntry(
        f"{_METRIC}.matching_network:MatchingNetwork",
        "Matching Network",
        "by attention over all support examples, with or without full-context "
        "embeddings (Vinyals 2016)",
    ),
    "siamese": LearnerEntry(
        f"{_METRIC}.siamese_network:SiameseNetwork",
        "Siamese Network",
        "by the most alike support example; trained on pairs or triplets (Koch 2015)",
    ),
    "relation": LearnerEntry(
        f"{_METRIC}.relation_network:RelationNetwork",
        "Relation Network",
        "by a comparison that is itself a convolutional network (Sung 2018)",
        encoder="conv4_maps",
    ),
    "baseline": LearnerEntry(
        f"{_METRIC}.baseline:Baseline",
        "Baseline",
        "no episodes in training: an ordinary classifier, then a linear head fitted "
        "on the support (Chen 2019)",
        trains_on="examples",
    ),
    "baseline_plus_plus": LearnerEntry(
        f"{_METRIC}.baseline_plus_plus:BaselinePlusPlus",
        "Baseline++",
        "the same with a cosine head (Chen 2019)",
        trains_on="examples",
    ),
    "simple_shot": LearnerEntry(
        f"{_METRIC}.simple_shot:SimpleShot",
        "SimpleShot",
        "no training: by the nearest class mean of a frozen encoder's features of unit "
        "length, or by the cosine (Wang 2019)",
        encoder="efficientnet_lite0",
        text_encoder="wordllama",
        trains_on="nothing",
        search={
            "transform": ("none", "l2"),
            "distance": ("squared_euclidean", "cosine"),
        },
    ),
    "logistic_regression": LearnerEntry(
        f"{_METRIC}.logistic_regression:LogisticRegression",
        "Logistic Regression",
        "no training: a regularised linear head on the same features, fitted to the "
        "support in the graph (Tian 2020)",
        encoder="efficientnet_lite0",
        text_encoder="wordllama",
        trains_on="nothing",
        search={"transform": ("none", "l2"), "C": (0.1, 1.0, 10.0, 100.0)},
    ),
    "maml": LearnerEntry(
        f"{_OPTIMIZATION}.maml:MAML",
        "MAML",
        "a start for gradient steps, by exact second order; `first_order=True` "
        "without (Finn 2017)",
        family="optimization",
        defaults=_LIKE_TASKS,
        regression=_REGRESSION,
    ),
    "anil": LearnerEntry(
        f"{_OPTIMIZATION}.anil:ANIL",
        "ANIL",
        "the same; only the head is adapted (Raghu 2020)",
        family="optimization",
        defaults=_LIKE_TASKS,
        regression=_REGRESSION,
    ),
    "meta_sgd": LearnerEntry(
        f"{_OPTIMIZATION}.meta_sgd:MetaSGD",
        "Meta-SGD",
        "also a rate for every weight (Li 2017)",
        family="optimization",
        defaults=_LIKE_TASKS,
        regression={**_ROWS, "learner_arguments": {"inner_steps": 2}},
    ),
    "maml_plus_plus": LearnerEntry(
        f"{_OPTIMIZATION}.maml_plus_plus:MAMLPlusPlus",
        "MAML++",
        "rates and batch normalization per step, losses of all steps, first order "
        "first: each an argument (Antoniou 2019)",
        family="optimization",
        defaults=_LIKE_TASKS,
        regression=_REGRESSION,
    ),
    "reptile": LearnerEntry(
        f"{_OPTIMIZATION}.reptile:Reptile",
        "Reptile",
        "a start near where the training of each task ends (Nichol 2018)",
        family="optimization",
        optimizer="tfmeta.runs.outer_optimizers:linear_sgd",
        defaults={
            **_LIKE_TASKS,
            **{"train_shots": 10, "train_tasks": 5, "learning_rate": 1.0},
        },
        regression={**_REGRESSION, "learning_rate": 1.0},
    ),
    "lstm": LearnerEntry(
        f"{_OPTIMIZATION}.lstm_meta_learner:LSTMMetaLearner",
        "LSTM Meta-Learner",
        "the rule itself, an LSTM (Ravi and Larochelle 2017)",
        family="optimization",
        optimizer="tfmeta.runs.outer_optimizers:clipped_adam",
        defaults=_LIKE_TASKS,
        regression={**_ROWS, "learner_arguments": {"inner_steps": 5}},
    ),
    "mann": LearnerEntry(
        f"{_MODEL}.memory_augmented_network:MemoryAugmentedNetwork",
        "Memory-Augmented Neural Network",
        "rows of a memory, read by likeness; `slots=0` for an LSTM (Santoro 2016)",
        family="model",
        optimizer="tfmeta.runs.outer_optimizers:adam_of_norm_10",
        defaults={**_LIKE_TASKS, "learning_rate": 0.01},
        search={"objective": ("instances", "queries"), "slots": (64, 128)},
    ),
    "meta_networks": LearnerEntry(
        f"{_MODEL}.meta_networks:MetaNetworks",
        "Meta Networks",
        "fast weights, made of the support's gradients (Munkhdalai and Yu 2017)",
        family="model",
        encoder="pixel_maps",
        optimizer="tfmeta.runs.outer_optimizers:adam_of_norm_10",
        defaults=_LIKE_TASKS,
        search={"features": (32, 64)},
    ),
    "snail": LearnerEntry(
        f"{_MODEL}.snail:SNAIL",
        "SNAIL",
        "every example, looked up by causal attention (Mishra 2018)",
        family="model",
        optimizer="tfmeta.runs.outer_optimizers:adam_of_norm_10",
        defaults=_LIKE_TASKS,
        search={"objective": ("queries", "instances")},
    ),
}

HEADS: dict[str, HeadEntry] = {
    "linear": HeadEntry("a linear layer whose start is learned", any_ways=False),
    "prototypes": HeadEntry("made of the support's prototypes", any_ways=True),
}


def learner_entry(name: str) -> LearnerEntry:
    """The entry of a name, or of the `"module:Class"` of a learner of one's own.

    Raises:
        ValueError: For a name that is neither.
    """
    for known in (LEARNERS, POLICY_LEARNERS):
        if name in known:
            return known[name]
    module, colon, class_name = name.partition(":")
    if colon and module and class_name.isidentifier():
        return LearnerEntry(name, class_name)
    raise ValueError(
        f"`learner` must be one of {', '.join(LEARNERS)}, or module:Class of your own. "
        f"Received: learner={name!r}"
    )


def takes_one_number_of_ways(learner: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a learner has as many inputs or outputs as its tasks have ways.

    Args:
        learner: Its name.
        arguments: Those of its constructor.
    """
    entry = learner_entry(learner)
    if not entry.trains_on_like_tasks:
        return False
    head = arguments.get("head", "linear")
    return not (entry.has_heads and head in HEADS and HEADS[head].any_ways)


def regressing_learners() -> tuple[str, ...]:
    """Names of the learners that regress, the usual one first."""
    return tuple(n for n, entry in LEARNERS.items() if entry.regression is not None)


def is_pretrained(encoder: str | None) -> bool:
    """Whether an encoder of this name stays as others have trained it.

    Names that are none of `ENCODERS` are backbones of `keras.applications` and model
    files, which all do.
    """
    if encoder is None:
        return False
    return encoder not in ENCODERS or ENCODERS[encoder].pretrained


def usual_encoder(learner: str, kind: Kind) -> str | None:
    """Name of the encoder that a learner has where none is chosen.

    Args:
        learner: Its name.
        kind: What examples are.

    Returns:
        `None` for an encoder of texts that begins at those of the training classes,
        and for examples that there is no encoder for.
    """
    entry = learner_entry(learner)
    if kind == "text":
        return entry.text_encoder
    if kind == "other":
        return None
    if kind in ENCODERS[entry.encoder].examples:
        return entry.encoder
    if ENCODERS[entry.encoder].pretrained:
        return "standardized"  # What others have trained is for pictures.
    return {"vectors": "mlp", "series": "series_fcn", "arrays": "conv4"}[kind]


def family_of(name: str) -> Family:
    """The family of a name; of one that nobody knows, which is said later, any."""
    return LEARNERS[name].family if name in LEARNERS else "metric"


def resolve(path: str) -> Any:
    """What is at `"module:name"`.

    Raises:
        ValueError: When there is no such module, or nothing of that name in it.
    """
    try:
        return pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{path} must be the module and the name of something that can be "
            f"imported. Received: {path}, and {error}"
        ) from error
