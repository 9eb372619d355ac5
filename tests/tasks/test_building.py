"""A library that is built of a table is there whole, or not at all."""

import keras
import numpy as np
import pytest
from same_library import check_same

from tfmeta.datasets import ClassTable
from tfmeta.encoders import TextEncoder
from tfmeta.tasks import FeatureStatistics, TaskLibrary
from tfmeta.tasks.building import build_library
from tfmeta.tasks.drawn_tasks import draw_tasks, task_draws
from tfmeta.tasks.kept_parts import number_of_parts, parts_folder

OF = {"tasks": 12, "ways": 2, "shots": 2, "queries": 2, "epochs": 2, "seed": 0}
QUICK = {"start": "random", "metric": "linear"}
GROUPS = ("fruit", "tools", "towns")


def numbers():
    rng = np.random.default_rng(0)
    names = [f"{group} {n}" for group in GROUPS for n in range(4)]
    centres = rng.normal(size=(len(names), 1, 5))
    rows = centres + 0.2 * rng.normal(size=(len(names), 6, 5))
    return ClassTable.from_arrays(
        "numbers",
        rows.reshape(-1, 5).astype("float32"),
        np.repeat(names, 6),
        groups={name: name.split()[0] for name in names},
    )


def identity():
    return keras.Sequential([keras.Input((5,)), keras.layers.Identity()])


def build(path, **options):
    return build_library(path, numbers(), identity(), **{**OF, **QUICK, **options})


@pytest.mark.parametrize("start", ["random", "pretrained", "maml"])
def test_new_tasks_begin_where_the_known_ones_did(tmp_path, start):
    with build(tmp_path / "library", start=start) as library:
        network = library.learner().network
        assert (network.learned is None) == (start == "random")
        learner = library.learner(threshold=1e-9, steps=0)
        drawn = draw_tasks(numbers(), 3, ways=2, shots=2, queries=2, seed=9)
        support = drawn.support.astype("float32")
        state = learner.adapt(support, drawn.labels)
        assert not np.any(state["warm"])
        for number, part in enumerate(network.start()):
            expected = np.stack([part] * 3)
            np.testing.assert_array_equal(state[f"parameters_{number}"], expected)


def test_a_library_of_texts_is_opened_again(tmp_path):
    names = [f"{group} {n}" for group in GROUPS for n in range(4)]
    texts = [f"{name} sentence {n} of {name[::-1]}" for name in names for n in range(5)]
    table = ClassTable.from_arrays(
        "texts",
        np.array(texts),
        np.repeat(names, 5),
        groups={name: name.split()[0] for name in names},
    )
    encoder = TextEncoder(texts, features=8, seed=0)
    build_library(tmp_path / "library", table, encoder, **OF, **QUICK).close()
    drawn = draw_tasks(table, 4, ways=2, shots=2, queries=2, seed=1)
    with TaskLibrary.load(tmp_path / "library") as library:
        (first, *_) = library.nearest(drawn.support, drawn.labels, neighbours=3)
        assert len(first) == 3
        learner = library.learner(neighbours=3)
        state = learner.adapt(drawn.support, drawn.labels)
        assert np.all(np.isfinite(learner.predict_query(state, drawn.query)))


def test_what_is_interrupted_goes_on_to_the_same_library(tmp_path):
    path = tmp_path / "library"

    def progress(done, of):
        # It is at work on tasks, and nobody sees any of it.
        assert not path.exists()
        if (done, of) == (OF["tasks"], OF["tasks"]):
            raise KeyboardInterrupt

    options = {"start": "maml", "metric": "auto"}
    with pytest.raises(KeyboardInterrupt):
        build(path, progress=progress, **options)
    # The start, and the networks that were trained from it.
    assert list(tmp_path.iterdir()) == [parts_folder(path)]
    assert number_of_parts(path) == 2
    other_path = tmp_path / "other"
    with build(path, **options) as library, build(other_path, **options) as other:
        assert sorted(tmp_path.iterdir()) == [path, other_path]
        check_same(library, other)
    with pytest.raises(FileExistsError, match="must be a folder that is not there"):
        build(path)


def test_which_distance_was_chosen_is_kept(tmp_path):
    with build(tmp_path / "library", metric="auto") as library:
        about = library.about
        assert about["ways"] == 2 and about["alike"] == "group"
        choice = about["metric"]
        assert choice["asked"] == "auto"
        assert set(choice["precision_at_1"]) == {"network", "linear"}
        units = library.learner().metric.units
        assert bool(units) == (choice["chosen"] == "network")
    other = "linear" if choice["chosen"] == "network" else "network"
    with build(tmp_path / other, metric=other) as library:
        metric, describer = library.learner().metric, library.learner().describer
        assert library.about["metric"] == {"asked": other, "chosen": other}
        assert bool(metric.units) == (other == "network")
        expected = "diagonal" if other == "network" else "none"
        assert describer == FeatureStatistics(expected)
    with pytest.raises(ValueError, match="`metric` must be auto, network or linear"):
        build(tmp_path / "x", metric="other")


def test_too_few_tasks_to_be_alike_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`tasks` must be so many .* by their group"):
        build(tmp_path / "library", tasks=1)
    assert list(tmp_path.iterdir()) == []


def test_draws_differ_and_the_first_is_that_of_the_seed():
    of = {"ways": 2, "shots": 2, "queries": 2, "seed": 4}
    draws = task_draws(numbers(), 300, **of)
    first, second = draws(0), draws(1)
    expected = draw_tasks(numbers(), 300, **of)
    np.testing.assert_array_equal(first.support, expected.support)
    assert len(second) == 300 and not np.array_equal(first.support, second.support)
    np.testing.assert_array_equal(draws(1).support, second.support)
