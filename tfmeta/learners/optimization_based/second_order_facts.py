"""Which layers of Keras have wrong second derivatives on TensorFlow, and why.

Measured with Keras 3.15 on TensorFlow 2.21, by the gradient of the loss after one
gradient step against central differences of that loss in float64. Errors are
relative to the part of the gradient that first order leaves out. The tests measure
every entry again, and what is right, too: a version that changes one makes them fail.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras

# Of the whole gradient of MAML with Conv4, smallest and largest seen.
HALF_PRECISION_ERRORS = {
    "bfloat16": "18 to 128 % with one inner step and by 47 to 114 % with five",
    "float16": "29 to 47 % with one inner step and by 88 to 122 % with five",
}

_STOPPED_MEAN = (
    "its variance comes from tf.nn.moments, which stops the gradient of the mean: "
    "nothing changes to first order, but second derivatives lose a term"
)
_RESAMPLED = (
    "TensorFlow's gradient of a projective transform resamples once more, which is not "
    "the transpose of what the layer does, so that first derivatives are wrong, too"
)
_BEFORE_WEIGHTS = "Put it before the first layer that has weights"
_RESIZING = f"{_BEFORE_WEIGHTS}, or use `first_order=True`"
_UP_SAMPLING = (
    "Use interpolation='nearest', keras.layers.Conv2DTranspose, or `first_order=True`"
)


@dataclasses.dataclass(frozen=True)
class WrongLayer:
    """A layer whose second derivatives are wrong or missing.

    Attributes:
        kind: The class. A subclass is meant, too, unless it has a `call` of its own.
        why: What TensorFlow does, to follow a colon.
        instead: What to use, a sentence without its stop.
        is_meant: Whether a layer of that class is, by its arguments.
        everywhere: Whether it is wrong before the first trainable weight, too.
        raises: Whether TensorFlow raises by itself; the others are silently wrong.
    """

    kind: type[keras.Layer]
    why: str
    instead: str
    is_meant: Callable[[keras.Layer], bool] = lambda layer: True
    everywhere: bool = False
    raises: bool = False


WRONG_LAYERS = (
    # Replaced by tfmeta.layers.BatchNormalization, unless it is a subclass. 0.1 to 7 %.
    # Right where moving statistics normalize.
    WrongLayer(
        keras.layers.BatchNormalization,
        _STOPPED_MEAN,
        "Use tfmeta.layers.BatchNormalization, or `first_order=True`",
        lambda layer: layer.trainable,
    ),
    # 0.03 to 76 %. Behind a linear layer alone it is right, for its output does not
    # change in the direction of the lost term.
    WrongLayer(
        keras.layers.LayerNormalization,
        _STOPPED_MEAN,
        "Use keras.layers.RMSNormalization, or `first_order=True`",
        lambda layer: not layer.rms_scaling,
    ),
    # 0.02 to 140 %.
    WrongLayer(
        keras.layers.GroupNormalization,
        _STOPPED_MEAN,
        "Use tfmeta.layers.BatchNormalization, keras.layers.RMSNormalization, or "
        "`first_order=True`",
    ),
    # 7 to 60 %.
    WrongLayer(
        keras.layers.SpectralNormalization,
        "the singular vectors, which change with the kernel, are constants to its "
        "gradient, and the kernel is overwritten in every call",
        "Use the wrapped layer alone, or `first_order=True`",
        everywhere=True,
    ),
    # 60 to 350 %: ResizeBilinearGrad is registered as not differentiable, which counts
    # as zero. The others have no gradient registered.
    WrongLayer(
        keras.layers.Resizing,
        "the gradient of a bilinear resize has the derivative zero in TensorFlow",
        _RESIZING,
        lambda layer: layer.interpolation == "bilinear" and not layer.antialias,
    ),
    WrongLayer(
        keras.layers.Resizing,
        "TensorFlow registers no derivative of its gradient",
        _RESIZING,
        lambda layer: layer.interpolation != "bilinear" or layer.antialias,
        raises=True,
    ),
    # 19 to 530 %.
    WrongLayer(
        keras.layers.UpSampling2D,
        "the gradient of a bilinear resize has the derivative zero in TensorFlow",
        _UP_SAMPLING,
        lambda layer: layer.interpolation == "bilinear",
    ),
    WrongLayer(
        keras.layers.UpSampling2D,
        "TensorFlow registers no derivative of its gradient",
        _UP_SAMPLING,
        lambda layer: layer.interpolation not in ("nearest", "bilinear"),
        raises=True,
    ),
    # 2 to 200 %; of first derivatives 1 to 780 %.
    *(
        WrongLayer(kind, _RESAMPLED, _BEFORE_WEIGHTS)
        for kind in (
            keras.layers.RandomPerspective,
            keras.layers.RandomRotation,
            keras.layers.RandomShear,
            keras.layers.RandomTranslation,
            keras.layers.RandomZoom,
        )
    ),
)

# As `activation` or `recurrent_activation` of any layer. TensorFlow raises.
ACTIVATIONS_WITHOUT = (keras.activations.softsign,)

# XLA rounds the values of a window to bfloat16 to find the maximum, and sends the
# gradient of the gradient to another where they are near to each other: of the maxima
# of pictures with a contrast of 0.3 % it misses half, and the meta-gradient of Conv4
# is off by 0.4 %. Global maximum pooling is right. The adaptive ones came with
# Keras 3.13.
MAX_POOLING = tuple(
    getattr(keras.layers, f"{kind}MaxPooling{rank}D")
    for kind in ("", "Adaptive")
    for rank in (1, 2, 3)
    if hasattr(keras.layers, f"{kind}MaxPooling{rank}D")
)


def find_wrong(layer: keras.Layer) -> WrongLayer | None:
    """The entry that a layer falls under.

    Args:
        layer: Any layer. One with a `call` of its own is not known.

    Returns:
        `None` for a layer that is right, or not known.

    Example:

    ```python
    find_wrong(keras.layers.GroupNormalization(4)).instead
    ```
    """
    for wrong in WRONG_LAYERS:
        if (
            isinstance(layer, wrong.kind)
            and type(layer).call is wrong.kind.call
            and wrong.is_meant(layer)
        ):
            return wrong
    for name in ("activation", "recurrent_activation"):
        activation = getattr(layer, name, None)
        if activation in ACTIVATIONS_WITHOUT:
            return WrongLayer(
                type(layer),
                f"TensorFlow registers no derivative of the gradient of the {name} "
                f"{activation.__name__}",
                "Use another, such as tanh, or `first_order=True`",
                everywhere=bool(layer.trainable_variables),
                raises=True,
            )
    return None
