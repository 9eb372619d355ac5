"""Thread settings, chosen before TensorFlow starts."""

from __future__ import annotations

import os
import sys

# Inter-op, intra-op threads; 0 lets TensorFlow choose one per core. A metric
# learner is one large encoder call per step: its convolutions share the cores,
# and a second inter-op thread lets the input pipeline work beside them.
THREADS = {"metric": (2, 0)}


def set_threads(family: str) -> None:
    """Sets the threads for a learner family unless the user has set them.

    TensorFlow reads the two variables when it starts, so this must run before
    it is imported.
    """
    if "tensorflow" in sys.modules:
        return
    inter_op, intra_op = THREADS[family]
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", str(inter_op))
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(intra_op or os.cpu_count()))
