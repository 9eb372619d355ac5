"""A table that is written by processes of their own, killed and started again."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from writing_script import EXAMPLES

SCRIPT = Path(__file__).with_name("writing_script.py")


def start(path, kind, pause):
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(path), kind, str(pause)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def loaded(process, returncode):
    output, errors = process.communicate()
    assert process.returncode == returncode, errors
    return [int(line) for line in output.split()]


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("kind", ["uint8", "text", "encoded pictures"])
def test_killed_again_and_again_is_the_same_byte_for_byte(kind, tmp_path, hash_tree):
    whole = start(tmp_path / "whole", kind, 0)
    generator = random.Random(kind)
    path = tmp_path / "killed"
    seen = []
    for _ in range(3):
        process = start(path, kind, 0.005)
        seen += [int(process.stdout.readline()) for _ in range(generator.randint(5, 9))]
        time.sleep(generator.uniform(0, 0.02))
        process.kill()
        seen += loaded(process, -signal.SIGKILL)
        assert not path.exists()
    last = loaded(start(path, kind, 0), 0)
    in_order = loaded(whole, 0)
    assert hash_tree(path) == hash_tree(tmp_path / "whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["killed", "whole"]
    # It went on: the last process loaded an end of them, and no more than one
    # unmarked stretch was loaded twice for each kill.
    assert len(in_order) == EXAMPLES and last == in_order[-len(last) :]
    assert len(last) < EXAMPLES
    assert len(seen) + len(last) - EXAMPLES <= 3 * 4
