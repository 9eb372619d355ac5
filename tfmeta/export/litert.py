"""LiteRT, which runs on phones: files by TensorFlow's converter, and their answers."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from tfmeta.export.edge_functions import EdgeFunction
from tfmeta.export.float32_graph import in_float32
from tfmeta.export.quiet import quiet_stderr
from tfmeta.export.unconvertible import UnconvertibleError
from tfmeta.extras import MissingExtraError

Precision = Literal["float32", "float16", "int8"]

# How the converter names what it cannot say.
_OPERATIONS = re.compile(r"'tf\.(\w+)' op|operation 'tf\.(\w+)'|'tfl\.(\w+)' op")


def to_litert(
    edge: EdgeFunction,
    precision: Precision = "float32",
    examples: np.ndarray | None = None,
) -> bytes:
    """A LiteRT file of one signature, whose tensors keep their names.

    Args:
        edge: What it computes.
        precision: Of its weights; see `tfmeta.export.save_litert`.
        examples: By which the activations of an encoder are quantised to int8,
            `(count, *example)`; without, only weights are.

    Raises:
        UnconvertibleError: When the converter has no way to say an operation.
    """
    function = tf.function(
        in_float32(edge.traced()), input_signature=edge.inputs, autograph=False
    )
    module = tf.Module()
    module.function = function
    with tempfile.TemporaryDirectory() as folder, quiet_stderr():
        # Of concrete functions the converter leaves variables without values.
        tf.saved_model.save(
            module,
            folder,
            signatures={edge.name: function},
            options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
        )
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=[edge.name]
        )
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if precision == "int8" and examples is not None:
            (spec,) = edge.inputs
            converter.representative_dataset = lambda: _one_by_one(spec, examples)
        try:
            return converter.convert()
        except Exception as error:  # Of several kinds, one of which is private.
            found = _OPERATIONS.findall(str(error))
            names = {name for names in found for name in names if name}
            raise UnconvertibleError(sorted(names), str(error)) from error


def _one_by_one(
    spec: tf.TensorSpec, examples: np.ndarray
) -> Iterator[dict[str, np.ndarray]]:
    kind = spec.dtype.as_numpy_dtype
    for example in examples:
        yield {spec.name: example[np.newaxis].astype(kind)}


class LiteRTAnswers:
    """Answers requests by LiteRT's interpreter.

    Args:
        model: The file, or its content.
        threads: That it computes on.

    Raises:
        UnconvertibleError: When the runtime cannot run it, now or when it answers.
    """

    def __init__(self, model: Path | bytes, *, threads: int = 1) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise MissingExtraError(
                "to try a LiteRT file", "ai-edge-litert", "edge"
            ) from error
        content = model if isinstance(model, bytes) else model.read_bytes()
        try:
            with quiet_stderr():
                self._interpreter: Any = Interpreter(
                    model_content=content, num_threads=threads
                )
                (name,) = self._interpreter.get_signature_list()
                self._runner = self._interpreter.get_signature_runner(name)
        except (RuntimeError, ValueError) as error:
            raise UnconvertibleError([], f"LiteRT: {error}") from error

    def __call__(self, request: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name."""
        try:
            with quiet_stderr():
                return self._runner(**request)
        except (RuntimeError, ValueError) as error:
            raise UnconvertibleError([], f"LiteRT: {error}") from error
