"""Small sequences of labelled vectors, in float64, and encoders for them."""

import keras
import numpy as np
import tensorflow as tf

WAYS, FEATURES = 3, 4


def as_they_are(shape=(FEATURES,)):
    """An encoder that changes nothing: what is read are the numbers themselves."""
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Identity()(inputs))


def task(rows, *, tasks=2, seed=0, shape=(FEATURES,), ways=WAYS):
    """Examples `(tasks, rows, *shape)` and one-hot labels `(tasks, rows, ways)`."""
    rng = np.random.default_rng(seed)
    labels = np.eye(ways)[rng.integers(0, ways, (tasks, rows))]
    return tf.constant(rng.normal(size=(tasks, rows, *shape))), tf.constant(labels)


def with_other_weights(learner, seed=1, scale=0.5):
    """The learner, of weights that are far from any symmetry of a start."""
    rng = np.random.default_rng(seed)
    learner.set_weights([rng.normal(0, scale, w.shape) for w in learner.weights])
    return learner


def check_going_on(learner, *, tolerance=1e-12):
    """Reading two rows, one and two more is reading five; what is padded is none."""
    support, labels = task(5)
    query = task(4, seed=1)[0]
    whole = learner.adapt(support, labels)
    state = learner.adapt(support[:, :2], labels[:, :2])
    state = learner.adapt(support[:, 2:3], labels[:, 2:3], state=state)
    # Of the last two one stands behind padding.
    padding = tf.fill([2, 1, *support.shape[2:]], tf.constant(np.nan, tf.float64))
    rows = tf.concat([support[:, 3:4], padding, support[:, 4:]], axis=1)
    told = tf.concat([labels[:, 3:4], labels[:, :1], labels[:, 4:]], axis=1)
    mask = [[True, False, True]] * 2
    state = learner.adapt(rows, told, support_mask=mask, state=state)
    np.testing.assert_allclose(
        learner.predict_query(state, query),
        learner.predict_query(whole, query),
        rtol=tolerance,
        atol=tolerance,
    )
    assert list(state) == list(whole)
    from_nothing = learner.adapt(support, labels, state=learner.begin(2))
    for name, part in whole.items():
        np.testing.assert_array_equal(from_nothing[name], part)
    return state, whole
