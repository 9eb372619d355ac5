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
    assert default_config("clinc150", {}).learner == "prototypical"


def test_photographs_have_learners_of_their_own(photos, monkeypatch):
    def learner(dataset=str(photos), **chosen):
        return default_config(dataset, chosen).learner

    assert learner() == learner(seed=1) == "logistic_regression"
    # The first that makes use of what is chosen.
    assert learner(epochs=1) == learner("mini_imagenet") == "baseline_plus_plus"
    assert learner(train_ways=3) == "prototypical"
    assert learner("cifar_fs", train_shots=2) == "prototypical"
    # Nothing is put in the place of what was named.
    assert learner(encoder="conv4") == "prototypical"
    assert learner(learner="siamese") == "siamese"
    with pytest.raises(ValueError, match="`batch_size` must be left out for"):
        learner(train_ways=3, batch_size=8)
    monkeypatch.setattr("tfmeta.runs.defaults.is_installed", lambda package: False)
    assert learner() == "baseline_plus_plus"
    for path in photos.rglob("*.png"):
        Image.open(path).convert("L").save(path)
    assert learner() == "prototypical"


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
    # 13, 4 and 3 classes of at least 7 pictures.
    assert {s: len(origins) for s, origins in config.splits.items()} == {
        **{"train": 13, "validation": 4, "test": 3}
    }
    training = config.training
    assert (training.ways, training.shots, training.queries) == (13, 1, 5)
    for task in (config.validation, config.test):
        assert (task.ways, task.shots, task.queries) == (3, 2, 5)
    assert default_config(str(photos), {"ways": 2, "queries": 4}).test.ways == 2
    with pytest.raises(ValueError, match=r"`ways` must fit.*Received: ways=5$"):
        default_config(str(photos), {"ways": 5})
    with pytest.raises(ValueError, match="`protocol` must be left out for data of you"):
        default_config(str(photos), {"protocol": "lake"})


@pytest.mark.parametrize("count", range(1, 9))
def test_own_data_of_few_classes(photos, count):
    for number in range(count, 20):
        shutil.rmtree(photos / f"class{number:02d}")
    if count >= 6:
        for learner in ("prototypical", "maml", "reptile", "baseline", "simple_shot"):
            config = default_config(str(photos), {"learner": learner})
            assert config.test.ways == 2
            assert sum(map(len, config.splits.values())) == count
        return
    message = rf"at least 6 classes, 2 in each.*Received: {count}[,;].*classify"
    with pytest.raises(ValueError, match=message):
        default_config(str(photos), {"learner": "simple_shot"})


def test_splits_that_lack_one(photos):
    for place in ("train/a", "train/b", "test/c"):
        shutil.copytree(photos / "class00", photos.parent / "divided" / place)
    with pytest.raises(ValueError, match="a folder for each of train, validation, te"):
        default_config(str(photos.parent / "divided"), {})
