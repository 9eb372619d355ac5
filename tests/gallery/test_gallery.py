"""A gallery answers as its learner does, whatever was done to it and by whom."""

import json
import sqlite3
import subprocess
import sys
import textwrap
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_learners import FEATURES, MAKERS, dense, identity, points

import tfmeta
from tfmeta.evaluation import OpenSetResult
from tfmeta.evaluation.threshold import Threshold
from tfmeta.gallery import Gallery
from tfmeta.gallery.records import FactsChangedError
from tfmeta.gallery.tables import DATABASE
from tfmeta.learners import (
    MAML,
    PrototypicalNetwork,
    SimpleShot,
    ZeroShotPrototypicalNetwork,
)
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.measuring.open_set import OpenSet
from tfmeta.runs.run_folder import RunFolder

QUERIES = np.random.default_rng(9).normal(scale=2, size=(7, FEATURES)).astype("f4")
OPEN_SET_FIGURES = (
    *("accuracies", "auroc", "open_accuracies", "known_accepted", "unknown_rejected"),
)
DEFAULT = ["prototypical", "siamese"]


def probabilities_of(learner, classes, queries=QUERIES):
    """By the two verbs, each query alone."""
    labels = np.repeat(np.arange(len(classes)), [len(one) for one in classes.values()])
    support = np.concatenate(list(classes.values()))
    state = learner.adapt(support[None], np.eye(len(classes), dtype="f4")[labels][None])
    logits = [learner.predict_query(state, q[None, None])[0, 0] for q in queries]
    return tf.nn.softmax(tf.stack(logits)).numpy()


def check_answers(gallery, learner, classes):
    answers = gallery.classify(QUERIES)
    assert answers.class_names == tuple(classes) == tuple(gallery.class_sizes())
    expected = probabilities_of(learner, classes)
    np.testing.assert_allclose(answers.probabilities, expected, atol=2e-5)
    np.testing.assert_array_equal(answers.classes, expected.argmax(axis=1))


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in DEFAULT else pytest.mark.slow) for n in MAKERS],
)
def test_answers_are_those_of_the_learner(name, tmp_path):
    """After every kind of change, and opened once more."""
    learner = MAKERS[name]()
    classes = points((3, 1, 4, 2))
    a, b, c, d = classes
    first = Gallery.create(tmp_path / "gallery", learner, threshold=None)
    first.enrol({c: classes[c][:2], a: classes[a]})
    first.enrol({c: classes[c][2:], "gone": classes[b]})
    first.enrol({"named": classes[d]})
    first.forget("gone")
    check_answers(first, learner, {c: classes[c], a: classes[a], "named": classes[d]})
    second = Gallery(tmp_path / "gallery")
    first.undo()
    second.forget(c, [one.id for one in second.examples_of(c)[:3]])
    first.rename("named", d)
    left = {c: classes[c][3:], a: classes[a], "gone": classes[b], d: classes[d]}
    for gallery in (first, second):
        check_answers(gallery, learner, left)
        gallery.close()


@pytest.mark.slow
def test_another_process_answers_the_same(tmp_path):
    gallery = Gallery.create(tmp_path / "gallery", MAKERS["prototypical_cosine"]())
    gallery.enrol(points((3, 2, 4)))
    program = (
        "import json, sys, numpy as np, tfmeta\n"
        "with tfmeta.Gallery(sys.argv[1]) as gallery:\n"
        "    queries = np.array(json.loads(sys.argv[2]))\n"
        "    answers = gallery.classify(queries)\n"
        "    gallery.enrol({'new': queries})\n"
        "print(json.dumps([answers.probabilities.tolist(), answers.classes.tolist()]))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, gallery.path, json.dumps(QUERIES.tolist())],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    probabilities, classes = json.loads(said)
    assert gallery.class_sizes()["new"] == len(QUERIES)
    gallery.undo()
    answers = gallery.classify(QUERIES)
    np.testing.assert_allclose(answers.probabilities, probabilities, atol=1e-6)
    np.testing.assert_array_equal(answers.classes, classes)


def test_half_precision_is_kept_in_single(tmp_path):
    kernel = keras.initializers.GlorotUniform(seed=1)
    layer = keras.layers.Dense(5, dtype="mixed_bfloat16", kernel_initializer=kernel)
    learner = SimpleShot(keras.Sequential([keras.Input((FEATURES,)), layer]))
    classes = points((3, 2))
    gallery = Gallery.create(tmp_path / "gallery", learner, threshold=None)
    gallery.enrol(classes)
    check_answers(Gallery(gallery.path), learner, classes)


@pytest.mark.parametrize("outputs", [FEATURES, 6], ids=["same_shape", "other_shape"])
def test_embeddings_of_two_encoders_never_meet(outputs, tmp_path):
    """One gallery is open while another embeds anew."""
    before, after = (
        PrototypicalNetwork(dense(s, n)) for s, n in ((1, 4), (2, outputs))
    )
    classes = points((3, 2, 4))
    a, b, c = classes
    first = Gallery.create(tmp_path / "gallery", before, threshold=None)
    first.enrol({a: classes[a], b: classes[b]})
    embedded = before.embed(QUERIES[None])[0]
    first.classify(QUERIES)
    second = Gallery(tmp_path / "gallery")
    seen = []
    second.re_embed(after, on_progress=lambda *done: seen.append(done))
    assert seen[-1] == (5, 5)
    for use in (first.classify_embeddings, lambda e: first.enrol_embeddings({"x": e})):
        with pytest.raises(FactsChangedError):
            use(embedded)
    # Not classified before: it enrols by an encoder that is no longer the gallery's.
    first.enrol({c: classes[c]})
    for gallery in (first, second, Gallery(tmp_path / "gallery")):
        check_answers(gallery, after, classes)
    assert first.learner.encoder.output_shape == (None, outputs)
    again = first.learner.embed(QUERIES[None])[0]
    np.testing.assert_allclose(
        first.classify_embeddings(again).probabilities,
        first.classify(QUERIES).probabilities,
        atol=1e-6,
    )
    # The former learner is of no use to anybody.
    assert len(list(first.path.glob("learner-*.keras"))) == 1


def test_a_query_that_is_being_embedded_is_embedded_again(tmp_path):
    """Another process embeds anew between the embedding and the answer."""
    before, after = PrototypicalNetwork(dense(1)), PrototypicalNetwork(dense(2))
    classes = points((3, 2))
    gallery = Gallery.create(tmp_path / "gallery", before, threshold=None)
    gallery.enrol(classes)
    other, times = Gallery(tmp_path / "gallery"), []

    def in_between(done, total):
        if not times:
            other.re_embed(after)
        times.append(done)

    answers = gallery.classify(QUERIES, on_progress=in_between)
    expected = probabilities_of(after, classes)
    np.testing.assert_allclose(answers.probabilities, expected, atol=2e-5)
    assert times == [7, 7]
    times.clear()
    after = PrototypicalNetwork(dense(3))
    gallery.enrol({"new": QUERIES}, on_progress=in_between)
    assert len(times) == 2
    check_answers(other, after, {**classes, "new": QUERIES})


def test_a_learner_with_the_same_encoder_needs_no_originals(tmp_path):
    encoder = dense(1)
    gallery = Gallery.create(
        tmp_path / "gallery",
        PrototypicalNetwork(encoder),
        threshold=None,
        keep_originals=False,
    )
    classes = points((3, 2))
    gallery.enrol(classes)
    other = Gallery(tmp_path / "gallery")
    gallery.re_embed(SimpleShot(encoder))
    check_answers(other, SimpleShot(encoder), classes)
    files = list(gallery.path.iterdir())
    with pytest.raises(ValueError, match="must have their original.*Received: 5"):
        gallery.re_embed(PrototypicalNetwork(dense(2)))
    assert list(gallery.path.iterdir()) == files
    check_answers(gallery, SimpleShot(encoder), classes)


def test_another_encoder_is_refused_until_all_is_embedded_by_it(tmp_path):
    classes = points((3, 2))
    gallery = Gallery.create(tmp_path / "gallery", PrototypicalNetwork(dense(1)))
    gallery.enrol(classes)
    (file,) = gallery.path.glob("learner-*.keras")
    other = PrototypicalNetwork(dense(2))
    other.save(file)
    opened = Gallery(gallery.path)
    for ask in (lambda: opened.classify(QUERIES), lambda: opened.enrol(classes)):
        with pytest.raises(ValueError, match="must hold the encoder .*re_embed"):
            ask()
    file.write_bytes(b"PK damaged")
    with pytest.raises(ValueError, match=f"{file.name} must be"):
        opened.classify(QUERIES)
    file.unlink()
    with pytest.raises(FileNotFoundError, match="Received: no file"):
        _ = opened.learner
    assert opened.class_sizes() == {"class 0": 3, "class 1": 2}
    opened.re_embed(other)
    opened.set_threshold(None)
    check_answers(opened, other, classes)


def test_inverted_pictures_are_embedded_anew(tmp_path):
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    learner = PrototypicalNetwork(keras.Sequential([keras.Input((2, 2, 1)), *layers]))
    gallery = Gallery.create(tmp_path / "gallery", learner, light_ground=False)
    picture = tf.io.encode_png(np.uint8([[[0], [255]], [[51], [0]]])).numpy()
    gallery.enrol({"one": [picture]})
    gallery.re_embed(invert=True)
    assert gallery.invert and gallery.light_ground is False
    np.testing.assert_allclose(
        gallery._store.changed_since(0)[1][0].embeddings, [[1, 0, 0.8, 1]], atol=1e-6
    )


THRESHOLD = Threshold("logit", -3.0, 0.9, {"logit": 0.9}, {"ways": 5, "shots": 1})


def test_the_threshold_follows_what_is_enrolled_or_stays(tmp_path):
    classes = points((4, 3, 5))
    a, b, c = classes
    gallery = Gallery.create(
        tmp_path / "gallery", PrototypicalNetwork(identity()), recall=0.8
    )
    other = Gallery(gallery.path)
    gallery.enrol({a: classes[a]})
    answers = gallery.classify(QUERIES)
    assert gallery.threshold() is None and not answers.open_set
    assert "no threshold yet: enrol a second class" in answers.warnings[0]
    gallery.enrol({b: classes[b]})
    first = gallery.threshold()
    assert (first.recall, first.protocol["ways"]) == (0.8, 2)
    far = np.concatenate([classes[a][:1], np.full((1, FEATURES), 50, "f4")])
    answers = gallery.classify(far, labels=np.array([0, -1]))
    assert answers.open_set and not answers.warnings
    np.testing.assert_array_equal(answers.classes, [0, -1])
    assert answers.checked().accuracy == 1.0
    gallery.enrol({c: classes[c]})
    second = gallery.threshold()
    assert second.value != first.value and second.protocol["ways"] == 3
    assert other.threshold() == second
    gallery.set_threshold(THRESHOLD)
    for opened in (gallery, other):
        answers = opened.classify(far)
        assert opened.threshold() == THRESHOLD
        assert "5-way 1-shot episodes, and the gallery has 3" in answers.warnings[0]
    gallery.forget(c)
    assert other.threshold() == THRESHOLD
    other.set_threshold(None)
    assert gallery.threshold() is None
    answers = gallery.classify(far)
    assert not answers.open_set and not answers.warnings and answers.classes[1] >= 0
    gallery.set_threshold("cross-validation", recall=0.8)
    assert other.threshold() == first


def test_answers_are_named(tmp_path):
    gallery = Gallery.create(tmp_path / "gallery", PrototypicalNetwork(identity()))
    with pytest.raises(ValueError, match="at least one class. Received: none"):
        gallery.classify(QUERIES)
    gallery.enrol(points((2, 2)))
    assert gallery.classify(QUERIES[:2]).names == ("1", "2")
    assert gallery.classify(QUERIES[:1], names=["x"]).names == ("x",)
    with pytest.raises(ValueError, match="`names` must be one of each query, 7"):
        gallery.classify(QUERIES, names=["x"])
    assert len(gallery.classify([])) == 0
    assert repr(gallery) == f"Gallery({str(tmp_path / 'gallery')!r})"


def test_nothing_is_enrolled_of_what_cannot_be_embedded(tmp_path):
    gallery = Gallery.create(tmp_path / "gallery", PrototypicalNetwork(identity()))
    gallery.enrol({"a": QUERIES})
    bad = np.where(np.arange(7)[:, None] == 3, np.nan, QUERIES)
    for classes, error in (
        ({"b": QUERIES, "c": bad}, ValueError),
        ({"b": QUERIES, "": QUERIES}, ValueError),
        ({"b": QUERIES, "c": "text"}, TypeError),
        ({}, ValueError),
    ):
        with pytest.raises(error):
            gallery.enrol(classes)
    for wrong in (np.ones((2, 3)), np.ones(FEATURES), np.full((1, FEATURES), np.inf)):
        with pytest.raises(ValueError):
            gallery.enrol_embeddings({"b": wrong})
        with pytest.raises(ValueError):
            gallery.classify_embeddings(wrong)
    with pytest.raises(ValueError):
        gallery.rename("a", " ")
    assert gallery.class_sizes() == {"a": 7} and len(gallery.changes()) == 1


@pytest.mark.parametrize(
    "labels",
    [[0], [0.0] * 7, [[0]] * 7, [2] * 7, [-2] * 7],
    ids=["one", "floats", "two_axes", "too_high", "too_low"],
)
def test_labels_that_are_none(labels, tmp_path):
    with Gallery.create(tmp_path / "gallery", MAKERS["prototypical"]()) as gallery:
        gallery.enrol(points((2, 2)))
        known = gallery.classify(QUERIES, labels=[0, 1, -1, 0, 1, 0, 0]).labels
        assert known.tolist() == [0, 1, -1, 0, 1, 0, 0]
        with pytest.raises(ValueError, match="`labels` must be 7 whole numbers"):
            gallery.classify(QUERIES, labels=labels)


def test_threads_classify_while_one_enrols(tmp_path):
    """Every answer is of all classes of some moment."""
    gallery = Gallery.create(
        tmp_path / "gallery", PrototypicalNetwork(identity()), threshold=None
    )
    rng = np.random.default_rng(0)
    added = [rng.normal(size=(2, FEATURES)).astype("f4") for _ in range(12)]
    gallery.enrol({"0": added[0]})
    failed, done = [], threading.Event()

    def ask():
        try:
            while not done.is_set():
                answers = gallery.classify(QUERIES)
                count = len(answers.class_names)
                means = np.stack([one.mean(axis=0) for one in added[:count]])
                squares = np.square(QUERIES[:, None] - means).sum(axis=2)
                assert answers.class_names == tuple(map(str, range(count)))
                expected = tf.nn.softmax(-squares)
                np.testing.assert_allclose(answers.probabilities, expected, atol=1e-5)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 12):
        gallery.enrol({str(number): added[number]})
    done.set()
    for thread in threads:
        thread.join()
    assert not failed and len(gallery.classify(QUERIES).class_names) == 12


def zero_shot():
    return ZeroShotPrototypicalNetwork(identity(), identity())


def infinite():
    learner = PrototypicalNetwork(dense(1))
    learner.encoder.set_weights([w + np.inf for w in learner.encoder.get_weights()])
    return learner


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: MAML(identity(), 3), TypeError, "must be a learner of tfmeta"),
        (lambda: identity(), TypeError, "Received: Sequential"),
        (lambda: SimpleShot, TypeError, "Received: the class SimpleShot"),
        (zero_shot, TypeError, "enrols them by descriptions"),
        (lambda: SimpleShot(identity(), "centered_l2"), ValueError, "fit_base_mean"),
        (infinite, ValueError, "must have finite weights"),
    ],
    ids=["maml", "encoder", "class", "zero_shot", "no_mean", "infinite"],
)
def test_only_learners_of_examples_have_galleries(make, error, message, tmp_path):
    with pytest.raises(error, match=message):
        Gallery.create(tmp_path / "gallery", make())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"threshold": "loo"}, TypeError, "`threshold` must be 'cross-validation'"),
        ({"threshold": 0.5}, TypeError, "Received: 0.5"),
        ({"recall": 0.0}, ValueError, "`recall` must be above 0"),
        ({"recall": float("nan")}, ValueError, "`recall` must be above 0"),
        ({"input_dtype": "int7"}, ValueError, "uint8, uint16 or null"),
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(arguments, error, message, tmp_path):
    with pytest.raises(error, match=message):
        Gallery.create(tmp_path / "g", PrototypicalNetwork(identity()), **arguments)
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_not_overwritten(tmp_path):
    (tmp_path / "gallery").mkdir()
    with pytest.raises(FileExistsError):
        Gallery.create(tmp_path / "gallery", PrototypicalNetwork(identity()))
    with pytest.raises(FileNotFoundError, match="Gallery.create makes one"):
        Gallery(tmp_path / "gallery")
    assert [one.name for one in tmp_path.iterdir()] == ["gallery"]


def test_a_gallery_is_loaded_by_its_folder(tmp_path):
    Gallery.create(tmp_path / "gallery", PrototypicalNetwork(identity())).close()
    with tfmeta.load(tmp_path / "gallery") as gallery:
        assert type(gallery) is tfmeta.Gallery and gallery.class_sizes() == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learner_file", "../learner-01234567.keras"),
        ("learner_file", "/etc/passwd"),
        ("encoder", "z" * 32),
        ("embedding_shape", "[4"),
        ("embedding_shape", "[0]"),
        ("embedding_shape", '["4"]'),
        ("threshold", "{}"),
        ("threshold", '{"by": "cross-validation"}'),
        ("threshold", '{"by": "cross-validation", "recall": 7}'),
        ("threshold", '{"by": "cross-validation", "recall": NaN}'),
        ("threshold", '{"by": "validation", "threshold": {"score": "logit"}}'),
        ("invert", "1"),
        ("keep_originals", "null"),
        ("input_dtype", '"float8"'),
        ("invert", None),
    ],
    ids=str,
)
def test_facts_that_somebody_has_changed_are_refused(name, value, tmp_path):
    path = tmp_path / "gallery"
    Gallery.create(path, PrototypicalNetwork(identity())).close()
    connection = sqlite3.connect(path / DATABASE)
    if value is None:
        connection.execute("DELETE FROM facts WHERE name = ?", (name,))
    else:
        connection.execute("UPDATE facts SET value = ? WHERE name = ?", (value, name))
    connection.commit()
    connection.close()
    with pytest.raises(ValueError, match=f"{name}|recall"):
        Gallery(path)


def test_no_module_is_run_because_a_file_names_it(tmp_path, monkeypatch):
    path, ran = tmp_path / "gallery", tmp_path / "ran"
    Gallery.create(path, PrototypicalNetwork(identity())).close()
    (tmp_path / "planted.py").write_text(f"open({str(ran)!r}, 'w').close()")
    monkeypatch.syspath_prepend(tmp_path)
    connection = sqlite3.connect(path / DATABASE)
    connection.execute(
        "UPDATE facts SET value = 'planted:x' WHERE name = 'learner_class'"
    )
    connection.commit()
    connection.close()
    with Gallery(path) as gallery:
        gallery.enrol(points([2, 2]))
        gallery.classify(QUERIES)
    assert not ran.exists()


def test_by_another_encoder_a_threshold_of_validation_is_no_more(tmp_path):
    by = Threshold("logit", -1.0, 0.9, {"logit": 0.9, "probability": 0.8}, {})
    with Gallery.create(
        tmp_path / "g", PrototypicalNetwork(identity()), threshold=by
    ) as gallery:
        gallery.enrol(points([3, 3]))
        assert gallery.threshold().value == -1.0
        scaled = keras.Sequential([*identity().layers, keras.layers.Rescaling(100.0)])
        scaled.build((None, *identity().input_shape[1:]))
        gallery.re_embed(PrototypicalNetwork(scaled))
        found = gallery.threshold()
        assert found.value != -1.0 and found.recall == 0.9
        with pytest.raises(ValueError, match="`past` be true.*re-embed"):
            gallery.undo()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run without its training, on grey pictures of 16 bits, dark on light."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "tiny")
    folder.create(TrainConfig(), {})
    layers = [keras.layers.Rescaling(1 / 65535), keras.layers.Flatten()]
    learner = PrototypicalNetwork(keras.Sequential([keras.Input((2, 2, 1)), *layers]))
    learner.compile("sgd")
    learner.save(folder.learner_file)
    tfmeta.export.save(
        learner,
        folder.saved_model,
        input_dtype="uint16",
        description={"light_ground": True},
    )
    figures = {name: np.array([0.5, 0.6]) for name in OPEN_SET_FIGURES}
    for value, shots in ((-1.0, 1), (-2.0, 5)):
        protocol = {
            **{"table": "made", "fingerprint": "0", "queries": 1, "unknown_ways": 1},
            **{"ways": 5, "shots": shots, "episodes": 2, "seed": 0},
        }
        threshold = Threshold("logit", value, 0.9, {"logit": 0.5}, protocol)
        result = OpenSetResult(protocol, False, threshold, **figures)
        OpenSet().kept_in(folder).keep(result)
    return folder


def test_a_gallery_of_a_run_reads_pictures_as_the_run_did(run, tmp_path):
    gallery = Gallery.from_run(
        tmp_path / "gallery", run.path, threshold="open-set", shots=4, invert=True
    )
    assert gallery.light_ground is True and gallery.invert
    assert gallery.threshold().value == -2.0
    picture = np.uint16([[[65535], [0]], [[6553.5 * 2], [65535]]])
    gallery.enrol({"array": [picture], "file": [tf.io.encode_png(picture).numpy()]})
    kept = [one.embeddings[0] for one in gallery._store.changed_since(0)[1]]
    expected = np.float32([1, 0, 0.2, 1])
    np.testing.assert_allclose(kept, [expected, 1 - expected], atol=1e-6)
    by_default = Gallery.from_run(tmp_path / "other", run.path)
    assert by_default.threshold() is None and not by_default.invert
    with pytest.raises(FileNotFoundError):
        Gallery.from_run(tmp_path / "third", tmp_path / "no_run")


@pytest.mark.slow
def test_the_example_of_the_class_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = Gallery.__doc__.partition("```python")[2].partition("```")[0]
    lines = textwrap.dedent(example).strip().split("\n")
    lines = [
        f"    said = {line.strip()}" if line.strip().startswith("[answers") else line
        for line in lines
    ]
    space = {"tfmeta": tfmeta, "keras": keras, "np": np}
    exec("\n".join(lines), space)
    assert space["said"] == ["right", "none of these"]
    assert Gallery("points").class_sizes() == {"left": 3}


@pytest.mark.parametrize("name", ["prototypical", "logistic_regression"])
def test_the_best_classes_are_those_of_all(name, tmp_path):
    learner = MAKERS[name]()
    with Gallery.create(tmp_path / "g", learner) as gallery:
        gallery.enrol(points([3, 2, 4, 3]))
        answers = gallery.classify(QUERIES)
        matches = gallery.search(QUERIES, 3)
        best = np.argsort(-answers.probabilities, axis=1)[:, :3]
        names = np.array(answers.class_names, object)[best]
        np.testing.assert_array_equal(matches.class_names, names)
        np.testing.assert_allclose(
            matches.probabilities,
            np.take_along_axis(answers.probabilities, best, axis=1),
            rtol=1e-5,
        )
        np.testing.assert_array_equal(matches.accepted, answers.classes >= 0)
        assert matches.names == answers.names
        assert not matches.accepted.all() and matches.accepted.any()
        assert gallery.search(QUERIES, 9).class_names.shape == (len(QUERIES), 4)
        with pytest.raises(ValueError, match="`top` must be an int of at least 1"):
            gallery.search(QUERIES, 0)
