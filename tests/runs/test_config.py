import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmeta.runs.config import TrainConfig

COUNTS = (
    "filters",
    "train_ways",
    "train_shots",
    "train_queries",
    "train_tasks",
    "batch_size",
    "ways",
    "shots",
    "queries",
    "validation_episodes",
    "epochs",
    "steps_per_epoch",
)


@given(
    counts=st.fixed_dictionaries(dict.fromkeys(COUNTS, st.integers(1, 10**6))),
    learning_rate=st.floats(0, 10, exclude_min=True),
    protocol=st.sampled_from([None, "lake", "vinyals"]),
    augment=st.booleans(),
)
def test_json_gives_back_every_value(counts, learning_rate, protocol, augment):
    config = TrainConfig(
        dataset="omniglot",
        protocol=protocol,
        learner_arguments={"distance": "cosine"},
        learning_rate=learning_rate,
        augment=augment,
        **counts,
    )
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_shots_that_vary_come_back_from_json():
    config = TrainConfig(train_shots=(1, 5))
    assert (config.least_train_shots, config.most_train_shots) == (1, 5)
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    with pytest.raises(ValueError, match="`train_shots` must be above 0"):
        TrainConfig(train_shots=(0, 5))


def test_json_holds_all_fields():
    names = [field.name for field in dataclasses.fields(TrainConfig)]
    assert list(TrainConfig().to_json()) == names


def test_what_json_leaves_out_is_the_default():
    assert TrainConfig.from_json({"filters": 8}) == TrainConfig(filters=8)


def test_unknown_keys_are_named():
    with pytest.raises(
        ValueError, match="the keys augment, .*Received: blocks, width$"
    ):
        TrainConfig.from_json({"filters": 8, "width": 1, "blocks": 2})


@pytest.mark.parametrize("name", [*COUNTS, "learning_rate"])
@pytest.mark.parametrize("value", [0, -1])
def test_what_must_be_above_0(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be above 0.*{name}={value}"):
        TrainConfig(**{name: value})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_the_learning_rate_is_finite(value):
    with pytest.raises(ValueError, match=f"`learning_rate`.*finite.*={value}"):
        TrainConfig(learning_rate=value)


def test_steps():
    assert TrainConfig(epochs=7, steps_per_epoch=11).steps == 77
