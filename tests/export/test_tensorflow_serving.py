"""Predict of TensorFlow Serving, by its published protocol buffers, in this process."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from session_server import Refused
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataResponse,
    SignatureDefMap,
)
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

FOLDER = Path(__file__).parents[2] / "export" / "tensorflow_serving"


def a_request(signature, inputs, *output_filter):
    """As a client sends it: by way of the wire."""
    request = PredictRequest(output_filter=output_filter)
    request.model_spec.name = "glyphs"
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return PredictRequest.FromString(request.SerializeToString())


def answer(server, *arguments):
    response = server.predict(a_request(*arguments))
    response = PredictResponse.FromString(response.SerializeToString())
    return {name: tf.make_ndarray(proto) for name, proto in response.outputs.items()}


def logits(learner, task):
    labels = tf.one_hot(task["support_labels"], 3)[None]
    state = learner.adapt(task["support"][None], labels)
    return learner.predict_query(state, task["query"][None])[0].numpy()


def as_files(pictures):
    return np.array([tf.io.encode_png(picture).numpy() for picture in pictures], object)


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("family", ["metric", "head", "inner_loop"])
@pytest.mark.parametrize("signature", ["classify", "classify_encoded"])
def test_classify(servers, families, task, family, signature):
    sent = dict(task)
    if signature == "classify_encoded":
        sent |= {name: as_files(task[name]) for name in ("support", "query")}
    found = answer(servers[family], signature, sent)
    expected = logits(families[family].learner, task)
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(found["logits"], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["probabilities"], softmax(expected), atol=1e-5)
    assert found["ways"].shape == () and found["ways"] == 3
    assert found.keys() == {"logits", "probabilities", "ways"}


def test_the_default_signature_and_a_filter(servers, families, task):
    response = servers["metric"].predict(a_request("", {"examples": task["query"]}))
    assert response.model_spec.signature_name == "serving_default"
    spec = response.model_spec
    assert (spec.name, spec.version.value) == ("glyphs", 1)
    found = tf.make_ndarray(response.outputs["embeddings"])
    expected = families["metric"].learner.encoder(task["query"], training=False)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    # That of a learner which embeds nothing.
    found = answer(servers["inner_loop"], "", task, "logits")
    assert found.keys() == {"logits"}
    expected = logits(families["inner_loop"].learner, task)
    np.testing.assert_allclose(found["logits"], expected, rtol=1e-4, atol=1e-5)


def test_an_adapted_state_goes_round(servers, families, task):
    learner, server = families["inner_loop"].learner, servers["inner_loop"]
    query = task["query"]
    support = {name: task[name] for name in ("support", "support_labels")}
    state = answer(server, "adapt", support)
    found = answer(server, "classify_adapted", {**state, "query": query})
    np.testing.assert_allclose(found["logits"], logits(learner, task), atol=1e-5)
    of_files = {**support, "support": as_files(task["support"])}
    state = answer(server, "adapt_encoded", of_files)
    sent = {**state, "query": as_files(query)}
    found = answer(server, "classify_adapted_encoded", sent)
    np.testing.assert_allclose(found["logits"], logits(learner, task), atol=1e-5)


def test_a_regression(servers, families):
    rng = np.random.default_rng(0)
    x, y, query = (rng.normal(size=s).astype("f4") for s in ((5, 3), (5, 2), (7, 3)))
    learner = families["regression"].learner
    state = learner.adapt(x[None], y[None])
    expected = learner.predict_query(state, query[None])[0]
    sent = {"support": x, "support_labels": y, "query": query}
    found = answer(servers["regression"], "predict", sent)
    np.testing.assert_allclose(found["predictions"], expected, atol=1e-5)
    assert found["outputs"] == 2


def test_wrong_requests_are_refused(servers, task):
    server = servers["metric"]
    with pytest.raises(Refused, match="'enrol' not found"):
        server.predict(a_request("enrol", task))
    with pytest.raises(Refused, match="query not found"):
        without = {name: value for name, value in task.items() if name != "query"}
        server.predict(a_request("classify", without))
    with pytest.raises(Refused, match="invalid name"):
        server.predict(a_request("classify", {**task, "shots": 1}))
    with pytest.raises(Refused, match="alias not found"):
        server.predict(a_request("classify", task, "scores"))
    labels = np.array([0, 1, 2, 2, 1, 4096], np.int32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be below 4096"):
        server.predict(a_request("classify", {**task, "support_labels": labels}))


def test_two_tasks_of_one_length_are_never_joined(servers, task):
    # Without the scalar these six rows each would be joined with those of others.
    task = {**task, "query": task["support"]}
    for family, signatures in (
        ("metric", ["classify"]),
        ("head", ["classify", "classify_with_prior"]),
        ("inner_loop", ["classify", "adapt", "serving_default"]),
    ):
        for signature in signatures:
            sent = dict(task)
            if signature == "classify_with_prior":
                sent["prior"] = task["support"]
            if signature == "adapt":
                del sent["query"]
            for output_filter in ([], ["probabilities"]) if "query" in sent else ([],):
                request = a_request(signature, sent, *output_filter)
                with pytest.raises(Refused, match="at least one dimension"):
                    servers[family].joined_size(request)
    request = a_request("embed", {"examples": task["support"]})
    assert servers["metric"].joined_size(request) == 6


def test_a_request_may_name_the_scalar_as_rest_must(servers, task):
    found = answer(servers["metric"], "classify", {**task, "one_task": np.int32(1)})
    expected = answer(servers["metric"], "classify", task)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


def test_metadata_goes_round(servers, families):
    for name, server in servers.items():
        of_all = SignatureDefMap()
        for key, signature in server.graph.signature_def.items():
            of_all.signature_def[key].CopyFrom(signature)
        response = GetModelMetadataResponse()
        response.metadata["signature_def"].Pack(of_all)
        read = GetModelMetadataResponse.FromString(response.SerializeToString())
        found = SignatureDefMap()
        assert read.metadata["signature_def"].Unpack(found)
        assert found == of_all
        loaded = tf.saved_model.load(families[name].folder).signatures
        assert set(loaded) == set(found.signature_def) - {"__saved_model_init_op"}
        for key, function in loaded.items():
            _, named = function.structured_input_signature
            signature = found.signature_def[key]
            assert signature.method_name == "tensorflow/serving/predict"
            assert set(signature.inputs) - {"one_task"} == set(named)
            for alias, spec in named.items():
                assert signature.inputs[alias].dtype == spec.dtype.as_datatype_enum


def test_the_configuration_of_the_folder_is_one_of_a_server():
    config = text_format.Parse(
        (FOLDER / "models.config").read_text("utf-8"), ModelServerConfig()
    )
    (model,) = config.model_config_list.config
    assert (model.name, model.model_platform) == ("glyphs", "tensorflow")
    assert model.model_version_policy.latest.num_versions == 1
