import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from running_server import b64, error, png, post, running
from served_models import drawings


@pytest.fixture(scope="module")
def pictures(made):
    with running(made / "pictures") as client:
        yield client


@pytest.fixture(scope="module")
def photos(made):
    with running(made / "photos") as client:
        yield client


def direct(made, name, signature, **tensors):
    loaded = tf.saved_model.load(str(made / name / "1"))
    found = loaded.signatures[signature](
        **{n: tf.constant(value) for n, value in tensors.items()}
    )
    return {n: tensor.numpy() for n, tensor in found.items()}


def probabilities(answer, names):
    return [
        [{c["class"]: c["probability"] for c in one["classes"]}[name] for name in names]
        for one in answer["answers"]
    ]


def test_embeddings_are_those_of_the_saved_model(pictures, made):
    examples = drawings(3, 0)
    wanted = direct(made, "pictures", "embed", examples=examples)["embeddings"]
    for sent in (examples.tolist(), [b64(png(one)) for one in examples]):
        found = post(pictures, "/embed", {"examples": sent})["embeddings"]
        np.testing.assert_allclose(found, wanted, atol=1e-6)
    floats = (examples + 0.25).astype(np.float32)
    wanted = direct(made, "pictures", "embed_float", examples=floats)["embeddings"]
    found = post(pictures, "/embed", {"examples": floats.tolist()})["embeddings"]
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_a_task_is_answered_as_by_the_saved_model(pictures, made):
    support, query = drawings(6, 1), drawings(4, 2)
    labels = np.array([0, 0, 1, 1, 2, 2], np.int32)
    wanted = direct(
        made,
        *("pictures", "classify"),
        support=support,
        support_labels=labels,
        query=query,
    )["probabilities"]
    names = ["z", "a", "m"]
    parts = np.split(support, 3)
    body = {
        "support": {n: p.tolist() for n, p in zip(names, parts, strict=True)},
        "examples": [b64(png(one)) for one in query],
    }
    answer = post(pictures, "/classify", body)
    np.testing.assert_allclose(probabilities(answer, names), wanted, atol=1e-6)
    for row, one in enumerate(answer["answers"]):
        assert one["class"] == names[wanted[row].argmax()]
    files = [(f"support/{n}", png(p[0])) for n, p in zip(names, parts, strict=True)]
    files += [("examples", png(query[0]))]
    assert pictures.post("/classify", files=files).status_code == 200


@pytest.mark.slow
def test_a_model_without_embeddings_learns_a_support(made):
    support = {"a": [[1.0, 0.0]], "b": [[0.0, 1.0]]}
    wanted = direct(
        made,
        *("maml", "classify"),
        support=np.eye(2, dtype=np.float32),
        support_labels=np.array([0, 1], np.int32),
        query=np.array([[0.9, 0.1]], np.float32),
    )
    with running(made / "maml") as client:
        body = {"examples": [[0.9, 0.1]]}
        assert "with embeddings" in error(client, "/embed", body, 409)
        assert "`support` must hold" in error(client, "/classify", body, 409)
        body["support"] = support
        found = probabilities(post(client, "/classify", body), ["a", "b"])
        np.testing.assert_allclose(found, wanted["probabilities"][:, :2], atol=1e-6)
        body["support"] = support | {"c": [[1, 1]], "d": [[2, 2]]}
        assert "at most 3 classes" in error(client, "/classify", body)
        # A class that the head has and the support has not: no infinity in JSON.
        tensors = {
            **{"support": np.eye(2), "query": np.eye(2)},
            "support_labels": np.arange(2),
        }
        inputs = [
            {
                "name": name,
                "shape": list(array.shape),
                "datatype": "INT32" if name == "support_labels" else "FP32",
                "data": array.ravel().tolist(),
            }
            for name, array in tensors.items()
        ]
        answer = post(client, "/v2/models/maml/infer", {"inputs": inputs})
        outputs = {one["name"]: one for one in answer["outputs"]}
        assert outputs["logits"]["shape"] == [2, 3]
        assert outputs["logits"]["data"][2] == np.finfo(np.float32).min


def test_what_is_far_from_every_class_is_none_of_them(made):
    support = {"left": [[-1.0, 0.0]], "right": [[1.0, 0.0]]}
    body = {"support": support, "examples": [[0.9, 0.1], [5, 5]]}
    with running(made / "thresholds") as client:
        assert [x["class"] for x in post(client, "/classify", body)["answers"]] == [
            *("right", "right")
        ]
        answer = post(client, "/classify", body | {"open_set": True})
        assert [x["class"] for x in answer["answers"]] == ["right", None]
        assert answer["answers"][1]["probability"] is None
        assert answer["answers"][1]["classes"][0]["class"] == "right"
        assert answer["warnings"] == []
        more = support | {"up": [[0.0, 9.0]]}
        answer = post(client, "/classify", body | {"support": more, "open_set": True})
        assert (
            "fitted on 2-way 1-shot episodes, and this task has 3 classes"
            in (answer["warnings"][0])
        )
        del body["support"]
        body["open_set"] = True
        assert "left out without `support`" in error(client, "/classify", body)
        body |= {"support": support, "open_set": 1}
        assert "true or false" in error(client, "/classify", body)
    with running(made / "maml") as client:
        body["open_set"] = True
        message = error(client, "/classify", body, 409)
        assert "has no threshold" in message


def test_texts_come_in_json_and_in_lines(made):
    wanted = direct(made, "texts", "embed", examples=["pay a bill", "ship a parcel"])
    with running(made / "texts") as client:
        texts = ["pay a bill", "ship a parcel"]
        found = post(client, "/embed", {"examples": texts})["embeddings"]
        np.testing.assert_allclose(found, wanted["embeddings"], atol=1e-6)
        lines = client.post(
            "/embed",
            content="pay a bill\n\nship a parcel\n",
            headers={"content-type": "text/plain; charset=utf-8"},
        )
        assert lines.json()["embeddings"] == found
        body = {"support": {"money": ["pay", "bill"], "post": ["ship", "parcel"]}}
        body["examples"] = ["a bill to pay"]
        (one,) = post(client, "/classify", body)["answers"]
        assert one["class"] == "money"
        assert "must be a text" in error(client, "/embed", {"examples": [3]})
        post(client, "/embed", {"examples": ["", "\x00", "🦆"]})


def test_an_exported_gallery_answers_with_its_classes(made):
    queries = np.array([[1.2, 0.4], [0, 50]], np.float32)
    wanted = direct(made, "frozen", "classify_enrolled", examples=queries)
    with running(made / "frozen") as client:
        answer = post(client, "/classify", {"examples": queries.tolist()})["answers"]
        for row, one in enumerate(answer):
            assert [c["class"].encode() for c in one["classes"]] == list(
                wanted["names"][row]
            )
            np.testing.assert_allclose(
                [c["probability"] for c in one["classes"]],
                wanted["probabilities"][row],
                atol=1e-6,
            )
        assert [one["class"] for one in answer] == ["right", None]
        listed = client.get("/classes").json()
        assert listed["classes"][0] == {"name": "left", "examples": 3}
        assert listed["change"] is None
        body = {"forget": {"name": "left"}}
        assert "in a gallery" in error(client, "/classes", body, 409)


def test_pictures_of_any_size(photos, made):
    sizes = ((20, 30), (20, 30), (40, 16))
    pictures = [
        np.random.default_rng(n).integers(0, 256, (*size, 3), np.uint8)
        for n, size in enumerate(sizes)
    ]
    wanted = [
        direct(made, "photos", "embed", examples=one[None])["embeddings"][0]
        for one in pictures
    ]
    for sent in ([one.tolist() for one in pictures], [b64(png(p)) for p in pictures]):
        found = post(photos, "/embed", {"examples": sent})["embeddings"]
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    body = {
        "support": {"a": [b64(png(pictures[0]))], "b": [b64(png(pictures[2]))]},
        "examples": [b64(png(pictures[2]))],
    }
    (one,) = post(photos, "/classify", body)["answers"]
    assert one["class"] == "b"
    body["examples"] = [pictures[2].tolist()]
    assert "one of each" in error(photos, "/classify", body)


def test_a_picture_is_turned_upright(photos):
    picture = Image.fromarray(np.arange(600, dtype=np.uint8).reshape(10, 20, 3))
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(file, "PNG", exif=exif)
    turned = np.asarray(picture.transpose(Image.Transpose.ROTATE_270))
    body = {"examples": [b64(file.getvalue()), turned.tolist()]}
    assert "all be picture files" in error(photos, "/embed", body)
    (file_only,), (pixels,) = (
        post(photos, "/embed", {"examples": [one]})["embeddings"]
        for one in body["examples"]
    )
    np.testing.assert_allclose(file_only, pixels, atol=1e-5)


def test_a_gif_of_many_frames_is_its_first(photos):
    frames = [Image.fromarray(np.full((20, 20, 3), n, np.uint8)) for n in range(50)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    (found,) = post(photos, "/embed", {"examples": [b64(file.getvalue())]})[
        "embeddings"
    ]
    np.testing.assert_allclose(found, 0, atol=1e-6)
