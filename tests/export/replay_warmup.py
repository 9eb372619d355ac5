"""Answers a model's warm-up requests: `python replay_warmup.py OUT MODEL...`.

As TensorFlow Serving does while it loads a version, by the session loader, which
knows no Python objects. OUT gets a list for each model, of signature, bytes of the
record, names of the inputs, and shapes of the outputs or how many are not finite.
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog


def replay(model: str) -> list:
    path = Path(model, "assets.extra", "tf_serving_warmup_requests")
    records = [r.numpy() for r in tf.data.TFRecordDataset(str(path))]
    answered = []
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], model)
        for record in records:
            log = PredictionLog.FromString(record)
            assert log.WhichOneof("log_type") == "predict_log"
            request = log.predict_log.request
            signature = graph.signature_def[request.model_spec.signature_name]
            assert signature.method_name == "tensorflow/serving/predict"
            # A server feeds what has a default, and refuses a request of more or fewer.
            given = set(request.inputs) | set(signature.defaults)
            assert given == set(signature.inputs)
            outputs = session.run(
                {name: info.name for name, info in signature.outputs.items()},
                {
                    signature.inputs[name].name: tf.make_ndarray(value)
                    for name, value in request.inputs.items()
                },
            )
            answered.append(
                {
                    "model": request.model_spec.name,
                    "signature": request.model_spec.signature_name,
                    "bytes": len(record),
                    "inputs": sorted(request.inputs),
                    "outputs": {n: list(np.shape(v)) for n, v in outputs.items()},
                    "not_finite": sum(
                        # The logit of a way without an example is -inf.
                        int(np.sum(~np.isfinite(value) & (value != -np.inf)))
                        for value in outputs.values()
                        if np.asarray(value).dtype.kind == "f"
                    ),
                }
            )
    return answered


if __name__ == "__main__":
    out, *models = sys.argv[1:]
    Path(out).write_text(json.dumps([replay(model) for model in models]))
