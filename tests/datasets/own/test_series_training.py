"""From folders of `.npy` files to a learner of unseen classes of time series."""

import keras
import numpy as np
import pytest

from tfmeta.datasets.own import load_own_split
from tfmeta.episodes import Episodes
from tfmeta.evaluation import evaluate
from tfmeta.learners import PrototypicalNetwork

MOMENTS = 64


@pytest.fixture(scope="module")
def gestures(tmp_path_factory):
    """30 classes of 12 series of two channels; a class is a sum of three waves."""
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("data") / "gestures"
    time = np.arange(MOMENTS) / MOMENTS
    for number in range(30):
        folder = root / f"gesture{number:02d}"
        folder.mkdir(parents=True)
        frequencies = rng.uniform(1, 12, (3, 2))
        strengths = rng.uniform(0.2, 1, (3, 2))
        for example in range(12):
            # Begun at any moment: no point in time tells the classes apart.
            phases = rng.uniform(0, 1, (3, 2))
            angles = time[:, None, None] * frequencies + phases
            waves = (strengths * np.sin(2 * np.pi * angles)).sum(axis=1)
            waves += rng.normal(0, 0.3, waves.shape)
            np.save(folder / f"{example}.npy", waves.astype(np.float32))
    return root


def encoder():
    inputs = keras.Input((MOMENTS, 2))
    x = inputs
    for block in range(3):
        x = keras.layers.Conv1D(
            24, 7, padding="same", kernel_initializer=keras.initializers.HeNormal(block)
        )(x)
        x = keras.layers.ReLU()(x)
        x = keras.layers.MaxPooling1D(2)(x)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling1D()(x))


@pytest.mark.slow
def test_unseen_gestures_are_told_apart(gestures):
    train, validation, test = (
        load_own_split(gestures, split, seed=4)
        for split in ("train", "validation", "test")
    )
    assert [t.num_classes for t in (train, validation, test)] == [19, 5, 6]
    assert test.example_shape == (MOMENTS, 2)
    learner = PrototypicalNetwork(encoder())
    learner.compile(keras.optimizers.Adam(3e-3))
    test_episodes = Episodes(test, ways=5, shots=5, queries=5, tasks=8)
    seen = {*train.origins, *validation.origins}

    def accuracy():
        result = evaluate(learner, test_episodes, num_episodes=600, seen_classes=seen)
        return float(np.mean(result.episode_accuracies))

    before = accuracy()
    learner.fit(
        Episodes(train, ways=10, shots=2, queries=5).as_dataset(),
        validation_data=Episodes(validation, shots=5, queries=5).as_dataset(steps=4),
        steps_per_epoch=120,
        shuffle=False,
        verbose=0,
    )
    after = accuracy()
    # Guessing is right in one of five.
    assert after > 0.7
    assert after > before + 0.1
