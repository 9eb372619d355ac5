"""Exports of one learner of each family, small, for what is asked of any export."""

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from session_server import Server

from tfmeta import export
from tfmeta.encoders import Conv4
from tfmeta.learners import MAML, PrototypicalNetwork, SimpleShot

PICTURE = (8, 8, 1)


@dataclasses.dataclass(frozen=True)
class Exported:
    """A learner and its export."""

    learner: Any
    folder: Path


def _conv4():
    return Conv4(PICTURE, filters=4, blocks=1, seed=0)


def _dense():
    layers = [keras.Input((3,)), keras.layers.Dense(4, "tanh")]
    return keras.Sequential(layers)


FAMILIES = {
    "metric": lambda: PrototypicalNetwork(_conv4()),
    "head": lambda: SimpleShot(_conv4()),
    "inner_loop": lambda: MAML(_conv4(), 3, inner_steps=1, seed=0),
    "regression": lambda: MAML(
        _dense(), 2, task="regression", inner_learning_rate=0.05, seed=0
    ),
}


@pytest.fixture(scope="session")
def families(tmp_path_factory) -> dict[str, Exported]:
    """An export of each of `FAMILIES`, by its name."""
    keras.utils.set_random_seed(0)
    path, exports = tmp_path_factory.mktemp("families"), {}
    for name, make in FAMILIES.items():
        learner = make()
        exports[name] = Exported(learner, export.save(learner, path / name))
    return exports


@pytest.fixture(scope="session")
def servers(families):
    """A session that answers requests of TensorFlow Serving, by family."""
    with contextlib.ExitStack() as stack:
        servers = {}
        for name, exported in families.items():
            session = tf.compat.v1.Session(graph=tf.Graph())
            stack.callback(session.close)
            with session.graph.as_default():
                servers[name] = Server(exported.folder, session)
        yield servers


def coarse_pictures(number: int, seed: int) -> np.ndarray:
    """Blocks of one random grey each, so that pictures differ at any scale."""
    coarse = np.random.default_rng(seed).integers(0, 256, (number, 4, 4, 1))
    return coarse.repeat(2, axis=1).repeat(2, axis=2).astype(np.uint8)


@pytest.fixture(scope="session")
def task() -> dict[str, np.ndarray]:
    """A task of pictures."""
    return {
        "support": coarse_pictures(6, seed=0),
        "support_labels": np.array([0, 1, 2, 2, 1, 0], np.int32),
        "query": coarse_pictures(4, seed=1),
    }
