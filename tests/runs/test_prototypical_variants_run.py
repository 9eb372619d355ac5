"""The variants of Prototypical Networks through a run."""

import numpy as np
import pytest

from tfmeta.learners import (
    GaussianPrototypicalNetwork,
    SemiSupervisedPrototypicalNetwork,
)
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.data import load_split
from tfmeta.runs.measuring.standard import draw_test_episodes
from tfmeta.runs.run_folder import RunFolder, read_json
from tfmeta.runs.train import load_learner, train
from tfmeta.runs.training_data import validation_episodes

pytestmark = pytest.mark.usefixtures("glyphs_drawn_once")


def config_of(**changes):
    return TrainConfig().with_options(
        {
            "filters": 9,
            "train_ways": 10,
            "train_queries": 2,
            "queries": 5,
            "validation_episodes": 4,
            "epochs": 2,
            "steps_per_epoch": 5,
            **changes,
        }
    )


def check_run(config, folder, kind):
    train(config, folder)
    history = read_json(folder.history_file)
    assert np.isfinite(list(history.values())).all()
    loaded = load_learner(folder)
    assert isinstance(loaded, kind)
    for name, value in config.learner_arguments.items():
        assert getattr(loaded, name) == value
    return loaded


@pytest.mark.slow
def test_gaussian(tmp_path):
    config = config_of(
        learner="gaussian_prototypical", learner_arguments={"precision": "sigmoid"}
    )
    learner = check_run(
        config, RunFolder(tmp_path / "run"), GaussianPrototypicalNetwork
    )
    assert learner.features == 8


@pytest.mark.slow
def test_semi_supervised(tmp_path):
    config = config_of(
        learner="semi_supervised_prototypical",
        learner_arguments={"refinement": "masked_soft_k_means"},
        unlabelled=2,
        distractors=3,
        seed=5,
    )
    folder = RunFolder(tmp_path / "run")
    learner = check_run(config, folder, SemiSupervisedPrototypicalNetwork)
    # The seed of the run is that of the mask; training has moved it.
    assert learner.seed == 5
    untrained = SemiSupervisedPrototypicalNetwork(
        learner.encoder, "masked_soft_k_means", seed=5
    )
    pairs = zip(learner.k_means.weights, untrained.k_means.weights, strict=True)
    assert all(np.any(np.asarray(a) != np.asarray(b)) for a, b in pairs)
    table = load_split(config, "validation")
    for episodes in (validation_episodes(config, table)[0], draw_test_episodes(config)):
        assert (episodes.unlabelled, episodes.distractors) == (2, 3)
        assert episodes.batch(0)[0]["unlabelled"].shape[1] == 16


def test_an_encoder_that_cannot_be_split_leaves_no_folder(tmp_path):
    config = config_of(
        learner="gaussian_prototypical", learner_arguments={"covariance": "diagonal"}
    )
    with pytest.raises(ValueError, match="`encoder` must give an even number"):
        train(config, RunFolder(tmp_path / "run"))
    assert not list(tmp_path.iterdir())
