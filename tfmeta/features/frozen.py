"""The part of a learner that does not change, and the learner on its features."""

from __future__ import annotations

import dataclasses
from typing import TypeVar

import keras

from tfmeta.encoders.stacked import stacked
from tfmeta.learners import FewShotLearner

LearnerT = TypeVar("LearnerT", bound=FewShotLearner)


@dataclasses.dataclass(frozen=True)
class FrozenPart:
    """What can be computed once for every example, and what learns behind it.

    Attributes:
        encoder: From examples to features; without weights that are trained.
        learner: A learner of the same class, settings and weights whose examples are
            these features. It gives the answers of the whole one.
    """

    encoder: keras.Model
    learner: FewShotLearner


def frozen_part(learner: FewShotLearner) -> FrozenPart | None:
    """Takes a learner apart behind the part of its encoder that is frozen.

    That is the first model of a `keras.Sequential` as `on_frozen` makes it, and else
    the whole encoder where it has no trainable weights.

    Args:
        learner: Any learner.

    Returns:
        The parts, or `None` where nothing is frozen.

    Example:

    ```python
    learner = SimpleShot(tfmeta.encoders.pretrained("efficientnet_lite0"))
    frozen_part(learner).encoder  # the encoder
    ```
    """
    encoder = learner.encoder
    # One that was frozen after the learner was made, tasks may still adapt.
    if encoder is None or "encoder_trainable" in learner.get_config():
        return None
    if _is_frozen(encoder) and not _begins_with_features(encoder):
        features = keras.Input(encoder.output_shape[1:], dtype="float32")
        rest = keras.Model(features, keras.layers.Identity()(features))
        return FrozenPart(encoder, with_encoder(learner, rest))
    if not isinstance(encoder, keras.Sequential):
        return None
    first, *behind = encoder.layers
    if not behind or not isinstance(first, keras.Model) or not _is_frozen(first):
        return None
    rest = behind[0]
    if len(behind) > 1 or not isinstance(rest, keras.Model):
        rest = keras.Sequential(
            [keras.Input(first.output_shape[1:], dtype="float32"), *behind]
        )
    return FrozenPart(first, with_encoder(learner, rest))


def on_frozen(frozen: keras.Model, learner: LearnerT) -> LearnerT:
    """The learner of examples, of one that was trained on their features.

    Args:
        frozen: From examples to features.
        learner: The learner of features.

    Returns:
        A learner of the same class, settings and weights, whose encoder is `frozen`
        and then the learner's own. `frozen_part` takes it apart.

    Raises:
        ValueError: When the learner's weights depend on more than its encoder's.
    """
    whole = stacked(frozen, learner.encoder, name=f"on_{frozen.name}")
    return with_encoder(learner, whole)


def with_encoder(learner: LearnerT, encoder: keras.Model) -> LearnerT:
    """A learner of the same class, settings and weights on another encoder.

    Args:
        learner: The learner.
        encoder: Its weights are copied, too.

    Raises:
        ValueError: When the learner has other weights on this encoder.
    """
    config = learner.get_config()
    config["encoder"] = keras.saving.serialize_keras_object(encoder)
    changed = type(learner).from_config(config)
    changed.encoder.set_weights(encoder.get_weights())
    ours, theirs = (_weights_behind(one) for one in (learner, changed))
    if [tuple(w.shape) for w in ours] != [tuple(w.shape) for w in theirs]:
        raise ValueError(
            f"a {type(learner).__name__} must have the same weights behind encoder "
            f"{encoder.name!r} as behind {learner.encoder.name!r}. Received: "
            f"{len(theirs)} instead of {len(ours)}, or of other shapes"
        )
    for weight, value in zip(theirs, ours, strict=True):
        weight.assign(value)
    return changed


def _begins_with_features(encoder: keras.Model) -> bool:
    """Whether it is a frozen model of vectors, which others share, and more behind."""
    layers = encoder.layers if isinstance(encoder, keras.Sequential) else []
    if len(layers) < 2 or not isinstance(layers[0], keras.Model):
        return False
    return len(layers[0].output_shape) == 2 and _is_frozen(layers[0])


def _is_frozen(encoder: keras.Model) -> bool:
    return bool(encoder.weights) and not encoder.trainable_variables


def _weights_behind(learner: FewShotLearner) -> list[keras.Variable]:
    of_encoder = {id(weight) for weight in learner.encoder.weights}
    return [weight for weight in learner.weights if id(weight) not in of_encoder]
