"""The clients for TensorFlow Serving, against its stubs and its REST contract."""

import base64
import concurrent.futures
import importlib.util
import json
import threading
import urllib.error
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from session_server import Refused
from tensorflow_serving.apis import prediction_service_pb2_grpc

FOLDER = Path(__file__).parents[2] / "export" / "tensorflow_serving"


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def client():
    return load("client_grpc")


@pytest.fixture(scope="module")
def rest():
    return load("client_rest")


def pngs(pictures):
    return np.array([tf.io.encode_png(picture).numpy() for picture in pictures], object)


class Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    """The published service, answered by sessions."""

    def __init__(self, servers):
        self.servers = servers

    def Predict(self, request, context):  # noqa: N802
        try:
            return self.servers[request.model_spec.name].predict(request)
        except KeyError:
            context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found")
        except (Refused, tf.errors.InvalidArgumentError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))


@pytest.fixture
def stub(servers, client):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        Prediction(servers), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    options = client.CHANNEL_OPTIONS
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)
    server.stop(None).wait()


def test_over_grpc(stub, client, families, task):
    model = tf.saved_model.load(families["metric"].folder)
    version, found = client.predict(
        stub, client.make_request("metric", "classify", task)
    )
    expected = model.signatures["classify"](
        **{name: tf.constant(array) for name, array in task.items()}
    )
    assert version == 1 and found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-5)
    files = {"examples": pngs(task["query"])}
    request = client.make_request("metric", "embed_encoded", files, version=1)
    assert request.model_spec.version.value == 1
    _, found = client.predict(stub, request)
    expected = model.signatures["embed"](examples=tf.constant(task["query"]))
    np.testing.assert_allclose(
        found["embeddings"], expected["embeddings"], rtol=1e-5, atol=1e-5
    )
    for name, signature, code in (
        ("nobody", "classify", grpc.StatusCode.NOT_FOUND),
        ("metric", "enrol", grpc.StatusCode.INVALID_ARGUMENT),
    ):
        with pytest.raises(grpc.RpcError) as error:
            client.predict(stub, client.make_request(name, signature, task))
        assert error.value.code() == code


class Rest(BaseHTTPRequestHandler):
    """`predict` in columns, as the server's page on REST describes it."""

    def do_POST(self):  # noqa: N802
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append((self.path, body))
        name = self.path.removeprefix("/v1/models/").removesuffix(":predict")
        server = self.server.servers.get(name.partition("/")[0])
        signature = server and server.graph.signature_def[body["signature_name"]]
        if server is None or set(body["inputs"]) != set(signature.inputs):
            return self.answer(400, {"error": "inputs must be all of the signature"})
        feed = {
            info.name: np.array(
                unpacked(body["inputs"][alias]), tf.DType(info.dtype).as_numpy_dtype
            )
            for alias, info in signature.inputs.items()
        }
        fetches = {alias: info.name for alias, info in signature.outputs.items()}
        found = server.session.run(fetches, feed)
        columns = {alias: array.tolist() for alias, array in found.items()}
        outputs = columns if len(columns) > 1 else next(iter(columns.values()))
        return self.answer(200, {"outputs": outputs})

    def answer(self, status, content):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_):
        pass


def unpacked(value):
    if isinstance(value, list):
        return [unpacked(one) for one in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


@pytest.fixture
def rest_server(servers):
    with HTTPServer(("127.0.0.1", 0), Rest) as server:
        server.servers, server.bodies = servers, []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_over_rest(rest_server, rest, families, task):
    server, url = rest_server
    model = tf.saved_model.load(families["metric"].folder)
    described = json.loads((families["metric"].folder / "tfmeta.json").read_text())

    def ask(signature, inputs, **options):
        batchable = described["signatures"][signature]["batchable"]
        body = rest.make_body(signature, inputs, one_task=not batchable)
        names = list(described["signatures"][signature]["outputs"])
        answer = rest.predict(url, "metric", body, **options)
        return rest.read_outputs(answer, names)

    expected = model.signatures["embed"](examples=tf.constant(task["query"]))
    for signature, examples in (
        ("embed", task["query"]),
        ("embed_encoded", pngs(task["query"])),
    ):
        found = ask(signature, {"examples": examples}, version=1)
        np.testing.assert_allclose(
            found["embeddings"], expected["embeddings"], rtol=1e-5, atol=1e-5
        )
    assert server.bodies[-1][0] == "/v1/models/metric/versions/1:predict"
    found = ask("classify", task)
    assert server.bodies[-1][0] == "/v1/models/metric:predict"
    assert server.bodies[-1][1]["inputs"]["one_task"] == 1
    expected = model.signatures["classify"](
        **{name: tf.constant(array) for name, array in task.items()}
    )
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-5)
    with pytest.raises(urllib.error.HTTPError) as error:
        rest.predict(url, "metric", rest.make_body("classify", task))
    assert "error" in json.loads(error.value.read())


def batching_parameters():
    """The message of a batching file, whose proto tensorflow-serving-api leaves out.

    Its fields are those of `session_bundle_config.proto` in TensorFlow Serving.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name="batching.proto",
        package="tensorflow.serving",
        syntax="proto3",
        dependency=["google/protobuf/wrappers.proto"],
    )
    message = file.message_type.add(name="BatchingParameters")
    kinds = descriptor_pb2.FieldDescriptorProto
    wrapped = {
        **{"max_batch_size": "Int64Value", "batch_timeout_micros": "Int64Value"},
        **{"max_enqueued_batches": "Int64Value", "num_batch_threads": "Int64Value"},
        "thread_pool_name": "StringValue",
    }
    for number, (name, kind) in enumerate(wrapped.items(), start=1):
        message.field.add(
            **{"name": name, "number": number, "label": kinds.LABEL_OPTIONAL},
            **{"type": kinds.TYPE_MESSAGE, "type_name": f".google.protobuf.{kind}"},
        )
    message.field.add(
        **{"name": "allowed_batch_sizes", "number": 6, "label": kinds.LABEL_REPEATED},
        type=kinds.TYPE_INT64,
    )
    message.field.add(
        **{"name": "pad_variable_length_inputs", "number": 7, "type": kinds.TYPE_BOOL},
        label=kinds.LABEL_OPTIONAL,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    found = pool.FindMessageTypeByName("tensorflow.serving.BatchingParameters")
    return message_factory.GetMessageClass(found)()


def test_the_batching_file_is_one_of_a_server():
    text = (FOLDER / "batching_parameters.txt").read_text("utf-8")
    found = text_format.Parse(text, batching_parameters())
    sizes = list(found.allowed_batch_sizes)
    # Both are asked of a file that a server is to take.
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == found.max_batch_size.value
    assert found.num_batch_threads.value >= 1
    # Padding repeats examples of shapes that differ, which no signature has to join.
    assert not found.pad_variable_length_inputs
