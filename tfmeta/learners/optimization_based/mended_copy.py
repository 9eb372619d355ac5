"""Copies of encoders in which layers are replaced."""

from __future__ import annotations

from typing import Any

import keras

from tfmeta.layers import BatchNormalization
from tfmeta.learners.optimization_based.reached_layers import is_graph

HALF_PRECISION = ("bfloat16", "float16")


def mended_copy(model: keras.Model, *, first_order: bool) -> keras.Model:
    """A copy with layers of its own, in which an inner loop can use more of them.

    Keras' batch normalization becomes the package's, and half precision float32 where
    second order is asked for; in layers that wrappers hold, too. What is made inside a
    `call` of its own stays as it was.

    Args:
        model: A functional or sequential model.
        first_order: Whether gradients of the inner loop are constants to the outer.

    Returns:
        The copy, with the names, weights and `trainable` flags of the model.

    Raises:
        ValueError: When the copy has other weights.

    Example:

    ```python
    copy = mended_copy(encoder, first_order=False)
    ```
    """
    policy = keras.config.dtype_policy()
    if not first_order and policy.compute_dtype in HALF_PRECISION:
        # Models have the dtype policy of their time, and round what they are given.
        keras.config.set_dtype_policy(policy.variable_dtype)
    try:
        copy = _mended(model, first_order)
    finally:
        keras.config.set_dtype_policy(policy)
    _copy_state(model, copy)
    return copy


def _mended(model: keras.Model, first_order: bool) -> keras.Model:
    def replace(layer: keras.Operation) -> keras.Operation:
        if is_graph(layer):
            return _mended(layer, first_order)
        kind = type(layer)
        config = layer.get_config()
        if kind is keras.layers.BatchNormalization:
            kind, config = BatchNormalization, _as_ours(config)
        return kind.from_config(_mended_config(config, first_order))

    if isinstance(model, keras.Sequential):
        return keras.models.clone_model(model, clone_function=replace)
    # Without them the copy's inputs would have names of their own.
    inputs = keras.tree.map_structure(
        lambda tensor: keras.Input(
            batch_shape=tensor.shape,
            dtype=tensor.dtype,
            name=tensor._keras_history.operation.name,
        ),
        model.input,
    )
    return keras.models.clone_model(model, inputs, clone_function=replace)


def _mended_config(config: Any, first_order: bool) -> Any:
    """A config in which the layers that a wrapper holds are mended, too."""
    if isinstance(config, list | tuple):
        return type(config)(_mended_config(part, first_order) for part in config)
    if not isinstance(config, dict):
        return config
    config = {key: _mended_config(part, first_order) for key, part in config.items()}
    if config.get("class_name") == "BatchNormalization" and (
        config.get("module") == "keras.layers"
    ):
        config |= {
            "module": BatchNormalization.__module__,
            "registered_name": keras.saving.get_registered_name(BatchNormalization),
            "config": _as_ours(config["config"]),
        }
    if first_order:
        return config
    if "dtype" in config and _is_half(config["dtype"]):
        config["dtype"] = "float32"
    return config


def _is_half(dtype: Any) -> bool:
    """Whether the `dtype` of a config, a name or a policy, computes in half."""
    name = dtype.get("config", {}).get("name") if isinstance(dtype, dict) else dtype
    return isinstance(name, str) and name.removeprefix("mixed_") in HALF_PRECISION


def _as_ours(config: dict[str, Any]) -> dict[str, Any]:
    """The config of Keras' batch normalization without what ours does not take."""
    return {
        key: value
        for key, value in config.items()
        if key not in ("renorm_clipping", "renorm_momentum")
    }


def _copy_state(encoder: keras.Model, copy: keras.Model) -> None:
    before = [tuple(weight.shape) for weight in encoder.weights]
    after = [tuple(weight.shape) for weight in copy.weights]
    if before != after:
        raise ValueError(
            "`encoder` must come back from its own config with the same weights for "
            "its layers to be replaced. It may share a layer between nested models, or "
            f"get weights after it is built. Received: {encoder.name!r} with "
            f"{len(before)} weight arrays, copied with {len(after)} or other shapes"
        )
    copy.set_weights(encoder.get_weights())
    # Outer layers come first: to set one sets all its parts.
    for layer, own in zip(
        copy._flatten_layers(), encoder._flatten_layers(), strict=True
    ):
        layer.trainable = own.trainable
