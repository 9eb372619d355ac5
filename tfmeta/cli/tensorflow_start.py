"""Starts TensorFlow for a command: threads first, and without its chatter."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Inter-op, intra-op threads; 0 stands for one per core. A metric learner is one
# large encoder call per step, whose convolutions share the cores: on two of them
# one intra-op thread is a third slower, while the number of inter-op threads does
# not show. Both are set rather than left open because they decide the last bits. A
# learner with a memory reads all tasks of a step at once, likewise. An
# inner loop is many small operations of tasks that wait for nobody: there each core
# takes a task of its own.
THREADS = {"metric": (2, 0), "optimization": (0, 1), "model": (2, 0)}
# Policies of all tasks are one product of matrices.
THREADS["control"] = THREADS["metric"]


def start_tensorflow(family: str) -> None:
    """Sets the threads for a learner family and imports TensorFlow.

    TensorFlow reads the thread counts once, when it starts. What the user has
    set in the environment stays.
    """
    inter_op, intra_op = THREADS[family]
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", str(inter_op or os.cpu_count()))
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(intra_op or os.cpu_count()))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _silence():
        import tensorflow as tf
        from absl import logging

        # The search for accelerators complains where there are none.
        tf.config.list_physical_devices()
    # So does TensorFlow Datasets, of folders that it is about to fill.
    logging.set_verbosity(logging.ERROR)


@contextmanager
def _silence() -> Iterator[None]:
    """Drops what native code writes to stderr; Python's errors still raise."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as sink:
        os.dup2(sink.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
