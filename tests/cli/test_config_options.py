"""The options that come from the fields of a configuration."""

import re

import pytest

from tfmeta.cli.main import _COMMANDS, tfmeta
from tfmeta.registry import LEARNERS
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.defaults import DEFAULTS, default_config, defaults_in_words

# As they were before they were made from the fields.
OPTIONS = (
    "--dataset --task --protocol --run --size --skip-bad/--no-skip-bad --text-column "
    "--path-column --label-column --group-column "
    "--task-column --target-column --feature-column --task-argument --learner "
    "--argument --resume --seed --seeds "
    "--train-ways --train-shots --train-queries --train-tasks --batch-size --ways "
    "--shots --queries --unlabelled --distractors --same-group/--any-group --filters "
    "--encoder --dtype-policy --augment/--no-augment --epochs --steps-per-epoch "
    "--validation-episodes --learning-rate --test-episodes --data-dir"
)


def command(name):
    return tfmeta.get_command(None, name)


def test_names_and_order_stay():
    flags = ["/".join([*o.opts, *o.secondary_opts]) for o in command("train").params]
    assert " ".join(flags) == OPTIONS


def test_the_help_of_train_shows_every_default(call):
    done = call("train", "--help")
    assert (done.code, done.err) == (0, "")
    # What is said of each option, by its name.
    parts = re.split(r"\n  (?:-h, )?(--[a-z-]+)", done.out.split("Options:")[1])
    said = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert set(said) == {o.opts[0] for o in command("train").params} | {"--help"}
    for name, words in said.items():
        assert ("[default:" in words) == (name not in ("--resume", "--help")), name
    text = " ".join(done.out.split())
    assert "[default: 40; 60 for omniglot, clinc150, banking77; 20 for" in text
    assert "1 for reptile" in text


def test_values_in_the_help_are_those_that_are_taken():
    """Every data set and learner that the words name takes the value they name."""
    words = defaults_in_words()
    assert words["seed"] == "0"
    usual, *others = words["learner"].split("; ")
    assert usual == "prototypical" and len(others) == 3
    for other in others:
        learner, _, names = other.partition(" for ")
        for name in {*names.split(", ")} & {*DEFAULTS}:
            assert default_config(name, {}).learner == learner
    for option, attribute in (
        ("train_ways", lambda c: c.training.ways),
        ("train_shots", lambda c: c.training.shots),
        ("train_tasks", lambda c: c.train_tasks),
        ("ways", lambda c: c.test.ways),
        ("shots", lambda c: c.test.shots),
        ("queries", lambda c: c.test.queries),
        ("epochs", lambda c: c.epochs),
        ("learning_rate", lambda c: c.learning_rate),
    ):
        usual, *others = words[option].split("; ")
        said = {}
        for part in others:
            value, names = part.split(" for ")
            said |= dict.fromkeys(names.split(", "), value)
        for name in DEFAULTS:
            taken = attribute(default_config(name, {}))
            assert f"{taken:g}" == said.get(name, usual), (option, name)
        for name in LEARNERS:
            for data in DEFAULTS:
                taken = attribute(default_config(data, {"learner": name}))
                expected = said.get(name, said.get(data, usual))
                assert f"{taken:g}" == expected, (option, name, data)


@pytest.mark.parametrize("name", ["evaluate", "compare"])
def test_the_task_of_a_measurement_is_by_default_the_runs(call, name):
    assert name in _COMMANDS
    text = " ".join(call(name, "--help").out.split())
    for option in ("ways", "shots", "queries"):
        assert re.search(rf"--{option} \w+ [^-]*\[default: as in the", text), option


def test_every_option_comes_to_its_field(call, monkeypatch, tmp_path):
    taken = []
    monkeypatch.setattr(
        "tfmeta.cli.train_job.run_training",
        lambda config, path, **more: taken.append((config, path, more)),
    )
    done = call(
        *("train", "--dataset", "omniglot", "--protocol", "lake", "--size", 32),
        *("--run", tmp_path / "run", "--learner", "semi_supervised_prototypical"),
        *("--argument", "distance=cosine", "--argument", "k=2", "--seed", 4),
        *("--train-ways", 7, "--train-shots", "1-3", "--train-queries", 4),
        *("--train-tasks", 2, "--ways", 6, "--shots", 3, "--queries", 8),
        *("--unlabelled", 1, "--distractors", 2, "--same-group", "--filters", 8),
        *("--encoder", "conv4_strides", "--dtype-policy", "mixed_bfloat16"),
        *("--no-augment", "--epochs", 3, "--steps-per-epoch", 9),
        *("--validation-episodes", 12, "--learning-rate", 0.5),
        *("--test-episodes", 700, "--data-dir", tmp_path),
    )
    assert (done.code, done.err) == (0, "")
    ((config, path, more),) = taken
    shared = {"unlabelled": 1, "distractors": 2, "same_group": True}
    held_out = {"ways": 6, "shots": 3, "queries": 8, **shared}
    assert config == TrainConfig.from_json(
        {
            "dataset": "omniglot",
            "protocol": "lake",
            "size": 32,
            "learner": "semi_supervised_prototypical",
            "learner_arguments": {"distance": "cosine", "k": 2},
            "seed": 4,
            "training": {"ways": 7, "shots": (1, 3), "queries": 4, **shared},
            "train_tasks": 2,
            "validation": held_out,
            "test": held_out,
            "filters": 8,
            "encoder": "conv4_strides",
            "dtype_policy": "mixed_bfloat16",
            "augment": False,
            "epochs": 3,
            "steps_per_epoch": 9,
            "validation_episodes": 12,
            "learning_rate": 0.5,
        }
    )
    assert path == tmp_path / "run"
    assert set(more.pop("chosen")) >= {"protocol", "train_shots", "augment", "shots"}
    assert more == {"resume": False, "test_episodes_count": 700, "data_dir": tmp_path}
