"""Distances against NumPy, and what surrounds them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmeta import distances

NAMES = ("squared_euclidean", "euclidean", "cosine")


def by_hand(name, query, reference):
    """All pairs by the definition, without the matrix product."""
    difference = query[..., :, None, :] - reference[..., None, :, :]
    if name == "squared_euclidean":
        return (difference**2).sum(-1)
    if name == "euclidean":
        return np.linalg.norm(difference, axis=-1)
    product = (query[..., :, None, :] * reference[..., None, :, :]).sum(-1)
    lengths = [np.linalg.norm(x, axis=-1) for x in (query, reference)]
    return product / (lengths[0][..., :, None] * lengths[1][..., None, :])


def gradient_by_hand(name, query, reference, upstream):
    """Gradient by the queries of `(upstream * distance).sum()`."""
    difference = query[:, None, :] - reference[None, :, :]
    if name == "squared_euclidean":
        slope = 2.0 * difference
    elif name == "euclidean":
        slope = difference / np.linalg.norm(difference, axis=-1, keepdims=True)
    else:
        length = np.linalg.norm(query, axis=-1)[:, None, None]
        unit = query[:, None, :] / length
        towards = reference / np.linalg.norm(reference, axis=-1, keepdims=True)
        along = (unit * towards[None]).sum(-1, keepdims=True)
        slope = (towards[None] - along * unit) / length
    return (upstream[:, :, None] * slope).sum(1)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    leading=st.lists(st.integers(1, 3), max_size=2),
    queries=st.integers(1, 4),
    references=st.integers(1, 4),
    features=st.integers(1, 6),
)
def test_values(name, seed, leading, queries, references, features):
    rng = np.random.default_rng(seed)
    query = rng.normal(size=(*leading, queries, features))
    reference = rng.normal(size=(*leading, references, features))
    expected = by_hand(name, query, reference)
    distance = distances.get(name)
    value = distance(query, reference)
    assert value.dtype == tf.float64
    # The square of a distance is as exact as the squares of the lengths.
    scale = (query**2).sum(-1).max() + (reference**2).sum(-1).max() + 1.0
    power = 2 if name == "euclidean" else 1
    np.testing.assert_allclose(
        value.numpy() ** power, expected**power, rtol=0, atol=1e-14 * scale
    )
    sign = 1.0 if name == "cosine" else -1.0
    np.testing.assert_array_equal(
        distance.similarity(query, reference), sign * value.numpy()
    )
    narrow = distance(query.astype("float32"), reference.astype("float32"))
    assert narrow.dtype == tf.float32
    np.testing.assert_allclose(
        narrow.numpy() ** power, expected**power, rtol=0, atol=1e-5 * scale
    )


@pytest.mark.parametrize("name", NAMES)
def test_gradients(name):
    rng = np.random.default_rng(0)
    query, reference = rng.normal(size=(3, 5)), rng.normal(size=(4, 5))
    upstream = rng.normal(size=(3, 4))
    x, r = tf.constant(query), tf.constant(reference)
    with tf.GradientTape() as tape:
        tape.watch((x, r))
        total = tf.reduce_sum(upstream * distances.get(name)(x, r))
    by_query, by_reference = tape.gradient(total, (x, r))
    np.testing.assert_allclose(
        by_query, gradient_by_hand(name, query, reference, upstream), rtol=1e-11
    )
    # Every distance is symmetric.
    np.testing.assert_allclose(
        by_reference, gradient_by_hand(name, reference, query, upstream.T), rtol=1e-11
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_derivatives_are_finite_where_embeddings_meet(name, dtype):
    """At distance 0 and at the zero vector, to second order."""
    points = np.random.default_rng(0).normal(size=(3, 7))
    points[0] = 0.0
    x = tf.constant(points, dtype)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            value = distances.get(name)(x, tf.stop_gradient(x))
        slope = inner.gradient(value, x)
        size = tf.reduce_sum(slope**2)
    curvature = outer.gradient(size, x)
    assert np.isfinite(slope).all() and np.isfinite(curvature).all()
    if name != "cosine":
        with tf.GradientTape() as tape:
            tape.watch(x)
            itself = tf.linalg.diag_part(distances.get(name)(x, tf.stop_gradient(x)))
        np.testing.assert_array_equal(tape.gradient(itself, x), np.zeros((3, 7)))


def test_euclidean_at_zero():
    x = tf.constant([[1.0, 2.0]], tf.float64)
    assert distances.Euclidean()(x, x).numpy() == 0.0


def test_cosine_of_a_zero_vector_is_zero():
    value = distances.Cosine()([[0.0, 0.0]], [[1.0, 2.0], [0.0, 0.0]])
    np.testing.assert_array_equal(value, [[0.0, 0.0]])


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e4])
@pytest.mark.parametrize("name", ["squared_euclidean", "euclidean"])
def test_an_offset_does_not_change_the_nearest(name, offset):
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(20, 64)) + offset
    query = np.repeat(reference, 5, axis=0) + 2 * rng.normal(size=(100, 64))
    query, reference = query.astype("float32"), reference.astype("float32")
    found = distances.get(name)(query, reference).numpy()
    assert found.dtype == np.float32
    expected = by_hand(name, query.astype("float64"), reference.astype("float64"))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_array_equal(found.argmin(1), expected.argmin(1))


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_euclidean_where_its_square_is_no_float32(size):
    rows = np.array([[3.0, 4.0], [0.0, 0.0]]) * size
    found = distances.Euclidean()(rows.astype("float32"), rows[1:].astype("float32"))
    np.testing.assert_allclose(found, [[5 * size], [0.0]], rtol=1e-6)


@settings(max_examples=50)
@given(
    seed=st.integers(0, 2**32 - 1),
    dtype=st.sampled_from(["float32", "float64"]),
    places=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_scale_does_not_change_the_cosine(seed, dtype, places):
    """From the smallest normal number to the largest."""
    rng = np.random.default_rng(seed)
    query, reference = (
        rng.choice([-1.0, 1.0], (n, 5)) * rng.uniform(0.25, 1.0, (n, 5)) for n in (3, 4)
    )
    limits = np.finfo(dtype)
    low, high = np.log2(limits.tiny) + 2, np.log2(limits.max) - 1
    scaled = []
    for rows, place in zip((query, reference), places, strict=True):
        scale = np.exp2(np.round(low + place * (high - low)))
        scaled.append((rows * scale).astype(dtype))
    found = distances.Cosine()(*scaled)
    rounding = 20 * limits.eps
    np.testing.assert_allclose(
        found, by_hand("cosine", query, reference), atol=rounding
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_of_cosines(dtype):
    """A row of zeros has none; the others have theirs, however short or long."""
    rng = np.random.default_rng(0)
    query, reference = rng.normal(size=(4, 5)), rng.normal(size=(3, 5))
    query[2] = 0.0
    scale = np.array([1.0, 1e-12, 1.0, 1e12])[:, None]
    upstream = rng.normal(size=(4, 3))
    x = tf.constant(query * scale, dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = distances.Cosine()(x, tf.constant(reference, dtype))
        total = tf.reduce_sum(tf.constant(upstream, dtype) * value)
    gradient = tape.gradient(total, x).numpy()
    np.testing.assert_array_equal(gradient[2], np.zeros(5))

    def total_at(rows):
        with np.errstate(invalid="ignore"):
            return (upstream * np.nan_to_num(by_hand("cosine", rows, reference))).sum()

    for i in (0, 1, 3):
        for j in range(5):
            step = np.zeros_like(query)
            step[i, j] = 1e-5
            numeric = (total_at(query + step) - total_at(query - step)) / 2e-5
            tolerance = 1e-8 if dtype == "float64" else 1e-5
            assert gradient[i, j] * scale[i, 0] == pytest.approx(numeric, abs=tolerance)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_finite_is_passed_on(name, number, jit_compile):
    rng = np.random.default_rng(0)
    query, reference = (rng.normal(size=(n, 4)).astype("float32") for n in (3, 5))
    query[0], reference[2] = 0.0, 0.0
    query[0, 1] = reference[2, 3] = number
    distance = tf.function(distances.get(name).similarity, jit_compile=jit_compile)
    found = distance(tf.constant(query), tf.constant(reference)).numpy()
    broken = np.zeros((3, 5), bool)
    broken[0], broken[:, 2] = True, True
    np.testing.assert_array_equal(np.isfinite(found), ~broken)
    others = np.delete(reference, 2, axis=0)
    expected = distances.get(name).similarity(query[1:], others)
    np.testing.assert_allclose(np.delete(found[1:], 2, axis=1), expected, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_widened_before_anything_is_lost(name, dtype):
    rng = np.random.default_rng(0)
    query, reference = (tf.cast(rng.normal(size=(2, 40)), dtype) for _ in range(2))
    value = distances.get(name)(query, reference)
    wide = [tf.cast(x, tf.float32) for x in (query, reference)]
    assert value.dtype == tf.float32
    np.testing.assert_array_equal(value, distances.get(name)(*wide))


@pytest.mark.parametrize("name", NAMES)
def test_unknown_sizes_in_a_graph(name):
    distance = distances.get(name)
    spec = tf.TensorSpec([None, None, 3], tf.float64)
    graph = tf.function(distance, input_signature=[spec, spec])
    rng = np.random.default_rng(0)
    for queries in (0, 2):
        query, reference = rng.normal(size=(2, queries, 3)), rng.normal(size=(2, 4, 3))
        np.testing.assert_allclose(
            graph(query, reference), distance(query, reference), rtol=1e-12
        )
        assert graph(query, reference).shape == (2, queries, 4)


@keras.saving.register_keras_serializable(package="test_distances")
class Scaled(distances.Distance):
    def __init__(self, scale):
        self.scale = scale

    def __call__(self, query, reference):
        return self.scale * distances.SquaredEuclidean()(query, reference)

    def get_config(self):
        return {"scale": self.scale}


@pytest.mark.parametrize("distance", [*NAMES, Scaled(3.0)])
def test_serialization(distance):
    distance = distances.get(distance)
    config = keras.saving.serialize_keras_object(distance)
    for again in (distances.get(config), keras.saving.deserialize_keras_object(config)):
        assert type(again) is type(distance)
        assert again.get_config() == distance.get_config()
    assert distances.get(distance) is distance


def test_unknown_names_are_refused():
    message = "`distance` must be one of cosine, euclidean, squared_euclidean, .*'l1'"
    with pytest.raises(ValueError, match=message):
        distances.get("l1")


@pytest.mark.parametrize("wrong", [None, 2, distances.Cosine])
def test_other_types_are_refused(wrong):
    with pytest.raises(TypeError, match="`distance` must be one of.*Received: "):
        distances.get(wrong)


def test_a_config_of_something_else_is_refused():
    config = keras.saving.serialize_keras_object(keras.layers.ReLU())
    with pytest.raises(TypeError, match="`distance` must be one of.*ReLU"):
        distances.get(config)


def test_a_distance_must_say_how():
    with pytest.raises(NotImplementedError):
        distances.Distance()([[1.0]], [[1.0]])


@pytest.mark.parametrize("name", NAMES)
def test_a_distance_is_what_it_says_of_squares_or_cosines(name):
    distance = distances.get(name)
    rng = np.random.default_rng(3)
    query, reference = rng.normal(size=(4, 5)), rng.normal(size=(6, 5))
    of = {"squares": "squared_euclidean", "cosines": "cosine"}[distance.function_of]
    values = by_hand(of, query, reference)
    np.testing.assert_allclose(
        distance.of_values(values), distance(query, reference), rtol=1e-12
    )


def test_a_distance_says_nothing_of_itself_by_default():
    assert distances.Distance.function_of is None
