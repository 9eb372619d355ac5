"""Calls signatures of SavedModels: `python answer_requests.py (MODEL IN OUT)...`.

The file IN is an `.npz` with one array per `request/signature/input`; OUT gets
one per `loader/request/output`, or `loader/request/error` with the message. The
loaders are TensorFlow's two: objects, as Python programs use them, and a graph
in a session, as servers in C++ do.
"""

import sys
from collections import defaultdict

import numpy as np
import tensorflow as tf

ERRORS = (tf.errors.InvalidArgumentError, TypeError, ValueError)


def answer_all(model: str, source: str, target: str) -> None:
    requests = defaultdict(dict)
    with np.load(source) as arrays:
        for key in arrays:
            request, signature, name = key.split("/")
            requests[request, signature][name] = arrays[key]

    responses = {}

    def answer(loader, call):
        for (request, signature), inputs in requests.items():
            try:
                outputs = call(signature, inputs)
            except ERRORS as error:
                outputs = {"error": np.array(str(error))}
            for name, value in outputs.items():
                value = np.asarray(value)
                if value.dtype == object:  # Strings, which need no pickle as bytes.
                    value = value.astype(bytes)
                responses[f"{loader}/{request}/{name}"] = value

    loaded = tf.saved_model.load(model)
    answer(
        "objects",
        lambda signature, inputs: loaded.signatures[signature](
            **{name: tf.constant(value) for name, value in inputs.items()}
        ),
    )
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], model)

        def run(signature, inputs):
            definition = graph.signature_def[signature]
            return session.run(
                {name: info.name for name, info in definition.outputs.items()},
                {definition.inputs[name].name: value for name, value in inputs.items()},
            )

        answer("session", run)
    np.savez(target, **responses)


if __name__ == "__main__":
    for start in range(1, len(sys.argv), 3):
        answer_all(*sys.argv[start : start + 3])
