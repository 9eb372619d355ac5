import json
import os
import subprocess
import sys

from tfmeta.cli.tensorflow_start import start_tensorflow

START = """
import json, os, sys
from pathlib import Path
from tfmeta.cli.tensorflow_start import start_tensorflow
assert "tensorflow" not in sys.modules
start_tensorflow("metric")
assert "tensorflow" in sys.modules
import tensorflow as tf
tf.function(lambda x: x @ x)(tf.zeros((64, 64)))
threads = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
threads = threads.count("tf_Compute\\n") if sys.platform == "linux" else None
print(json.dumps([
    os.environ["TF_NUM_INTEROP_THREADS"],
    os.environ["TF_NUM_INTRAOP_THREADS"],
    os.environ["TF_CPP_MIN_LOG_LEVEL"],
    threads,
]))
sys.stderr.write("heard again")
"""


def test_threads_are_set_unless_the_user_did_and_nothing_is_said():
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-c", START],
        env={**clean, "TF_NUM_INTEROP_THREADS": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    # TensorFlow's chatter is gone, later messages are not.
    assert done.stderr == "heard again"
    *variables, inter_op = json.loads(done.stdout)
    assert variables == ["3", str(os.cpu_count()), "2"]
    assert inter_op in (3, None)


def test_what_is_set_by_default(monkeypatch):
    names = ("TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_CPP_MIN_LOG_LEVEL")
    for name in names:
        monkeypatch.setenv(name, "")  # gives it back at the end
        monkeypatch.delenv(name)
    start_tensorflow("metric")
    assert [os.environ[name] for name in names] == ["2", str(os.cpu_count()), "2"]
