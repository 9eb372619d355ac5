"""What runs on a phone or in a browser: the encoder and `classify`, by themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tfmeta.layers import ResizedPictures
from tfmeta.layers.empty_batch import blank_rows
from tfmeta.learners.base import FewShotLearner
from tfmeta.pairs_at_once import pairs_at_once
from tfmeta.signatures.example_spec import ExampleSpec, all_layers

Function = Callable[..., dict[str, tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class EdgeFunction:
    """A function of named tensors, without what only TensorFlow can do.

    Args:
        file: Its file is called so, without the suffix.
        name: Name of its signature.
        inputs: Specifications of its arguments, in order, with their names.
        function: Returns a dict of named tensors.
        most_ways: Of a task, `None` for any number.
        floats: The dtypes that the learner computes in; files compute in float32.
    """

    file: str
    name: str
    inputs: tuple[tf.TensorSpec, ...]
    function: Function
    most_ways: int | None = None
    floats: frozenset[str] = frozenset({"float32"})

    def traced(self) -> tf.types.experimental.ConcreteFunction:
        """Its graph."""
        with pairs_at_once():
            return self.as_tf_function().get_concrete_function()

    def as_tf_function(self) -> tf.types.experimental.PolymorphicFunction:
        """It as what has not been traced yet."""

        def function(*arguments: tf.Tensor) -> dict[str, tf.Tensor]:
            with pairs_at_once():
                return self.function(*arguments)

        return tf.function(function, input_signature=self.inputs, autograph=False)


def edge_functions(
    learner: FewShotLearner, examples: ExampleSpec
) -> list[EdgeFunction]:
    """The encoder, where embeddings do not depend on the task, and `classify`.

    Neither runtime can refuse a request from within its graph. What is wrong with
    labels is answered by NaN in every place.

    Args:
        learner: What is exported.
        examples: What it takes, of a fixed size; see `fixed_examples`.
    """
    endpoints = {found.name: found for found in learner.endpoints(examples)}
    files = {"embed": "encoder", "classify": "classify", "predict": "predict"}
    encoders = [getattr(learner, argument) for argument in learner.encoder_arguments]
    floats = frozenset(
        layer.compute_dtype
        for encoder in encoders
        for layer in all_layers(encoder)
        if layer.compute_dtype is not None
    )
    chosen = []
    for name, file in files.items():
        if name in endpoints:
            inputs, function = endpoints[name].inputs, endpoints[name].function
            if name == "classify":
                function = _checked(function, learner.fixed_ways)
            ways = learner.fixed_ways
            chosen.append(EdgeFunction(file, name, inputs, function, ways, floats))
    return chosen


def fixed_examples(encoder: keras.Model | None, examples: ExampleSpec) -> ExampleSpec:
    """Examples of a fixed size, which is that to which the encoder brings them.

    Raises:
        ValueError: When the size is free and the encoder does not say which it wants.
    """
    if None not in examples.shape:
        return examples
    layers = [] if encoder is None else list(all_layers(encoder))
    sizes = {layer.size for layer in layers if isinstance(layer, ResizedPictures)}
    if len(sizes) == 1 and len(examples.shape) == 3 and examples.shape[-1] is not None:
        (size,) = sizes
        return dataclasses.replace(examples, shape=(size, size, examples.shape[-1]))
    raise ValueError(
        "`learner` must take examples of a fixed size to be tried after it was "
        f"converted. Received: examples of shape {examples.shape}, None is a free "
        "size; a SavedModel has free sizes"
    )


def _checked(function: Function, fixed_ways: int | None) -> Function:
    """`classify`, which answers NaN where something is wrong with labels."""

    def classify(
        support: tf.Tensor, support_labels: tf.Tensor, query: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        count = tf.shape(support)[0]
        sound = _are_sound(support_labels, count, fixed_ways)
        # What goes on with wrong ones must still be a task.
        missing = tf.cast(tf.equal(count, 0), tf.int32)
        support = tf.concat([support, blank_rows(support, missing)], axis=0)
        count += missing
        labels = tf.concat([support_labels, tf.zeros([count], tf.int32)], axis=0)
        labels = tf.where(sound, labels[:count], 0)
        found = function(support, labels, query)["probabilities"]
        nan = tf.constant(np.nan, found.dtype)
        return {"probabilities": tf.where(sound, found, nan)}

    return classify


def _are_sound(
    labels: tf.Tensor, count: tf.Tensor, fixed_ways: int | None
) -> tf.Tensor:
    """Whether there is one label for each row, and they are 0 to ways - 1, all there.

    By comparing each with each: neither runtime is sure to have a table.
    """
    size = tf.shape(labels)[0]
    ways = tf.range(size)
    there = tf.reduce_any(
        tf.equal(tf.expand_dims(labels, 1), tf.expand_dims(ways, 0)), axis=0
    )
    distinct = tf.reduce_sum(tf.cast(there, tf.int32))
    within = (labels >= 0) & (labels < (size if fixed_ways is None else fixed_ways))
    sound = tf.reduce_all(within) & (size > 0) & tf.equal(size, count)
    highest = tf.reduce_max(tf.concat([labels, [-1]], axis=0))
    return sound & tf.equal(distinct, highest + 1)
