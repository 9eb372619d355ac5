"""Refuses, at construction, an encoder that could not be saved and loaded."""

from __future__ import annotations

import keras


def check_encoder(encoder: object) -> None:
    """Checks that `encoder` is a built Keras model that survives saving.

    The check is the round trip itself: the encoder is serialized, rebuilt in
    safe mode, and the rebuilt weights are compared by shape. It runs when the
    learner is built, because after hours of training it would be too late.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When it is not built, does not know the shapes of its inputs
            and outputs, or could not be loaded again.
    """
    if not isinstance(encoder, keras.Model):
        raise TypeError(
            "`encoder` must be a keras.Model that maps a batch of examples to a "
            f"batch of embeddings. Received: {type(encoder).__name__}"
        )
    if not encoder.built:
        raise ValueError(
            f"`encoder` must be built: give it a keras.Input, or call it on a batch "
            f"once. Received: {encoder.name!r}, which has no weights yet"
        )
    if not hasattr(encoder, "output_shape"):
        raise ValueError(
            "`encoder` must know its input and output shape, as a functional or "
            "Sequential model does. Wrap a subclassed model: "
            "`inputs = keras.Input(shape)`, `keras.Model(inputs, model(inputs))`. "
            f"Received: {encoder.name!r}, a {type(encoder).__name__}"
        )
    try:
        config = keras.saving.serialize_keras_object(encoder)
        rebuilt = keras.saving.deserialize_keras_object(config, safe_mode=True)
    except Exception as error:
        # Keras' own message begins with the configuration of the whole model; the
        # error that it met first names the layer.
        first: BaseException = error
        while first.__context__ is not None:
            first = first.__context__
        reason = f"{type(first).__name__}: {first}".splitlines()[0][:300]
        raise ValueError(
            f"`encoder` could not be loaded again after saving. Custom layers and "
            f"models need @keras.saving.register_keras_serializable() and a "
            f"`get_config`; Lambda layers cannot be loaded in safe mode. Received: "
            f"{encoder.name!r}, which failed with {reason}"
        ) from error
    before = [tuple(w.shape) for w in encoder.weights]
    after = [tuple(w.shape) for w in rebuilt.weights]
    if before != after:
        raise ValueError(
            f"`encoder` must come back from its own config with the same weights. "
            f"Received: {encoder.name!r} with {len(before)} weight arrays, rebuilt "
            f"with {len(after)} or with other shapes. A subclassed model must create "
            "its layers in `__init__` from the arguments in `get_config`, and its "
            "weights in `build`"
        )
