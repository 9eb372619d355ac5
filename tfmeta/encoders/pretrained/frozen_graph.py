"""A SavedModel as a layer that lies inside a `.keras` file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.python.framework import op_def_registry

# Ops that keep a state only because of what they call, or that only check.
_HARMLESS = {
    "Assert",
    "Case",
    "If",
    "Placeholder",
    "StatefulPartitionedCall",
    "While",
}
# Parts of names of ops that reach out of the graph without declaring a state.
_REACHING_OUT = ("Dataset", "File", "ImmutableConst", "Print", "PyFunc", "TRT")


@keras.saving.register_keras_serializable(package="tfmeta")
class FrozenGraph(keras.layers.Layer):
    """A graph of TensorFlow from one tensor to one, with its weights as constants.

    Unlike `keras.layers.TFSMLayer`, it needs no folder beside the `.keras` file, and
    loads in safe mode: it runs no op that keeps a state, reads or writes a file or
    calls Python. Nothing in it can be trained.

    The graph itself is a weight of bytes, so that it goes wherever weights go.

    Args:
        graph_bytes: Length of the serialized `GraphDef`.
        ends: Names of the tensors that go in and come out.
        output_shape: Shape of what comes out, the batch first.
        input_dtype: Dtype of what goes in.
        output_dtype: Dtype of what comes out.
        **kwargs: `name` and others of `keras.layers.Layer`.

    Example:

    ```python
    layer = FrozenGraph.of(tf.saved_model.load(path).signatures["serving_default"])
    layer(pictures)
    ```
    """

    def __init__(
        self,
        graph_bytes: int,
        ends: Sequence[str],
        output_shape: Sequence[int | None],
        input_dtype: str,
        output_dtype: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.graph_bytes = graph_bytes
        self.ends = tuple(ends)
        self._output_shape = tuple(output_shape)
        self._input_dtype = input_dtype
        self._output_dtype = output_dtype
        self._parsed: tuple[bytes, Callable] | None = None
        self.graph = self.add_weight(
            shape=(graph_bytes,),
            dtype="uint8",
            initializer="zeros",
            trainable=False,
            name="graph",
        )
        self.built = True

    @classmethod
    def of(cls, function: Any, **kwargs: Any) -> FrozenGraph:
        """The layer of a concrete function with one input and one output.

        Raises:
            ValueError: When it has others, or holds ops that are refused.
        """
        from tensorflow.python.framework import convert_to_constants

        frozen = convert_to_constants.convert_variables_to_constants_v2(function)
        if len(frozen.inputs) != 1 or len(frozen.outputs) != 1:
            raise ValueError(
                "a graph must take one tensor and give one. Received: "
                f"{len(frozen.inputs)} and {len(frozen.outputs)}"
            )
        definition = frozen.graph.as_graph_def()
        _check_ops(definition)
        content = definition.SerializeToString()
        (given,), (found,) = frozen.inputs, frozen.outputs
        layer = cls(
            len(content),
            (given.name, found.name),
            found.shape.as_list(),
            given.dtype.name,
            found.dtype.name,
            **kwargs,
        )
        layer.graph.assign(np.frombuffer(content, np.uint8))
        return layer

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """What the graph gives."""
        if not tf.as_dtype(self._input_dtype).is_floating:
            inputs = tf.round(inputs)
        return self._function()(tf.cast(inputs, self._input_dtype))

    def _function(self) -> Callable:
        with tf.init_scope():
            content = self.graph.numpy().tobytes()
        digest = hashlib.sha256(content).digest()
        if self._parsed is None or self._parsed[0] != digest:
            definition = GraphDef.FromString(content)
            _check_ops(definition)
            given, found = self.ends

            def run(inputs: tf.Tensor) -> tf.Tensor:
                (answer,) = tf.graph_util.import_graph_def(
                    definition, {given: inputs}, [found], name="frozen"
                )
                return answer

            self._parsed = digest, tf.function(run, autograph=False)
        return self._parsed[1]

    def compute_output_spec(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Shape and dtype of what it gives."""
        shape = (inputs.shape[0], *self._output_shape[1:])
        return keras.KerasTensor(shape, self._output_dtype)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "graph_bytes": self.graph_bytes,
            "ends": list(self.ends),
            "output_shape": list(self._output_shape),
            "input_dtype": self._input_dtype,
            "output_dtype": self._output_dtype,
        }


def _check_ops(definition: GraphDef) -> None:
    """Checks that a graph computes, and does nothing else.

    Raises:
        ValueError: When it holds another op; names it.
    """
    own = {function.signature.name for function in definition.library.function}
    refused = sorted(
        {op for op in _ops(definition) if op not in own and not _is_pure(op)}
    )
    if refused:
        raise ValueError(
            "a graph must hold no op that keeps a state, touches files or calls "
            f"Python. Received: {', '.join(refused)}"
        )


def _ops(definition: GraphDef) -> Iterator[str]:
    for node in definition.node:
        yield node.op
    for function in definition.library.function:
        for node in function.node_def:
            yield node.op


def _is_pure(op: str) -> bool:
    if op in _HARMLESS:
        return True
    known = op_def_registry.get(op)
    return (
        known is not None
        and not known.is_stateful
        and not any(part in op for part in _REACHING_OUT)
    )
