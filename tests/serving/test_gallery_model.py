import contextlib
import shutil

import keras
import numpy as np
import pytest
from running_server import b64, error, png, post, running
from served_models import POINTS, drawings

import tfmeta
from tfmeta.learners import PrototypicalNetwork

QUERIES = [[1.2, 0.4], [-1.1, 0.3], [0.0, 50.0]]


@pytest.fixture
def client(points):
    with running(points) as client:
        yield client


@pytest.fixture(scope="module")
def unchanged(made):
    with running(made / "points") as client:
        yield client


@pytest.fixture(scope="module")
def pictures(made):
    with running(made / "drawings") as client:
        yield client


def names(client):
    return {c["name"]: c["examples"] for c in client.get("/classes").json()["classes"]}


def test_answers_are_those_of_the_gallery(unchanged, made):
    answer = post(unchanged, "/classify", {"examples": QUERIES, "top": 2})
    with contextlib.closing(tfmeta.Gallery(made / "points")) as gallery:
        direct = gallery.classify(np.array(QUERIES, np.float32))
    for row, one in enumerate(answer["answers"]):
        name = direct.name_of(direct.classes[row])
        assert one["class"] == (None if name == "none of these" else name)
        by_name = {c["class"]: c["probability"] for c in one["classes"]}
        for name, probability in zip(
            direct.class_names, direct.probabilities[row], strict=True
        ):
            assert by_name[name] == pytest.approx(probability, abs=1e-6)
    assert [one["class"] for one in answer["answers"]] == ["right", "left", None]
    assert answer["answers"][2]["probability"] is None
    assert answer["model"] == {"name": "points", "version": "1"}
    embedded = post(unchanged, "/embed", {"examples": QUERIES})["embeddings"]
    np.testing.assert_array_equal(embedded, np.array(QUERIES, np.float32))


def test_the_open_inference_protocol_takes_the_same_files(pictures):
    files = [png(one) for one in drawings(2, 5)]
    by_json = post(pictures, "/embed", {"examples": [b64(one) for one in files]})
    tensor = {
        **{"name": "examples", "shape": [2], "datatype": "BYTES"},
        "data": [b64(one)["b64"] for one in files],
    }
    body = {"parameters": {"signature": "embed_encoded"}, "inputs": [tensor]}
    (output,) = post(pictures, "/v2/models/drawings/infer", body)["outputs"]
    assert output["data"] == np.ravel(by_json["embeddings"]).tolist()
    tensor["data"][1] = "AAAA"
    message = error(pictures, "/v2/models/drawings/infer", body)
    assert "must be a whole, readable file" in message


def test_top_bounds_the_classes_of_an_answer(unchanged):
    answer = post(unchanged, "/classify", {"examples": QUERIES, "top": 1})
    assert [len(one["classes"]) for one in answer["answers"]] == [1, 1, 1]


def test_pictures_come_as_files_and_as_pixels(pictures, made):
    queries = drawings(2, 5)
    with contextlib.closing(tfmeta.Gallery(made / "drawings")) as gallery:
        direct = gallery.classify(queries).probabilities
    ways = [
        post(pictures, "/classify", {"examples": [b64(png(q)) for q in queries]}),
        post(pictures, "/classify", {"examples": queries.tolist()}),
        post(pictures, "/classify", {"examples": queries[..., 0].tolist()}),
        pictures.post(
            "/classify", files=[("examples", png(query)) for query in queries]
        ).json(),
    ]
    for answer in ways:
        for one, probabilities in zip(answer["answers"], direct, strict=True):
            best = max(c["probability"] for c in one["classes"])
            assert best == pytest.approx(probabilities.max(), abs=1e-6)


def test_enrol_add_rename_and_forget(client):
    up = [[0.0, 9.0], [0.0, 10.0]]
    answer = post(client, "/classes", {"enrol": {"up": up, "left": [[-3, 0]]}})
    assert answer["change"]["kind"] == "enrol" and answer["change"]["number"] == 2
    assert (answer["enrolled"], answer["passed_over"]) == (3, 0)
    assert answer["classes"] == {"up": 2, "left": 4}
    (one,) = post(client, "/classify", {"examples": [[0, 9.5]]})["answers"]
    assert one["classes"][0]["class"] == "up"

    post(client, "/classes", {"rename": {"name": "up", "to": "höher/oben"}})
    assert names(client) == {"left": 4, "right": 3, "höher/oben": 2}
    listed = client.get("/classes", params={"name": "höher/oben"}).json()
    first, second = (example["id"] for example in listed["examples"])
    post(client, "/classes", {"forget": {"name": "höher/oben", "examples": [first]}})
    listed = client.get("/classes", params={"name": "höher/oben"}).json()
    assert [example["id"] for example in listed["examples"]] == [second]
    post(client, "/classes", {"forget": {"name": "höher/oben"}})
    assert names(client) == {"left": 4, "right": 3}


def test_what_was_enrolled_is_passed_over_when_it_is_sent_again(client):
    body = {"enrol": {"up": [[0.0, 9.0], [0.0, 9.0], [0.0, 10.0]]}}
    first, again = post(client, "/classes", body), post(client, "/classes", body)
    assert (first["enrolled"], first["passed_over"]) == (2, 1)
    assert (again["enrolled"], again["passed_over"]) == (0, 3)
    assert again["change"] is None and again["classes"] == {"up": 2}


def test_pictures_are_enrolled_by_a_form(made, tmp_path):
    path = shutil.copytree(made / "drawings", tmp_path / "drawings")
    with running(path) as client:
        files = [("enrol/new class", png(one)) for one in drawings(2, 7)]
        answer = client.post("/classes", files=files).json()
        assert answer["classes"] == {"new class": 2}


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"rename": {"name": "no", "to": "x"}}, 404, "must be a class of the gallery"),
        ({"rename": {"name": "left", "to": "right"}}, 422, "that no class has"),
        ({"rename": {"name": "left", "to": " "}}, 422, "at least one"),
        ({"rename": {"name": "left"}}, 422, "`rename.to` in the body must be there"),
        ({"forget": {"name": "no"}}, 404, "must be a class"),
        ({"forget": {"name": "left", "examples": [99]}}, 404, "Received: 99"),
        ({"forget": {"name": "left", "examples": []}}, 422, "at least one"),
        ({"forget": {"name": "left", "examples": [2**62]}}, 404, "Received"),
        ({"forget": {"name": "left", "ids": [1]}}, 422, "alone. Received: 'ids'"),
        ({"enrol": {}}, 422, "at least one class"),
        ({"enrol": {"": [[1, 2]]}}, 422, "not blank"),
        ({"enrol": {"x": []}}, 422, "at least one example"),
        ({"enrol": {"x": [[1, 2, 3]]}}, 422, "`enrol.x[0]` must be"),
        ({"enrol": {"x" * 2000: [[1, 2]]}}, 422, "at most 1,000 characters"),
        ({"enrol": {"é": [[1, 2]], "e\u0301": [[1, 2]]}}, 422, "twice"),
        ({}, 422, "one of `enrol`, `rename` and `forget`. Received: none"),
        ({"enrol": {"x": [[1, 2]]}, "forget": {"name": "x"}}, 422, "one of"),
        ({"drop": {}}, 422, "alone. Received: 'drop'"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_changes_that_cannot_be_change_nothing(unchanged, body, status, message):
    assert message in error(unchanged, "/classes", body, status)
    assert names(unchanged) == {"left": 3, "right": 3}


def test_a_restart_keeps_what_was_acknowledged(points):
    with running(points) as client:
        number = post(client, "/classes", {"enrol": {"up": [[0, 9]]}})["change"]
    with running(points) as client:
        assert names(client)["up"] == 1
        assert client.get("/classes").json()["change"] == number["number"]


def test_what_others_enrol_is_answered(client, points):
    with contextlib.closing(tfmeta.Gallery(points)) as gallery:
        gallery.enrol({"up": np.array([[0.0, 9.0]])})
    (one,) = post(client, "/classify", {"examples": [[0, 9]]})["answers"]
    assert one["classes"][0]["class"] == "up"
    assert post(client, "/embed", {"examples": [[0, 9]]})["model"]["version"] == "2"


def test_another_encoder_is_taken_up_while_it_is_served(client, points):
    scaled = keras.Sequential([keras.Input((2,)), keras.layers.Rescaling(3.0)])
    assert post(client, "/embed", {"examples": [[1, 2]]})["embeddings"] == [[1, 2]]
    with contextlib.closing(tfmeta.Gallery(points)) as gallery:
        gallery.re_embed(PrototypicalNetwork(scaled))
    assert post(client, "/embed", {"examples": [[1, 2]]})["embeddings"] == [[3, 6]]
    (one,) = post(client, "/classify", {"examples": [[1, 0]]})["answers"]
    assert one["class"] == "right"


def test_a_gallery_without_a_class_says_so(tmp_path):
    encoder = keras.Sequential([keras.Input((2,)), keras.layers.Identity()])
    learner = PrototypicalNetwork(encoder)
    tfmeta.Gallery.create(tmp_path / "empty", learner).close()
    with running(tmp_path / "empty") as client:
        assert "must have a class" in error(
            client, "/classify", {"examples": [[1, 2]]}, 409
        )
        assert client.get("/classes").json()["total"] == 0
        post(client, "/classes", {"enrol": {"a": POINTS["left"].tolist()}})
        (one,) = post(client, "/classify", {"examples": [[1, 2]]})["answers"]
        assert one["class"] == "a"


def test_a_support_is_for_other_models(unchanged):
    body = {"examples": [[1, 2]], "support": {"a": [[1, 2]]}}
    assert "`support` must be left out" in error(unchanged, "/classify", body, 409)


def test_classes_are_listed_in_parts(unchanged):
    part = unchanged.get("/classes", params={"offset": 1, "limit": 1}).json()
    assert part == {
        "classes": [{"name": "right", "examples": 3}],
        "total": 2,
        "change": 1,
    }
    assert unchanged.get("/classes", params={"name": "no"}).status_code == 404
    for query in ({"limit": 0}, {"limit": "x"}, {"offset": -1}, {"offset": 2**70}):
        assert unchanged.get("/classes", params=query).status_code == 422
