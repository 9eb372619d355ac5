import json
import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmeta.callbacks import checkpoint_folder
from tfmeta.callbacks.checkpoint_folder import (
    FORMAT_VERSION,
    list_checkpoints,
    load_checkpoint,
    replace_file,
    save_checkpoint,
)


def save(root: Path, number: int, **parts) -> Path:
    content = {
        "environment": {"numpy": "2.0"},
        "state": {"number": number},
        "arrays": {"x": np.arange(1000) * number},
        "files": {},
    }
    return save_checkpoint(root, number, **{**content, **parts})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_nothing_saved(tmp_path):
    assert load_checkpoint(tmp_path) is None
    assert load_checkpoint(tmp_path / "absent") is None


@pytest.mark.parametrize(
    "array",
    [
        np.float32(1.5),
        np.array([[1, -2], [3, 4]], np.int64),
        np.array([0.1, -0.0, np.nan, np.inf], np.float64),
        np.array([1.25, -3.5], np.float16),
        np.array([[1.25], [-3.5]], ml_dtypes.bfloat16),
        np.array([1.5, 2.0, -3.0], ml_dtypes.float8_e4m3fn),
        np.array(7, ml_dtypes.bfloat16),
        np.zeros((0, 3), np.uint32),
        np.array([True, False]),
        np.arange(6.0).reshape(2, 3).T,
    ],
    ids=lambda array: f"{array.dtype}-{np.shape(array)}",
)
def test_arrays_come_back_bit_for_bit(tmp_path, array):
    save(tmp_path, 1, arrays={"a.0": array})
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint is not None
    found = checkpoint.arrays["a.0"]
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tobytes() == array.tobytes()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats()), st.integers())
def test_state_comes_back_exactly(tmp_path_factory, floats, integer):
    root = tmp_path_factory.mktemp("state")
    save(root, 1, state={"floats": floats, "integer": integer, "none": None})
    checkpoint = load_checkpoint(root)
    assert checkpoint is not None
    # The bits, except that there are many NaNs.
    assert [repr(value) for value in checkpoint.state["floats"]] == [
        repr(value) for value in floats
    ]
    assert checkpoint.state["integer"] == integer
    assert checkpoint.state["none"] is None


def test_files_and_environment_come_back(tmp_path):
    best = tmp_path / "best.bin"
    best.write_bytes(bytes(range(256)))
    root = tmp_path / "checkpoints"
    folder = save(root, 3, files={"kept-best.bin": best})
    best.write_bytes(b"newer")
    checkpoint = load_checkpoint(root)
    assert checkpoint is not None
    assert checkpoint.folder == folder
    assert checkpoint.environment == {"numpy": "2.0"}
    assert checkpoint.files["kept-best.bin"].read_bytes() == bytes(range(256))


def test_objects_are_not_pickled(tmp_path):
    with pytest.raises(TypeError, match="pickle"):
        save(tmp_path, 1, arrays={"x": np.array([{}])})
    assert load_checkpoint(tmp_path) is None


def test_only_the_latest_is_kept(tmp_path):
    for number in (1, 2, 10, 100_000_000):
        folder = save(tmp_path, number)
        assert list_checkpoints(tmp_path) == [folder]
        assert names(tmp_path) == [folder.name]


def test_of_several_the_latest_is_read(tmp_path):
    # As when a run is killed after a rename, before the removals.
    for number in (9, 10, 100_000_000):
        folder = save(tmp_path / str(number), number)
        folder.rename(tmp_path / folder.name)
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint is not None
    assert checkpoint.state == {"number": 100_000_000}


@pytest.mark.parametrize("number", [4, 5])
def test_two_runs_in_one_folder(tmp_path, number):
    save(tmp_path, 5)
    with pytest.raises(FileExistsError, match="checkpoint-00000005"):
        save(tmp_path, number)
    assert names(tmp_path) == ["checkpoint-00000005"]


def test_half_written_folder_is_ignored_and_cleaned(tmp_path):
    save(tmp_path, 1)
    half = tmp_path / ".building-checkpoint-00000002"
    half.mkdir()
    (half / "arrays.npz").write_bytes(b"PK")
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint is not None
    assert checkpoint.state == {"number": 1}
    save(tmp_path, 2)
    assert names(tmp_path) == ["checkpoint-00000002"]


FILES = ["arrays.npz", "state.json", "kept.bin", "manifest.json"]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    # For the manifest, the first brace; for the others any bit will do.
    content[0] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [truncate, flip_a_bit, Path.unlink])
def test_damage_is_named(tmp_path, name, damage):
    source = tmp_path / "source.bin"
    source.write_bytes(b"x" * 100)
    folder = save(tmp_path / "root", 1, files={"kept.bin": source})
    damage(folder / name)
    with pytest.raises(ValueError, match="damaged") as caught:
        load_checkpoint(tmp_path / "root")
    assert str(folder / name) in str(caught.value)
    assert f"remove {folder}" in str(caught.value)


@pytest.mark.parametrize("content", ["[]", "{}", "null", '{"format_version": "x"}'])
def test_manifest_of_another_kind(tmp_path, content):
    folder = save(tmp_path, 1)
    (folder / "manifest.json").write_text(content)
    with pytest.raises(ValueError, match="damaged") as caught:
        load_checkpoint(tmp_path)
    assert str(folder / "manifest.json") in str(caught.value)


def test_newer_format(tmp_path):
    folder = save(tmp_path, 1)
    manifest = folder / "manifest.json"
    content = json.loads(manifest.read_text())
    assert content["format_version"] == FORMAT_VERSION
    content["format_version"] += 1
    # Whatever else a later version changes, this much can be said of it.
    del content["sha256"]
    manifest.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="update tfmeta") as caught:
        load_checkpoint(tmp_path)
    assert str(folder) in str(caught.value)
    assert f"format {FORMAT_VERSION + 1}" in str(caught.value)


def test_replace_file(tmp_path):
    source, target = tmp_path / "source", tmp_path / "new" / "target"
    source.write_bytes(b"one")
    replace_file(source, target)
    assert target.read_bytes() == b"one"
    source.write_bytes(b"two")
    replace_file(source, target)
    assert target.read_bytes() == b"two"
    assert names(target.parent) == ["target"]


# Loads the module by its path: the package around it would load TensorFlow,
# whose threads a fork does not carry over.
EVERY_KILL = """
import importlib.util, json, os, signal, sys
from pathlib import Path
import numpy as np

spec = importlib.util.spec_from_file_location("checkpoint_folder", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules["checkpoint_folder"] = module
spec.loader.exec_module(module)

def save(root, number):
    module.save_checkpoint(
        root, number, environment={}, state={"number": number},
        arrays={"x": np.full(1000, number)}, files={"script": Path(sys.argv[1])},
    )

def kill_at(operation):
    left = operation
    def watch(event, arguments):
        nonlocal left
        if event != "os.kill" and event.startswith(("open", "os.", "shutil.")):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
    sys.addaudithook(watch)

outcomes = []
killed = True
while killed:
    root = Path(sys.argv[2]) / str(len(outcomes))
    save(root, 1)
    child = os.fork()
    if child == 0:
        kill_at(len(outcomes))
        save(root, 2)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    left_behind = sorted(os.listdir(root))
    found = module.load_checkpoint(root)
    intact = bool((found.arrays["x"] == found.state["number"]).all())
    save(root, 3)
    after = sorted(os.listdir(root))
    outcomes.append(
        [killed, status, found.state["number"], intact, left_behind, after]
    )
print(json.dumps(outcomes))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and fork")
def test_killed_at_every_file_operation_of_a_save(tmp_path):
    output = subprocess.run(
        [sys.executable, "-c", EVERY_KILL, checkpoint_folder.__file__, str(tmp_path)],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    outcomes = json.loads(output)
    assert outcomes[-1][:2] == [False, 0]
    # Killed at each operation: a folder made, five files written and flushed,
    # two renames, six removals, at the least.
    assert len(outcomes) > 20
    found = [outcome[2] for outcome in outcomes]
    assert found == sorted(found)
    assert found[0] == 1
    assert found[-1] == 2
    for _, _, _, intact, _, after in outcomes:
        assert intact
        assert after == ["checkpoint-00000003"]
    kinds = {name.split("-")[0] for o in outcomes for name in o[4]}
    assert kinds == {"checkpoint", ".building", ".removing"}
