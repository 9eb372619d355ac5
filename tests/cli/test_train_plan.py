"""Nothing is announced that is then refused, and no refusal names what nobody gave."""

import json
import re
import shutil

import pytest
from PIL import Image

from tfmeta.runs.changed_data import changes_of_data
from tfmeta.runs.data import load_split
from tfmeta.runs.defaults import default_config
from tfmeta.runs.plan import plan_training
from tfmeta.runs.run_folder import RunFolder


def folder_of(root, sizes, *, side=16, groups=0):
    for number, size in enumerate(sizes):
        group = f"family{number % groups}/" if groups else ""
        folder = root / f"{group}class{number:02d}"
        folder.mkdir(parents=True)
        for index in range(size):
            colour = (20 * number, 20 * index, 99)
            Image.new("RGB", (side, side), colour).save(folder / f"{index}.PNG")
    return root


SHORT = (
    *("--epochs", 1, "--steps-per-epoch", 1, "--filters", 2),
    *("--validation-episodes", 2, "--test-episodes", 600),
)

# Photographs have learners that are not, by default.
TRAINED = ("--learner", "prototypical")


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ([3] * 2, (), "at least 6 classes.*Received: 2;"),
        ([3] * 5, (), "at least 6 classes.*Received: 5, split"),
        ([2] * 6 + [1], TRAINED, "at least 2 examples.*1 example of 'class06'"),
        ([3] * 8, ("--ways", 5), "`--ways` must fit.*Received: --ways=5$"),
        ([3] * 8, ("--shots", 3), "`--shots` must fit.*1 of `--queries`.*--shots=3$"),
        ([3] * 8, ("--queries", 3), "`--queries` must fit.*--queries=3$"),
        ([3] * 8, ("--train-ways", 8), "`--train-ways` must fit.*--train-ways=8$"),
        ([3] * 8, ("--unlabelled", 2), "`--unlabelled` must fit.*--unlabelled=2$"),
        ([3] * 8, ("--distractors", 1), "with `--unlabelled`.*--distractors=1 alone"),
        ([3] * 8, ("--same-group",), "`--same-group` must be left out.*--same-group"),
        ([3] * 8, ("--protocol", "lake"), "`--protocol` must be left out.*'lake'"),
        ([3] * 8, ("--learner", "maml", "--ways", 7), "`--ways` must.*--ways=7$"),
        ([3] * 8, ("--learner", "baseline", "--batch-size", 99), "`--batch-size`.*=99"),
        ([3] * 8, ("--encoder", "koch"), "encoder 'koch' must take.*16 x 16.*`--size`"),
        (
            [3] * 8,
            ("--encoder", "wordllama"),
            "`--encoder` must.*which takes text",
        ),
        ([3] * 8, (*TRAINED, "--size", 3), "encoder 'conv4' must take pictures of 3"),
        ([3] * 8, ("--argument", "x=1"), "among those of a Prototypical.*x"),
    ],
)
def test_own_data_are_refused_before_the_first_line(
    call, tmp_path, sizes, options, message
):
    photos = folder_of(tmp_path / "photos", sizes)
    done = call("train", "--dataset", photos, "--run", tmp_path / "run", *options)
    assert done.out == "" and not (tmp_path / "run").exists()
    assert re.search(message, done.error), done.error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--shots", 8), "beside 15 of `--queries` by default. Received: --shots=8"),
        (("--ways", 900), "Received: --ways=900"),
        (("--learner", "maml", "--ways", 900), "`--ways` must fit"),
        (("--train-shots", "1-16"), "5 of `--train-queries` by default"),
        (("--size", 9), "`--size` is no option of data set 'glyphs'"),
    ],
)
def test_named_data_likewise(call, tmp_path, options, message):
    done = call("train", "--run", tmp_path / "run", *options)
    assert (done.out, (tmp_path / "run").exists()) == ("", False)
    assert message in done.error


@pytest.mark.slow
def test_a_run_keeps_its_classes(call, tmp_path):
    photos = folder_of(tmp_path / "photos", [3] * 9)
    (photos / "README.md").write_text("mine")
    run, folder = tmp_path / "run", RunFolder(tmp_path / "run")
    done = call("train", "--dataset", photos, "--run", run, *SHORT)
    assert (done.code, done.err) == (0, "")
    kept = folder.read_config().splits
    assert [len(kept[s]) for s in ("train", "validation", "test")] == [4, 2, 3]

    # Further classes, by which others would come to other splits.
    for number in range(9):
        shutil.copytree(photos / "class00", photos / f"further{number}")
    done = call("evaluate", run, "--episodes", 600, "--seed", 1)
    note, *_ = done.out.splitlines()
    assert note.startswith(f"Note: {photos} has other classes than when this run began")
    assert "in none of its splits: photos/further0" in note and "4 more" in note
    assert "further" not in (run / "metrics.json").read_text()

    # Goes on with what it began with, though what nobody gives may be other by now.
    (run / "learner.keras").unlink()
    gone = kept["test"][0]
    shutil.rmtree(photos.parent / gone)
    config = (run / "config.json").read_bytes()
    done = call("train", "--run", run, "--resume", "--test-episodes", 600)
    assert (done.code, done.err) == (0, "") and f"gone: {gone}" in done.out
    assert (run / "config.json").read_bytes() == config

    # As runs were before they kept their splits: no class that was seen is tested.
    values = json.loads(config)
    del values["config"]["splits"]
    (run / "config.json").write_text(json.dumps(values))
    config = folder.read_config()
    tested = load_split(config, "test").origins
    assert not {*tested} & {*folder.seen_classes()} and len(tested) == 2 + 9
    assert load_split(config, "train").origins == tuple(kept["train"])
    assert "tested on all 11 that its training did not see" in changes_of_data(config)


def test_texts_of_a_csv_file(call, tmp_path):
    words = ["red", "green", "blue", "warm", "cold", "sweet", "sour", "loud"]
    rows = [f"{w} {o},{w}" for w in words for o in words[:4]]
    path = tmp_path / "texts.csv"
    path.write_text("\n".join(["text,label", *rows]))
    plan = plan_training(default_config(str(path), {}))
    assert plan.train_table.examples.dtype == object
    assert plan.learner.encoder.inputs[0].dtype == "string"
    done = call("datasets", "describe", path)
    assert f"train --dataset {path}: trains a Prototypical Network on 4-way" in done.out


def test_resuming_refuses_by_what_is_given(call, run_copy):
    done = call("train", "--run", run_copy, "--resume", "--shots", 3)
    assert done.out == "" and "`--shots` must stay" in done.error
    assert "shots=3" in done.error
