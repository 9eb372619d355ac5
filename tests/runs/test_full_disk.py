"""A training whose disk is full names the file, and goes on when there is room."""

import pytest
from full_disk import files_of_at_most

from tfmeta.runs.config import EpisodeConfig, HeldOutEpisodeConfig, TrainConfig
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner, train

pytestmark = pytest.mark.usefixtures("glyphs_drawn_once")

CONFIG = TrainConfig(
    training=EpisodeConfig(ways=5, queries=2),
    validation=HeldOutEpisodeConfig(queries=5),
    filters=4,
    epochs=2,
    steps_per_epoch=1,
    validation_episodes=2,
)


def test_a_training_goes_on_from_where_the_disk_was_full(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with files_of_at_most(50_000), pytest.raises(OSError) as raised:
        train(CONFIG, folder, resume=True)
    said = str(raised.value)
    assert said.startswith(f"{folder.best_weights} could not be written: ")
    assert [p.name for p in tmp_path.rglob(".*")] == []
    train(CONFIG, folder, resume=True)
    load_learner(folder)
