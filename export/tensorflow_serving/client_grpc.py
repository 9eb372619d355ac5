"""Asks TensorFlow Serving over gRPC; needs tensorflow-serving-api, and so TensorFlow.

    python client_grpc.py localhost:8500 glyphs embed inputs.npz outputs.npz
    python client_grpc.py localhost:8500 cups SIGNATURE --files query.png

INPUTS holds one array for each input of the signature, by its name. OUTPUTS becomes the
same of its outputs; without it they are printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

MOST_BYTES = 64 * 2**20
CHANNEL_OPTIONS = [
    (f"grpc.max_{way}_message_length", MOST_BYTES) for way in ("send", "receive")
]


def make_request(
    model: str,
    signature: str,
    inputs: Mapping[str, np.ndarray],
    *,
    version: int | None = None,
) -> PredictRequest:
    """A request to a signature; to the newest version, unless one is named."""
    request = PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    for name, array in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
    return request


def read_response(response: PredictResponse) -> dict[str, np.ndarray]:
    """Outputs by name; texts are bytes."""
    return {name: tf.make_ndarray(proto) for name, proto in response.outputs.items()}


def predict(
    stub: PredictionServiceStub, request: PredictRequest, *, seconds: float = 30.0
) -> tuple[int, dict[str, np.ndarray]]:
    """The version that answered, and its outputs.

    Raises:
        grpc.RpcError: `INVALID_ARGUMENT` for a request that can have no answer,
            `UNAVAILABLE` for one that may be sent again, `DEADLINE_EXCEEDED`.
    """
    response = stub.Predict(request, timeout=seconds, wait_for_ready=True)
    return response.model_spec.version.value, read_response(response)


def main() -> None:
    parser = argparse.ArgumentParser(description="Ask TensorFlow Serving over gRPC.")
    parser.add_argument("address", help="host:port")
    parser.add_argument("model")
    parser.add_argument("signature")
    parser.add_argument("inputs", type=Path, nargs="?")
    parser.add_argument("outputs", type=Path, nargs="?")
    parser.add_argument("--files", type=Path, nargs="+", help="for `examples`")
    options = parser.parse_args()
    if (options.inputs is None) == (options.files is None):
        parser.error("give INPUTS or --files. Received: both, or neither")
    if options.files:
        contents = np.array([path.read_bytes() for path in options.files], object)
        inputs = {"examples": contents}
    else:
        with np.load(options.inputs, allow_pickle=False) as arrays:
            inputs = dict(arrays)
    with grpc.insecure_channel(options.address, options=CHANNEL_OPTIONS) as channel:
        request = make_request(options.model, options.signature, inputs)
        version, outputs = predict(PredictionServiceStub(channel), request)
    if options.outputs:
        np.savez(options.outputs, **outputs)
        return
    print(f"version {version}")
    for name, array in outputs.items():
        print(f"{name} {array.dtype} {list(array.shape)}\n{array}")


if __name__ == "__main__":
    main()
