"""Enrolled classes beside what NumPy makes of them, and learning all of them anew."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_learners import identity

from tfmeta import distances, learners
from tfmeta.gallery.enrolled import Enrolled
from tfmeta.gallery.records import StoredClass

CLASSES, FEATURES = 700, 24
LEARNERS = {
    "prototypical": lambda e: learners.PrototypicalNetwork(e),
    "prototypical_euclidean": lambda e: learners.PrototypicalNetwork(e, "euclidean"),
    "prototypical_cosine": lambda e: learners.PrototypicalNetwork(e, "cosine"),
    "simple_shot": lambda e: learners.SimpleShot(e),
    "simple_shot_cosine": lambda e: learners.SimpleShot(e, distance="cosine"),
    "simple_shot_centered": lambda e: learners.SimpleShot(
        e, "centered_l2", base_mean=np.full(FEATURES, 0.1)
    ),
    "simple_shot_raw": lambda e: learners.SimpleShot(e, "none", temperature=3.0),
}


def make_learner(name, features=FEATURES):
    return LEARNERS[name](identity(features))


def clustered(classes=CLASSES, features=FEATURES, seed=0, shots=2):
    """Float32 `(classes, shots, features)`, in clusters of some ten classes."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes // 10 + 1, features))
    means = centres[rng.integers(0, len(centres), classes)]
    means = means + 0.4 * rng.normal(size=means.shape)
    noise = 0.2 * rng.normal(size=(classes, shots, features))
    return (means[:, None] + noise).astype("f4")


def stored(embeddings, first=1):
    return [
        StoredClass(number, f"class {number}", of_class, np.arange(len(of_class)))
        for number, of_class in enumerate(embeddings, first)
    ]


def queries_of(embeddings, count=9, seed=1):
    rng = np.random.default_rng(seed)
    some = embeddings[rng.integers(0, len(embeddings), count), 0]
    scale = np.abs(embeddings - embeddings.mean(axis=0)).mean()
    return (some + 0.3 * scale * rng.normal(size=some.shape)).astype("f4")


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def by_numpy(name, embeddings, queries):
    """Logits in float64 by differences, written out for each kind."""
    rows, asked = embeddings.astype("f8"), queries.astype("f8")
    if name == "simple_shot_centered":
        rows, asked = rows - 0.1, asked - 0.1
    if name in ("simple_shot", "simple_shot_cosine", "simple_shot_centered"):
        rows, asked = unit(rows), unit(asked)
    prototypes = rows.mean(axis=1)
    if name.endswith("cosine"):
        cosines = unit(asked) @ unit(prototypes).T
        return cosines / 0.03 if name == "simple_shot_cosine" else cosines
    squares = np.stack([np.square(q - prototypes).sum(axis=1) for q in asked])
    if name == "prototypical_euclidean":
        return -np.sqrt(squares)
    temperature = {"simple_shot": 0.06, "simple_shot_centered": 0.06}
    return -squares / (3.0 if name == "simple_shot_raw" else temperature.get(name, 1.0))


def softmax(logits):
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("scanned_from", [1, 10**6], ids=["scanned", "compared"])
@pytest.mark.parametrize("name", LEARNERS)
def test_nearest_is_what_numpy_finds(name, scanned_from):
    embeddings = clustered()
    queries = queries_of(embeddings)
    enrolled = Enrolled(make_learner(name), scanned_from=scanned_from)
    enrolled.update(stored(embeddings))
    wanted = by_numpy(name, embeddings, queries)
    for asked in (queries, queries[:1]):
        logits = wanted[: len(asked)]
        best = np.argsort(-logits, axis=1)[:, :5]
        nearest = enrolled.nearest(asked, 5)
        np.testing.assert_array_equal(nearest.ids, best + 1)
        np.testing.assert_allclose(
            nearest.logits, np.take_along_axis(logits, best, 1), rtol=1e-5, atol=1e-5
        )
        np.testing.assert_allclose(
            nearest.probabilities,
            np.take_along_axis(softmax(logits), best, 1),
            rtol=2e-4,
        )
        np.testing.assert_allclose(
            enrolled.logits(asked), logits, rtol=1e-5, atol=2e-5 * np.ptp(logits)
        )
        names = enrolled.names_of(nearest.ids)
        assert names[0, 0] == enrolled.names[best[0, 0]]


@pytest.mark.parametrize(
    "offset, scale", [(30.0, 1.0), (1e5, 1.0), (0.0, 1e-18), (3e3, 1e15)]
)
def test_neither_an_offset_nor_a_scale_hides_the_nearest(offset, scale):
    embeddings = scale * (clustered() + np.float32(offset))
    queries = scale * (queries_of(clustered()) + np.float32(offset))
    enrolled = Enrolled(make_learner("prototypical"), scanned_from=1)
    enrolled.update(stored(embeddings.astype("f4")))
    wanted = by_numpy("prototypical", embeddings, queries)
    best = wanted.argmax(axis=1)
    nearest = enrolled.nearest(queries.astype("f4"), 1)
    # Prototypes are rounded to float32, which an offset leaves few digits.
    found = np.take_along_axis(wanted, nearest.ids - 1, axis=1)[:, 0]
    digits = 1e-6 * (1.0 + offset)
    np.testing.assert_allclose(found, wanted[np.arange(len(best)), best], rtol=digits)
    exact = Enrolled(make_learner("prototypical"))
    exact.update(stored(embeddings.astype("f4")))
    same = exact.nearest(queries.astype("f4"), 1)
    np.testing.assert_array_equal(nearest.ids, same.ids)
    np.testing.assert_allclose(nearest.logits, same.logits, rtol=1e-5)
    np.testing.assert_allclose(nearest.log_sum, same.log_sum, rtol=1e-4, atol=1e-4)


def test_near_ties_and_ties_are_decided_as_without_a_scan():
    embeddings = clustered(shots=1)
    # Some hundred classes within a few steps of float32 of one point, many equal.
    rng = np.random.default_rng(5)
    steps = rng.integers(-2, 3, size=(300, 1, FEATURES)) * np.float32(2.0**-23)
    embeddings[200:500] = embeddings[200:201] * (1 + steps)
    embeddings[600:650] = embeddings[200]
    queries = queries_of(clustered(shots=1))
    queries[0] = embeddings[200, 0] + np.float32(0.01)
    both = []
    for scanned_from in (1, 10**6):
        enrolled = Enrolled(make_learner("prototypical"), scanned_from=scanned_from)
        enrolled.update(stored(embeddings))
        both.append(enrolled.nearest(queries, 5))
    np.testing.assert_array_equal(*(one.logits for one in both))
    np.testing.assert_array_equal(*(one.ids for one in both))
    np.testing.assert_allclose(*(one.log_sum for one in both), rtol=1e-5)


def test_a_class_far_away_hides_none():
    embeddings = clustered(shots=1)
    embeddings[3] = 1e6
    enrolled = Enrolled(make_learner("prototypical"), scanned_from=1)
    enrolled.update(stored(embeddings))
    queries = queries_of(np.delete(embeddings, 3, axis=0))
    wanted = by_numpy("prototypical", embeddings, queries)
    nearest = enrolled.nearest(queries, 3)
    np.testing.assert_array_equal(nearest.ids, np.argsort(-wanted, axis=1)[:, :3] + 1)


def test_vectors_of_zeros_have_no_direction():
    embeddings = clustered(shots=1)
    embeddings[7] = 0.0
    enrolled = Enrolled(make_learner("prototypical_cosine"), scanned_from=1)
    enrolled.update(stored(embeddings))
    nearest = enrolled.nearest(np.zeros((2, FEATURES), "f4"), 3)
    np.testing.assert_array_equal(nearest.logits, np.zeros((2, 3)))
    np.testing.assert_array_equal(nearest.ids, [[1, 2, 3]] * 2)
    np.testing.assert_allclose(nearest.probabilities, 1 / CLASSES, rtol=1e-5)


@keras.saving.register_keras_serializable(package="test_enrolled")
class Laplacian(distances.Distance):
    """A kernel: larger is closer."""

    smaller_is_closer = False
    function_of = "squares"

    def __call__(self, query, reference):
        squares = distances.SquaredEuclidean()(query, reference)
        return np.exp(-np.sqrt(squares))

    def of_values(self, values):
        return np.exp(-np.sqrt(values))


@keras.saving.register_keras_serializable(package="test_enrolled")
class Manhattan(distances.Distance):
    """A function of neither squares nor cosines."""

    def __call__(self, query, reference):
        return keras.ops.sum(
            keras.ops.abs(query[..., :, None, :] - reference[..., None, :, :]), axis=-1
        )


@pytest.mark.parametrize("distance", [Laplacian(), Manhattan()], ids=["kernel", "L1"])
def test_distances_of_others(distance):
    embeddings, learner = clustered(shots=1), None
    learner = learners.PrototypicalNetwork(identity(FEATURES), distance)
    queries = queries_of(embeddings, count=3)
    differences = queries[:, None].astype("f8") - embeddings[None, :, 0]
    if isinstance(distance, Laplacian):
        wanted = np.exp(-np.sqrt(np.square(differences).sum(axis=2)))
    else:
        wanted = -np.abs(differences).sum(axis=2)
    enrolled = Enrolled(learner, scanned_from=1)
    enrolled.update(stored(embeddings))
    nearest = enrolled.nearest(queries, 4)
    best = np.argsort(-wanted, axis=1)[:, :4]
    np.testing.assert_array_equal(nearest.ids, best + 1)
    probabilities = np.take_along_axis(softmax(wanted), best, axis=1)
    np.testing.assert_allclose(nearest.probabilities, probabilities, rtol=1e-4)


_CHANGES = st.lists(
    st.tuples(st.integers(1, 260), st.integers(0, 3)), min_size=1, max_size=12
)


@settings(deadline=None, max_examples=10)
@given(steps=st.lists(_CHANGES, min_size=1, max_size=6), seed=st.integers(0, 99))
@pytest.mark.parametrize("name", ["simple_shot", "prototypical_cosine"])
def test_what_changes_is_as_if_all_were_learned_anew(name, steps, seed):
    rng = np.random.default_rng(seed)
    enrolled = Enrolled(make_learner(name, 6), scanned_from=1)
    now = {one.id: one for one in stored(clustered(200, 6, seed=seed))}
    enrolled.update(now.values())
    queries = queries_of(clustered(200, 6, seed=seed), count=3)
    enrolled.nearest(queries, 2)
    for changes in steps:
        changed = [
            StoredClass(n, f"{n}", rng.normal(size=(k, 6)).astype("f4"), np.arange(k))
            for n, k in dict(changes).items()
        ]
        now.update((one.id, one) for one in changed)
        enrolled.update(sorted(changed, key=lambda one: one.id))
        there = [now[n] for n in sorted(now) if len(now[n].embeddings)]
        assert enrolled.names == tuple(one.name for one in there)
        wanted = np.concatenate(
            [by_numpy(name, one.embeddings[None], queries) for one in there], axis=1
        )
        nearest = enrolled.nearest(queries, 2)
        best = np.argsort(-wanted, axis=1)[:, :2]
        np.testing.assert_array_equal(
            nearest.ids, np.array([one.id for one in there])[best]
        )
        np.testing.assert_allclose(enrolled.logits(queries), wanted, atol=1e-4)
        sums = np.log(np.exp(wanted).sum(axis=1))
        np.testing.assert_allclose(nearest.log_sum, sums, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", LEARNERS)
def test_class_vectors_are_what_is_compared(name):
    learner = make_learner(name)
    form = learner.class_vectors()
    support = clustered(12, shots=3, seed=3)
    labels = np.repeat(np.eye(12, dtype="f4"), 3, axis=0)
    state = learner.adapt_embeddings(
        keras.ops.convert_to_tensor(support.reshape(1, 36, FEATURES)), labels[None]
    )
    queries = queries_of(support)[None]
    similarity = form.distance.similarity(
        form.query_vectors(keras.ops.convert_to_tensor(queries)), state[form.part]
    )
    np.testing.assert_allclose(
        similarity / form.temperature,
        learner.compare_embeddings(state, keras.ops.convert_to_tensor(queries)),
        rtol=1e-6,
    )


class Sharper(learners.PrototypicalNetwork):
    """Compares otherwise, and has inherited what is said of prototypes."""

    def compare_embeddings(self, state, embeddings, **options):
        return 2.0 * super().compare_embeddings(state, embeddings, **options)


def test_what_a_learner_wrongly_says_of_itself_is_not_believed():
    embeddings = clustered()
    enrolled = Enrolled(Sharper(identity(FEATURES)), scanned_from=1)
    assert enrolled.comparison is None
    enrolled.update(stored(embeddings))
    queries = queries_of(embeddings)
    wanted = 2.0 * by_numpy("prototypical", embeddings, queries)
    nearest = enrolled.nearest(queries, 1)
    np.testing.assert_allclose(nearest.logits[:, 0], wanted.max(axis=1), rtol=1e-5)


def test_nothing_enrolled_is_said():
    enrolled = Enrolled(make_learner("simple_shot"))
    with pytest.raises(ValueError, match="at least one class"):
        enrolled.nearest(np.zeros((1, FEATURES), "f4"), 1)
    enrolled.update(stored(clustered(3)))
    assert enrolled.nearest(np.ones((2, FEATURES), "f4"), 5).ids.shape == (2, 3)


@pytest.mark.parametrize("scanned_from", [1, 10**6], ids=["scanned", "compared"])
def test_no_query_has_no_answer(scanned_from):
    enrolled = Enrolled(make_learner("simple_shot"), scanned_from=scanned_from)
    enrolled.update(stored(clustered()))
    none = np.zeros((0, FEATURES), "f4")
    assert enrolled.nearest(none, 3).ids.shape == (0, 3)
    assert enrolled.logits(none).shape == (0, CLASSES)


@pytest.mark.parametrize("scanned_from", [1, 10**6], ids=["scanned", "compared"])
@pytest.mark.parametrize("name", ["simple_shot", "simple_shot_cosine"])
def test_a_class_is_left_out_as_if_it_were_not_there(name, scanned_from):
    embeddings = clustered()
    queries = embeddings[:6, 0]
    enrolled = Enrolled(make_learner(name), scanned_from=scanned_from)
    enrolled.update(stored(embeddings))
    without = np.arange(1, 7)
    logits = by_numpy(name, embeddings, queries)
    assert (logits.argmax(axis=1) == without - 1).all()
    logits[np.arange(6), without - 1] = -np.inf
    best = np.argsort(-logits, axis=1)[:, :3]
    nearest = enrolled.nearest(queries, 3, without=without)
    np.testing.assert_array_equal(nearest.ids, best + 1)
    np.testing.assert_allclose(
        nearest.probabilities,
        np.take_along_axis(softmax(logits), best, axis=1),
        rtol=2e-4,
    )
