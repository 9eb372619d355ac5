"""Whatever the files of a run hold, every command ends in one line that names one."""

import json
import os
import random

import keras
import pytest
from broken_json import WHOLE, changed_values, text_of
from full_disk import files_of_at_most

EVALUATE = ("evaluate", "RUN", "--episodes", 600)
EXPORT = ("export", "RUN")
COMPARE = ("compare", "RUN", "OTHER", "--episodes", 600)
CLASSIFY = ("classify", "RUN", "--support", "SUPPORT", "--query", "QUERY")
RESUME = ("train", "--run", "RUN", "--resume")

CHECKPOINT = "checkpoints/checkpoint-00000008"
SAVED_MODEL = "saved_model/1"
# What each command reads. Where the learner is gone, it is trained again to its end.
READ = [
    ("config.json", (EVALUATE, EXPORT, COMPARE, CLASSIFY, RESUME)),
    ("classes.json", (EVALUATE, RESUME)),
    ("metrics.json", (EVALUATE, EXPORT, COMPARE)),
    ("history.json", (RESUME,)),
    (f"{SAVED_MODEL}/tfmeta.json", (CLASSIFY,)),
    (f"{CHECKPOINT}/manifest.json", (RESUME,)),
    (f"{CHECKPOINT}/state.json", (RESUME,)),
]
BINARY = [
    ("learner.keras", EVALUATE),
    (f"{SAVED_MODEL}/saved_model.pb", CLASSIFY),
    (f"{SAVED_MODEL}/variables/variables.index", CLASSIFY),
    (f"{SAVED_MODEL}/variables/variables.data-00000-of-00001", CLASSIFY),
    (f"{CHECKPOINT}/arrays.npz", RESUME),
    (f"{CHECKPOINT}/callback-0-best.weights.h5", RESUME),
]


@pytest.fixture
def command(call, run_copy, glyphs_run, task_folders, tiny_options):
    """Calls a command on the copy; the run that it is compared with stays whole."""
    words = {
        **{"RUN": run_copy, "OTHER": glyphs_run},
        **{"SUPPORT": task_folders / "support", "QUERY": task_folders / "query"},
    }

    def command(arguments):
        more = tiny_options if arguments is RESUME else ()
        return call(*(words.get(word, word) for word in arguments), *more)

    return command


def said(done, path):
    """The one line of a command, which names the file or the folder it is in."""
    line = done.error
    assert str(path) in line or str(path.parent) in line
    assert len(line) < 1500
    return line


def replace(path, content):
    if path.is_dir():
        path.rmdir()
    if content is None:
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(content)


@pytest.mark.parametrize(("name", "commands"), READ, ids=[name for name, _ in READ])
def test_a_broken_file_is_named_by_every_command(command, run_copy, name, commands):
    path = run_copy / name
    if name.startswith("checkpoints"):
        (run_copy / "learner.keras").unlink()
    content = path.read_bytes()
    rng = random.Random(name)
    whole = [*WHOLE.values(), None]  # None is a folder.
    for arguments in commands:
        for broken in rng.sample(whole, 2):
            replace(path, broken)
            # An empty mapping is a history of nothing.
            if (name, broken) != ("history.json", b"{}"):
                said(command(arguments), path)
            replace(path, content)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("metrics.json", EXPORT),
        (f"{SAVED_MODEL}/tfmeta.json", CLASSIFY),
    ],
    ids=["metrics.json", "tfmeta.json"],
)
def test_values_of_other_types_are_named_by_a_command(
    command, run_copy, name, arguments
):
    path = run_copy / name
    value = json.loads(path.read_text())
    for changed in changed_values(value, seed=5, count=3):
        path.write_text(text_of(changed))
        done = command(arguments)
        if done.code:
            # Where values are of the right type, it is the values that are named.
            assert done.code == 2 and done.error


def test_what_only_examples_lack_in_a_description(command, run_copy):
    path = run_copy / SAVED_MODEL / "tfmeta.json"
    path.write_text('{"format_version": 1, "example": {}}')
    assert said(command(CLASSIFY), path) == (
        f"`example.shape` in {path} must be there, a list. Received: nothing"
    )


@pytest.mark.parametrize(("name", "arguments"), BINARY, ids=[n for n, _ in BINARY])
def test_a_damaged_model_is_named(command, run_copy, name, arguments):
    path = run_copy / name
    if arguments is RESUME:
        (run_copy / "learner.keras").unlink()
    content = path.read_bytes()
    for broken in (content[: len(content) // 2], b""):
        path.write_bytes(broken)
        said(command(arguments), path.parent if "variables" in name else path)


def test_the_best_weights_come_back_from_the_checkpoint(command, run_copy):
    weights = (run_copy / "best.weights.h5").read_bytes()
    (run_copy / "learner.keras").unlink()
    (run_copy / "best.weights.h5").write_bytes(weights[:100])
    assert command(RESUME).code == 0
    assert (run_copy / "best.weights.h5").read_bytes() == weights


def test_a_model_that_is_no_learner_is_named(command, run_copy):
    path = run_copy / "learner.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)
    assert said(command(EVALUATE), path) == (
        f"{path} must hold a learner. Received: a Sequential, which is none"
    )


@pytest.mark.slow
@pytest.mark.parametrize("most", [60_000, 500_000], ids=["weights", "SavedModel"])
def test_a_full_disk_is_named_and_the_run_goes_on(call, tiny_options, tmp_path, most):
    """Files may not grow beyond a size, which to a program is a disk without room."""
    run = tmp_path / "run"
    options = ("train", "--run", run, *tiny_options, "--epochs", 1, "--resume")
    with files_of_at_most(most):
        done = call(*options)
    assert done.error.startswith(f"{run}{os.sep}")
    assert "could not be written" in done.error
    left = [path.name for path in run.rglob(".*") if path.name != ".lock"]
    assert left == []
    done = call(*options)
    assert (done.code, done.err) == (0, "")
    assert (run / SAVED_MODEL / "saved_model.pb").is_file()
