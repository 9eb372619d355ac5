import json

import pytest


def test_the_next_version(call, run_copy, hash_tree):
    folder = run_copy / "saved_model"
    before = hash_tree(run_copy)
    done = call("export", run_copy)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"Wrote {folder / '2'}",
        f"Look at it: saved_model_cli show --all --dir {folder / '2'}",
    ]
    after = hash_tree(run_copy)
    assert {name: after[name] for name in before} == before
    about = json.loads((folder / "2" / "tfmeta.json").read_text())
    assert about["description"]["training_data"] == "glyphs-seed0"


@pytest.mark.slow
def test_elsewhere(call, run_copy, tmp_path, hash_tree):
    before = hash_tree(run_copy)
    done = call("export", run_copy, "--to", tmp_path / "served" / "glyphs")
    assert done.out.startswith(f"Wrote {tmp_path / 'served' / 'glyphs' / '1'}\n")
    assert hash_tree(run_copy) == before


def test_a_file_is_no_folder_of_versions(call, glyphs_run):
    done = call("export", glyphs_run, "--to", __file__)
    assert f"Directory '{__file__}' is a file" in done.usage_error


def test_what_is_no_run_is_named(call, tmp_path):
    assert f"{tmp_path} must be a run folder" in call("export", tmp_path).error


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("learner.keras", "could not be read as a learner"),
        ("metrics.json", "must be a JSON file"),
        ("config.json", "must be a JSON file"),
    ],
)
def test_a_damaged_run_writes_no_version(call, run_copy, hash_tree, name, message):
    path = run_copy / name
    path.write_bytes(path.read_bytes()[:300])
    before = hash_tree(run_copy)
    assert f"{path} {message}" in call("export", run_copy).error
    assert hash_tree(run_copy) == before


@pytest.mark.parametrize(
    ("options", "files"),
    [
        pytest.param(
            ("onnx",), {"encoder.onnx", "classify.onnx"}, marks=pytest.mark.slow
        ),
        (("litert", "--precision", "int8"), {"encoder.tflite", "classify.tflite"}),
    ],
)
def test_for_phones_and_browsers(call, run_copy, options, files):
    done = call("export", run_copy, "--format", *options)
    folder = run_copy / options[0] / "1"
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"Wrote {folder}",
        f"Look at it: {folder / 'tfmeta.json'}",
    ]
    assert {path.name for path in folder.iterdir()} == files | {"tfmeta.json"}
    about = json.loads((folder / "tfmeta.json").read_text())
    assert about["precision"] == (options[-1] if len(options) > 1 else "float32")
    assert about["description"]["training_data"] == "glyphs-seed0"


@pytest.mark.parametrize("form", [(), ("--format", "onnx")])
def test_precision_is_of_litert_alone(call, glyphs_run, form):
    done = call("export", glyphs_run, *form, "--precision", "int8")
    assert "`--precision` must be left out but for --format litert" in done.error


def test_files_for_phones_are_not_put_where_servers_look(call, glyphs_run):
    folder = glyphs_run / "saved_model"
    done = call("export", glyphs_run, "--format", "onnx", "--to", folder)
    assert "`--to` must be another folder than that of SavedModels" in done.error
