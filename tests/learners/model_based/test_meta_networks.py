"""The algorithm against NumPy in its order, and what training follows."""

import keras
import meta_networks_by_hand
import numpy as np
import pytest
import tensorflow as tf
from sequences import WAYS, as_they_are, check_going_on, task, with_other_weights

from tfmeta.learners import MetaNetworks
from tfmeta.testing.subject import precision

SIZES = {"filters": 5, "features": 4, "units": 3}
MAPS = (5, 4, 2)


@pytest.fixture(autouse=True)
def exactly():
    with precision("float64"):
        yield


def made(shape=(4,), **options):
    learner = MetaNetworks(as_they_are(shape), WAYS, **SIZES, seed=0, **options)
    return with_other_weights(learner)


def test_the_algorithm_in_its_order():
    learner = made()
    support, labels = task(4)
    queries = task(2, seed=1)[0]
    state = learner.adapt(support, labels)
    found = learner.predict_query(state, queries)
    attention = learner.attention(state, queries)
    for one in range(2):
        rows, told = support[one].numpy(), labels[one].numpy()
        for n in range(2):
            wanted, share = meta_networks_by_hand.logits(
                learner, rows, told, queries[one, n].numpy()
            )
            np.testing.assert_allclose(attention[one, n], share, rtol=1e-9)
            wanted = np.where(told.any(axis=0), wanted, -np.inf)
            np.testing.assert_allclose(found[one, n], wanted, rtol=1e-9)


def test_it_goes_on_from_a_state_as_if_all_were_read_at_once():
    state, whole = check_going_on(made())
    # What stands behind the padding is what was read, in its order.
    for name in ("examples", "labels", "keys", "fast_weights"):
        np.testing.assert_allclose(state[name][:, :5], whole[name], atol=1e-13)
    assert not state["labels"][:, 5:].numpy().any()
    weights = "embedding_fast_weights"
    np.testing.assert_allclose(state[weights], whole[weights], rtol=1e-12)


@pytest.mark.parametrize("shape", [(4,), MAPS])
def test_padding_is_not_remembered(shape):
    learner = made(shape, blocks=2)
    support, labels = task(6, shape=shape)
    queries = task(2, seed=1, shape=shape)[0]
    mask = np.array([[True, False, True] * 2, [False, True, True] * 2])
    shown = np.reshape(mask, (2, 6, *[1] * len(shape)))
    state = learner.adapt(tf.where(shown, support, np.nan), labels, support_mask=mask)
    found = learner.predict_query(state, queries)
    for one in range(2):
        real = [part[one : one + 1].numpy()[:, mask[one]] for part in (support, labels)]
        alone = learner.predict_query(learner.adapt(*real), queries[one : one + 1])
        np.testing.assert_allclose(found[one], alone[0], rtol=1e-10)


def test_attention_is_to_what_is_alike():
    learner = made()
    support, labels = task(5)
    state = learner.adapt(support, labels)
    shares = learner.attention(state, support).numpy()
    np.testing.assert_allclose(shares.sum(axis=-1), 1, rtol=1e-12)
    # A cosine is greatest of an example with itself.
    own = np.diagonal(shares, axis1=1, axis2=2)
    assert (own >= shares.max(axis=-1) - 1e-6).all()


class Constant:
    """Gives what `example_gradients` gave when it was made."""

    def __init__(self, network):
        self._ask, self._kept = network.example_gradients, None

    def __call__(self, rows, labels):
        if self._kept is None:
            self._kept = self._ask(rows, labels)
        return self._kept


def test_training_follows_the_loss_of_which_gradients_are_inputs():
    """First order: central differences where these stay what they were."""
    learner = made()
    support, labels = task(4)
    query, wanted = task(3, seed=1)
    rows = {"support": support, "support_labels": labels, "query": query}
    rows["support_labels"] = labels = tf.constant(
        np.eye(WAYS)[[[0, 1, 2, 0], [2, 2, 1, 0]]]
    )

    def loss():
        logits = learner.episode_logits(rows)
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(wanted, logits))

    for network in (learner.embedding, learner.classifier):
        network.example_gradients = Constant(network)
    with tf.GradientTape() as tape:
        value = loss()
    weights = learner.trainable_variables
    gradients = tape.gradient(
        value, [w.value for w in weights], unconnected_gradients="zero"
    )
    rng = np.random.default_rng(4)
    start = learner.get_weights()
    for _ in range(2):
        directions = [rng.normal(size=w.shape) for w in weights]
        ends = []
        for sign in (1, -1):
            for weight, direction in zip(weights, directions, strict=True):
                weight.assign_add(sign * 1e-6 * direction)
            ends.append(float(loss()))
            learner.set_weights(start)
        slope = sum(
            float(tf.reduce_sum(gradient * direction))
            for gradient, direction in zip(gradients, directions, strict=True)
        )
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("shape", [(4,), MAPS])
def test_every_weight_that_is_trained_can_learn(shape):
    learner = made(shape, blocks=2)
    support, labels = task(4, shape=shape)
    with tf.GradientTape() as tape:
        logits = learner.predict_query(learner.adapt(support, labels), support)
        value = tf.reduce_sum(tf.where(tf.math.is_finite(logits), logits, 0.0) ** 2)
    weights = learner.trainable_variables
    found = tape.gradient(value, [w.value for w in weights])
    assert all(gradient is not None for gradient in found)
    # Logits of the embedding network serve for gradients alone.
    assert learner.embedding.non_trainable_weights == [learner.embedding.slow[-1]]
    assert learner.classifier.non_trainable_weights == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"filters": 0},
            "`filters` must be an int from 1 to 1,048,576. Received: filters=0",
        ),
        ({"blocks": 1.0}, "`blocks` must be an int from 1 to 1,048,576"),
        ({"units": True}, "`units` must be an int from 1 to 1,048,576"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        MetaNetworks(as_they_are(), WAYS, **options)


def test_an_encoder_gives_maps_or_vectors():
    inputs = keras.Input((6, 3))
    series = keras.Model(inputs, keras.layers.Identity()(inputs))
    with pytest.raises(ValueError, match=r"`encoder` must give maps .* or vectors"):
        MetaNetworks(series, WAYS)
