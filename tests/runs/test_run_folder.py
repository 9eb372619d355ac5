import json

import pytest

from tfmeta.runs.config import TrainConfig
from tfmeta.runs.run_folder import (
    FORMAT_VERSION,
    RunFolder,
    read_json,
    read_versioned,
    write_json,
)

CONFIG = TrainConfig(filters=4, epochs=2)
ENVIRONMENT = {"tensorflow": "2.21.0", "intra_op_threads": 2}


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(CONFIG, ENVIRONMENT)
    return folder


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_what_is_created_is_read_again(folder):
    assert folder.read_config() == CONFIG
    assert folder.read_environment() == ENVIRONMENT
    assert folder.exists
    assert read_json(folder.config_file)["format_version"] == FORMAT_VERSION
    assert [path.name for path in folder.path.iterdir()] == ["config.json"]


def test_folders_above_are_made(tmp_path):
    folder = RunFolder(str(tmp_path / "a" / "b"))
    assert not folder.exists
    folder.create(CONFIG, ENVIRONMENT)
    assert folder.read_config() == CONFIG


def test_nothing_is_overwritten(folder, hash_tree):
    before = hash_tree(folder.path)
    for action in (
        lambda: folder.create(TrainConfig(), {}),
        lambda: folder.check_startable(resume=False),
    ):
        with pytest.raises(FileExistsError, match="run.*--resume.*--run"):
            action()
    folder.check_startable(resume=True)
    assert hash_tree(folder.path) == before


def test_an_empty_folder_will_do(tmp_path):
    (tmp_path / "run").mkdir()
    folder = RunFolder(tmp_path / "run")
    folder.check_startable(resume=False)
    folder.check_startable(resume=True)
    folder.create(CONFIG, ENVIRONMENT)


def test_what_a_kill_in_the_first_write_leaves_is_no_run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    (folder.path / ".config.json.tmp").write_text('{"format_ver')
    for resume in (False, True):
        folder.check_startable(resume=resume)
    folder.create(CONFIG, ENVIRONMENT)
    assert folder.read_config() == CONFIG


def test_a_folder_of_something_else_is_no_run(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"x")
    folder = RunFolder(tmp_path)
    with pytest.raises(FileExistsError, match="nothing is overwritten"):
        folder.check_startable(resume=False)
    for action in (folder.read_config, lambda: folder.check_startable(resume=True)):
        with pytest.raises(FileNotFoundError, match="run folder.*without config.json"):
            action()


def test_a_missing_folder_is_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere must be a run folder"):
        RunFolder(tmp_path / "nowhere").read_config()


def test_a_file_is_no_folder(tmp_path):
    path = tmp_path / "file"
    path.write_text("precious")
    folder = RunFolder(path)
    assert not folder.exists
    for resume in (False, True):
        with pytest.raises(NotADirectoryError, match="file must be a folder"):
            folder.check_startable(resume=resume)
    with pytest.raises(NotADirectoryError):
        folder.create(CONFIG, ENVIRONMENT)
    with pytest.raises(FileNotFoundError, match="must be a run folder"):
        folder.read_config()
    assert path.read_text() == "precious"


def test_a_newer_format_is_refused(folder):
    edit(folder.config_file, format_version=FORMAT_VERSION + 1, config="other")
    for action in (
        folder.read_config,
        folder.read_environment,
        lambda: folder.check_startable(resume=True),
    ):
        with pytest.raises(
            ValueError, match=r"config.json.*at most 2.*3, from a newer"
        ):
            action()


def test_half_a_file_is_named(folder):
    text = folder.config_file.read_text()
    folder.config_file.write_text(text[: len(text) // 2])
    with pytest.raises(ValueError, match="config.json must be a JSON file.*cut short"):
        folder.read_config()
    folder.config_file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="config.json must be a JSON file"):
        folder.read_config()


@pytest.mark.parametrize("text", ["[]", "3", "{}", '{"format_version": "1"}'])
def test_another_json_file_is_no_configuration(folder, text):
    folder.config_file.write_text(text)
    with pytest.raises(ValueError, match="config.json.*without `format_version`"):
        folder.read_config()


@pytest.mark.parametrize("key", ["config", "environment"])
def test_parts_that_are_missing_are_named(folder, key):
    values = json.loads(folder.config_file.read_text())
    del values[key]
    folder.config_file.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=f"config.json must hold.*without {key}"):
        folder.read_config()


@pytest.mark.parametrize(
    "config",
    [
        *({"sead": 1}, {"filters": 0}, {"filters": "4"}, [], None),
        *({"training": 3}, {"test": {"way": 5}}, {"training": {"ways": 1}}),
    ],
)
def test_a_configuration_that_was_edited_badly_is_named(folder, config):
    edit(folder.config_file, config=config)
    with pytest.raises(ValueError, match="config.json must hold a run's configuration"):
        folder.read_config()


def test_seen_classes(folder):
    with pytest.raises(FileNotFoundError, match="classes.json.*no figure"):
        folder.seen_classes()
    write_json(folder.classes_file, {"train": ["b", "a"], "validation": ["ç", "b"]})
    assert folder.seen_classes() == ["a", "b", "ç"]


@pytest.mark.parametrize("value", [{}, {"train": ["a"]}, [], 3])
def test_seen_classes_that_do_not_say_are_no_licence(folder, value):
    write_json(folder.classes_file, value)
    with pytest.raises(ValueError, match="classes.json.*no figure"):
        folder.seen_classes()


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "value.json"
    write_json(path, {"a": [1, 0.1, None, "字"]})
    with pytest.raises(TypeError):
        write_json(path, {"a": 1, "b": object()})
    assert read_json(path) == {"a": [1, 0.1, None, "字"]}
    assert "字" in path.read_text(encoding="utf-8")


def test_a_missing_json_file_is_named(tmp_path):
    for read in (read_json, lambda path: read_versioned(path, 1, ())):
        with pytest.raises(FileNotFoundError, match="value.json"):
            read(tmp_path / "value.json")
