"""Refuses, at construction, an encoder that could not be saved, loaded and served."""

from __future__ import annotations

from collections.abc import Sequence

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
        ValueError: When it is not built, does not go from one tensor to one of
            floating-point numbers, or could not be loaded again.
    """
    if not isinstance(encoder, keras.Model):
        raise TypeError(
            f"`{argument}` must be a keras.Model that maps a batch of examples to a "
            f"batch of embeddings. Received: {_named(encoder)}"
        )
    if not encoder.built:
        raise ValueError(
            f"`{argument}` must be built: give it a keras.Input, or call it on a batch "
            f"once. Received: {encoder.name!r}, which has no weights yet"
        )
    if not hasattr(encoder, "output_shape"):
        encoder = _as_functional(encoder, argument)
    _check_ends(encoder, argument)
    _check_round_trip(encoder, argument)
    return encoder


def _named(encoder: object) -> str:
    if isinstance(encoder, type):
        return f"the class {encoder.__name__} itself; write {encoder.__name__}(...)"
    return type(encoder).__name__


def check_examples(encoder: keras.Model, shape: Sequence[int | None]) -> None:
    """Checks that examples have the shape that an encoder takes.

    Keras would add an axis of length 1 or take one away without a word. Such an
    encoder trains on grey pictures without a channel axis, say, and then a
    signature of its shape refuses them.

    Args:
        encoder: An encoder that `check_encoder` returned.
        shape: The shape of one example, `None` where it is not known.

    Raises:
        ValueError: When it is another; says what to change.
    """
    wanted = tuple(encoder.inputs[0].shape[1:])
    pairs = zip(wanted, shape, strict=False)
    if len(wanted) == len(shape) and all(
        ours == theirs or None in (ours, theirs) for ours, theirs in pairs
    ):
        return
    advice = "build the encoder for this shape, or reshape the examples"
    if wanted[-1:] == (1,) and len(wanted) == len(shape) + 1:
        advice = (
            "give them an axis of length 1, `examples[..., None]`, or build the "
            f"encoder with `keras.Input({tuple(shape)})`"
        )
    raise ValueError(
        f"examples must have the shape that encoder {encoder.name!r} takes, {wanted}. "
        f"Received: examples of shape {tuple(shape)}; {advice}"
    )


def check_gives_vectors(encoder: keras.Model, argument: str = "encoder") -> None:
    """Checks that an encoder gives one vector per example.

    Raises:
        ValueError: When it gives anything else; names the argument.
    """
    shape = encoder.output_shape
    if len(shape) != 2 or shape[1] is None:
        raise ValueError(
            f"`{argument}` must map a batch of examples to a batch of vectors, of "
            f"shape (batch, features). Received: output shape {shape}"
        )


def _check_ends(encoder: keras.Model, argument: str) -> None:
    """Checks what goes in and comes out: one tensor, as a signature has it."""
    inputs, outputs = encoder.inputs, encoder.outputs
    named = isinstance(getattr(encoder, "_outputs_struct", None), dict)
    if len(inputs) != 1 or len(outputs) != 1 or named:
        count = f"{'a dict of ' if named else ''}{len(outputs)}"
        raise ValueError(
            f"`{argument}` must map one tensor to one tensor. Join what it takes or "
            "gives by a layer, as keras.layers.Concatenate, or choose a part of it: "
            "`keras.Model(inputs, output)`. Received: "
            f"{encoder.name!r} with {len(inputs)} inputs and {count} outputs"
        )
    dtype = keras.backend.standardize_dtype(outputs[0].dtype)
    if "float" not in dtype:
        raise ValueError(
            f"`{argument}` must give floating-point numbers, or nothing could be "
            f"learned. Received: {encoder.name!r}, which gives {dtype}"
        )
    if outputs[0].shape[:1] not in ((None,), tuple(inputs[0].shape[:1])):
        raise ValueError(
            f"`{argument}` must give one embedding for each example. Received: "
            f"{encoder.name!r}, which gives {outputs[0].shape[0]} for any batch"
        )


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
    try:
        outputs = encoder(inputs)
    except Exception as error:
        raise ValueError(
            f"`{argument}` must take floating-point numbers, or be a functional model "
            "that says what it takes: `inputs = keras.Input(shape, dtype=...)`, "
            f"`keras.Model(inputs, model(inputs))`. Received: {encoder.name!r}, a "
            f"{type(encoder).__name__} that fails on {encoder.variable_dtype} "
            f"({type(error).__name__})"
        ) from error
    return keras.Model(inputs, outputs, name=encoder.name)
