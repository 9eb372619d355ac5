"""Two replicas train as one device does."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("distributed_training.py")


# Two trainings on two devices each, in a process of their own.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    file = tmp_path_factory.mktemp("distributed") / "results.npz"
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(file)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    with np.load(file) as loaded:
        return dict(loaded)


def test_same_weights_as_one_device(results):
    assert results["replicas"] == 2
    for i in range(4):
        one, two, start = (results[f"{k}_weight_{i}"] for k in ("one", "two", "start"))
        np.testing.assert_allclose(two, one, rtol=0, atol=1e-6)
        # The last bias moves all embeddings alike, so it has no gradient.
        assert i == 3 or np.abs(one - start).max() > 0.1


@pytest.mark.parametrize("name", ["loss", "accuracy", "val_loss", "val_accuracy"])
def test_same_history_as_one_device(results, name):
    assert results[f"one_{name}"].shape == (2,)
    np.testing.assert_allclose(
        results[f"two_{name}"], results[f"one_{name}"], rtol=1e-5
    )


def test_accuracy_counts_real_queries_over_all_replicas(results):
    assert abs(results["two_padded_accuracy"] - results["one_padded_accuracy"]) < 1e-6


def test_predictions_come_back_in_order(results):
    two, one = results["two_logits"], results["one_logits"]
    assert two.shape == one.shape == (12, 15, 5)
    np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-5)
