import keras
import numpy as np
import pytest

from tfmeta.encoders import Projection


def cosines(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


@pytest.fixture
def features():
    return 100 * np.random.default_rng(0).random((6, 40), np.float32)


def test_begins_with_the_angles_of_the_features(features):
    vectors = keras.ops.convert_to_numpy(Projection(40)(features))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 8, rtol=1e-5)
    np.testing.assert_allclose(cosines(vectors), cosines(features), rtol=1e-5)


def test_fewer_units_are_random_directions_at_right_angles(features):
    projection = Projection(40, units=10, gain=2.0, seed=3)
    kernel, _ = projection.get_weights()
    np.testing.assert_allclose(kernel.T @ kernel, 4 * np.eye(10), atol=1e-5)
    again = Projection(40, units=10, gain=2.0, seed=3)
    np.testing.assert_array_equal(projection(features), again(features))
    other = Projection(40, units=10, gain=2.0, seed=4)
    assert not np.allclose(projection(features), other(features))


def test_survives_saving(features, tmp_path):
    projection = Projection(40, units=10, seed=0)
    projection.save(tmp_path / "projection.keras")
    loaded = keras.saving.load_model(tmp_path / "projection.keras")
    np.testing.assert_array_equal(projection(features), loaded(features))


def test_noise_is_of_training_alone(features):
    noisy, again = (Projection(40, units=10, noise=0.5, seed=3) for _ in range(2))
    silent = Projection(40, units=10, seed=3)
    np.testing.assert_array_equal(noisy(features), silent(features))
    trained = noisy(features, training=True)
    np.testing.assert_array_equal(trained, again(features, training=True))
    kernel, _ = noisy.get_weights()
    many = np.repeat(features, 2000, axis=0)
    unit = many / np.linalg.norm(many, axis=1, keepdims=True)
    # Directions at right angles of length 8 keep the deviation, times 8.
    added = noisy(many, training=True) - unit @ kernel
    np.testing.assert_allclose(np.std(added), 8 * 0.5, rtol=0.02)


@pytest.mark.parametrize("wrong", [{"units": 0}, {"gain": 0.0}, {"gain": np.nan}])
def test_refuses_what_is_not_positive(wrong):
    with pytest.raises(ValueError, match="must be positive"):
        Projection(4, **wrong)


@pytest.mark.parametrize("noise", [-0.1, np.nan, np.inf])
def test_refuses_noise_that_is_none(noise):
    with pytest.raises(ValueError, match="`noise` must be a number from 0 on.*noise="):
        Projection(4, noise=noise)
