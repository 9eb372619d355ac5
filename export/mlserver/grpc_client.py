"""Asks an MLServer over gRPC (V2); needs mlserver and NumPy.

    python grpc_client.py localhost:8081 embed inputs.npz outputs.npz

INPUTS holds one array for each input of the signature, by its name; picture files are
an array of bytes. OUTPUTS becomes the same of its outputs. Tensors travel as raw bytes.
"""

from __future__ import annotations

import argparse
import math
import struct
from pathlib import Path

import grpc
import numpy as np
from mlserver.grpc.dataplane_pb2 import ModelInferRequest, ModelInferResponse
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub
from tensors import DATATYPES

_DTYPES = {datatype: name for name, datatype in DATATYPES.items()}
_MOST_BYTES = 16 * 2**20


def make_request(
    model: str, signature: str, inputs: dict[str, np.ndarray]
) -> ModelInferRequest:
    """A request to a signature."""
    request = ModelInferRequest(model_name=model)
    request.parameters["signature"].string_param = signature
    for name, array in inputs.items():
        tensor = request.inputs.add(name=name, shape=array.shape)
        if array.dtype.kind == "S":
            tensor.datatype = "BYTES"
            packed = [struct.pack("<I", len(one)) + one for one in array.flat]
            request.raw_input_contents.append(b"".join(packed))
        else:
            tensor.datatype = DATATYPES[array.dtype.name]
            request.raw_input_contents.append(array.tobytes())
    return request


def read_response(response: ModelInferResponse) -> dict[str, np.ndarray]:
    """The outputs of a response, by name; names of classes as texts."""
    found = {}
    for tensor, raw in zip(response.outputs, response.raw_output_contents, strict=True):
        if tensor.datatype == "BYTES":
            texts, place = [], 0
            while place < len(raw):
                (length,) = struct.unpack_from("<I", raw, place)
                texts.append(raw[place + 4 : place + 4 + length].decode())
                place += 4 + length
            array = np.array(texts, np.str_)
        else:
            array = np.frombuffer(raw, _DTYPES[tensor.datatype])
        assert array.size == math.prod(tensor.shape)
        found[tensor.name] = array.reshape(tuple(tensor.shape))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Ask an MLServer over gRPC.")
    parser.add_argument("address", help="host:port")
    parser.add_argument("signature")
    parser.add_argument("inputs", type=Path)
    parser.add_argument("outputs", type=Path)
    parser.add_argument("--model", default="tfmeta")
    options = parser.parse_args()
    with np.load(options.inputs, allow_pickle=False) as arrays:
        inputs = dict(arrays)
    bounds = [
        (f"grpc.max_{way}_message_length", _MOST_BYTES) for way in ("send", "receive")
    ]
    with grpc.insecure_channel(options.address, options=bounds) as channel:
        stub = GRPCInferenceServiceStub(channel)
        request = make_request(options.model, options.signature, inputs)
        response = stub.ModelInfer(request, timeout=30.0)
    np.savez(options.outputs, **read_response(response))


if __name__ == "__main__":
    main()
