"""Keras' layers as functions of the pictures and a stream alone."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from coded_tables import arrays, assert_same, coded_table
from keras import layers

from tfmeta.episodes import Episodes, KerasAugmentation


def stream(number=0):
    return tf.constant([number, 5], tf.int64)


def same_pictures(count=8, size=12, dtype="uint8"):
    """One random picture many times: what differs afterwards was drawn."""
    picture = np.random.default_rng(0).integers(0, 256, (1, size, size, 3))
    return np.repeat(picture.astype(dtype), count, axis=0)


def nested():
    return keras.Sequential([layers.RandomFlip(), layers.RandomBrightness(0.3)])


# Each draws in a way of its own: one number, two, a batch of them, while it
# transforms, by layers of its own, by branches, or as a layer that is no
# preprocessing.
DRAWING = {
    "flip": layers.RandomFlip,
    "translation": lambda: layers.RandomTranslation(0.3, 0.3),
    "rotation": lambda: layers.RandomRotation(0.2),
    "zoom": lambda: layers.RandomZoom(0.3, 0.3),
    "contrast": lambda: layers.RandomContrast(0.5),
    "jitter": lambda: layers.RandomColorJitter((0, 255), 0.3, 0.3, 0.3, 0.1),
    "erasing": lambda: layers.RandomErasing(1.0),
    "noise": lambda: layers.GaussianNoise(0.9),
    "nested": nested,
}


@pytest.mark.parametrize("kind", DRAWING)
def test_a_function_of_pictures_and_stream_alone(kind):
    pictures = same_pictures()
    layer = DRAWING[kind]()
    augment = KerasAugmentation([layer])
    keras.utils.set_random_seed(1)
    first = augment(pictures, stream(3)).numpy()
    assert first.dtype == np.uint8 and first.shape == pictures.shape
    assert len(np.unique(first, axis=0)) > 1
    # Neither what was drawn before nor the layer's own state nor seed matters.
    keras.utils.set_random_seed(2)
    other = augment(pictures, stream(4)).numpy()
    layer(tf.cast(pictures, tf.float32), training=True)
    np.testing.assert_array_equal(augment(pictures, stream(3)), first)
    again = KerasAugmentation([DRAWING[kind]()])
    np.testing.assert_array_equal(again(pictures, stream(3)), first)
    assert (other != first).any()
    # Nor whether it is part of a graph.
    data = tf.data.Dataset.from_tensors(pictures).repeat(2)
    for moved in data.map(lambda x: augment(x, stream(3))):
        # Other graphs may be computed in another order, and round otherwise.
        away = np.abs(moved.numpy().astype(int) - first)
        assert away.max() <= 1 and away.mean() < 0.01


def test_the_layers_are_left_as_they_are():
    layer = nested()
    layer(same_pictures().astype("float32"), training=True)
    parts = layer._flatten_layers
    before = [(part, dict(vars(part))) for part in parts()]
    states = [keras.ops.convert_to_numpy(v) for v in layer.variables]
    KerasAugmentation([layer])(same_pictures(), stream())
    for part, attributes in before:
        now = vars(part)
        generators = [
            name
            for name, value in attributes.items()
            if isinstance(value, keras.random.SeedGenerator)
        ]
        assert all(now[name] is attributes[name] for name in generators)
    for old, new in zip(states, layer.variables, strict=True):
        np.testing.assert_array_equal(old, keras.ops.convert_to_numpy(new))
    moved = layer(same_pictures().astype("float32"), training=True)
    again = layer(same_pictures().astype("float32"), training=True)
    assert (moved.numpy() != again.numpy()).any()


def shifts_of(augment, count=400, number=0):
    """Shifts `(count, 2)`, read off pictures of their own rows and columns."""
    size = 40
    rows, columns = np.mgrid[:size, :size].astype("float32")
    picture = np.stack([rows, columns], -1)
    moved = augment(np.stack([picture] * count), stream(number)).numpy()
    middle = size // 2
    return moved[:, middle, middle] - middle


def test_shifts_along_the_two_axes_are_independent_and_uniform():
    augment = KerasAugmentation([layers.RandomTranslation(0.2, 0.2, seed=3)])
    shifts = shifts_of(augment)
    assert np.abs(shifts).max() <= 8 + 1e-3
    for axis in range(2):
        uniform = scipy.stats.uniform(-8, 16)
        assert scipy.stats.kstest(shifts[:, axis], uniform.cdf).pvalue > 1e-4
    pairs = [(shifts[:, 0], shifts[:, 1]), (shifts[:-1, 0], shifts[1:, 0])]
    for one, other in pairs:
        assert scipy.stats.pearsonr(one, other).pvalue > 1e-4


def test_layers_and_streams_draw_independently():
    along = [layers.RandomTranslation(0.2, 0.0), layers.RandomTranslation(0.0, 0.2)]
    shifts = shifts_of(KerasAugmentation(along))
    assert scipy.stats.pearsonr(shifts[:, 0], shifts[:, 1]).pvalue > 1e-4
    other = shifts_of(KerasAugmentation(along), number=1)
    assert scipy.stats.pearsonr(shifts[:, 0], other[:, 0]).pvalue > 1e-4
    # The second layer's own stream does not depend on what the first draws.
    swapped = [layers.RandomBrightness(0.0), along[1]]
    np.testing.assert_allclose(
        shifts_of(KerasAugmentation(swapped))[:, 1], shifts[:, 1], atol=1e-3
    )


def test_half_of_the_pictures_are_flipped():
    picture = np.zeros((1000, 4, 4, 1), "uint8")
    picture[:, 0, 0] = 9
    moved = KerasAugmentation([layers.RandomFlip("horizontal")])(picture, stream())
    flipped = (moved.numpy()[:, 0, 3, 0] == 9).sum()
    assert scipy.stats.binomtest(int(flipped), 1000).pvalue > 1e-4


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "float64"])
def test_dtype_and_shape_stay(dtype):
    pictures = same_pictures(dtype=dtype)
    moved = KerasAugmentation([layers.RandomRotation(0.2)])(pictures, stream())
    assert (moved.dtype, moved.shape) == (tf.as_dtype(dtype), pictures.shape)
    assert (moved.numpy() != pictures).any()


def test_integers_are_rounded_and_cut_off():
    pictures = np.array([3, 100, 255], "uint8").reshape(3, 1, 1, 1)
    doubled = KerasAugmentation([layers.Rescaling(1.5, offset=-10.0)])(
        pictures, stream()
    )
    assert doubled.numpy().ravel().tolist() == [0, 140, 255]


def test_sizes_may_be_unknown():
    pictures = same_pictures()
    augment = KerasAugmentation([layers.RandomFlip(), layers.RandomContrast(0.3)])

    @tf.function(input_signature=[tf.TensorSpec((None, 12, 12, 3), tf.uint8)])
    def moved(batch):
        return augment(batch, stream())

    np.testing.assert_array_equal(moved(pictures), augment(pictures, stream()))


def test_in_episodes():
    table = coded_table([6] * 6)
    augment = KerasAugmentation(
        [layers.RandomFlip(), layers.RandomTranslation(0.3, 0.3)]
    )
    settings = {"ways": 3, "queries": 2, "tasks": 2, "seed": 4}
    plain = Episodes(table, **settings)
    moved = Episodes(table, query_augment=augment, **settings)
    for step, batch in enumerate(moved.as_dataset(steps=2)):
        ours, theirs = arrays(batch), arrays(plain.batch(step))
        query = ours[0].pop("query").astype(int)
        assert (query != theirs[0].pop("query")).any()
        alone = arrays(moved.batch(step))[0]["query"]
        assert np.abs(query - alone).max() <= 1
        assert_same(ours, theirs)
    assert moved.describe()["query_augment"] == repr(augment)


def test_it_is_described_by_what_decides_its_result():
    def make(flip="horizontal", seed=None):
        return repr(
            KerasAugmentation(
                [layers.RandomFlip(flip, seed=seed), layers.RandomCrop(8, 8), nested()]
            )
        )

    text = make()
    assert text == make(seed=3)
    assert text != make("vertical")
    assert text.startswith("KerasAugmentation([RandomFlip(")
    for part in ("mode='horizontal'", "RandomCrop(", "height=8", "Sequential("):
        assert part in text
    assert "seed" not in text and "name" not in text
    # Being built and used changes nothing.
    layer = nested()
    augment = KerasAugmentation([layer])
    before = repr(augment)
    augment(same_pictures(), stream())
    assert repr(augment) == before


@keras.saving.register_keras_serializable(package="test_keras_augmentation")
class Draws(layers.Layer):
    """Adds noise that is drawn in one of several ways."""

    def __init__(self, how="operation", **kwargs):
        super().__init__(**kwargs)
        self.how = how
        self.hidden = [lambda: keras.random.SeedGenerator(3)]
        if how == "hidden generator":
            generator = keras.random.SeedGenerator(3)
            self.hidden = [lambda: generator]

    def call(self, x):
        if self.how == "operation":
            return x + tf.random.uniform(tf.shape(x))
        if self.how == "in a branch":
            more = tf.cond(
                tf.reduce_sum(x) > 0,
                lambda: tf.random.normal(tf.shape(x)),
                lambda: tf.zeros_like(x),
            )
            return x + more
        if self.how == "picture by picture":
            return tf.map_fn(lambda one: tf.image.random_brightness(one, 0.5), x)
        if self.how == "numpy":
            drawn = tf.numpy_function(np.random.rand, [], tf.float64)
            return x + tf.cast(drawn, tf.float32)
        if self.how == "numpy, once":
            return x + np.float32(np.random.rand())
        if self.how == "global state":
            return x + keras.random.uniform(keras.ops.shape(x))
        return x + keras.random.uniform(keras.ops.shape(x), seed=self.hidden[0]())

    def get_config(self):
        return {**super().get_config(), "how": self.how}


@pytest.mark.parametrize(
    "how",
    [
        "operation",
        "in a branch",
        "picture by picture",
        "numpy",
        "numpy, once",
        "global state",
        "hidden generator",
    ],
)
def test_layers_that_draw_from_elsewhere_are_named(how):
    augment = KerasAugmentation([layers.RandomFlip(), Draws(how)])
    with pytest.raises(
        ValueError, match=r"`layers` must draw .*Received: Draws, which"
    ):
        augment(same_pictures(), stream())


def test_layers_of_keras_that_draw_from_elsewhere_are_named():
    table = coded_table([4] * 4)
    augment = KerasAugmentation([layers.RandomFlip(), layers.AugMix()])
    episodes = Episodes(table, ways=2, queries=2, augment=augment)
    with pytest.raises(ValueError, match=r"Received: AugMix, .*\(Python's random\)"):
        episodes.as_dataset()


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (layers.MixUp, "MixUp"),
        (lambda: keras.Sequential([layers.RandomFlip(), layers.CutMix()]), "CutMix"),
    ],
)
def test_layers_that_blend_pictures_are_refused(layer, name):
    with pytest.raises(ValueError, match=f"each picture by itself.*Received: {name}"):
        KerasAugmentation([layer()])


def test_other_arguments_that_are_refused():
    with pytest.raises(ValueError, match="at least one layer"):
        KerasAugmentation([])
    with pytest.raises(TypeError, match="must be Keras layers. Received: str"):
        KerasAugmentation([layers.RandomFlip(), "flip"])
    augment = KerasAugmentation([layers.RandomFlip(), layers.Resizing(6, 6)])
    with pytest.raises(ValueError, match=r"Received: Resizing, .*\(8, 6, 6, 3\)"):
        augment(same_pictures(), stream())
    with pytest.raises(ValueError, match=r"`pictures` must have shape .*\(8, 12, 12\)"):
        augment(same_pictures()[..., 0], stream())
