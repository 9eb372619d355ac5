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


@pytest.mark.parametrize("wrong", [{"units": 0}, {"gain": 0.0}, {"gain": np.nan}])
def test_refuses_what_is_not_positive(wrong):
    with pytest.raises(ValueError, match="must be positive"):
        Projection(4, **wrong)
