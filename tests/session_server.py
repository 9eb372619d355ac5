"""What TensorFlow Serving does with a request, in this process.

A request is answered as the server's `RunPredict` does it: the signature by its name,
inputs and outputs by their aliases, defaults where a request is silent, the filter of
outputs, and a session that knows nothing of Python objects.
"""

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictResponse


class Refused(Exception):
    """A status that is not OK."""


class Server:
    """One loaded version."""

    def __init__(self, folder, session):
        self.graph = tf.compat.v1.saved_model.load(session, ["serve"], str(folder))
        self.session = session
        self.version = int(folder.name)

    def inputs_of(self, request):
        """What is fed: `GetInputValues` of TensorFlow."""
        name = request.model_spec.signature_name or "serving_default"
        if name not in self.graph.signature_def:
            raise Refused(f"Serving signature key {name!r} not found")
        signature = self.graph.signature_def[name]
        if not set(request.inputs) <= set(signature.inputs):
            raise Refused("Inputs contains invalid name")
        fed = {}
        for alias, info in signature.inputs.items():
            given = alias in request.inputs
            if not given and alias not in signature.defaults:
                raise Refused(f"{alias} not found in request and no default value")
            value = request.inputs[alias] if given else signature.defaults[alias]
            fed[info.name] = tf.make_ndarray(value)
        return name, signature, fed

    def predict(self, request):
        name, signature, fed = self.inputs_of(request)
        wanted = [*request.output_filter] or [*signature.outputs]
        if not set(wanted) <= set(signature.outputs) or len(set(wanted)) < len(wanted):
            raise Refused("output tensor alias not found in signature, or twice")
        fetched = {alias: signature.outputs[alias].name for alias in wanted}
        response = PredictResponse()
        response.model_spec.CopyFrom(request.model_spec)
        response.model_spec.signature_name = name
        response.model_spec.version.value = self.version
        for alias, value in self.session.run(fetched, fed).items():
            response.outputs[alias].CopyFrom(tf.make_tensor_proto(value))
        return response

    def joined_size(self, request):
        """Rows that a `BatchingSession` would join: its `ComputeTensorBatchSize`."""
        _, _, fed = self.inputs_of(request)
        if any(np.ndim(value) == 0 for value in fed.values()):
            raise Refused("input tensors must have at least one dimension")
        sizes = {len(value) for value in fed.values()}
        if len(sizes) > 1:
            raise Refused("input tensors must have equal 0th-dimension size")
        return sizes.pop()
