"""Shapes, weights and one block by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.encoders import Conv4
from tfmeta.layers import BatchNormalization


@pytest.mark.parametrize(
    ("input_shape", "options", "width"),
    [
        ((28, 28, 1), {}, 64),
        ((84, 84, 3), {}, 1600),
        ((84, 84, 3), {"filters": 32}, 800),
        ((16, 40, 2), {"filters": 5}, 1 * 2 * 5),
        ((8, 8, 1), {"filters": 3, "blocks": 2}, 2 * 2 * 3),
    ],
)
def test_output_shape_and_parameters(input_shape, options, width):
    encoder = Conv4(input_shape, **options)
    assert encoder.input_shape == (None, *input_shape)
    assert encoder.output_shape == (None, width)
    filters, blocks = options.get("filters", 64), options.get("blocks", 4)
    kernels = 9 * filters * (input_shape[-1] + (blocks - 1) * filters)
    # Scale and offset; moving mean and variance.
    assert encoder.count_params() == kernels + blocks * 4 * filters
    assert encoder(np.zeros((2, *input_shape))).shape == (2, width)


@pytest.mark.parametrize("training", [True, False])
def test_one_block_by_hand(training):
    rng = np.random.default_rng(0)
    encoder = Conv4((4, 5, 2), filters=3, blocks=1, rescale=0.5, seed=0)
    kernel = rng.normal(size=(3, 3, 2, 3))
    gamma, beta, mean, variance = rng.uniform(0.5, 1.5, size=(4, 3))
    encoder.set_weights([kernel, gamma, beta, mean, variance])
    pictures = rng.normal(size=(6, 4, 5, 2))

    padded = np.pad(pictures * 0.5, ((0, 0), (1, 1), (1, 1), (0, 0)))
    x = np.zeros((6, 4, 5, 3))
    for row in range(4):
        for column in range(5):
            window = padded[:, row : row + 3, column : column + 3]
            x[:, row, column] = np.einsum("nhwc,hwcf->nf", window, kernel)
    batch_mean, batch_variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    if training:
        x = (x - batch_mean) / np.sqrt(batch_variance + 1e-3)
    else:
        x = (x - mean) / np.sqrt(variance + 1e-3)
    x = np.maximum(x * gamma + beta, 0.0)
    # The fifth column has no partner and is dropped.
    x = x[:, :, :4].reshape(6, 2, 2, 2, 2, 3).max((2, 4))

    outputs = encoder(pictures, training=training)
    np.testing.assert_allclose(outputs, x.reshape(6, -1), rtol=1e-4, atol=1e-5)
    if training:
        mean = 0.9 * mean + 0.1 * batch_mean
        variance = 0.9 * variance + 0.1 * batch_variance
    np.testing.assert_allclose(encoder.get_weights()[3], mean, rtol=1e-5)
    np.testing.assert_allclose(encoder.get_weights()[4], variance, rtol=1e-5)


@pytest.mark.parametrize(
    ("pooled_blocks", "shape"),
    [(None, (1, 2)), (4, (1, 2)), (2, (4, 10)), (0, (16, 40))],
)
def test_maps(pooled_blocks, shape):
    options = {"filters": 5, "seed": 0, "pooled_blocks": pooled_blocks}
    maps = Conv4((16, 40, 1), flatten=False, **options)
    vectors = Conv4((16, 40, 1), **options)
    assert maps.output_shape == (None, *shape, 5)
    assert vectors.output_shape == (None, shape[0] * shape[1] * 5)
    names = [layer.name for layer in maps.layers]
    pooled = 4 if pooled_blocks is None else pooled_blocks
    assert [n for n in names if n.startswith("max_pooling")] == [
        f"max_pooling_{i + 1}" for i in range(pooled)
    ]
    assert [layer.name for layer in vectors.layers] == [*names, "embedding"]
    pictures = np.random.default_rng(0).uniform(0, 255, size=(3, 16, 40, 1))
    np.testing.assert_array_equal(
        np.reshape(maps(pictures), (3, -1)), vectors(pictures)
    )


@pytest.mark.parametrize(("pooled_blocks", "shape"), [(None, (2, 3)), (1, (14, 20))])
def test_strides_halve_and_round_up(pooled_blocks, shape):
    options = {"filters": 5, "seed": 0, "pooled_blocks": pooled_blocks}
    maps = Conv4((27, 40, 1), flatten=False, downsampling="strides", **options)
    assert maps.output_shape == (None, *shape, 5)
    assert not [n for n in (layer.name for layer in maps.layers) if "pooling" in n]
    pooled = Conv4((27, 40, 1), flatten=False, **options)
    for ours, theirs in zip(maps.get_weights(), pooled.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_strides_take_every_second_window():
    """Of an even picture TensorFlow's "same" takes the windows of odd places."""
    encoder = Conv4((6, 8, 2), filters=3, blocks=1, downsampling="strides", seed=0)
    dense = Conv4((6, 8, 2), filters=3, blocks=1, pooled_blocks=0, flatten=False)
    dense.set_weights(encoder.get_weights())
    pictures = np.random.default_rng(0).uniform(0, 255, size=(4, 6, 8, 2))
    expected = np.reshape(dense(pictures)[:, 1::2, 1::2], (4, -1))
    np.testing.assert_allclose(encoder(pictures), expected, rtol=1e-5, atol=1e-6)


def test_unpooled_blocks_keep_their_place():
    """One pooled block, then one without, is the second block on the first's map."""
    pictures = np.random.default_rng(0).uniform(0, 255, size=(3, 8, 8, 1))
    both = Conv4((8, 8, 1), filters=2, blocks=2, pooled_blocks=1, flatten=False)
    first = Conv4((8, 8, 1), filters=2, blocks=1, flatten=False)
    second = Conv4(
        (4, 4, 2), filters=2, blocks=1, pooled_blocks=0, flatten=False, rescale=None
    )
    weights = both.get_weights()
    first.set_weights(weights[:5])
    second.set_weights(weights[5:])
    np.testing.assert_allclose(
        both(pictures), second(first(pictures)), rtol=1e-5, atol=1e-6
    )


def test_seed_fixes_every_kernel():
    def kernels(seed):
        encoder = Conv4(filters=4, seed=seed)
        return [w for w in encoder.get_weights() if w.ndim == 4]

    for first, second in zip(kernels(7), kernels(7), strict=True):
        np.testing.assert_array_equal(first, second)
    # Blocks 2 to 4 have kernels of one shape: neither two blocks nor two
    # neighbouring seeds may share one.
    square = np.stack(kernels(7)[1:] + kernels(8)[1:])
    assert len(np.unique(square.reshape(6, -1), axis=0)) == 6
    assert not np.array_equal(kernels(None)[0], kernels(None)[0])
    limit = np.sqrt(6 / (9 * 4 + 9 * 4))
    assert 0.9 * limit < np.abs(square).max() <= limit


@pytest.mark.parametrize(
    "dtype",
    [
        "uint8",
        pytest.param("int64", marks=pytest.mark.slow),
        pytest.param("float32", marks=pytest.mark.slow),
    ],
)
def test_fit_on_pictures_of_any_dtype(dtype):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, size=(8, 16, 16, 1))
    labels = rng.integers(0, 3, size=8)
    models = []
    for kind in (dtype, "float32"):
        encoder = Conv4((16, 16, 1), filters=4, seed=1)
        kernel = keras.initializers.GlorotUniform(2)
        head = keras.layers.Dense(3, kernel_initializer=kernel)
        model = keras.Sequential([encoder, head])
        model.compile(
            keras.optimizers.SGD(0.1),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        data = (pictures.astype(kind), labels)
        # Batches of five and three rows.
        model.fit(tf.data.Dataset.from_tensor_slices(data).batch(5), verbose=0)
        models.append(model)
    for ours, reference in zip(*(m.get_weights() for m in models), strict=True):
        np.testing.assert_array_equal(ours, reference)
    picture = pictures.astype(dtype)
    assert models[0].layers[0](picture).dtype == tf.float32
    assert models[0].layers[0].predict(picture, verbose=0).shape == (8, 4)


@pytest.mark.parametrize(
    ("training", "jit_compile"), [(False, False), (False, True), (True, True)]
)
def test_batch_without_rows(training, jit_compile):
    encoder = Conv4((16, 16, 1), filters=4)
    before = encoder.get_weights()
    variables = [v.value for v in encoder.trainable_variables]

    @tf.function(
        jit_compile=jit_compile, input_signature=[tf.TensorSpec((None, 16, 16, 1))]
    )
    def embed(pictures):
        with tf.GradientTape() as tape:
            embeddings = encoder(pictures, training=training)
            loss = tf.reduce_sum(tf.square(embeddings))
        # Without XLA, oneDNN's gradient of the pooling ends the process
        # (tensorflow#126128).
        return embeddings, tape.gradient(loss, variables) if jit_compile else []

    embeddings, gradients = embed(tf.zeros((0, 16, 16, 1)))
    assert embeddings.shape == (0, 4)
    for gradient in gradients:
        np.testing.assert_array_equal(gradient, np.zeros_like(gradient))
    for old, new in zip(before, encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_saved_and_loaded(tmp_path):
    rng = np.random.default_rng(0)
    encoder = Conv4((16, 16, 3), filters=4)
    pictures = rng.integers(0, 256, size=(6, 16, 16, 3), dtype="uint8")
    encoder(pictures, training=True)
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    assert loaded.name == "conv4"
    assert sum(isinstance(layer, BatchNormalization) for layer in loaded.layers) == 4
    np.testing.assert_array_equal(loaded(pictures), encoder(pictures))
    copy = keras.models.clone_model(encoder)
    copy.set_weights(encoder.get_weights())
    np.testing.assert_array_equal(copy(pictures), encoder(pictures))


def test_rescale():
    names = [layer.name for layer in Conv4(rescale=None).layers]
    assert "rescaling" not in names
    pictures = np.random.default_rng(0).uniform(0, 255, size=(3, 28, 28, 1))
    np.testing.assert_allclose(
        Conv4(seed=1)(pictures),
        Conv4(seed=1, rescale=None)(pictures / 255),
        rtol=1e-4,
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("dtype", "compute", "variables"),
    [
        ("float64", "float64", "float64"),
        ("mixed_bfloat16", "bfloat16", "float32"),
    ],
)
@pytest.mark.parametrize("as_global_policy", [False, True])
def test_dtype_policies(dtype, compute, variables, as_global_policy):
    policy = keras.config.dtype_policy()
    try:
        if as_global_policy:
            keras.config.set_dtype_policy(dtype)
        encoder = Conv4(
            (16, 16, 1), filters=4, seed=1, dtype=None if as_global_policy else dtype
        )
    finally:
        keras.config.set_dtype_policy(policy)
    assert {v.dtype for v in encoder.variables} == {variables}
    assert encoder.inputs[0].dtype == variables
    pictures = np.random.default_rng(0).uniform(0, 255, size=(4, 16, 16, 1))
    for training in (False, True):
        reference = Conv4((16, 16, 1), filters=4, seed=1)
        reference.set_weights(encoder.get_weights())
        outputs = encoder(pictures, training=training)
        assert outputs.dtype == compute
        expected = reference(pictures, training=training).numpy()
        error = np.abs(tf.cast(outputs, tf.float64) - expected).max()
        # Four blocks of rounding to 8 bits, or float32's own rounding.
        allowed = 0.05 if compute == "bfloat16" else 1e-5
        assert error < allowed * np.abs(expected).max()


def test_channels_are_last_whatever_the_global_setting():
    setting = keras.config.image_data_format()
    try:
        keras.config.set_image_data_format("channels_first")
        encoder = Conv4((32, 16, 3), filters=4, seed=1)
    finally:
        keras.config.set_image_data_format(setting)
    assert encoder.output_shape == (None, 2 * 1 * 4)
    pictures = np.random.default_rng(0).uniform(0, 255, size=(4, 32, 16, 3))
    reference = Conv4((32, 16, 3), filters=4, seed=1)
    np.testing.assert_array_equal(encoder(pictures), reference(pictures))


@pytest.mark.parametrize(
    "input_shape", [(28, 28), (28, 28, 1, 1), (None, 28, 1), (28, 28, 0)]
)
def test_other_input_shapes_are_refused(input_shape):
    with pytest.raises(ValueError, match=r"`input_shape`.*height.*Received: \("):
        Conv4(input_shape)


def test_small_picture_is_refused():
    with pytest.raises(ValueError, match=r"`input_shape`.*16 pixels.*\(28, 15, 1\)"):
        Conv4((28, 15, 1))
    assert Conv4((16, 16, 1), filters=2).output_shape == (None, 2)


@pytest.mark.parametrize("argument", ["filters", "blocks"])
def test_counts_must_be_positive(argument):
    with pytest.raises(ValueError, match=f"`{argument}`.*Received: 0"):
        Conv4(**{argument: 0})


@pytest.mark.parametrize("pooled_blocks", [-1, 5])
def test_no_more_poolings_than_blocks(pooled_blocks):
    message = rf"`pooled_blocks`.*from 0 to.*4.*pooled_blocks={pooled_blocks}"
    with pytest.raises(ValueError, match=message):
        Conv4(pooled_blocks=pooled_blocks)


def test_fewer_poolings_take_smaller_pictures():
    assert Conv4((4, 4, 1), filters=2, pooled_blocks=2).output_shape == (None, 2)
    with pytest.raises(ValueError, match=r"`input_shape`.*4 pixels.*\(3, 4, 1\)"):
        Conv4((3, 4, 1), pooled_blocks=2)


def test_strides_take_any_picture():
    encoder = Conv4((3, 1, 1), filters=2, downsampling="strides")
    assert encoder.output_shape == (None, 2)


def test_other_downsampling_is_refused():
    message = r"`downsampling` must be 'max_pooling' or 'strides'.*'average'"
    with pytest.raises(ValueError, match=message):
        Conv4(downsampling="average")
