"""The map of each picture is read off pictures of their own coordinates."""

import dataclasses

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import tensorflow as tf

from tfmeta.episodes import RandomAffine

STILL = {"rotation": 0.0, "shear": 0.0, "scale": 0.0, "translation": 0.0}
HEIGHT, WIDTH = 21, 31
CENTRE = np.array([WIDTH - 1, HEIGHT - 1]) / 2


def stream(number=0):
    return tf.constant([number, 5], tf.int64)


def affine(**magnitudes):
    return RandomAffine(**{**STILL, **magnitudes})


def noise_pictures(count, dtype="float32", height=HEIGHT, width=WIDTH, seed=0):
    rng = np.random.default_rng(seed)
    shape = (count, height, width, 1)
    if np.issubdtype(dtype, np.integer):
        return rng.integers(0, 256, shape).astype(dtype)
    return rng.random(shape).astype(dtype)


def maps(augment, count, number=0):
    """Matrices `(count, 2, 2)` and shifts `(count, 2)`, in (x, y) about the centre.

    An output pixel at `p` from the centre shows the input at `matrix @ p + shift`.
    Bilinear interpolation is exact on the coordinates themselves, so that a
    least-squares fit over pixels that lie inside recovers the map.
    """
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype("float32")
    coordinates = np.stack([x, y, np.ones_like(x)], -1)
    shown = augment(np.stack([coordinates] * count), stream(number)).numpy()
    places = np.stack([x - CENTRE[0], y - CENTRE[1], np.ones_like(x)], -1)
    matrices, shifts = [], []
    for picture in shown.astype("float64"):
        inside = np.abs(picture[..., 2] - 1) < 1e-5
        assert inside.sum() > 50
        goal = picture[inside][:, :2] - CENTRE
        fit, *_ = np.linalg.lstsq(places[inside].astype("float64"), goal, rcond=None)
        np.testing.assert_allclose(places[inside] @ fit, goal, atol=1e-4)
        matrices.append(fit[:2].T)
        shifts.append(fit[2])
    return np.array(matrices), np.array(shifts)


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int32", "float16", "float32"]
)
def test_without_magnitudes_nothing_changes_by_a_bit(dtype):
    pictures = noise_pictures(4, dtype)
    still = affine()(pictures, stream())
    assert still.dtype == tf.as_dtype(dtype)
    np.testing.assert_array_equal(still, pictures)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64"])
def test_dtype_and_shape_stay(dtype):
    pictures = tf.constant(noise_pictures(3, dtype, 8, 5))
    moved = RandomAffine()(pictures, stream())
    assert (moved.dtype, moved.shape) == (pictures.dtype, pictures.shape)
    assert (moved.numpy() != pictures.numpy()).any()


def test_integers_are_rounded_to_the_nearest():
    pictures = noise_pictures(3, "uint8")
    exact = RandomAffine()(pictures.astype("float32"), stream()).numpy()
    rounded = RandomAffine()(pictures, stream()).numpy()
    np.testing.assert_array_equal(rounded, np.round(exact))
    assert (exact != rounded).any()


def test_a_function_of_pictures_and_stream_alone():
    pictures = tf.constant(noise_pictures(4))
    augment = RandomAffine()
    tf.random.set_seed(1)
    first = augment(pictures, stream(3))
    tf.random.set_seed(2)
    np.testing.assert_array_equal(first, RandomAffine()(pictures, stream(3)))
    assert (augment(pictures, stream(4)).numpy() != first.numpy()).any()
    in_graph = tf.function(augment)(pictures, stream(3))
    np.testing.assert_allclose(first, in_graph, atol=1e-5)
    # The channels of a picture move together.
    twice = augment(tf.concat([pictures, 2 * pictures], -1), stream(3)).numpy()
    np.testing.assert_array_equal(twice[..., 1], 2 * twice[..., 0])


def test_unknown_sizes_in_a_graph():
    pictures = noise_pictures(3)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 1))])
    def moved(batch):
        return RandomAffine()(batch, stream())

    np.testing.assert_allclose(
        moved(pictures), RandomAffine()(pictures, stream()), atol=1e-5
    )


def test_each_picture_moves_independently():
    _, shifts = maps(affine(translation=0.2), 300)
    assert len(np.unique(shifts.round(4), axis=0)) == 300
    largest = 0.2 * np.array([WIDTH, HEIGHT])
    places = shifts / largest
    for axis in range(2):
        uniform = scipy.stats.uniform(-1, 2)
        assert scipy.stats.kstest(places[:, axis], uniform.cdf).pvalue > 1e-4
    # Neither the two axes nor neighbours in the batch go together.
    pairs = [
        (places[:, 0], places[:, 1]),
        (places[:-1, 0], places[1:, 0]),
        (places[:-1, 1], places[1:, 1]),
    ]
    for one, other in pairs:
        assert scipy.stats.pearsonr(one, other).pvalue > 1e-4


def test_translation_shifts_by_at_most_its_fraction_of_the_side():
    matrices, shifts = maps(affine(translation=0.2), 300)
    np.testing.assert_allclose(matrices, [np.eye(2)] * 300, atol=1e-5)
    largest = 0.2 * np.array([WIDTH, HEIGHT])
    assert (np.abs(shifts) <= largest + 1e-4).all()
    assert (np.abs(shifts).max(0) > 0.95 * largest).all()


def test_rotation_turns_about_the_centre_by_at_most_its_angle():
    matrices, shifts = maps(affine(rotation=30.0), 200)
    np.testing.assert_allclose(shifts, 0, atol=1e-4)
    np.testing.assert_allclose(
        matrices @ matrices.swapaxes(1, 2), [np.eye(2)] * 200, atol=1e-5
    )
    assert (np.linalg.det(matrices) > 0).all()
    angles = np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    assert np.abs(angles).max() <= 30 + 1e-3
    assert scipy.stats.kstest(angles, scipy.stats.uniform(-30, 60).cdf).pvalue > 1e-4


def test_scale_stretches_each_axis_about_the_centre():
    matrices, shifts = maps(affine(scale=0.3), 200)
    np.testing.assert_allclose(shifts, 0, atol=1e-4)
    np.testing.assert_allclose(matrices[:, [0, 1], [1, 0]], 0, atol=1e-5)
    change = matrices[:, [0, 1], [0, 1]] - 1
    for axis in range(2):
        uniform = scipy.stats.uniform(-0.3, 0.6)
        assert scipy.stats.kstest(change[:, axis], uniform.cdf).pvalue > 1e-4
    assert np.abs(change).max() <= 0.3 + 1e-5
    assert scipy.stats.pearsonr(change[:, 0], change[:, 1]).pvalue > 1e-4


def test_shear_slants_each_axis_about_the_centre():
    matrices, shifts = maps(affine(shear=0.25), 200)
    np.testing.assert_allclose(shifts, 0, atol=1e-4)
    np.testing.assert_allclose(matrices[:, [0, 1], [0, 1]], 1, atol=1e-5)
    slant = matrices[:, [0, 1], [1, 0]]
    for axis in range(2):
        uniform = scipy.stats.uniform(-0.25, 0.5)
        assert scipy.stats.kstest(slant[:, axis], uniform.cdf).pvalue > 1e-4
    assert np.abs(slant).max() <= 0.25 + 1e-5


def test_the_centre_pixel_stays_without_translation():
    pictures = noise_pictures(20)
    moved = affine(rotation=170.0, shear=0.4, scale=0.3)(pictures, stream())
    middle = (slice(None), HEIGHT // 2, WIDTH // 2)
    np.testing.assert_allclose(moved[middle], pictures[middle], atol=1e-5)
    assert (np.abs(moved - pictures) > 0.1).any()


def test_the_parts_are_shift_after_turn_after_shear_after_scale():
    augment = RandomAffine(rotation=40.0, shear=0.3, scale=0.2, translation=0.1)
    matrices, shifts = maps(augment, 8)
    draws = tf.random.stateless_uniform([7, 8], stream(), -1.0, 1.0).numpy()
    for matrix, shift, draw in zip(matrices, shifts, draws.T, strict=True):
        angle = np.radians(40.0 * draw[0])
        turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        shear = [[1, 0.3 * draw[1]], [0.3 * draw[2], 1]]
        scale = np.diag(1 + 0.2 * draw[3:5])
        np.testing.assert_allclose(matrix, turn @ np.array(shear) @ scale, atol=1e-5)
        expected = 0.1 * draw[5:] * [WIDTH, HEIGHT]
        np.testing.assert_allclose(shift, expected, atol=1e-4)


def test_pixels_are_those_of_scipy():
    augment = RandomAffine(rotation=60.0, shear=0.3, scale=0.3, translation=0.3)
    pictures = noise_pictures(12)
    moved = augment(pictures, stream(9)).numpy()
    matrices, shifts = maps(augment, 12, number=9)
    for picture, result, matrix, shift in zip(
        pictures[..., 0], moved[..., 0], matrices, shifts, strict=True
    ):
        # SciPy counts rows first. Its grid-constant lets 0 in from outside.
        rows_first, centre = matrix[::-1, ::-1], CENTRE[::-1]
        expected = scipy.ndimage.affine_transform(
            picture.astype("float64"),
            rows_first,
            offset=centre + shift[::-1] - rows_first @ centre,
            order=1,
            mode="grid-constant",
            cval=0.0,
        )
        np.testing.assert_allclose(result, expected, atol=2e-4)
        assert (expected == 0).any(), "nothing came from outside"


@pytest.mark.parametrize("name", STILL)
@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf, 180.0, "0.1", None, True])
def test_magnitudes_that_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be .*Received: {name}="):
        RandomAffine(**{name: value})


@pytest.mark.parametrize("name", ["shear", "scale", "translation"])
def test_fractions_are_below_one(name):
    with pytest.raises(ValueError, match=f"`{name}` must be .* below 1. .*{name}=1.0"):
        RandomAffine(**{name: 1.0})


@pytest.mark.parametrize("shape", [(4, 4, 1), (2, 4), (1, 2, 4, 4, 1)])
def test_pictures_have_four_axes(shape):
    with pytest.raises(ValueError, match=r"`pictures` must have shape .* Received"):
        RandomAffine()(tf.zeros(shape), stream())


def test_magnitudes_are_a_value():
    assert RandomAffine(rotation=5.0) == RandomAffine(rotation=5.0)
    assert eval(repr(RandomAffine(shear=0.1))) == RandomAffine(shear=0.1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        RandomAffine().rotation = 3.0
