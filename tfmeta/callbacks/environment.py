"""What the bits of a result depend on besides the program and its data."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

_VARIABLES = (
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


def describe_environment(model: keras.Model) -> dict[str, Any]:
    """Versions, threads, processors and the way `model` is compiled.

    Returns:
        Name to value; every value is one that JSON holds.
    """
    gpus = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return {
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "intra_op_parallelism_threads": (
            tf.config.threading.get_intra_op_parallelism_threads()
        ),
        "inter_op_parallelism_threads": (
            tf.config.threading.get_inter_op_parallelism_threads()
        ),
        **{name: os.environ.get(name) for name in _VARIABLES},
        # With 0 threads asked for, TensorFlow takes one per usable core, and
        # its kernels differ between the instruction sets of processors.
        "usable_cores": _usable_cores(),
        "processor": _processor(),
        "gpus": gpus,
        "replicas": int(model.distribute_strategy.num_replicas_in_sync),
        "jit_compile": bool(model.jit_compile),
        "run_eagerly": bool(model.run_eagerly),
        "steps_per_execution": int(model.steps_per_execution),
    }


def list_differences(saved: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """One phrase per entry that is not the same in both."""
    return [
        f"{name} was {saved.get(name)!r} and is {current.get(name)!r}"
        for name in {**saved, **current}
        if saved.get(name) != current.get(name)
    ]


def _usable_cores() -> int | None:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _processor() -> str:
    """The model of the processor; `platform` knows it nowhere on Linux."""
    description = Path("/proc/cpuinfo")
    if description.is_file():
        for line in description.read_text("utf-8", "replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
