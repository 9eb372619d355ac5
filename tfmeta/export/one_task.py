"""Signatures whose requests no server can join."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

ONE_TASK = "one_task"


def keep_apart(folder: Path, names: Collection[str]) -> None:
    """Gives signatures a scalar input, so that no server joins their requests.

    TensorFlow Serving joins requests along the first dimension of all inputs, those of
    a support, its labels and its queries too, where these are of one length: two
    tasks become one without a word. It refuses inputs without a dimension before it
    joins anything, whatever outputs a request asks for.

    The scalar `one_task` has a default in the signature, which a server feeds where a
    request is silent of it, and nothing is computed from it. It is part of what
    servers read; functions in Python, which nobody joins, are without it.

    Args:
        folder: A SavedModel, just written.
        names: Of its signatures.
    """
    file = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    (graph,) = model.meta_graphs
    one = tf.make_tensor_proto(1, tf.int32, shape=())
    wanted = [graph.signature_def[name] for name in names]
    if not wanted:
        return
    _add_scalar(graph, one)
    for signature in wanted:
        scalar = signature.inputs[ONE_TASK]
        scalar.name = f"{ONE_TASK}:0"
        scalar.dtype = one.dtype
        scalar.tensor_shape.CopyFrom(one.tensor_shape)
        signature.defaults[ONE_TASK].CopyFrom(one)
    file.write_bytes(model.SerializeToString(deterministic=True))
    # Of the file as it was; TensorFlow makes another where there is none.
    (folder / "fingerprint.pb").unlink(missing_ok=True)


def _add_scalar(graph: meta_graph_pb2.MetaGraphDef, value: tf.TensorProto) -> None:
    default = graph.graph_def.node.add(name=f"{ONE_TASK}/default", op="Const")
    default.attr["dtype"].type = value.dtype
    default.attr["value"].tensor.CopyFrom(value)
    given = graph.graph_def.node.add(
        name=ONE_TASK, op="PlaceholderWithDefault", input=[default.name]
    )
    given.attr["dtype"].type = value.dtype
    given.attr["shape"].shape.CopyFrom(value.tensor_shape)
