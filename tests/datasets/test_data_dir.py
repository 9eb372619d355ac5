import contextlib
import subprocess
import sys
import time

from tfmeta.datasets.data_dir import one_at_a_time

HOLD = """
import sys
from pathlib import Path
from tfmeta.datasets.data_dir import one_at_a_time
folder = Path(sys.argv[1])
with one_at_a_time(folder, "toy"):
    (folder / "mine").write_text("")
    print("in", flush=True)
    sys.stdin.read()
    (folder / "mine").unlink()
"""


def test_a_second_process_waits(tmp_path):
    def start():
        return subprocess.Popen(
            [sys.executable, "-c", HOLD, tmp_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    with contextlib.ExitStack() as stack:
        first = stack.enter_context(start())
        assert first.stdout.readline() == b"in\n"
        second = stack.enter_context(start())
        time.sleep(0.5)
        assert second.poll() is None
        first.stdin.close()
        assert first.wait() == 0  # the second has not made its file yet
        assert second.stdout.readline() == b"in\n"
        second.kill()
    # A killed one holds nobody up, nor does another data set.
    with one_at_a_time(tmp_path, "toy"), one_at_a_time(tmp_path, "other"):
        pass


def test_the_folder_is_made(tmp_path):
    with one_at_a_time(tmp_path / "new" / "data", "toy"):
        assert (tmp_path / "new" / "data").is_dir()
