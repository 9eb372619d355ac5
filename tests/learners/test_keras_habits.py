"""Ordinary habits of Keras work on every learner, or end in one line that helps."""

import copy
import dataclasses
import functools
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes, as_supervised
from tfmeta.features import frozen_part

WAYS, CLASSES, SHAPE = 3, 6, (4, 4, 1)
RNG = np.random.default_rng(0)
PICTURES = RNG.normal(size=(CLASSES * 6, *SHAPE)).astype("float32")
TABLE = dataclasses.replace(
    ClassTable.from_arrays("toy", PICTURES, [f"c{i // 6}" for i in range(36)]),
    class_attributes=RNG.normal(size=(CLASSES, 5)).astype("float32"),
)
NUMBERS = np.arange(36) // 6


def encoder(shape=SHAPE):
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, name="last")]
    return keras.Sequential([keras.Input(shape), *layers], name="tiny")


def maps():
    return keras.Sequential([keras.Input(SHAPE), keras.layers.Conv2D(3, 1)])


@keras.saving.register_keras_serializable(package="test_keras_habits")
class Own(tfmeta.learners.FewShotLearner):
    """A user's own, by the two verbs alone."""

    def adapt(self, support, support_labels, *, support_mask=None, training=False):
        assert tf.is_tensor(support) and tf.is_tensor(support_labels)
        rows = self._rows(support)
        labels = tf.cast(support_labels, rows.dtype)
        return {"means": tf.matmul(labels, rows, transpose_a=True)}

    def _rows(self, examples):
        flat = tf.reshape(examples, [-1, *SHAPE])
        shape = tf.concat([tf.shape(examples)[:2], [3]], axis=0)
        return tf.reshape(self.encoder(flat), shape)

    def predict_query(self, state, query, *, query_mask=None, training=False):
        return tf.matmul(self._rows(query), state["means"], transpose_b=True)


L = tfmeta.learners
LEARNERS = {
    "prototypical": lambda: L.PrototypicalNetwork(encoder()),
    "gaussian": lambda: L.GaussianPrototypicalNetwork(encoder()),
    "semi": lambda: L.SemiSupervisedPrototypicalNetwork(encoder()),
    "zero_shot": lambda: L.ZeroShotPrototypicalNetwork(encoder(), encoder((5,))),
    "matching": lambda: L.MatchingNetwork(encoder()),
    "siamese": lambda: L.SiameseNetwork(encoder()),
    "relation": lambda: L.RelationNetwork(maps()),
    "baseline": lambda: L.Baseline(encoder(), CLASSES, head_steps=2),
    "baseline_plus_plus": lambda: L.BaselinePlusPlus(encoder(), CLASSES, head_steps=2),
    "simple_shot": lambda: L.SimpleShot(encoder()),
    "logistic_regression": lambda: L.LogisticRegression(encoder()),
    "maml": lambda: L.MAML(encoder(), WAYS),
    "prototypes": lambda: L.MAML(encoder(), head="prototypes"),
    "anil": lambda: L.ANIL(encoder(), WAYS),
    "meta_sgd": lambda: L.MetaSGD(encoder(), WAYS),
    "maml_plus_plus": lambda: L.MAMLPlusPlus(encoder(), WAYS, inner_steps=2),
    "reptile": lambda: L.Reptile(encoder(), WAYS, inner_steps=2, test_inner_steps=2),
    "lstm": lambda: L.LSTMMetaLearner(encoder(), WAYS, inner_steps=2),
    "mann": lambda: L.MemoryAugmentedNetwork(
        encoder(), WAYS, units=4, slots=5, width=2, heads=1
    ),
    "meta_networks": lambda: L.MetaNetworks(
        encoder(), WAYS, filters=3, features=3, units=2
    ),
    "snail": lambda: L.SNAIL(encoder(), WAYS),
    "own": lambda: Own(encoder()),
}
OF_EACH_KIND = ("prototypical", "siamese", "baseline", "maml", "own")


def some(*default, of):
    """Names as parameters, those that are not named first being slow."""

    def marks(name):
        if name in default:
            return ()
        heavy = name in ("mann", "meta_networks", "snail")
        return pytest.mark.exhaustive if heavy else pytest.mark.slow

    return [pytest.param(name, marks=marks(name)) for name in of]


def episodes(name="", **options):
    support = "attributes" if name == "zero_shot" else "examples"
    options = {"ways": WAYS, "queries": 2, "tasks": 2, "support": support, **options}
    return Episodes(TABLE, **options)


def compiled(name, rate=1e-3):
    learner = LEARNERS[name]()
    learner.compile(keras.optimizers.SGD(rate), jit_compile=False)
    return learner


def refused(act, *words):
    """The one line that it ends in; checks that it is one, and helps."""
    with pytest.raises((ValueError, TypeError)) as caught:
        act()
    line = str(caught.value)
    assert "\n" not in line and "Received" in line and len(line) < 600, line
    for word in words:
        assert word in line, line
    return line


def with_part(batch, part, value):
    return ({**batch[0], part: value}, *batch[1:])


def without(batch, part):
    return ({k: v for k, v in batch[0].items() if k != part}, *batch[1:])


# Each of a learner and an episode batch (inputs, y), and words of the line.
WRONG_BATCHES = {
    "pictures": (lambda b: (PICTURES, NUMBERS), "support_labels", "Episodes(", "adapt"),
    "a list": (lambda b: (list(b[0].values()), b[1]), "dict", "Episodes("),
    "a part missing": (
        lambda b: without(b, "support_labels"),
        "without support_labels",
    ),
    "a part named otherwise": (
        lambda b: ({**without(b, "query")[0], "queries": 0}, b[1]),
        "without query",
    ),
    "no task": (
        lambda b: tf.nest.map_structure(lambda v: v[0], b),
        "support[None]",
        "without the axis of tasks",
    ),
    "numbers for labels": (
        lambda b: with_part(b, "support_labels", np.zeros((2, WAYS), int)),
        "tf.one_hot(support_labels, ways)",
    ),
    "rows without labels": (
        lambda b: with_part(b, "support_labels", b[0]["support_labels"][:, 1:]),
        "(2, 2) and (2, 3)",
    ),
    "pictures of another size": (
        lambda b: with_part(b, "query", np.zeros((2, 6, 5, 5, 1))),
        "(4, 4, 1)",
        "(5, 5, 1)",
    ),
    "pictures with colours": (
        lambda b: with_part(b, "query", np.zeros((2, 6, 4, 4, 3))),
        "(4, 4, 1)",
        "(4, 4, 3)",
    ),
    "queries of other tasks": (
        lambda b: with_part(b, "query", b[0]["query"][:1]),
        "(1,) and (2,)",
    ),
    "a mask of other rows": (
        lambda b: with_part(b, "query_mask", np.ones((2, 5), bool)),
        "`query_mask`",
        "(2, 6)",
    ),
}
WRONG_LABELS = {
    "none": (lambda b: (b[0],), "`y`", "(tasks, queries)"),
    "one-hot": (lambda b: (b[0], np.zeros((2, 6, WAYS))), "tf.argmax(y, -1)"),
    "a weight for each task": (lambda b: (*b, np.ones(2)), "`sample_weight`", "(2, 6)"),
    "weights of other queries": (lambda b: (*b, np.ones((2, 5))), "`sample_weight`"),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_batches_of_another_form_are_refused_before_anything_is_computed(name):
    learner, batch = compiled(name), episodes(name).batch(0)
    plain = name.startswith("baseline")
    for wrong, (make, *words) in {**WRONG_BATCHES, **WRONG_LABELS}.items():
        if wrong == "pictures" and plain:
            continue
        data = dict(zip(("x", "y", "sample_weight"), make(batch), strict=False))
        for verb in (learner.fit, learner.evaluate, learner.train_on_batch):
            quiet = {} if verb == learner.train_on_batch else {"verbose": 0}
            refused(functools.partial(verb, **data, **quiet), *words)
        if wrong in WRONG_BATCHES:
            predict = functools.partial(learner.predict, verbose=0)
            for act in (predict, learner):
                refused(functools.partial(act, data["x"]), *words)
    assert int(learner.optimizer.iterations) == 0


@pytest.mark.parametrize("name", OF_EACH_KIND)
def test_so_they_are_where_nobody_knew_them_before(name):
    batch = episodes(name).batch(0)
    for make, *words in (WRONG_BATCHES["a part missing"], WRONG_LABELS["one-hot"]):
        data = (x for x in [make(batch)])
        refused(functools.partial(compiled(name).fit, data, verbose=0), *words)


@pytest.mark.parametrize("name", LEARNERS)
def test_the_verbs_take_lists_and_arrays_and_refuse_other_forms(name):
    learner, inputs = LEARNERS[name](), episodes(name).batch(0)[0]
    support, labels, query = (
        inputs[part].numpy() for part in ("support", "support_labels", "query")
    )
    wanted = learner.predict_query(learner.adapt(support, labels), query)
    state = learner.adapt(support.tolist(), labels.astype("int64").tolist())
    found = learner.predict_query(state, query.tolist())
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)

    adapt, predict = learner.adapt, learner.predict_query
    refused(lambda: adapt(support[0], labels[0]), "support[None]")
    numbers = labels.argmax(-1)
    refused(lambda: adapt(support, numbers), "tf.one_hot(support_labels, ways)")
    refused(lambda: adapt(support[0], numbers[0]), "support[None]")
    refused(lambda: adapt(support, [["a", "b", "c"]] * 2), "Number the classes")
    refused(lambda: adapt(support, labels[:, :2]), "same (tasks, support)")
    refused(lambda: adapt(support, labels[:1]), "same (tasks, support)")
    refused(lambda: adapt(support, None), "`support_labels`")
    refused(lambda: adapt(support, [[[1.0], [0.0, 1.0]]]), "one array")
    refused(lambda: adapt(support, labels, support_mask=np.ones((2, 7))), "_mask`")
    refused(lambda: predict(state, query[0]), "query[None]")
    refused(lambda: predict(state, query[0, 0]), "query[None, None]")
    refused(lambda: predict(state, query[:1]), "same (tasks,)")
    refused(lambda: predict(query, state), "`state` must be what `adapt` returned")
    refused(lambda: predict(state, np.zeros((2, 6, 4, 4, 3))), "(4, 4, 3)")
    if learner.fixed_ways is not None:
        four = np.eye(4)[np.zeros((2, 3), int)]
        refused(lambda: adapt(support, four), "must have 3 ways", "Received: 4 ways")


def test_a_learner_that_draws_its_own_support_takes_what_it_likes():
    @keras.saving.register_keras_serializable(package="test_keras_habits")
    class Draws(Own):
        labelled_support = False

        def adapt(self, support, support_labels, **options):
            assert support_labels is None and support == {"arms": 3}
            return {"means": tf.zeros((2, WAYS, 3))}

        def episode_logits(self, inputs, *, training=False):
            state = self.adapt({"arms": 3}, None)
            return self.predict_query(state, inputs["query"])

    learner = Draws(encoder())
    assert learner({"query": tf.zeros((2, 6, *SHAPE))}).shape == (2, 6, WAYS)


@pytest.mark.slow
@pytest.mark.parametrize("name", some("prototypical", "maml", of=OF_EACH_KIND))
def test_episodes_are_data(name):
    learner, same = compiled(name), compiled(name)
    same.set_weights(learner.get_weights())
    two = episodes(seed=7)
    kept = learner.fit(
        episodes(),
        steps_per_epoch=1,
        epochs=2,
        validation_data=two,
        validation_steps=1,
        verbose=0,
    )
    same.fit(episodes().as_dataset(), steps_per_epoch=1, epochs=2, verbose=0)
    for ours, theirs in zip(learner.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    held = learner.evaluate(two, steps=1, verbose=0, return_dict=True)
    assert held["loss"] == pytest.approx(kept.history["val_loss"][-1], rel=1e-5)
    assert learner.predict(two, steps=2, verbose=0).shape == (4, 6, WAYS)


def test_what_has_no_end_needs_a_number_of_steps():
    learner, end = compiled("prototypical"), episodes().as_dataset(steps=1)
    for data in (episodes(), episodes().as_dataset()):
        refused(functools.partial(learner.fit, data), "`steps_per_epoch`")
        refused(functools.partial(learner.evaluate, data), "`steps`")
        refused(functools.partial(learner.predict, data), "`steps`")
        act = functools.partial(learner.fit, end, validation_data=data)
        refused(act, "`validation_steps`")
    refused(lambda: learner.fit(end, batch_size=4), "`batch_size`", "tasks=")
    refused(lambda: learner.fit(TABLE), "Episodes(table", "as_supervised(table)")


def test_nothing_of_keras_is_said_of_a_data_set(recwarn):
    compiled("prototypical").fit(episodes().as_dataset(steps=1), verbose=0)
    assert not [w for w in recwarn if "shuffle" in str(w.message)]


def test_a_baseline_is_called_on_plain_examples():
    learner = compiled("baseline")
    learner.fit(PICTURES, NUMBERS, batch_size=36, verbose=0)
    learner.fit(as_supervised(TABLE, batch_size=36), verbose=0)
    assert learner.predict(PICTURES, verbose=0).shape == (36, CLASSES)
    refused(lambda: learner(PICTURES[0]), "inputs[None]")
    one_hot = np.eye(CLASSES)[NUMBERS]
    refused(lambda: learner.fit(PICTURES, one_hot, verbose=0), "tf.argmax(y, -1)")
    refused(lambda: learner.fit(PICTURES[:, :3], NUMBERS, verbose=0), "(3, 4, 1)")


# Freezing.


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", some("prototypical", "baseline", "maml", "meta_sgd", of=LEARNERS)
)
def test_an_encoder_is_frozen_and_set_free_after_the_learner_was_made(name, tmp_path):
    learner, data = LEARNERS[name](), episodes(name).as_dataset(steps=1)
    if name.startswith("baseline"):
        data = as_supervised(TABLE, batch_size=36)
    inputs = episodes(name).batch(0)[0]
    adapted = list(learner.adapt_episode(inputs))

    def fit():
        learner.compile(keras.optimizers.SGD(1e-2), jit_compile=False)
        learner.fit(data, verbose=0)

    learner.encoder.trainable = False
    before, start = learner.encoder.get_weights(), learner.get_weights()
    if learner.trainable_variables:
        fit()
        pairs = zip(start, learner.get_weights(), strict=True)
        assert any((a != b).any() for a, b in pairs)
    else:
        refused(fit, "encoder.trainable = True")
    for ours, theirs in zip(before, learner.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert list(learner.adapt_episode(inputs)) == adapted
    learner.save(tmp_path / "frozen.keras")
    loaded = keras.saving.load_model(tmp_path / "frozen.keras")
    np.testing.assert_allclose(loaded(inputs), learner(inputs), rtol=1e-4, atol=1e-5)
    assert len(loaded.trainable_variables) == len(learner.trainable_variables)

    learner.encoder.trainable = True
    fit()
    pairs = zip(before, learner.encoder.get_weights(), strict=True)
    assert any((a != b).any() for a, b in pairs)


@pytest.mark.parametrize("name", ["maml", "reptile"])
def test_a_single_layer_is_frozen_and_stays_bit_for_bit(name):
    learner = compiled(name)
    layer = learner.encoder.get_layer("last")
    layer.trainable = False
    learner.compile(keras.optimizers.SGD(1e-2), jit_compile=False)
    before = layer.get_weights()
    learner.fit(episodes(tasks=3).as_dataset(steps=1), verbose=0)
    for ours, theirs in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # Tasks adapt it still, so that its features are none to be computed once.
    assert frozen_part(learner) is None


def test_what_was_frozen_when_the_learner_was_made_trains_when_it_is_free():
    frozen = encoder()
    frozen.trainable = False
    learner = L.MAML(frozen, WAYS)
    assert list(learner.adapted_names()) == ["head_kernel", "head_bias"]
    frozen.trainable = True
    before = frozen.get_weights()
    learner.compile(keras.optimizers.SGD(1e-2), jit_compile=False)
    learner.fit(episodes().as_dataset(steps=1), verbose=0)
    assert (before[0] != frozen.get_weights()[0]).any()


def test_a_frozen_encoder_that_was_traced_is_quantized():
    learner = LEARNERS["prototypical"]()
    learner.encoder.trainable = False
    learner.compile("sgd", jit_compile=False)
    data = episodes().as_dataset(steps=1)
    before = learner.predict(data, verbose=0)
    learner.quantize("int8")
    after = learner.predict(data, verbose=0)
    assert (before != after).any()
    np.testing.assert_allclose(after, learner(episodes().batch(0)[0]), rtol=1e-4)
    refused(lambda: LEARNERS["maml"]().quantize("int8"), "gradient steps")


# What is asked of any model.


@pytest.mark.parametrize("name", ["prototypical", "relation", "maml", "meta_sgd"])
def test_models_are_copied(name):
    learner, inputs = compiled(name), episodes().batch(0)[0]
    wanted = learner(inputs)
    for other in (pickle.loads(pickle.dumps(learner)), copy.deepcopy(learner)):
        np.testing.assert_allclose(other(inputs), wanted, rtol=1e-4, atol=1e-5)
    clone = keras.models.clone_model(learner)
    assert type(clone) is type(learner)
    assert clone.count_params() == learner.count_params()


@pytest.mark.parametrize("name", ["prototypical", "maml"])
def test_models_say_what_they_are(name, tmp_path):
    learner = compiled(name)
    lines = []
    learner.summary(print_fn=lambda line, **_: lines.append(line))
    assert "tiny" in "\n".join(lines)
    assert learner.get_layer("tiny") is learner.encoder is learner.layers[0]
    learner.build((None, *SHAPE))
    learner.save_weights(tmp_path / "own.weights.h5")
    LEARNERS[name]().load_weights(tmp_path / "own.weights.h5")
    refused(lambda: learner.export(tmp_path / "x"), "tfmeta.export.save(learner, '")
    batch = episodes().batch(0)
    assert np.isfinite(learner.train_on_batch(*batch)).all()
    assert np.isfinite(learner.test_on_batch(*batch)).all()
    assert learner.predict_on_batch(batch[0]).shape == (2, 6, WAYS)
    weight = {0: 1.0, 1: 2.0, 2: 3.0}
    act = lambda: learner.train_on_batch(*batch, class_weight=weight)  # noqa: E731
    refused(act, "`class_weight` must be None")


def test_a_learner_is_no_layer_of_pictures():
    learner = compiled("prototypical")
    refused(lambda: learner(keras.Input(SHAPE)), "episode batch")
    refused(
        lambda: keras.Sequential([keras.Input(SHAPE), learner]),
        "episode batch",
    )
    assert keras.Sequential([learner])(episodes().batch(0)[0]).shape == (2, 6, WAYS)


def test_an_encoder_is_an_object_that_was_built():
    refused(lambda: L.PrototypicalNetwork(keras.Sequential), "keras.Model", "(...)")
    unbuilt = keras.Sequential([keras.layers.Dense(3)])
    refused(lambda: L.MAML(unbuilt, WAYS), "must be built", "keras.Input")


@pytest.mark.parametrize(
    "metric",
    [keras.metrics.AUC(), keras.metrics.Precision(), keras.metrics.F1Score(), "auc"],
    ids=["auc", "precision", "f1", "by name"],
)
def test_metrics_of_other_targets_are_refused(metric):
    learner = LEARNERS["prototypical"]()
    refused(lambda: learner.compile("sgd", metrics=[metric]), "integer labels")


def test_pixels_and_floats_may_meet_in_a_batch():
    learner = LEARNERS["prototypical"]()
    inputs = episodes().batch(0)[0]
    whole = {**inputs, "support": tf.cast(inputs["support"] * 9, tf.uint8)}
    floats = {**whole, "support": tf.cast(whole["support"], tf.float32)}
    np.testing.assert_allclose(learner(whole), learner(floats), rtol=1e-5)
