"""Keras' preprocessing layers, drawing from a stateless stream."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# They blend pictures of one batch, which here are of different classes.
_MIXING = (keras.layers.MixUp, keras.layers.CutMix)
# Operations that draw from, or write to, something outside of their inputs.
_KEEPS_STATE = re.compile(
    r"^(?!Stateless)(.*Random|Multinomial|.*TruncatedNormal|Rng|Assign|.*PyFunc$"
    r"|SampleDistorted|Stateful(?!PartitionedCall))"
)
# Of the configuration of a layer: what does not decide what it does here.
_UNIMPORTANT = ("name", "trainable", "seed")


class KerasAugmentation:
    """Keras preprocessing layers as an augmentation of episodes.

    The layers by themselves keep the state of a generator, so that what they do
    depends on all that they did before. Here every number they draw comes from
    `stream`: the result is a function of the pictures and of `stream` alone, as
    episodes require. Each layer has a stream of its own, and each draw of a
    layer another one, so that a shift along one axis says nothing about the
    other. The layers themselves are left as they are, and their `seed` is not
    used.

    Args:
        layers: Layers from pictures to pictures of the same shape, such as
            `keras.layers.RandomFlip`, applied one after the other in training
            mode.

    Raises:
        TypeError: When one is no Keras layer.
        ValueError: When there are none, or one blends pictures with each other.

    Example:

    ```python
    augment = KerasAugmentation([
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomTranslation(0.1, 0.1),
    ])
    Episodes(table, ways=5, support_augment=augment)
    ```
    """

    def __init__(self, layers: Sequence[keras.layers.Layer]) -> None:
        self.layers = tuple(layers)
        if not self.layers:
            raise ValueError("`layers` must hold at least one layer. Received: none")
        for layer in self.layers:
            if not isinstance(layer, keras.layers.Layer):
                raise TypeError(
                    f"`layers` must be Keras layers. Received: {type(layer).__name__}"
                )
            for part in layer._flatten_layers():
                if isinstance(part, _MIXING):
                    raise ValueError(
                        "`layers` must distort each picture by itself, since those of "
                        "an episode are of different classes. Received: "
                        f"{type(part).__name__}"
                    )
        # Now, since the configuration of some layers grows when they are built.
        described = ", ".join(map(_described, self.layers))
        self._repr = f"{type(self).__name__}([{described}])"
        # In a graph at all times: where a layer has branches, running them one by
        # one would draw in another order.
        self._distort = tf.function(self._distorted)

    def __call__(self, pictures: tf.Tensor, stream: tf.Tensor) -> tf.Tensor:
        """Distorts `(batch, height, width, channels)`; dtype and shape stay.

        Args:
            pictures: Any real dtype. Integers are rounded, and cut off at the
                ends of their range.
            stream: Stateless seed of shape (2,).

        Returns:
            The distorted pictures.

        Raises:
            ValueError: When `pictures` is not of rank 4, when a layer changes
                their shape, or when it draws from elsewhere than `stream`.
        """
        pictures = tf.convert_to_tensor(pictures)
        if pictures.shape.rank != 4:
            raise ValueError(
                "`pictures` must have shape (batch, height, width, channels). "
                f"Received: shape {pictures.shape}"
            )
        return self._distort(pictures, stream)

    def _distorted(self, pictures: tf.Tensor, stream: tf.Tensor) -> tf.Tensor:
        moved = tf.cast(pictures, tf.float32)
        for number, layer in enumerate(self.layers):
            own = tf.random.fold_in(stream, tf.constant(number, tf.int64))
            with _refused_when_stateful(layer), _drawing_from(own, layer):
                moved = layer(moved, training=True)
            if not moved.shape.is_compatible_with(pictures.shape):
                raise ValueError(
                    "`layers` must keep the shape of pictures, "
                    f"{tuple(pictures.shape)} here. Received: {type(layer).__name__}, "
                    f"which makes it {tuple(moved.shape)}"
                )
        moved = tf.ensure_shape(moved, pictures.shape)
        if pictures.dtype.is_integer:
            moved = tf.round(moved)
        return tf.saturate_cast(moved, pictures.dtype)

    def __repr__(self) -> str:
        return self._repr


class _StreamSeeds(keras.random.SeedGenerator):
    """In place of a layer's generator: a new stateless seed for each draw."""

    def __init__(self, stream: tf.Tensor) -> None:
        # Not the parent's, which would make a variable.
        self._stream = stream
        self._drawn = 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        seed = tf.random.fold_in(self._stream, tf.constant(self._drawn, tf.int64))
        self._drawn += 1
        return seed


@contextmanager
def _drawing_from(stream: tf.Tensor, layer: keras.layers.Layer) -> Iterator[None]:
    """Lets a layer and the layers in it draw from `stream` for a while."""
    seeds = _StreamSeeds(stream)
    replaced: list[tuple[Any, str, Any]] = []
    try:
        for part in layer._flatten_layers():
            for name, value in list(vars(part).items()):
                if isinstance(value, keras.random.SeedGenerator):
                    replaced.append((part, name, value))
                    # Around Keras, which would take it for a part of the layer.
                    object.__setattr__(part, name, seeds)
        yield
    finally:
        for part, name, value in replaced:
            object.__setattr__(part, name, value)


@contextmanager
def _refused_when_stateful(layer: keras.layers.Layer) -> Iterator[None]:
    """Raises ValueError when what is traced inside draws from elsewhere."""
    graph = tf.compat.v1.get_default_graph()
    nodes, functions = _contents(graph)
    python_state, numpy_state = random.getstate(), _numpy_state()
    yield
    more_nodes, more_functions = _contents(graph)
    operations = set(more_nodes[len(nodes) :])
    for name in more_functions.keys() - functions.keys():
        operations |= more_functions[name]
    found = sorted(filter(_KEEPS_STATE.match, operations))
    # Numbers of these would be drawn once and be part of the graph.
    if random.getstate() != python_state:
        found.append("Python's random")
    if _numpy_state() != numpy_state:
        found.append("NumPy's random")
    if found:
        raise ValueError(
            "`layers` must draw by generators that they have as an attribute "
            "(keras.random.SeedGenerator), which can be replaced. Received: "
            f"{type(layer).__name__}, which draws in other ways ({', '.join(found)})"
        )


def _contents(graph: tf.Graph) -> tuple[list[str], dict[str, set[str]]]:
    """Kinds of the operations of a graph, and of those of its functions."""
    definition = graph.as_graph_def()
    functions = {
        function.signature.name: {node.op for node in function.node_def}
        for function in definition.library.function
    }
    return [node.op for node in definition.node], functions


def _numpy_state() -> tuple[bytes, int]:
    _, numbers, place, *_ = np.random.get_state()
    return np.asarray(numbers).tobytes(), int(place)


def _described(layer: keras.layers.Layer) -> str:
    return _plain(keras.saving.serialize_keras_object(layer))


def _plain(value: Any) -> str:
    """As `repr`, but the same in every process: layers are numbered on the fly."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_plain, value))}]"
    if not isinstance(value, dict):
        return repr(value)
    if "class_name" not in value:
        items = (f"{key!r}: {_plain(part)}" for key, part in value.items())
        return f"{{{', '.join(items)}}}"
    settings = value["config"]
    if value["class_name"].endswith("DTypePolicy"):
        return repr(settings["name"])
    arguments = [
        f"{name}={_plain(part)}"
        for name, part in settings.items()
        if name not in _UNIMPORTANT
    ]
    return f"{value['class_name']}({', '.join(arguments)})"
