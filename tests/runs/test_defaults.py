import shutil

import numpy as np
import pytest
from PIL import Image

from tfmeta.datasets.registry import DATASETS
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.defaults import DEFAULTS, default_config


def test_every_data_set_has_defaults_that_name_it():
    assert tuple(DEFAULTS) == tuple(DATASETS)
    for name in DEFAULTS:
        assert default_config(name, {}).dataset == name


def test_what_is_chosen_wins():
    config = default_config("omniglot", {"ways": 7, "seed": 3})
    assert (config.test.ways, config.seed, config.training.ways) == (7, 3, 60)
    assert default_config("glyphs", {}) == TrainConfig()


def test_an_unknown_data_set_is_named():
    with pytest.raises(ValueError, match="`dataset`.*glyphs.*sider.*'imagenet'"):
        default_config("imagenet", {})


@pytest.fixture
def photos(tmp_path):
    """Twenty classes of seven pictures; the last has nine."""
    random = np.random.default_rng(0)
    for number in range(20):
        folder = tmp_path / "photos" / f"class{number:02d}"
        folder.mkdir(parents=True)
        for index in range(7 if number < 19 else 9):
            picture = random.integers(0, 256, (20, 20, 3), np.uint8)
            Image.fromarray(picture).save(folder / f"{index}.png")
    return tmp_path / "photos"


def test_own_data_lower_what_was_not_chosen(photos):
    config = default_config(str(photos), {"shots": 2})
    assert config.dataset == str(photos)
    # 12, 4 and 4 classes of at least 7 pictures.
    training = config.training
    assert (training.ways, training.shots, training.queries) == (12, 1, 5)
    for task in (config.validation, config.test):
        assert (task.ways, task.shots, task.queries) == (4, 2, 5)
    assert default_config(str(photos), {"ways": 5, "queries": 15}).test.ways == 5


def test_own_data_of_few_classes_are_for_no_training(photos):
    for number in range(5, 20):
        shutil.rmtree(photos / f"class{number:02d}")
    with pytest.raises(ValueError, match="2 classes in each.*3, 1, 1;.*classify"):
        default_config(str(photos), {"learner": "simple_shot"})
