"""A library of tasks: on disk, found by what is alike, started from."""

import json
import logging
import sqlite3
import zlib

import keras
import numpy as np
import pytest
from many_tasks import tasks

from tfmeta.tasks import (
    AdaptedParameters,
    FeatureStatistics,
    FisherInformation,
    TaskLibrary,
    TaskMetric,
    TaskNetwork,
    WarmStart,
    alike_by_group,
)
from tfmeta.tasks.worth import worth_of_library

FEATURES, WAYS = 4, 3
NETWORK = TaskNetwork(FEATURES, WAYS, units=(6,), seed=0)
DESCRIBERS = {
    "statistics": FeatureStatistics("full"),
    "parameters": AdaptedParameters(NETWORK, steps=20),
    "fisher": FisherInformation(NETWORK, steps=20),
}


def of_groups(count, *, seed):
    """Tasks whose group is in the correlation of two features."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 4, count)
    rows, labels = tasks(count, rows=30, features=FEATURES, seed=seed)
    first, second = np.array([(0, 1), (1, 2), (2, 3), (3, 0)])[groups].T
    every = np.arange(count)
    rows[every, :, second] = rows[every, :, first] + rng.normal(size=(count, 30)) * 0.2
    return rows, labels, [f"group {group}" for group in groups]


def template(describer=DESCRIBERS["statistics"], **options):
    inputs = keras.Input((FEATURES,))
    encoder = keras.Model(inputs, keras.layers.Rescaling(1.0)(inputs))
    description = describer(*tasks(20, rows=30, features=FEATURES, seed=5))
    metric = TaskMetric.of(description, size=8, units=32, seed=0)
    return WarmStart(encoder, NETWORK, describer, metric, **options)


@pytest.fixture
def library(tmp_path):
    rows, labels, groups = of_groups(40, seed=0)
    with TaskLibrary.create(tmp_path / "library", template(), steps=30) as made:
        made.add(
            [f"task {n}" for n in range(40)],
            rows,
            labels,
            groups=groups,
            classes=[["a", "b", f"c{n}"] for n in range(40)],
        )
        yield made


def test_what_was_added_is_there_when_it_is_opened_again(library):
    rows, labels, groups = of_groups(40, seed=0)
    with TaskLibrary.load(library.path) as again:
        assert again.names == tuple(f"task {n}" for n in range(40))
        assert list(again.groups) == groups
        assert again.classes[7] == ("a", "b", "c7")
        np.testing.assert_array_equal(again.embeddings, library.embeddings)
        found = again.nearest(rows, labels)
    assert [one[0].name for one in found] == list(library.names)
    assert max(one[0].distance for one in found) < 1e-3
    by_hand = NETWORK.fit(rows, labels, steps=30)
    known = library.learner().known
    for number, part in enumerate(by_hand):
        np.testing.assert_allclose(known[f"parameters_{number}"], part, atol=1e-5)


def test_the_nearest_are_those_of_all_distances(library):
    rows, labels, _ = of_groups(5, seed=1)
    found = library.nearest(rows, labels, neighbours=3)
    inside = template()
    embeddings = inside.metric.embed(inside.describer(rows, labels))
    distances = np.linalg.norm(embeddings[:, None] - library.embeddings, axis=-1)
    for task, neighbours in enumerate(found):
        order = np.argsort(distances[task])[:3]
        assert [one.name for one in neighbours] == [library.names[n] for n in order]
        expected = distances[task][order]
        np.testing.assert_allclose(
            [n.distance for n in neighbours], expected, atol=1e-5
        )
    limit = float(np.sort(distances[0])[1])
    near = library.nearest(rows[:1], labels[:1], neighbours=3, threshold=limit + 1e-4)
    assert len(near[0]) == 2
    assert library.nearest(rows, labels, threshold=1e-9) == [[]] * 5


def test_a_learned_distance_finds_the_group(library):
    rows, labels, groups = of_groups(100, seed=2)

    def precision(among):
        found = among.nearest(rows, labels)
        return np.mean([n[0].group == g for n, g in zip(found, groups, strict=True)])

    more, of_more, their_groups = of_groups(260, seed=6)
    names = [f"more {n}" for n in range(260)]
    library.add(names, more, of_more, groups=their_groups)
    before = precision(library)
    history = library.learn_distance(epochs=20, learning_rate=3e-3, seed=0)
    assert len(history["loss"]) == 20 and history["loss"][-1] < history["loss"][0]
    after = precision(library)
    assert after > before + 0.1 and after > 0.7
    with TaskLibrary.load(library.path) as again:
        assert precision(again) == after
    # One learner is left, that of the distance of now.
    assert len(list(library.path.glob("*.keras"))) == 1


def test_a_distance_is_learned_from_tasks_that_are_drawn_anew(library):
    drawn = []

    def draw(epoch):
        rows, labels, groups = of_groups(30, seed=100 + epoch)
        drawn.append(epoch)
        described = library.learner().describer(library.features(rows), labels)
        return described, alike_by_group(groups)

    before = library.embeddings
    history = library.learn_distance(draw=draw, epochs=3, seed=0)
    assert drawn == [0, 1, 2] and len(history["loss"]) == 3
    inside = library.learner()
    rows, labels, _ = of_groups(40, seed=0)
    assert not np.allclose(library.embeddings, before)
    described = inside.describer(library.features(rows), labels)
    assert inside.metric.embed(described).shape == (40, library.embeddings.shape[1])


def test_another_process_that_learned_is_seen(library):
    rows, labels, _ = of_groups(4, seed=3)
    with TaskLibrary.load(library.path) as other:
        other.learn_distance(epochs=2, seed=0)
        other.remove("task 3")
        assert len(library) == 39
        assert library.nearest(rows, labels) == other.nearest(rows, labels)


@pytest.mark.parametrize("kind", DESCRIBERS)
def test_every_description_is_kept(kind, tmp_path):
    rows, labels, groups = of_groups(12, seed=0)
    learner = template(DESCRIBERS[kind], match="classes", steps=2)
    with TaskLibrary.create(tmp_path / "library", learner, steps=5) as library:
        library.add(list("abcdefghijkl"), rows, labels, groups=groups)
        library.learn_distance(epochs=2, seed=0)
        found = library.nearest(rows, labels)
        assert [one[0].name for one in found] == list("abcdefghijkl")
        warm = library.learner(neighbours=2)
        state = warm.adapt(rows, labels)
        assert np.isfinite(warm.predict_query(state, rows)).all()
        nearest = [library.names[n] for n in state["nearest"][:, 0]]
        assert nearest == list(library.names)


def test_a_warm_start_says_whether_there_was_a_neighbour(library):
    rows, labels, _ = of_groups(3, seed=4)
    learner, state = library.warm_start(None, rows, labels, neighbours=2)
    assert np.all(state["warm"]) and state["nearest"].shape == (3, 2)
    own = template(threshold=1e-9, steps=3)
    learner, state = library.warm_start(own, rows, labels)
    assert not np.any(state["warm"]) and learner.steps == 3
    plain = NETWORK.fit(rows, labels, steps=3)
    np.testing.assert_allclose(state["parameters_0"], plain[0], atol=1e-5)


def test_removing(library):
    library.remove("task 0", "task 39")
    assert len(library) == 38 and "task 0" not in library.names
    with pytest.raises(KeyError, match="task 0"):
        library.remove("task 1", "task 0")
    assert len(library) == 38


def test_a_copy_is_another(library, tmp_path):
    library.save(tmp_path / "copy")
    with TaskLibrary.load(tmp_path / "copy") as copy:
        assert copy.names == library.names
        copy.remove("task 0")
        assert len(library) == 40
        np.testing.assert_array_equal(copy.embeddings, library.embeddings[1:])
    with pytest.raises(FileExistsError, match="copy"):
        library.save(tmp_path / "copy")


@pytest.mark.parametrize("column", ["numbers", "name", "classes", "task_group"])
def test_a_damaged_task_is_named_and_skipped(library, column, caplog):
    file = library.path / "tasks.sqlite"
    library.close()
    with sqlite3.connect(file) as connection:
        (old,) = connection.execute(
            f"SELECT {column} FROM tasks WHERE id = 5"
        ).fetchone()
        new = old[:-1] + b"\x01" if isinstance(old, bytes) else old + "?"
        connection.execute(f"UPDATE tasks SET {column} = ? WHERE id = 5", (new,))
    connection.close()
    name = "task 4?" if column == "name" else "task 4"
    with TaskLibrary.load(library.path) as again, caplog.at_level(logging.WARNING):
        assert len(again) == 39 and again.damaged == [name]
        assert repr(name) in caplog.text
        rows, labels, _ = of_groups(2, seed=1)
        assert all(again.nearest(rows, labels))
        again.remove(name)
        assert again.damaged == []


def test_numbers_that_are_none_are_damage(library):
    file = library.path / "tasks.sqlite"
    library.close()
    with sqlite3.connect(file) as connection:
        name, group, classes, numbers = connection.execute(
            "SELECT name, task_group, classes, numbers FROM tasks WHERE id = 1"
        ).fetchone()
        numbers = np.float32(np.nan).tobytes() + numbers[4:]
        said = json.dumps([name, group, classes]).encode()
        checksum = zlib.crc32(numbers, zlib.crc32(said))
        connection.execute(
            "UPDATE tasks SET numbers = ?, checksum = ? WHERE id = 1",
            (numbers, checksum),
        )
    connection.close()
    with TaskLibrary.load(library.path) as again:
        assert again.damaged == ["task 0"]


def test_a_newer_version_and_other_files_are_refused(library, tmp_path):
    file = library.path / "tasks.sqlite"
    library.close()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ValueError, match="at most 1.*Received: 99"):
        TaskLibrary.load(library.path)
    with pytest.raises(FileNotFoundError, match="task library"):
        TaskLibrary.load(tmp_path)


def test_a_learner_of_another_kind_is_refused(library):
    (file,) = library.path.glob("*.keras")
    library.close()
    template().encoder.save(file)
    with pytest.raises(ValueError, match=r"\.keras must"):
        TaskLibrary.load(library.path)


def test_nothing_is_added_that_is_wrong(library):
    rows, labels, _ = of_groups(2, seed=1)
    for arguments, options, message in (
        ((["new", "task 1"], rows, labels), {}, "'task 1'"),
        ((["new", "new"], rows, labels), {}, "'new' twice"),
        ((["new", ""], rows, labels), {}, "`names`"),
        ((["new"], rows, labels), {}, "`examples`.*1 tasks"),
        ((["x", "y"], rows, labels), {"groups": ["a"]}, "`groups`"),
        ((["x", "y"], rows[..., :2], labels), {}, "`examples`"),
        ((["x", "y"], rows * np.nan, labels), {}, "finite"),
    ):
        with pytest.raises(ValueError, match=message):
            library.add(*arguments, **options)
    assert len(library) == 40
    with pytest.raises(ValueError, match="alike"):
        library.learn_distance(np.eye(40, dtype=bool))


def test_an_empty_library_starts_plain(tmp_path):
    rows, labels, _ = of_groups(2, seed=1)
    with TaskLibrary.create(tmp_path / "empty", template()) as library:
        assert len(library) == 0 and library.nearest(rows, labels) == [[], []]
        _, state = library.warm_start(None, rows, labels)
        assert not np.any(state["warm"])
        with pytest.raises(ValueError, match="alike"):
            library.learn_distance()
    with pytest.raises(FileExistsError, match="empty"):
        TaskLibrary.create(tmp_path / "empty", template())


def test_candidates_are_recommended_by_the_nearest_tasks(tmp_path):
    rows, labels, _ = of_groups(12, seed=0)
    names = list("abcdefghijkl")
    learner = template()
    scores = np.random.default_rng(0).random((11, 2)).astype("float32")
    with TaskLibrary.create(
        tmp_path / "library", learner, steps=2, candidates=["one", "other"]
    ) as library:
        with pytest.raises(ValueError, match="2 candidates, and 0"):
            library.recommended(rows, labels)
        library.add_features(names[:11], rows[:11], labels[:11], scores=scores)
        # Nobody has tried them on this one.
        library.add_features(names[11:], rows[11:], labels[11:])
        found = library.recommended(rows, labels, neighbours=3)
        near = library.nearest(rows[:11], labels[:11], neighbours=4)
        with pytest.raises(ValueError, match="`scores`"):
            library.add_features(["x"], rows[:1], labels[:1], scores=[[-1, 1]])
    with TaskLibrary.load(tmp_path / "library") as again:
        assert again.candidates == ("one", "other")
        np.testing.assert_array_equal(
            again.recommended(rows, labels, neighbours=3), found
        )
    for task, neighbours in enumerate(near):
        tried = [one for one in neighbours if one.name != "l"][:3]
        weights = np.exp(-(np.array([one.distance for one in tried]) ** 2) / 0.1)
        of_them = scores[[names.index(one.name) for one in tried]]
        expected = (weights[:, None] * of_them).sum(axis=0) / weights.sum()
        np.testing.assert_allclose(found[task], expected, rtol=1e-3)


def test_scores_are_known_where_a_task_has_some(tmp_path):
    rows, labels, _ = of_groups(3, seed=0)
    with TaskLibrary.create(tmp_path / "without", template(), steps=1) as library:
        assert not library.has_scores
        library.add_features(["a"], rows[:1], labels[:1])
        assert not library.has_scores
    options = {"steps": 1, "candidates": ["one", "other"]}
    with TaskLibrary.create(tmp_path / "with", template(), **options) as library:
        assert not library.has_scores
        library.add_features(["a"], rows[:1], labels[:1])
        assert not library.has_scores
        with pytest.raises(ValueError, match="2 candidates, and 0 such tasks"):
            library.recommended(rows[2:], labels[2:])
        library.add_features(["b"], rows[1:2], labels[1:2], scores=[[0.5, 0.25]])
        assert library.has_scores
        expected = library.recommended(rows[2:], labels[2:])
        np.testing.assert_allclose(expected, [[0.5, 0.25]])
        library.remove("b")
        assert not library.has_scores


def test_nothing_is_measured_of_an_empty_library(tmp_path):
    with TaskLibrary.create(tmp_path / "library", template()) as library:
        assert library.nearest_of_features(*of_groups(2, seed=0)[:2]) == [[], []]
        with pytest.raises(ValueError, match="`library` must hold tasks"):
            worth_of_library(library, None)


def test_long_names_are_short_in_sentences(tmp_path, caplog):
    rows, labels, _ = of_groups(1, seed=0)
    name = "a" * 3000
    with TaskLibrary.create(tmp_path / "library", template(), steps=1) as library:
        library.add_features([name], rows, labels)
        for refused in (
            lambda: library.add_features([name], rows, labels),
            lambda: library.add_features(
                ["b" * 3000] * 2, rows[[0, 0]], labels[[0, 0]]
            ),
            lambda: library.remove("b" * 3000),
        ):
            with pytest.raises((ValueError, KeyError)) as error:
                refused()
            assert "…" in str(error.value) and len(str(error.value)) < 200
