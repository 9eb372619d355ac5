"""Refuses, at construction, an encoder that could not be saved and loaded."""

from __future__ import annotations

import keras


def check_encoder(encoder: object, argument: str = "encoder") -> keras.Model:
    """Checks that an encoder is a built Keras model that survives saving.

    A subclassed model, which does not know its shapes, comes back as a functional
    model around it, with the input shape it was built with.

    The check is the round trip itself: the encoder is serialized, rebuilt in
    safe mode, and the rebuilt weights are compared by shape. It runs when the
    learner is built, because after hours of training it would be too late.

    Args:
        encoder: What was given.
        argument: Name of the constructor's argument, for messages.

    Returns:
        The encoder to use.

    Raises:
        TypeError: When it is no `keras.Model`.
        ValueError: When it is not built, does not take one input, or could not
            be loaded again.
    """
    if not isinstance(encoder, keras.Model):
        raise TypeError(
            f"`{argument}` must be a keras.Model that maps a batch of examples to a "
            f"batch of embeddings. Received: {type(encoder).__name__}"
        )
    if not encoder.built:
        raise ValueError(
            f"`{argument}` must be built: give it a keras.Input, or call it on a batch "
            f"once. Received: {encoder.name!r}, which has no weights yet"
        )
    if not hasattr(encoder, "output_shape"):
        encoder = _as_functional(encoder, argument)
    _check_round_trip(encoder, argument)
    return encoder


def _check_round_trip(encoder: keras.Model, argument: str) -> None:
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
            f"`{argument}` could not be loaded again after saving. Custom layers and "
            f"models need @keras.saving.register_keras_serializable() and a "
            f"`get_config`; Lambda layers cannot be loaded in safe mode. Received: "
            f"{encoder.name!r}, which failed with {reason}"
        ) from error
    before = [tuple(w.shape) for w in encoder.weights]
    after = [tuple(w.shape) for w in rebuilt.weights]
    if before != after:
        raise ValueError(
            f"`{argument}` must come back from its own config with the same weights. "
            f"Received: {encoder.name!r} with {len(before)} weight arrays, rebuilt "
            f"with {len(after)} or with other shapes. A subclassed model must create "
            "its layers in `__init__` from the arguments in `get_config`, and its "
            "weights in `build`"
        )


def _as_functional(encoder: keras.Model, argument: str) -> keras.Model:
    shape = (encoder.get_build_config() or {}).get("input_shape")
    if not isinstance(shape, tuple | list) or not all(
        size is None or isinstance(size, int) for size in shape
    ):
        raise ValueError(
            f"`{argument}` must take one tensor. Wrap a model that takes more, or that "
            "was built in another way: `inputs = keras.Input(shape)`, "
            f"`keras.Model(inputs, model(inputs))`. Received: {encoder.name!r}, a "
            f"{type(encoder).__name__} built with input shape {shape}"
        )
    inputs = keras.Input(shape[1:], dtype=encoder.variable_dtype)
    return keras.Model(inputs, encoder(inputs), name=encoder.name)
