import dataclasses
import shlex

import pytest

from tfmeta.cli.train_command import train
from tfmeta.runs.config import HeldOutEpisodeConfig, TrainConfig, options
from tfmeta.runs.defaults import default_config
from tfmeta.runs.train_command import train_command

CHOSEN = [
    ("glyphs", {}),
    ("glyphs", {"seed": 3, "epochs": 2, "train_ways": 7, "learning_rate": 0.5}),
    ("glyphs", {"learner": "maml", "ways": 3, "shots": 2}),
    ("glyphs", {"learner": "maml", "learner_arguments": {"head": "prototypes"}}),
    (
        "glyphs",
        {
            "learner": "semi_supervised_prototypical",
            "learner_arguments": {"unlabelled_from": "queries", "a": [1, "b c"]},
            "train_shots": (1, 5),
            "same_group": True,
            "augment": True,
        },
    ),
    ("omniglot", {"learner": "baseline", "batch_size": 64, "augment": False}),
    ("mini_imagenet", {"learner": "prototypical", "encoder": "conv4"}),
    ("mini_imagenet", {"learner": "simple_shot"}),
]


def as_typed(command):
    """The configuration that the command line makes of a command."""
    program, verb, *words = shlex.split(command)
    assert (program, verb) == ("tfmeta", "train")
    given = train.make_context("train", words).params
    known = {place.name for place in options()}
    chosen = {k: v for k, v in given.items() if k in known and v is not None}
    return default_config(chosen.pop("dataset"), chosen)


@pytest.mark.parametrize(("dataset", "chosen"), CHOSEN)
def test_the_command_gives_the_configuration(dataset, chosen):
    config = default_config(dataset, chosen)
    command = train_command(config)
    assert as_typed(command) == config
    assert f"--seed {config.seed}" in command


def test_what_is_a_default_is_left_out():
    command = train_command(default_config("omniglot", {}))
    assert command == "tfmeta train --dataset omniglot --learner prototypical --seed 0"


def test_data_of_ones_own_are_named_for_a_shell():
    config = TrainConfig(dataset="/data/my `photos`\n", splits={"train": ["a"]})
    command = train_command(config)
    assert "\n" not in command
    assert "--dataset $'/data/my `photos`\\n'" in command


def test_what_no_command_makes_has_none():
    one, other = HeldOutEpisodeConfig(ways=5), HeldOutEpisodeConfig(ways=3)
    config = TrainConfig(validation=one, test=other)
    assert train_command(config) is None
    assert train_command(dataclasses.replace(config, test=one)) is not None
    assert train_command(TrainConfig(learner="maml", batch_size=3)) is None
