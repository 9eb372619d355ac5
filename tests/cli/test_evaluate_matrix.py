import csv
import json

import pytest
from coloured_photos import COLOURS, paint

from tfmeta.cli.matrix_job import short_names
from tfmeta.matrix.kept import read_matrix
from tfmeta.matrix.tables import FORMATS
from tfmeta.runs.run_folder import RunFolder

SMALL = ("--episodes", 600, "--ways", 2, "--shots", 1)
FEW = ("--most-classes", 6, "--images-per-class", 6)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three classes of six pictures."""
    folder = tmp_path_factory.mktemp("own") / "photos"
    for name, colour in COLOURS.items():
        paint(folder / name, colour, 6, seed=3)
    return folder


@pytest.mark.slow
def test_encoders_and_runs_on_two_data_sets(
    call, glyphs_run, hash_tree, tiny_encoder, photos, tmp_path
):
    before = hash_tree(glyphs_run)
    file = tmp_path / "matrix.json"
    done = call(
        *("evaluate", "--matrix", glyphs_run, "--encoder", tiny_encoder, *SMALL, *FEW),
        *("--dataset", "glyphs", "--dataset", photos, "--format", "markdown"),
        *("--output", file, "--data-dir", tmp_path / "data", "--seed", 4),
    )
    assert (done.code, done.err) == (0, f"written to {file}\n")
    content = read_matrix(file)
    assert done.out == "".join(f"{x}\n" for x in FORMATS["markdown"](content))
    found = {(c["encoder"], c["domain"]): c for c in content["cells"]}
    assert list(found) == [
        (encoder, domain)
        for encoder in ("tiny.keras", "glyphs")
        for domain in ("glyphs", "photos")
    ]
    assert all(0.4 < cell["accuracy"] <= 1 for cell in found.values())
    assert found["tiny.keras", "photos"]["accuracy"] > 0.99
    trained = {key for key, cell in found.items() if cell["trained_on_other_classes"]}
    assert trained == {("glyphs", "glyphs")}
    assert [d["classes"] for d in content["domains"]] == [6, 3]
    assert (content["seed"], content["episodes"], content["ways"]) == (4, 600, 2)
    assert content["command"].startswith("tfmeta evaluate --matrix .../glyphs ")
    assert hash_tree(glyphs_run) == before
    assert list((tmp_path / "data" / "features").rglob("*.npy"))


def test_by_default_what_is_imported(call, tiny_encoder, tmp_path):
    done = call(
        *("evaluate", "--matrix", "--encoder", tiny_encoder, *SMALL, *FEW),
        *("--data-dir", tmp_path / "data", "--format", "csv"),
    )
    assert (done.code, done.err) == (0, "")
    (line,) = csv.DictReader(done.out.splitlines())
    assert (line["encoder"], line["domain"]) == ("tiny.keras", "glyphs")
    assert (line["classes"], line["classes_of_all"]) == ("6", "240")
    assert not (tmp_path / "data" / "tables").exists()


def test_a_folder_that_a_run_was_trained_on(call, run_copy, photos, tmp_path):
    """The run says that it has seen a class of the folder: all others are left."""
    classes = json.loads((run_copy / "classes.json").read_text())
    classes["train"].append("photos/moss")
    (run_copy / "classes.json").write_text(json.dumps(classes))
    file = tmp_path / "matrix.json"
    done = call(
        *("evaluate", "--matrix", run_copy, *SMALL, "--dataset", photos),
        *("--data-dir", tmp_path / "data", "--output", file),
    )
    assert (done.code, done.err) == (0, f"written to {file}\n")
    assert done.out == "".join(f"{x}\n" for x in FORMATS["text"](read_matrix(file)))
    header, row, *said = done.out.splitlines()
    assert header.split() == ["encoder", "photos", "1-shot"]
    assert row.split()[0] == "copy" and row.endswith(" t")
    assert "photos: 2 classes that no run has seen, at most 6" in "\n".join(said)


def test_pairs_that_cannot_be_are_said_before_anything_is_measured(
    call, tiny_encoder, photos, tmp_path, monkeypatch
):
    monkeypatch.setattr("tfmeta.matrix.measure.measure_matrix", None)
    texts = tmp_path / "texts.csv"
    lines = [f"how is it {n},{'ab'[n % 2]}" for n in range(8)]
    texts.write_text("\n".join(["text,label", *lines]))
    matrix = ("evaluate", "--matrix", "--encoder", tiny_encoder)
    error = call(*matrix, "--dataset", texts).error
    assert error.startswith("`--matrix` must have a cell that can be measured")
    assert "tiny.keras on texts.csv: the encoder takes no texts, and these" in error
    error = call(*matrix, "--dataset", photos).error
    assert error.endswith("tiny.keras on photos: 3 unseen classes, and tasks are of 5")


def test_runs_that_cannot_be_rows_are_named(call, run_copy, tmp_path):
    (run_copy / "learner.keras").unlink()
    error = call("evaluate", "--matrix", run_copy).error
    assert error.startswith(f"{run_copy / 'learner.keras'} must hold the trained")
    assert "must be a run folder" in call("evaluate", "--matrix", tmp_path).error


def test_learners_whose_embeddings_depend_on_the_episode_are_refused(
    call, run_copy, tmp_path
):
    from tfmeta.encoders import Conv4
    from tfmeta.learners import MAML

    MAML(Conv4((28, 28, 1), filters=2), ways=5).save(run_copy / "learner.keras")
    error = call("evaluate", "--matrix", run_copy, "--dataset", "glyphs").error
    assert error.startswith("`RUN` must be of learners whose embeddings are the same")
    assert str(RunFolder(run_copy).path) in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--encoder", "x"), "--encoder needs --matrix"),
        (("--images-per-class", 5), "--images-per-class needs --matrix"),
        (("--format", "csv"), "--format needs --matrix"),
        (("--matrix", "--untrained"), "--untrained must be left out with --matrix"),
        (("--matrix", "--protocol", "lake"), "--protocol must be left out with"),
        (("--matrix", "--open-set"), "--open-set must be left out with --matrix"),
        (("--matrix", "--ways", 2, "--ways", 3), "--ways must be given once"),
        (("--matrix", "--size", 64), "--size is for encoders of --encoder"),
        (("--matrix", "--output", "x.csv"), "--output must name a .json file"),
    ],
    ids=lambda value: None if isinstance(value, str) else " ".join(map(str, value)),
)
def test_options_that_do_not_go_together(call, glyphs_run, options, message):
    assert message in call("evaluate", glyphs_run, *options).usage_error


def test_without_a_matrix_a_run_is_needed(call):
    assert "Missing argument 'RUN...'" in call("evaluate").usage_error


def test_files_and_names_that_cannot_be(call, tiny_encoder, tmp_path, monkeypatch):
    monkeypatch.setattr("tfmeta.matrix.measure.measure_matrix", None)
    there = tmp_path / "there.json"
    there.write_text("mine")
    matrix = ("evaluate", "--matrix", "--encoder", tiny_encoder)
    assert "must not exist" in call(*matrix, "--output", there).error
    assert there.read_text() == "mine"
    error = call(*matrix, "--output", tmp_path / "no" / "x.json").error
    assert "the folder of" in error
    assert "`--dataset` must be one of" in call(*matrix, "--dataset", "glyps").error
    error = call("evaluate", "--matrix", "--encoder", "nope").error
    assert error.startswith("`--encoder` must be one of")
    error = call(
        *(*matrix, "--dataset", "omniglot_"), "--data-dir", tmp_path / "data"
    ).error
    assert "there is no such path" in error
    error = call(*matrix, "--dataset", "mini_imagenet", "--data-dir", tmp_path).error
    assert "tfmeta datasets import mini_imagenet" in error


def test_rows_of_one_name_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("tiny.keras", "other/tiny.keras", "other/large.keras"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    given = ["efficientnet_lite0", "tiny.keras", "other/tiny.keras"]
    assert short_names([*given, "other/large.keras"]) == [*given, "large.keras"]
    assert short_names(["glyphs", "./tiny.keras", "tiny.keras"]) == [
        *("glyphs", "./tiny.keras", "tiny.keras"),
    ]
