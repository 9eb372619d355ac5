"""Commands that write a run are refused while another process does."""

import pytest
from writing_folder import writer_of

from tfmeta import locks

pytestmark = pytest.mark.skipif(locks.fcntl is None, reason="needs file locks")


def test_while_a_run_is_written_only_reading_goes_on(
    call, run_copy, task_folders, tiny_options, hash_tree
):
    before = hash_tree(run_copy)
    with writer_of(run_copy) as other:
        assert other.heard() == "owns"
        for arguments in (
            ("train", "--run", run_copy, "--resume", *tiny_options),
            ("evaluate", run_copy, "--episodes", 600),
            ("export", run_copy),
        ):
            error = call(*arguments).error
            assert f"{run_copy} must be written by one process at a time" in error
            assert f"process {other.process.pid} on" in error
        support, query = task_folders / "support", task_folders / "query"
        done = call("classify", run_copy, "--support", support, "--query", query)
        assert done.code == 0
    (run_copy / ".lock").unlink()  # as the other was killed
    assert hash_tree(run_copy) == before


def test_a_new_run_that_is_refused_leaves_nothing(call, tiny_options, tmp_path):
    run = tmp_path / "run"
    with writer_of(run) as other:
        assert other.heard() == "owns"
        error = call("train", "--run", run, *tiny_options).error
        assert f"process {other.process.pid} on" in error
        assert other.end() == 0
    error = call("train", "--run", run, *tiny_options, "--train-ways", 9999).error
    assert "9999" in error
    assert list(tmp_path.iterdir()) == []
