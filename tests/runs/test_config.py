import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes
from tfmeta.runs.config import (
    EpisodeConfig,
    HeldOutEpisodeConfig,
    TrainConfig,
    options,
)
from tfmeta.runs.parameter import places

COUNTS = {
    place.name: st.integers(2, min(10**6, place.parameter.at_most))
    for place in options()
    if place.type is int
}
ABOVE_0 = [
    *("filters", "train_ways", "train_shots", "train_queries", "train_tasks"),
    *("batch_size", "ways", "shots", "queries", "validation_episodes", "epochs"),
    *("steps_per_epoch", "learning_rate"),
]


def from_text(config):
    return TrainConfig.from_json(json.loads(json.dumps(config.to_json())))


@given(
    counts=st.fixed_dictionaries(COUNTS),
    learning_rate=st.floats(0, 10, exclude_min=True),
    protocol=st.sampled_from([None, "lake", "vinyals"]),
    shots=st.integers(1, 9) | st.tuples(st.integers(1, 5), st.integers(5, 9)),
    flags=st.tuples(st.booleans(), st.booleans()),
)
def test_json_gives_back_every_value(counts, learning_rate, protocol, shots, flags):
    chosen = {
        **counts,
        "dataset": "omniglot",
        "protocol": protocol,
        "learner_arguments": {"distance": "cosine"},
        "learning_rate": learning_rate,
        "train_shots": shots,
        "augment": flags[0],
        "same_group": flags[1],
    }
    config = TrainConfig().with_options(chosen)
    assert from_text(config) == config
    for place in places(TrainConfig):
        if place.name in chosen:
            assert place.value_in(config) == chosen[place.name], place.path


def test_shots_that_vary_come_back_from_json():
    config = TrainConfig(training=EpisodeConfig(ways=5, shots=(1, 5)))
    assert (config.training.least_shots, config.training.most_shots) == (1, 5)
    assert from_text(config) == config
    for pair in ((0, 5), (5, 1), (1, 2, 3), (1, 2.0), (1, True)):
        with pytest.raises(ValueError, match=r"`train_shots` must be an int or a pair"):
            TrainConfig(training=EpisodeConfig(shots=pair))


def test_shots_of_held_out_classes_do_not_vary():
    for part in ("validation", "test"):
        with pytest.raises(ValueError, match=r"`shots` must be an int of.*\(1, 5\)"):
            TrainConfig(**{part: HeldOutEpisodeConfig(shots=(1, 5))})


def test_json_holds_all_fields():
    def names(config):
        return [field.name for field in dataclasses.fields(config)]

    values = TrainConfig().to_json()
    assert list(values) == names(TrainConfig)
    for part in ("training", "validation", "test"):
        assert list(values[part]) == names(EpisodeConfig) == names(HeldOutEpisodeConfig)


def test_what_json_leaves_out_is_the_default():
    assert TrainConfig.from_json({"filters": 8}) == TrainConfig(filters=8)
    config = TrainConfig.from_json({"training": {"ways": 7}, "test": {"shots": 2}})
    assert config == TrainConfig(
        training=EpisodeConfig(ways=7, queries=5), test=HeldOutEpisodeConfig(shots=2)
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"filters": 8, "width": 1, "blocks": 2}, "augment, .*Received: blocks, width"),
        ({"test": {"way": 1}}, "`test` of a run has the keys .*ways.*Received: way"),
        ({"training": 5}, "`training` of a run has the keys .*Received: 5"),
        ({"ways": 5}, "a run's configuration has the keys.*Received: ways"),
    ],
)
def test_unknown_keys_are_named(values, message):
    with pytest.raises(ValueError, match=f"{message}$"):
        TrainConfig.from_json(values)


def test_unknown_options_are_named():
    with pytest.raises(ValueError, match="among .*train_ways.*Received: trian_ways"):
        TrainConfig().with_options({"trian_ways": 5})


@pytest.mark.parametrize("name", ABOVE_0)
@pytest.mark.parametrize("value", [0, -1])
def test_what_must_be_above_0(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be .*Received: {name}="):
        TrainConfig().with_options({name: value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.1", None, True])
def test_the_learning_rate_is_finite(value):
    message = "`learning_rate` must be a finite number above 0.*learning_rate="
    with pytest.raises(ValueError, match=message):
        TrainConfig(learning_rate=value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": -1}, "`seed` must be an int of at least 0 and .*Received: seed=-1"),
        ({"seed": 1.0}, "`seed` must be an int of at least 0"),
        ({"size": 0}, "`size` must be an int or None of at least 1"),
        ({"train_tasks": 2**63}, "`train_tasks` must be .* of at most 10000. Received"),
        ({"learning_rate": 10**400}, r"a finite number above 0 and of at most 1e\+18"),
        ({"filters": True}, "`filters` must be an int of at least 1"),
        ({"augment": 1}, "`augment` must be a bool. Received: augment=1"),
        ({"learner": 3}, "`learner` must be a str. Received: learner=3"),
        ({"learner_arguments": []}, "`learner_arguments` must be a dict"),
        ({"unlabelled": -1}, "`unlabelled` must be an int of at least 0"),
        ({"dtype_policy": "half"}, "one of float32, .*mixed_float16. Received"),
    ],
)
def test_what_is_out_of_bounds_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig().with_options(changes)


def test_steps():
    assert TrainConfig(epochs=7, steps_per_epoch=11).steps == 77


def test_a_task_is_handed_to_the_episodes():
    table = ClassTable.from_arrays(
        "rows", [[float(i)] for i in range(60)], [f"class{i // 10}" for i in range(60)]
    )
    task = EpisodeConfig(
        ways=3, shots=(1, 2), queries=2, unlabelled=1, distractors=1, same_group=False
    )
    described = Episodes(table, **task, seed=4).describe()
    by_name = Episodes(
        table, ways=3, shots=(1, 2), queries=2, unlabelled=1, distractors=1, seed=4
    ).describe()
    assert described == by_name
    # All that a task consists of is an argument of the same name.
    assert set(task.keys()) <= set(described)


def test_validation_and_test_share_their_options():
    config = TrainConfig().with_options({"ways": 7, "unlabelled": 2})
    assert config.validation.ways == config.test.ways == 7
    assert config.training.ways == 40
    tasks = (config.training, config.validation, config.test)
    assert [task.unlabelled for task in tasks] == [2, 2, 2]


def test_differences_are_named_by_their_options():
    config = TrainConfig()
    assert list(config.differences(config)) == []
    other = config.with_options({"train_ways": 7, "filters": 8})
    assert list(other.differences(config)) == [
        *(("train_ways", 7, 40), ("filters", 8, 64))
    ]
    apart = dataclasses.replace(config, test=HeldOutEpisodeConfig(ways=6))
    assert list(apart.differences(config)) == [("ways", 6, 5)]


def test_values_given_replace_those_of_a_task():
    task = HeldOutEpisodeConfig(ways=3, shots=2)
    assert task.with_given(ways=None, shots=None) == task
    assert task.with_given(ways=4, queries=None).ways == 4


def test_splits_differ_by_their_classes():
    one = {"train": ["a", "b"], "test": ["c"]}
    ours, theirs = (
        TrainConfig(splits=splits) for splits in (one, {"train": ["a"], "test": ["b"]})
    )
    assert from_text(ours) == ours
    (found,) = ours.differences(theirs)
    assert found == ("splits", {"b": "train", "c": "test"}, {"b": "test", "c": "none"})
    # What nobody says is for the other to say.
    assert not [*ours.differences(TrainConfig()), *TrainConfig().differences(ours)]
