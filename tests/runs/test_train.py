import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from tfmeta.runs.building import build_learner
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.data import load_split
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner, train

pytestmark = pytest.mark.usefixtures("glyphs_drawn_once")

# Python leaves SIGINT ignored where the process that started it did, as a shell
# does for its background jobs.
COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from tfmeta.cli.main import main; main()"
)


def weights(learner):
    """The bits of all that a learner holds, its optimizer included."""
    return [
        w.value.numpy().tobytes()
        for w in (*learner.weights, *learner.optimizer.variables)
    ]


@pytest.fixture
def folder(run_copy):
    return RunFolder(run_copy)


# Stopped and resumed.


def latest_epoch(folder):
    names = [path.name for path in folder.checkpoints.glob("checkpoint-*")]
    return max((int(name.rpartition("-")[2]) for name in names), default=0)


def start(folder, options, *more):
    """The training in a terminal of its own."""
    terminal, inside = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "train", "--run", folder.path, *options, *more],
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("TF_")},
            "TERM": "xterm",
            "COLUMNS": "100",
        },
        stdin=subprocess.DEVNULL,
        stdout=inside,
        stderr=subprocess.PIPE,
    )
    os.close(inside)
    os.set_blocking(terminal, False)
    return process, terminal


def read(terminal):
    """What is there to read; a terminal that nobody reads from fills up."""
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # nothing yet, or closed
        return b""


def stop_after_epoch(folder, options, epoch, with_signal, *more):
    process, terminal = start(folder, options, *more)
    shown, stopped = b"", False
    while process.poll() is None:
        shown += read(terminal)
        if not stopped and latest_epoch(folder) >= epoch:
            process.send_signal(with_signal)
            stopped = True
        time.sleep(0.01)
    while rest := read(terminal):
        shown += rest
    os.close(terminal)
    errors = process.stderr.read()
    process.stderr.close()
    assert epoch <= latest_epoch(folder) < 8, "it was not stopped in between"
    assert not folder.learner_file.exists()
    return process.returncode, shown.decode(), errors.decode()


@pytest.mark.slow
def test_stopped_and_killed_it_ends_as_if_never_stopped(
    glyphs_run, tiny_options, tmp_path, run_tfmeta
):
    folder = RunFolder(tmp_path / "run")
    code, shown, errors = stop_after_epoch(folder, tiny_options, 1, signal.SIGINT)
    assert code == 130
    assert errors.strip() == "Interrupted. What was saved is kept."
    assert "epoch 1/8" in shown
    # The cursor that the bar has hidden is back.
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")

    after = latest_epoch(folder) + 1
    code, shown, errors = stop_after_epoch(
        folder, tiny_options, after, signal.SIGKILL, "--resume"
    )
    assert (code, errors) == (-signal.SIGKILL, "")
    assert "Going on with" in shown
    assert f"epoch {after}/8" in shown
    assert "epoch 1/8" not in shown

    done = run_tfmeta("train", "--run", folder.path, *tiny_options, "--resume")
    assert (done.returncode, done.stderr) == (0, "")
    whole = RunFolder(glyphs_run)
    for name in ("history_file", "metrics_file", "best_weights", "classes_file"):
        found, expected = getattr(folder, name), getattr(whole, name)
        assert found.read_bytes() == expected.read_bytes(), name
    assert weights(load_learner(folder)) == weights(load_learner(whole))
    history = json.loads(folder.history_file.read_text())
    assert [len(values) for values in history.values()] == [8] * 4


def test_a_finished_run_does_not_train_again(folder, hash_tree):
    before = hash_tree(folder.path)
    config = folder.read_config()
    learner = train(config, folder, resume=True)
    assert hash_tree(folder.path) == before
    assert weights(learner) == weights(load_learner(folder))


def test_a_learner_that_was_lost_is_written_again(folder, hash_tree, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "3")  # The command had set 2.
    expected = weights(load_learner(folder))
    checkpoints = hash_tree(folder.checkpoints)
    history = folder.history_file.read_bytes()
    folder.learner_file.unlink()
    folder.best_weights.unlink()
    with pytest.warns(UserWarning, match="resumed under other conditions"):
        learner = train(folder.read_config(), folder, resume=True)
    assert weights(learner) == weights(load_learner(folder)) == expected
    assert hash_tree(folder.checkpoints) == checkpoints
    assert folder.history_file.read_bytes() == history


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", 4), ("train_ways", 5000), ("learning_rate", 0.01), ("protocol", "lake")],
)
def test_another_configuration_is_refused(folder, hash_tree, name, value):
    before = hash_tree(folder.path)
    config = folder.read_config().with_options({name: value})
    with pytest.raises(
        ValueError, match=f"`{name}` must stay.*config.json.*={value!r}"
    ):
        train(config, folder, resume=True)
    assert hash_tree(folder.path) == before


def test_other_classes_are_refused(folder, hash_tree):
    classes = json.loads(folder.classes_file.read_text())
    classes["train"][0] = "glyphs-seed0/another"
    folder.classes_file.write_text(json.dumps(classes))
    before = hash_tree(folder.path)
    with pytest.raises(ValueError, match="classes of .*classes.json when resuming"):
        train(folder.read_config(), folder, resume=True)
    assert hash_tree(folder.path) == before


def test_a_run_is_not_overwritten(folder, hash_tree):
    before = hash_tree(folder.path)
    with pytest.raises(FileExistsError, match="--resume"):
        train(folder.read_config(), folder)
    assert hash_tree(folder.path) == before


def test_a_damaged_checkpoint_is_named(folder, hash_tree):
    folder.learner_file.unlink()
    (path,) = folder.checkpoints.glob("*/arrays.npz")
    path.write_bytes(path.read_bytes()[:-100])
    before = hash_tree(folder.path)
    with pytest.raises(ValueError, match="checkpoint-00000008/arrays.npz.*damaged"):
        train(folder.read_config(), folder, resume=True)
    assert hash_tree(folder.path) == before


# What a run leaves.


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:3000],
        lambda content: content[:-1],
        lambda content: b"",
        lambda content: content[:3000] + bytes(2000) + content[5000:],
    ],
    ids=["half", "a byte less", "empty", "zeros inside"],
)
def test_a_damaged_learner_is_named(folder, change):
    folder.learner_file.write_bytes(change(folder.learner_file.read_bytes()))
    with pytest.raises(ValueError, match=r"learner.keras.*damaged.*--resume") as caught:
        load_learner(folder)
    assert "\n" not in str(caught.value)


def test_a_learner_that_is_not_there_yet(folder):
    folder.learner_file.unlink()
    with pytest.raises(FileNotFoundError, match="training has not ended.*--resume"):
        load_learner(folder)


def test_the_learner_is_that_of_the_best_epoch(glyphs_run):
    folder = RunFolder(glyphs_run)
    learner = load_learner(folder)
    config = folder.read_config()
    table = load_split(config, "train")
    best = build_learner(config, table)
    best.optimizer.build(best.trainable_variables)
    assert weights(best)[0] != weights(learner)[0]
    best.load_weights(folder.best_weights)
    assert weights(best) == weights(learner)
    keras.saving.load_model(folder.learner_file)
    assert json.loads(folder.timing_file.read_text())["training_seconds"] > 0


def test_a_seed_begins_with_the_same_weights():
    table = load_split(TrainConfig(), "validation")
    first, again, other = (
        build_learner(TrainConfig(filters=4, seed=seed), table) for seed in (5, 5, 6)
    )
    assert weights(first) == weights(again)
    assert weights(first) != weights(other)


def test_seen_classes_are_the_characters_of_both_splits(glyphs_run):
    folder = RunFolder(glyphs_run)
    classes = json.loads(folder.classes_file.read_text())
    for split in ("train", "validation"):
        table = load_split(folder.read_config(), split)
        assert classes[split] == sorted(table.origins)
    test = load_split(folder.read_config(), "test")
    assert not set(folder.seen_classes()) & set(test.origins)


@pytest.mark.slow
def test_seen_classes_of_omniglot_are_without_rotations(omniglot_dir, tmp_path):
    config = TrainConfig().with_options(
        dict(
            dataset="omniglot",
            filters=2,
            train_ways=5,
            queries=2,
            validation_episodes=1,
            epochs=1,
            steps_per_epoch=1,
        )
    )
    folder = RunFolder(tmp_path / "run")
    train(config, folder, data_dir=omniglot_dir)
    classes = json.loads(folder.classes_file.read_text())
    assert {split: len(names) for split, names in classes.items()} == {
        "train": 1028,
        "validation": 172,
    }
    for name in folder.seen_classes():
        assert re.fullmatch(r"omniglot/[^/]+/character\d\d", name)
    test = load_split(config, "test", omniglot_dir)
    assert test.num_classes == 4 * 423
    assert not set(folder.seen_classes()) & set(test.origins)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ways": 161}, "`ways`.*160.*161"),
        ({"dataset": "imagenet"}, "'imagenet' must be a folder"),
        ({"protocol": "lake"}, "`protocol`.*lake"),
        ({"learner_arguments": {"distance": "manhattan"}}, "distance.*manhattan"),
        ({"learner_arguments": {"width": 3}}, "`learner_arguments`.*width"),
        ({"learner": "oracle"}, "`learner`.*prototypical.*oracle"),
        ({"encoder": "resnet"}, "`encoder`.*conv4.*resnet"),
        ({"dtype_policy": "float7"}, "float7"),
        ({"filters": 2.5}, "`filters` must be an int of at least 1.*2.5"),
    ],
)
def test_what_cannot_be_trained_leaves_no_folder(tmp_path, changes, message):
    folder = RunFolder(tmp_path / "run")
    with pytest.raises((ValueError, TypeError, OSError), match=message):
        train(TrainConfig().with_options(changes), folder)
    assert not list(tmp_path.iterdir())


def test_the_history_is_that_of_the_metrics(glyphs_run):
    history = json.loads((glyphs_run / "history.json").read_text())
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert np.all(np.isfinite(list(history.values())))
