"""ONNX, which runs in browsers and elsewhere: files by tf2onnx, and their answers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.export.edge_functions import EdgeFunction
from tfmeta.export.float32_graph import in_float32
from tfmeta.export.quiet import quiet_stderr
from tfmeta.export.unconvertible import UnconvertibleError
from tfmeta.extras import MissingExtraError

# Old enough for the runtimes of 2023, and has all that is needed.
OPSET = 18


def to_onnx(edge: EdgeFunction) -> bytes:
    """An ONNX file whose tensors keep their names.

    Args:
        edge: What it computes.

    Raises:
        UnconvertibleError: When ONNX has no operation for one of TensorFlow.
    """
    try:
        import onnx
        import tf2onnx
    except ImportError as error:
        raise MissingExtraError("an ONNX file", "tf2onnx", "edge") from error
    function = edge.as_tf_function()
    if edge.floats - {"float32"}:
        # Of which onnxruntime has not all operations on a CPU, browsers none.
        function = tf.function(
            in_float32(edge.traced()), input_signature=edge.inputs, autograph=False
        )
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    try:
        with quiet_stderr():
            model, _ = tf2onnx.convert.from_function(
                function, input_signature=list(edge.inputs), opset=OPSET
            )
    except Exception as error:  # It raises what it likes.
        raise UnconvertibleError([], str(error)) from error
    unknown = {
        node.op_type
        for node in _nodes(model.graph)
        if not node.domain and not onnx.defs.has(node.op_type, "")
    }
    if unknown:
        reason = f"ONNX has no {', '.join(sorted(unknown))}"
        raise UnconvertibleError(sorted(unknown), reason)
    return model.SerializeToString()


def _nodes(graph: Any) -> Iterator[Any]:
    """The nodes of a graph and of the graphs inside it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


class ONNXAnswers:
    """Answers requests by onnxruntime.

    Args:
        model: The file, or its content.
        threads: That it computes on.

    Raises:
        UnconvertibleError: When the runtime cannot run it, now or when it answers.
    """

    def __init__(self, model: Path | bytes, *, threads: int = 1) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError(
                "to try an ONNX file", "onnxruntime", "edge"
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = 4
        content = model if isinstance(model, bytes) else model.read_bytes()
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # Of classes of its own.
            raise UnconvertibleError([], f"onnxruntime: {error}") from error
        self._names = [output.name for output in self._session.get_outputs()]

    def __call__(self, request: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name."""
        try:
            answers = self._session.run(self._names, request)
        except Exception as error:
            raise UnconvertibleError([], f"onnxruntime: {error}") from error
        return dict(zip(self._names, answers, strict=True))
