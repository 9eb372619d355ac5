"""A graph in the operations that LiteRT has: in float32, without checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf
from google.protobuf.message import Message
from tensorflow.core.framework import node_def_pb2, types_pb2
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

_FLOAT, _INT = types_pb2.DT_FLOAT, types_pb2.DT_INT32
_OTHERS = (types_pb2.DT_DOUBLE, types_pb2.DT_HALF, types_pb2.DT_BFLOAT16)
_MOST = np.finfo(np.float32).max
# What does nothing to values.
_PASSED = {"EnsureShape", "StopGradient", "PreventGradient", "CheckNumerics"}
# The names of functions in the new graph: those of the old have other types.
_SUFFIX = "_float32"


def in_float32(
    traced: tf.types.experimental.ConcreteFunction,
) -> Callable[..., dict[str, tf.Tensor]]:
    """The same function with constants for variables, float32 for other floats.

    Assertions are left out, as are assertions of shapes. What LiteRT's converter has
    no way to say is said otherwise: whether a number is finite, and a new axis of a
    tensor whose sizes are free.

    Args:
        traced: A function that returns a dict of named tensors.

    Returns:
        A function of the same tensors, to be traced.
    """
    frozen = convert_variables_to_constants_v2(traced, lower_control_flow=False)
    graph = frozen.graph.as_graph_def()
    functions = {function.signature.name for function in graph.library.function}
    _rewrite(graph.node, functions, of_function=False)
    for function in graph.library.function:
        signature = function.signature
        signature.name += _SUFFIX
        for argument in (*signature.input_arg, *signature.output_arg):
            if argument.type in _OTHERS:
                argument.type = _FLOAT
        _rewrite(function.node_def, functions, of_function=True)
        _narrow(function.attr.values(), functions)
    # Attributes name gradients by the old names; nobody asks for any.
    del graph.library.gradient[:]
    inputs = [tensor.name for tensor in frozen.inputs]
    outputs = dict(
        zip(
            sorted(traced.structured_outputs),
            [tensor.name for tensor in frozen.outputs],
            strict=True,
        )
    )

    def function_of(*arguments: tf.Tensor) -> dict[str, tf.Tensor]:
        found = tf.graph_util.import_graph_def(
            graph,
            input_map=dict(zip(inputs, map(_as_float32, arguments), strict=True)),
            return_elements=list(outputs.values()),
            name="",
        )
        return dict(zip(outputs, found, strict=True))

    return function_of


def _as_float32(tensor: tf.Tensor) -> tf.Tensor:
    return tf.cast(tensor, tf.float32) if tensor.dtype.is_floating else tensor


def _rewrite(nodes: Message, functions: set[str], *, of_function: bool) -> None:
    """Rewrites the nodes of a graph, or of a function, in their place.

    Inside of a function a tensor goes by the name of an output, which is another one
    for another operation.
    """
    checks = {node.name for node in nodes if node.op == "Assert"}
    constants = {node.name: node for node in nodes if node.op == "Const"}
    more: list[node_def_pb2.NodeDef] = []
    for node in nodes:
        _narrow(node.attr.values(), functions)
        inputs = [i for i in node.input if i.removeprefix("^") not in checks]
        node.ClearField("input")
        node.input.extend(inputs)
        if node.op in _PASSED:
            kind = node.attr["T"].type
            _become(node, "Identity", inputs[:1], inputs[1:], T=kind)
        elif node.op == "IsFinite" and node.attr["T"].type == _FLOAT:
            more += _finite_by_size(node, of_function)
        elif node.op == "StridedSlice":
            more += _new_axis(node, constants, of_function)
    kept = [node for node in nodes if node.name not in checks]
    copies = [node_def_pb2.NodeDef.FromString(n.SerializeToString()) for n in kept]
    del nodes[:]
    nodes.extend([*copies, *more])


def _narrow(attributes: Iterable, functions: set[str]) -> None:
    """Says float32 where they say other floats, and the new names of functions."""
    for attribute in attributes:
        kind = attribute.WhichOneof("value")
        if kind == "type" and attribute.type in _OTHERS:
            attribute.type = _FLOAT
        elif kind == "tensor" and attribute.tensor.dtype in _OTHERS:
            attribute.tensor.CopyFrom(_narrowed(attribute.tensor))
        elif kind == "list":
            for place, one in enumerate(attribute.list.type):
                if one in _OTHERS:
                    attribute.list.type[place] = _FLOAT
            for function in attribute.list.func:
                _rename(function, functions)
        elif kind == "func":
            _rename(attribute.func, functions)


def _rename(function: Message, functions: set[str]) -> None:
    if function.name in functions:
        function.name += _SUFFIX


def _narrowed(tensor: Message) -> Message:
    values = tf.make_ndarray(tensor).astype(np.float64)
    # The largest number stays one; infinity stays as well.
    sized = np.where(np.isfinite(values), np.clip(values, -_MOST, _MOST), values)
    return tf.make_tensor_proto(sized.astype(np.float32), shape=values.shape)


def _finite_by_size(
    node: node_def_pb2.NodeDef, of_function: bool
) -> list[node_def_pb2.NodeDef]:
    """As no larger than the largest number, which NaN is not either."""
    value, *after = node.input
    most = _constant(f"{node.name}/most", np.float32(_MOST))
    size = node_def_pb2.NodeDef(name=f"{node.name}/size", op="Abs", input=[value])
    within = node_def_pb2.NodeDef(name=f"{node.name}/within", op="LessEqual")
    both = (f"{size.name}:y:0", f"{most.name}:output:0")
    within.input.extend(both if of_function else [size.name, most.name])
    size.attr["T"].type = within.attr["T"].type = _FLOAT
    # An operation whose output is called as that of IsFinite.
    not_within = node_def_pb2.NodeDef(name=f"{node.name}/beyond", op="LogicalNot")
    not_within.input.append(f"{within.name}:z:0" if of_function else within.name)
    inside = f"{not_within.name}:y:0" if of_function else not_within.name
    _become(node, "LogicalNot", [inside], after)
    return [most, size, within, not_within]


def _new_axis(
    node: node_def_pb2.NodeDef,
    constants: dict[str, node_def_pb2.NodeDef],
    of_function: bool,
) -> list[node_def_pb2.NodeDef]:
    """A slice that takes all and adds one axis, as the adding of that axis."""
    value, begin, _, _, *after = node.input
    masks = {
        name: node.attr[f"{name}_mask"].i
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    new, ellipsis = masks["new_axis"], masks["ellipsis"]
    spec = constants.get(begin.partition(":")[0])
    if spec is None or new.bit_count() != 1 or masks["shrink_axis"]:
        return []
    length = tf.make_ndarray(spec.attr["value"].tensor).size
    others = ((1 << length) - 1) & ~new & ~ellipsis
    if others & ~masks["begin"] or others & ~masks["end"]:
        return []
    place = new.bit_length() - 1
    if ellipsis and ellipsis < new:
        place -= length
    axis = _constant(f"{node.name}/axis", np.int32(place))
    kind = node.attr["T"].type
    place_name = f"{axis.name}:output:0" if of_function else axis.name
    _become(node, "ExpandDims", [value, place_name], after, T=kind, Tdim=_INT)
    return [axis]


def _constant(name: str, value: np.generic) -> node_def_pb2.NodeDef:
    node = node_def_pb2.NodeDef(name=name, op="Const")
    tensor = tf.make_tensor_proto(value)
    node.attr["dtype"].type = tensor.dtype
    node.attr["value"].tensor.CopyFrom(tensor)
    return node


def _become(
    node: node_def_pb2.NodeDef,
    operation: str,
    inputs: list[str],
    after: list[str],
    **types: int,
) -> None:
    """Makes a node another operation of the same name."""
    node.op = operation
    node.ClearField("attr")
    node.ClearField("input")
    node.input.extend([*inputs, *after])
    for name, kind in types.items():
        node.attr[name].type = kind
