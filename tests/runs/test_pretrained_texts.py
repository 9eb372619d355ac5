"""Runs on texts behind an encoder that others have trained."""

import importlib.util

import numpy as np
import pytest

from tfmeta.datasets import ClassTable
from tfmeta.datasets.registry import import_dataset
from tfmeta.encoders import pretraining_data
from tfmeta.runs.building import build_encoder
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.defaults import default_config
from tfmeta.runs.measuring.standard import draw_test_episodes, evaluate_run
from tfmeta.runs.pretrained_encoder import encoder_name
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import train

TEXT = ClassTable.from_arrays("own", ["a cat", "a dog"], ["cat", "dog"])
GREY = ClassTable.from_arrays("own", np.zeros((2, 28, 28, 1), np.uint8), [0, 1])


def test_the_usual_encoder_fits_the_examples():
    shots, episodes = TrainConfig(learner="simple_shot"), TrainConfig()
    assert encoder_name(shots, "text") == "wordllama"
    assert encoder_name(shots, "pictures") == "efficientnet_lite0"
    assert encoder_name(shots, "other") is None
    assert encoder_name(episodes, "text") is None
    assert encoder_name(episodes, "pictures") == "conv4"
    assert build_encoder(episodes, TEXT).name == "text_encoder"


@pytest.mark.parametrize(
    ("encoder", "table", "message"),
    [
        ("wordllama", GREY, "'own', pictures.*'wordllama', which takes text"),
        ("conv4", TEXT, "'own', text.*'conv4', which takes pictures"),
        ("efficientnet_lite0", TEXT, "'own', text.*lite0', which takes pictures"),
    ],
)
def test_others_are_refused(encoder, table, message):
    with pytest.raises(ValueError, match=f"`encoder` must take the .*{message}"):
        build_encoder(TrainConfig(encoder=encoder), table)


@pytest.mark.slow
def test_a_run_on_all_intents(tmp_path, reference_data):
    if importlib.util.find_spec("wordllama") is None:
        pytest.skip("extra `texts` not installed")
    data_dir = tmp_path / "data"
    import_dataset("clinc150", reference_data / "text" / "clinc150", data_dir=data_dir)
    chosen = {"learner": "simple_shot", "protocol": "all_intents", "ways": 5}
    config = default_config("clinc150", chosen)
    folder = RunFolder(tmp_path / "run")
    learner = train(config, folder, data_dir=data_dir)
    assert pretraining_data(learner.encoder) == "wordllama"
    assert folder.seen_classes() == []
    episodes = draw_test_episodes(config, data_dir=data_dir)
    result = evaluate_run(
        folder, learner, episodes, num_episodes=600, data_dir=data_dir
    )
    assert 0.85 < result.accuracy < 0.95
    centring = {"learner_arguments": {"transform": "centered_l2"}}
    centred = default_config("clinc150", {**chosen, **centring})
    with pytest.raises(ValueError, match="`protocol` must .*150 shared"):
        train(centred, RunFolder(tmp_path / "other"), data_dir=data_dir)
    assert not (tmp_path / "other").exists()
