"""The open inference protocol."""

import base64

import numpy as np
import pytest
import tensorflow as tf
from running_server import error, png, post, running
from served_models import drawings


@pytest.fixture(scope="module")
def pictures(made):
    with running(made / "pictures") as client:
        yield client


@pytest.fixture(scope="module")
def points(made):
    with running(made / "points") as client:
        yield client


def tensor(array, datatype, name="examples"):
    return {
        "name": name,
        "shape": list(np.shape(array)),
        "datatype": datatype,
        "data": np.ravel(array).tolist(),
    }


def test_server_and_model_are_described(pictures):
    assert pictures.get("/v2").json()["name"] == "tfmeta"
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/pictures/ready"):
        assert pictures.get(path).status_code == 200
    found = pictures.get("/v2/models/pictures").json()
    assert found["versions"] == ["1"] and found["platform"] == "tensorflow_savedmodel"
    assert found["inputs"] == [
        {"name": "examples", "datatype": "UINT8", "shape": [-1, 8, 8, 1]}
    ]
    (output,) = found["outputs"]
    assert (output["name"], output["datatype"]) == ("embeddings", "FP32")
    assert set(found["parameters"]["signatures"]) >= {"embed", "classify"}
    assert pictures.get("/v2/models/pictures/versions/1").json() == found


@pytest.mark.parametrize(
    "path",
    ["/v2/models/other", "/v2/models/pictures/versions/2", "/v2/models/other/ready"],
)
def test_what_is_not_served_is_not_found(pictures, path):
    assert pictures.get(path).status_code == 404


def test_a_signature_answers_as_the_saved_model(pictures, made):
    loaded = tf.saved_model.load(str(made / "pictures" / "1"))
    examples = drawings(3, 0)
    wanted = loaded.signatures["embed"](examples=tf.constant(examples))["embeddings"]
    body = {"id": "7", "inputs": [tensor(examples, "UINT8")]}
    for path in ("/v2/models/pictures/infer", "/v2/models/pictures/versions/1/infer"):
        answer = post(pictures, path, body)
        (output,) = answer["outputs"]
        assert (answer["id"], answer["model_version"]) == ("7", "1")
        found = np.reshape(output["data"], output["shape"])
        np.testing.assert_allclose(found, wanted, atol=1e-6)
    body["inputs"][0]["data"] = examples.tolist()  # Not flat.
    assert post(pictures, path, body)["outputs"] == answer["outputs"]


def test_a_task_and_chosen_outputs(pictures):
    support, query = drawings(4, 1), drawings(2, 2)
    body = {
        "parameters": {"signature": "classify"},
        "inputs": [
            tensor(support, "UINT8", "support"),
            tensor(np.array([0, 0, 1, 1]), "INT32", "support_labels"),
            tensor(query, "UINT8", "query"),
        ],
        "outputs": [{"name": "ways"}, {"name": "probabilities"}],
    }
    outputs = post(pictures, "/v2/models/pictures/infer", body)["outputs"]
    assert [one["name"] for one in outputs] == ["ways", "probabilities"]
    assert outputs[0]["data"] == [2] and outputs[0]["shape"] == []
    assert sum(outputs[1]["data"]) == pytest.approx(2)
    body["inputs"][1] = tensor(np.array([0, 0, 3, 3]), "INT32", "support_labels")
    message = error(pictures, "/v2/models/pictures/infer", body)
    assert "`support_labels` must be 0 to ways - 1 without a gap" in message


def test_files_are_bytes_in_base64(pictures):
    examples = drawings(2, 0)
    files = [base64.b64encode(png(one)).decode() for one in examples]
    body = {"parameters": {"signature": "embed_encoded"}}
    body["inputs"] = [{**tensor(files, "BYTES"), "parameters": {}}]
    by_files = post(pictures, "/v2/models/pictures/infer", body)["outputs"][0]["data"]
    body = {"inputs": [tensor(examples, "UINT8")]}
    by_pixels = post(pictures, "/v2/models/pictures/infer", body)["outputs"][0]["data"]
    np.testing.assert_allclose(by_files, by_pixels, atol=1e-5)


def test_a_gallery_has_the_signatures_of_its_export(points):
    body = {"inputs": [tensor(np.array([[1.2, 0.4], [0, 50]]), "FP32")]}
    outputs = post(points, "/v2/models/points/infer", body)["outputs"]
    by_name = {one["name"]: one for one in outputs}
    assert by_name["names"]["data"][0] == "right"
    assert by_name["rejected"]["data"] == [False, True]
    assert by_name["probabilities"]["shape"] == [2, 2]
    body["parameters"] = {"signature": "embed"}
    (output,) = post(points, "/v2/models/points/infer", body)["outputs"]
    np.testing.assert_allclose(output["data"], [1.2, 0.4, 0, 50], atol=1e-6)
    empty = {"inputs": [tensor(np.zeros((0, 2)), "FP32")]}
    (output,) = post(
        points,
        "/v2/models/points/infer",
        empty | {"parameters": {"signature": "embed"}},
    )["outputs"]
    assert output["shape"] == [0, 2]


def test_a_client_keeps_what_was_adapted(made):
    rng = np.random.default_rng(0)
    support, query = rng.normal(size=(6, 2)), rng.normal(size=(4, 2))
    labels = np.arange(6) % 3
    with running(made / "maml") as client:

        def infer(signature, *inputs, status=200):
            body = {"parameters": {"signature": signature}, "inputs": list(inputs)}
            return post(client, "/v2/models/maml/infer", body, status)

        task = (
            tensor(support, "FP32", "support"),
            tensor(labels, "INT32", "support_labels"),
        )
        queries = tensor(query, "FP32", "query")
        state = infer("adapt", *task)["outputs"]
        adapted = infer("classify_adapted", *state, queries)["outputs"]
        at_once = infer("classify", *task, queries)["outputs"]
        by_name = {one["name"]: one["data"] for one in at_once}
        for one in adapted:
            np.testing.assert_allclose(one["data"], by_name[one["name"]], atol=1e-5)
        less = [x for x in state if x["name"] != state[0]["name"]]
        assert "error" in infer("classify_adapted", *less, queries, status=422)


X = tensor(np.array([[1.0, 2.0]]), "FP32")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "`inputs` in the body must be there"),
        ({"inputs": []}, "`inputs` must be examples. Received: none"),
        ({"inputs": [X, X]}, "`inputs` must be examples"),
        ({"inputs": [{**X, "name": "x"}]}, "Received: x"),
        ({"inputs": [{**X, "datatype": "FP64"}]}, "must be FP32. Received: 'FP64'"),
        ({"inputs": [{**X, "shape": [2, 1]}]}, "must be [-1, 2]"),
        ({"inputs": [{**X, "shape": [-1, 2]}]}, "must be [-1, 2]"),
        ({"inputs": [{**X, "shape": [2, 2]}]}, "the 4 values of its shape"),
        ({"inputs": [{**X, "shape": [2**40, 2]}]}, "must be [-1, 2]"),
        ({"inputs": [{**X, "shape": [1000, 2]}]}, "at most 256 examples"),
        ({"inputs": [{**X, "shape": ["1", 2]}]}, "must be an integer"),
        ({"inputs": [{**X, "data": [1, "2"]}]}, "finite numbers, of float32"),
        ({"inputs": [{**X, "data": [1, None]}]}, "Received: null"),
        ({"inputs": [{**X, "data": [1, 1e39]}]}, "1 that are not"),
        ({"inputs": [{**X, "data": [[1], [2, 3]]}]}, "ragged"),
        ({"inputs": [{**X, "data": [[1], [2]]}]}, "the 2 values of its shape"),
        ({"inputs": [{"name": "examples"}]}, "must be there"),
        ({"inputs": [X], "parameters": {"signature": "x"}}, "must be one of classify"),
        ({"inputs": [X], "parameters": {"signature": [1]}}, "must be one of"),
        ({"inputs": [X], "outputs": [{"name": "x"}]}, "`outputs` must be among"),
        ({"inputs": 3}, "must be a list"),
    ],
    ids=lambda value: str(value)[:70],
)
def test_what_is_no_request_is_refused(points, body, message):
    assert message in error(points, "/v2/models/points/infer", body)
