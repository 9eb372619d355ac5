"""A Siamese network through a run: its configuration, its figures, its file."""

import json

import keras
import numpy as np
import pytest

from tfmeta.datasets import ClassTable
from tfmeta.encoders import KochConvNet
from tfmeta.episodes import Episodes
from tfmeta.learners import SiameseNetwork
from tfmeta.runs.building import build_learner
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.data import load_split
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner, train

pytestmark = pytest.mark.usefixtures("glyphs_drawn_once")


def config_of(**changes):
    return TrainConfig().with_options(
        {
            "learner": "siamese",
            "filters": 8,
            "train_ways": 10,
            "validation_episodes": 4,
            "epochs": 2,
            "steps_per_epoch": 10,
            **changes,
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [{}, {"objective": "triplet", "mining": "hard", "margin": 0.5, "k_shot": "mean"}],
    ids=["verification", "triplet"],
)
def test_trains_through_a_run(tmp_path, arguments):
    config = config_of(learner_arguments=arguments)
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    folder = RunFolder(tmp_path / "run")
    learner = train(config, folder)
    assert folder.read_config() == config
    history = json.loads(folder.history_file.read_text())
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert np.isfinite(list(history.values())).all()
    assert history["loss"][1] < history["loss"][0]
    assert history["val_accuracy"][1] > 0.3

    loaded = load_learner(folder)
    assert isinstance(loaded, SiameseNetwork)
    for name, value in arguments.items():
        assert getattr(loaded, name) == value
    for ours, theirs in zip(learner.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_the_objective_does_not_take_leaves_no_folder(tmp_path):
    config = config_of(learner_arguments={"margin": 2.0})
    with pytest.raises(ValueError, match="`margin`.*'verification'"):
        train(config, RunFolder(tmp_path / "run"))
    assert not list(tmp_path.iterdir())


def test_the_encoder_of_the_paper_is_one_to_choose():
    pictures = np.zeros((4, 70, 70, 1), np.uint8)
    table = ClassTable.from_arrays("blank", pictures, ["a", "a", "b", "b"])
    learner = build_learner(config_of(encoder="koch", filters=2), table)
    assert learner.encoder.name == "koch_conv_net"
    assert learner.encoder.output_shape == (None, 128)
    with pytest.raises(ValueError, match="`pictures`.*65 pixels"):
        build_learner(config_of(encoder="koch"), load_split(TrainConfig(), "test"))


@pytest.mark.slow
def test_the_papers_network_trains_on_scans(omniglot_dir):
    """A quarter of its filters, from the paper's beginning; the objective alone."""
    table = load_split(TrainConfig(dataset="omniglot", size=105), "train", omniglot_dir)
    encoder = KochConvNet(
        filters=16, features=1024, convolution_l2=0.0, dense_l2=0.0, seed=0
    )
    learner = SiameseNetwork(encoder)
    learner.compile(keras.optimizers.Adam(1e-3))
    episodes = Episodes(table, ways=10, shots=1, queries=1)
    held_out = load_split(
        TrainConfig(dataset="omniglot", size=105), "validation", omniglot_dir
    )
    data = Episodes(held_out, ways=10, shots=1, queries=1).as_dataset(steps=20)
    before = learner.evaluate(data, verbose=0, return_dict=True)
    history = learner.fit(
        episodes.as_dataset(), steps_per_epoch=20, epochs=5, verbose=0, shuffle=False
    ).history
    after = learner.evaluate(data, verbose=0, return_dict=True)
    # What guessing one half of either kind costs; most is learned at once.
    assert after["loss"] < 0.9 * np.log(2) < before["loss"]
    assert history["loss"][-1] < history["loss"][0]
    assert after["accuracy"] > 0.3


@pytest.mark.slow
def test_scans_train_through_a_run(omniglot_dir, tmp_path):
    config = config_of(
        dataset="omniglot",
        size=105,
        encoder="koch",
        filters=2,
        train_queries=1,
        queries=1,
        epochs=1,
        steps_per_epoch=2,
    )
    folder = RunFolder(tmp_path / "run")
    train(config, folder, data_dir=omniglot_dir)
    learner = load_learner(folder)
    assert learner.encoder.input_shape == (None, 105, 105, 1)
    history = json.loads(folder.history_file.read_text())
    assert np.isfinite(list(history.values())).all()
