"""One call of the encoder for all tasks, without the padding."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta.layers import BatchNormalization
from tfmeta.learners import EmbeddingLearner, PrototypicalNetwork


@keras.saving.register_keras_serializable(package="test_embedding_learner")
class Recorder(keras.layers.Layer):
    """Keeps the batches that reach it."""

    def build(self, input_shape):
        self.seen = []

    def call(self, inputs, training=False):
        self.seen.append((tf.convert_to_tensor(inputs), training))
        return inputs


def make_learner(cls=PrototypicalNetwork, *layers):
    encoder = keras.Sequential([keras.Input((2,)), Recorder(), *layers])
    learner = cls(encoder)
    encoder.layers[0].seen.clear()
    return learner


def make_inputs(masked=True):
    rng = np.random.default_rng(0)
    inputs = {
        "support": rng.normal(size=(2, 4, 2)).astype("float32"),
        "support_labels": np.eye(2, dtype="float32")[[[0, 1, 0, 1], [1, 0, 0, 1]]],
        "query": rng.normal(size=(2, 3, 2)).astype("float32"),
    }
    if masked:
        inputs["support_mask"] = np.array([[1, 1, 1, 0], [1, 1, 1, 1]], bool)
        inputs["query_mask"] = np.array([[1, 0, 1], [1, 1, 0]], bool)
    return {name: tf.constant(part) for name, part in inputs.items()}


METRIC_LEARNERS = [
    cls
    for cls in map(tfmeta.learners.__dict__.get, tfmeta.learners.__all__)
    if inspect.isclass(cls) and issubclass(cls, EmbeddingLearner)
]


@pytest.mark.parametrize("verb", ["adapt_embeddings", "compare_embeddings"])
def test_a_verb_has_one_signature_in_every_learner(verb):
    """What one takes besides, as the prior of a class, nobody has to give."""
    assert len(METRIC_LEARNERS) > 8
    wanted = inspect.signature(getattr(EmbeddingLearner, verb))
    for cls in METRIC_LEARNERS:
        signature = inspect.signature(getattr(cls, verb))
        besides = signature.parameters.keys() - wanted.parameters.keys()
        shared = [p for n, p in signature.parameters.items() if n not in besides]
        assert signature.replace(parameters=shared) == wanted, cls
        for name in besides:
            parameter = signature.parameters[name]
            assert parameter.kind is parameter.KEYWORD_ONLY, (cls, name)
            assert parameter.default is None, (cls, name)


class Told(PrototypicalNetwork):
    """Keeps what its verbs are told besides embeddings."""

    def adapt_embeddings(self, *args, **options):
        self.told_adapting = options
        return super().adapt_embeddings(*args, **options)

    def compare_embeddings(self, *args, **options):
        self.told_comparing = options
        return super().compare_embeddings(*args, **options)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("at_once", [False, True])
def test_verbs_are_told_masks_and_mode_whatever_the_learner(training, at_once):
    learner, inputs = make_learner(Told), make_inputs()
    if at_once:
        learner.episode_logits(inputs, training=training)
    else:
        state = learner.adapt_episode(inputs, training=training)
        learner.predict_query(
            state, inputs["query"], query_mask=inputs["query_mask"], training=training
        )
    assert learner.told_adapting["training"] is training
    assert learner.told_comparing["training"] is training
    assert learner.told_adapting["support_mask"] is inputs["support_mask"]
    assert learner.told_comparing["query_mask"] is inputs["query_mask"]


@pytest.mark.parametrize("training", [False, True])
def test_padding_never_reaches_the_encoder(training):
    learner = make_learner()
    inputs = make_inputs()
    learner.episode_logits(inputs, training=training)
    ((seen, as_training),) = learner.encoder.layers[0].seen
    assert as_training is training
    rows = [
        np.concatenate(
            [
                inputs["support"][task][inputs["support_mask"][task]],
                inputs["query"][task][inputs["query_mask"][task]],
            ]
        )
        for task in range(2)
    ]
    np.testing.assert_array_equal(seen, np.concatenate(rows))


@pytest.mark.parametrize("part", ["support_mask", "query_mask"])
def test_one_mask_is_enough(part):
    learner = make_learner()
    masked = make_inputs()
    inputs = {**make_inputs(masked=False), part: masked[part]}
    logits = learner.episode_logits(inputs)
    ((seen, _),) = learner.encoder.layers[0].seen
    assert len(seen) == 14 - np.sum(~masked[part].numpy())
    state = learner.adapt(
        inputs["support"],
        inputs["support_labels"],
        support_mask=inputs.get("support_mask"),
    )
    apart = learner.predict_query(
        state, inputs["query"], query_mask=inputs.get("query_mask")
    )
    np.testing.assert_array_equal(logits, apart)


def test_embed_keeps_rows_in_place():
    learner = make_learner()
    inputs = make_inputs()
    query, mask = inputs["query"], inputs["query_mask"].numpy()
    embedded = learner.embed(query, mask=mask).numpy()
    np.testing.assert_array_equal(embedded[mask], query.numpy()[mask])
    assert not embedded[~mask].any()
    np.testing.assert_array_equal(learner.embed(query), query)


def test_embed_of_pictures_to_any_shape():
    inputs = keras.Input((6, 6, 1))
    encoder = keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs))
    learner = EmbeddingLearner(encoder)
    pictures = np.random.default_rng(0).normal(size=(2, 3, 6, 6, 1)).astype("float32")
    embedded = learner.embed(pictures)
    assert embedded.shape == (2, 3, 4, 4, 2)
    expected = encoder(pictures.reshape(6, 6, 6, 1))
    np.testing.assert_allclose(
        tf.reshape(embedded, expected.shape), expected, rtol=1e-6
    )
    graph = tf.function(
        learner.embed, input_signature=[tf.TensorSpec([None, None, 6, 6, 1])]
    )
    assert graph(pictures).shape == (2, 3, 4, 4, 2)
    static = graph.get_concrete_function().structured_outputs.shape
    assert static.as_list() == [None, None, 4, 4, 2]


def test_integer_examples_reach_the_encoder_as_they_are():
    inputs = keras.Input((4,), dtype="uint8")
    encoder = keras.Model(inputs, keras.layers.Rescaling(1 / 255)(inputs))
    learner = PrototypicalNetwork(encoder)
    support = np.array([[[0, 51, 102, 255], [255, 0, 0, 0]]], "uint8")
    embedded = learner.embed(support, mask=np.array([[True, True]]))
    np.testing.assert_allclose(embedded, support / 255, rtol=1e-6)


def test_batch_statistics_see_support_and_query_together_while_training():
    learner = make_learner(PrototypicalNetwork, BatchNormalization(momentum=0.0))
    inputs = make_inputs()
    learner.episode_logits(inputs, training=True)
    ((seen, _),) = learner.encoder.layers[0].seen
    mean, variance = learner.encoder.non_trainable_variables
    np.testing.assert_allclose(mean, seen.numpy().mean(0), rtol=1e-5)
    np.testing.assert_allclose(variance, seen.numpy().var(0), rtol=1e-5)


def test_a_subclass_must_say_how():
    learner = make_learner(EmbeddingLearner)
    inputs = make_inputs()
    with pytest.raises(NotImplementedError):
        learner.adapt(inputs["support"], inputs["support_labels"])
    with pytest.raises(NotImplementedError):
        learner.predict_query({}, inputs["query"])
