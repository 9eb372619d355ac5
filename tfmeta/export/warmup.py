"""Requests that a server answers for itself before it serves a version."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import tensorflow as tf

# Where TensorFlow Serving looks for them.
WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")

# What gRPC takes by default: who sends more has set up the server for it.
_MOST_BYTES = 4 * 2**20


def write_warmup(folder: Path, requests: Mapping[str, Mapping[str, tf.Tensor]]) -> None:
    """Writes `assets.extra/tf_serving_warmup_requests`, one record a request.

    TensorFlow Serving runs them while it loads a version, so that no client waits for
    what is made at the first call of a signature. It does not load a version that
    fails one, nor one with more than 1,000 of them: requests must have been answered
    before they are written. Those of more than 4 MiB are left out.

    Args:
        folder: The SavedModel.
        requests: By name of the signature, the named tensors that it is asked with.

    Raises:
        tf.errors.OpError: When it cannot be written.

    Example:

    ```python
    write_warmup(Path("models/glyphs/1"), {"embed": {"examples": pictures}})
    ```
    """
    # Here and not above: only who exports needs it. It weighs 30 kB, takes 5 ms to
    # import, and needs nothing that TensorFlow does not (grpcio, protobuf).
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    path = folder / WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, tensors in requests.items():
            record = PredictionLog()
            request = record.predict_log.request
            # The name of the model stays empty. It is found by the folder that the
            # file is in; the server copies the name into the answer, which is thrown
            # away (RunSavedModelWarmup and RunPredict of tensorflow/serving).
            request.model_spec.signature_name = signature
            for name, tensor in tensors.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(tensor.numpy()))
            written = record.SerializeToString(deterministic=True)
            if len(written) <= _MOST_BYTES:
                writer.write(written)


def to_warm_up(
    requests: Mapping[str, Mapping[str, tf.Tensor]], batchable: Collection[str]
) -> dict[str, Mapping[str, tf.Tensor]]:
    """The requests that a server should answer for itself.

    Those of batchable signatures, where there are any. A server that joins requests
    refuses all others, for itself too, and would not load the version; one that serves
    a model without such signatures does not join requests.

    Args:
        requests: As of `write_warmup`.
        batchable: Names of the signatures that are.
    """
    joined = {name: one for name, one in requests.items() if name in batchable}
    return joined or dict(requests)


def with_default(
    requests: Mapping[str, Mapping[str, tf.Tensor]], default: str
) -> dict[str, Mapping[str, tf.Tensor]]:
    """The same, and the request of a signature under the name of the default one.

    It has tensors of its own in the graph, which a server prepares by themselves.
    """
    named = {"serving_default": requests[default]} if default in requests else {}
    return {**requests, **named}
