import json
import os
import subprocess
import sys

import pytest

START = """
import json, os, sys
from tfmeta.cli.tensorflow_start import start_tensorflow
assert "tensorflow" not in sys.modules
start_tensorflow("metric")
assert "tensorflow" in sys.modules
import tensorflow as tf
print(json.dumps([
    os.environ["TF_NUM_INTEROP_THREADS"],
    os.environ["TF_NUM_INTRAOP_THREADS"],
    os.environ["TF_CPP_MIN_LOG_LEVEL"],
    tf.config.threading.get_inter_op_parallelism_threads(),
    tf.config.threading.get_intra_op_parallelism_threads(),
]))
sys.stderr.write("heard again")
"""


@pytest.mark.parametrize("mine", [False, True])
def test_threads_are_set_unless_the_user_did_and_nothing_is_said(mine):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    names = ("TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_CPP_MIN_LOG_LEVEL")
    chosen = dict(zip(names, ("3", "1", "1"), strict=True)) if mine else {}
    done = subprocess.run(
        [sys.executable, "-c", START],
        env={**clean, **chosen},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    # TensorFlow's chatter is gone, later messages are not.
    assert done.stderr == "heard again"
    cores = os.cpu_count()
    expected = ["3", "1", "1", 3, 1] if mine else ["2", str(cores), "2", 2, cores]
    assert json.loads(done.stdout) == expected
