"""Every layer that is known to be wrong to second order, and those that are right.

The gradient of the loss after one gradient step is held against central differences
of that loss, in float64. Errors are relative to what first order leaves out of it.
"""

import functools
import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta.learners.optimization_based.second_order_facts import (
    ACTIVATIONS_WITHOUT,
    HALF_PRECISION_ERRORS,
    WRONG_LAYERS,
    find_wrong,
)
from tfmeta.testing.subject import precision

L = keras.layers
VECTOR, SEQUENCE, PICTURE, VOLUME = (6,), (5, 4), (6, 6, 2), (4, 4, 4, 2)


def around(make, shape):
    """An encoder with a layer between two that have weights.

    The first bends: behind a linear layer alone the lost term of a layer
    normalization does not matter.
    """
    inputs = keras.Input(shape)
    kernel = keras.initializers.GlorotUniform(1)
    if len(shape) == 3:
        first = L.Conv2D(4, 3, 1, "same", activation="tanh", kernel_initializer=kernel)
    else:
        first = L.Dense(6, "tanh", kernel_initializer=kernel)
    x = L.Flatten()(make()(first(inputs)))
    kernel = keras.initializers.GlorotUniform(2)
    return keras.Model(inputs, L.Dense(3, kernel_initializer=kernel)(x))


class Measured:
    """Loss after one step, and its gradient, at a point that the seed decides."""

    def __init__(self, make_encoder, policy="float64"):
        with precision("float64" if policy == "float64" else "float32"):
            self.encoder = make_encoder()
        wide = tf.float64 if policy == "float64" else tf.float32
        rng = np.random.default_rng(0)
        inputs = self.encoder.inputs[0]
        shape = (4, *inputs.shape[1:])
        if inputs.dtype == "int32":
            self.x = tf.constant(rng.integers(0, 7, size=shape), tf.int32)
        else:
            self.x = tf.constant(rng.normal(size=shape).astype("float32"), wide)
        rng = np.random.default_rng(1)
        self.target = tf.constant(
            rng.normal(size=(4, *self.encoder.output_shape[1:])).astype("float32"), wide
        )
        # Not the initial weights, which depend on the dtype.
        self.values, self.directions = (
            [
                tf.constant((0.4 * rng.normal(size=v.shape)).astype("float32"), wide)
                for v in self.encoder.trainable_variables
            ]
            for _ in range(2)
        )
        self.moving = [v.value for v in self.encoder.non_trainable_variables]

    def loss(self, values):
        outputs, _ = self.encoder.stateless_call(
            values, self.moving, self.x, training=True
        )
        outputs = tf.cast(outputs, self.target.dtype)
        return tf.reduce_mean(tf.square(outputs - self.target))

    def objective(self, values, first_order=False):
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss = self.loss(values)
        steps = tape.gradient(loss, values, unconnected_gradients="zero")
        steps = [tf.convert_to_tensor(step) for step in steps]
        if first_order:
            steps = [tf.stop_gradient(step) for step in steps]
        return self.loss([v - 0.3 * s for v, s in zip(values, steps, strict=True)])

    def gradient(self, values, first_order=False):
        with tf.GradientTape() as tape:
            tape.watch(values)
            objective = self.objective(values, first_order)
        gradients = tape.gradient(objective, values, unconnected_gradients="zero")
        return [tf.convert_to_tensor(gradient) for gradient in gradients]

    def flat_gradient(self, *, in_graph=False, first_order=False):
        """As one float64 vector."""
        gradient = functools.partial(self.gradient, first_order=first_order)
        if in_graph:
            gradient = tf.function(gradient)
        return np.concatenate(
            [np.ravel(tf.cast(part, tf.float64)) for part in gradient(self.values)]
        )

    def error(self, step):
        """Relative error along one direction against central differences."""

        def moved(size):
            pairs = zip(self.values, self.directions, strict=True)
            return self.objective([v + size * d for v, d in pairs])

        numeric = float(moved(step) - moved(-step)) / (2 * step)
        direction = np.concatenate([np.ravel(d) for d in self.directions])
        exact, first = (
            float(self.flat_gradient(first_order=flag) @ direction)
            for flag in (False, True)
        )
        return abs(exact - numeric) / abs(numeric - first)


def layer(name, *args, **kwargs):
    return lambda: getattr(L, name)(*args, **kwargs)


def merge(name):
    return lambda: lambda x: getattr(L, name)()([x, L.Dense(6, "tanh")(x)])


def attend(name, *args):
    def make():
        built = getattr(L, name)(*args)
        return (lambda x: built(x, x)) if args else (lambda x: built([x, x]))

    return make


def embed(kind):
    inputs = keras.Input((5,), dtype="int32")
    embedding = getattr(L, kind)(7, 4)
    x = L.Activation("tanh")(embedding(inputs))
    again = {"reverse": True} if kind == "ReversibleEmbedding" else None
    return keras.Model(inputs, embedding(x, **again) if again else L.Dense(3)(x))


def masked(name):
    inputs = keras.Input(SEQUENCE)
    return keras.Model(inputs, getattr(L, name)(3)(L.Masking()(inputs)))


def between(shape, cases):
    return {
        name: functools.partial(around, make, shape) for name, make in cases.items()
    }


# All of Keras but those whose arguments or shapes need more, and what raises.
ACTIVATIONS = [
    name
    for name, activation in vars(keras.activations).items()
    if inspect.isfunction(activation)
    and name not in ("deserialize", "get", "glu", "serialize", "softsign", "threshold")
]
OF_RANK = {
    **dict.fromkeys(("AdaptiveAveragePooling", "AdaptiveMaxPooling"), (2,)),
    **dict.fromkeys(("AveragePooling", "MaxPooling", "UpSampling"), (2,)),
    **dict.fromkeys(("Cropping", "ZeroPadding"), (1,)),
    **dict.fromkeys(("GlobalAveragePooling", "GlobalMaxPooling"), ()),
    "SpatialDropout": (0.4,),
}
# TensorFlow has no kernel of these for float64.
FLOAT32_ALONE = [
    f"{kind}Pooling3D" for kind in ("AdaptiveAverage", "AdaptiveMax", "Average", "Max")
]
bent = {"activation": "tanh"}

dropping = {"dropout": 0.3, "recurrent_dropout": 0.2, "seed": 1}
coloured = {"value_range": (-1, 1), "seed": 1}

VECTORS = {
    **{name: layer("Activation", name) for name in ACTIVATIONS},
    # Its Activation layer does not know its shape.
    "glu": lambda: keras.ops.glu,
    "gelu by tanh": lambda: lambda x: keras.ops.gelu(x, approximate=True),
    "threshold": lambda: lambda x: keras.ops.threshold(x, 0.1, 0.0),
    **{name: layer(name) for name in ("ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax")},
    **{name: layer(name) for name in ("Flatten", "Identity", "RMSNormalization")},
    "UnitNormalization": layer("UnitNormalization"),
    **{name: merge(name) for name in ("Add", "Average", "Maximum", "Minimum")},
    **{name: merge(name) for name in ("Concatenate", "Multiply", "Subtract")},
    "Dot": lambda: lambda x: L.Dot(1)([x, L.Dense(6, "tanh")(x)]),
    "ActivityRegularization": layer("ActivityRegularization", l2=0.1),
    "AlphaDropout": layer("AlphaDropout", 0.4, seed=1),
    "BatchNormalization frozen": layer("BatchNormalization", trainable=False),
    "Dense": layer("Dense", 5, **bent),
    "Dropout": layer("Dropout", 0.4, seed=1),
    "EinsumDense": layer("EinsumDense", "ab,bc->ac", 5, **bent),
    "GaussianDropout": layer("GaussianDropout", 0.4, seed=1),
    "GaussianNoise": layer("GaussianNoise", 0.3, seed=1),
    "LayerNormalization by rms": layer("LayerNormalization", rms_scaling=True),
    "Normalization": layer("Normalization", mean=0.3, variance=2.0),
    "ReLU clipped": layer("ReLU", 0.8, 0.1, 0.1),
    "RepeatVector": layer("RepeatVector", 3),
    "Rescaling": layer("Rescaling", 0.3, 0.1),
    "Reshape": layer("Reshape", (3, 2)),
    "tfmeta": tfmeta.layers.BatchNormalization,
}
SEQUENCES = {
    "AdditiveAttention": attend("AdditiveAttention"),
    "Attention": attend("Attention"),
    "Bidirectional": lambda: L.Bidirectional(L.SimpleRNN(3, unroll=True)),
    "Conv1D": layer("Conv1D", 3, 2, **bent),
    "Conv1D causal": layer("Conv1D", 3, 2, 1, "causal", dilation_rate=2, **bent),
    "Conv1DTranspose": layer("Conv1DTranspose", 3, 2, 2, **bent),
    "DepthwiseConv1D": layer("DepthwiseConv1D", 2, **bent),
    "GRU": layer("GRU", 3),
    "GRU unrolled": layer("GRU", 3, unroll=True),
    "GRU with dropout": layer("GRU", 3, **dropping),
    "GroupQueryAttention": attend("GroupQueryAttention", 3, 4, 2),
    "LSTM": layer("LSTM", 3),
    "LSTM unrolled": layer("LSTM", 3, unroll=True),
    "LSTM with dropout": layer("LSTM", 3, **dropping),
    "MultiHeadAttention": attend("MultiHeadAttention", 2, 3),
    "Permute": layer("Permute", (2, 1)),
    "RNN": lambda: L.RNN(L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(3)])),
    "SeparableConv1D": layer("SeparableConv1D", 3, 2, **bent),
    "SimpleRNN": layer("SimpleRNN", 3, unroll=True),
    "TimeDistributed": lambda: L.TimeDistributed(L.Dense(3, **bent)),
}
PICTURES = {
    "AveragePooling2D overlapping": layer("AveragePooling2D", 3, 2, "same"),
    "CenterCrop": layer("CenterCrop", 4, 4),
    "Conv2D": layer("Conv2D", 3, 3, **bent),
    "Conv2D dilated": layer("Conv2D", 3, 3, dilation_rate=2, **bent),
    "Conv2D grouped": layer("Conv2D", 4, 3, groups=2, **bent),
    "Conv2D strided": layer("Conv2D", 3, 3, 2, "same", **bent),
    "Conv2DTranspose": layer("Conv2DTranspose", 3, 3, 2, **bent),
    "DepthwiseConv2D": layer("DepthwiseConv2D", 3, 2, "same", 2, **bent),
    "MaxPooling2D overlapping": layer("MaxPooling2D", 3, 2, "same"),
    "RandomBrightness": layer("RandomBrightness", 0.3, **coloured),
    "RandomContrast": layer("RandomContrast", 0.3, **coloured),
    "RandomCrop": layer("RandomCrop", 4, 4, seed=1),
    "RandomErasing": layer("RandomErasing", **coloured),
    "RandomFlip": layer("RandomFlip", seed=1),
    "SeparableConv2D": layer("SeparableConv2D", 3, 3, **bent),
    "tfmeta of pictures": tfmeta.layers.BatchNormalization,
}
VOLUMES = {
    "Conv3D": layer("Conv3D", 3, 2, **bent),
    "Conv3DTranspose": layer("Conv3DTranspose", 3, 2, 2, **bent),
    "ConvLSTM2D": layer("ConvLSTM2D", 2, 2),
}
RIGHT = {
    **between(VECTOR, VECTORS),
    **between(SEQUENCE, SEQUENCES),
    **between(PICTURE, PICTURES),
    **between(VOLUME, VOLUMES),
    **between((3, 5, 2), {"ConvLSTM1D": layer("ConvLSTM1D", 2, 2)}),
    **between((2, 3, 3, 3, 2), {"ConvLSTM3D": layer("ConvLSTM3D", 2, 2)}),
    **{
        name: functools.partial(around, layer(name, *arguments), shape)
        for kind, arguments in OF_RANK.items()
        for rank, shape in enumerate((SEQUENCE, PICTURE, VOLUME), 1)
        if hasattr(L, name := f"{kind}{rank}D") and name not in FLOAT32_ALONE
    },
    **{
        name: functools.partial(embed, name)
        for name in ("Embedding", "ReversibleEmbedding")
        if hasattr(L, name)
    },
    "GRU masked": functools.partial(masked, "GRU"),
    "LSTM masked": functools.partial(masked, "LSTM"),
}


# Of the layers that encoders are mostly made of. The rest are facts of Keras and
# TensorFlow, which only another release of theirs can change.
COMMON = ("Dense", "Conv2D", "MaxPooling2D", "LSTM masked")


@pytest.mark.parametrize(
    "name",
    [
        name
        if name.startswith(COMMON) and "grouped" not in name
        else pytest.param(name, marks=pytest.mark.exhaustive)
        for name in RIGHT
    ],
)
def test_right(name):
    measured = Measured(RIGHT[name])
    assert not any(map(find_wrong, measured.encoder.layers))
    # So small a step stays on one side of the kinks, and out of the noise.
    assert measured.error(1e-6) < 1e-6


FUSED = ["AveragePooling2D", "Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "LSTM"]
FUSED += ["MaxPooling2D", "MultiHeadAttention", "SeparableConv2D", "gelu"]
FUSED += ["log_softmax", "tfmeta of pictures"]


@pytest.mark.slow
@pytest.mark.parametrize("name", FUSED)
def test_float32_kernels_are_right(name):
    """In a graph, where TensorFlow fuses operations."""
    found = Measured(RIGHT[name], "float32").flat_gradient(in_graph=True)
    assert distance(found, Measured(RIGHT[name])) < 1e-5


def in_blocks(reduce):
    """Pooling by 2 in all three dimensions, of what has kernels for float64."""

    def pool(x):
        for axis in (1, 2, 3):
            shape = list(x.shape)
            shape[axis : axis + 1] = [shape[axis] // 2, 2]
            x = reduce(keras.ops.reshape(x, (-1, *shape[1:])), axis + 1)
        return x

    return lambda: pool


@pytest.mark.parametrize("name", [name for name in FLOAT32_ALONE if hasattr(L, name)])
def test_right_in_float32(name):
    reduce = keras.ops.max if "Max" in name else keras.ops.mean
    exact = Measured(lambda: around(in_blocks(reduce), VOLUME))
    assert exact.error(1e-6) < 1e-6
    found = Measured(lambda: around(layer(name, 2), VOLUME), "float32")
    assert distance(found.flat_gradient(), exact) < 1e-5


def distance(gradient, exact):
    """Relative to what first order leaves out."""
    whole = exact.flat_gradient()
    second = whole - exact.flat_gradient(first_order=True)
    return np.linalg.norm(gradient - whole) / np.linalg.norm(second)


# Together with `RAISING` at least one for every entry of the table.
WRONG = between(
    VECTOR,
    {
        "BatchNormalization": layer("BatchNormalization"),
        "GroupNormalization": layer("GroupNormalization", 2),
        "LayerNormalization": layer("LayerNormalization"),
        "SpectralNormalization": lambda: L.SpectralNormalization(L.Dense(5)),
    },
) | between(
    PICTURE,
    {
        "BatchNormalization of pictures": layer("BatchNormalization"),
        "GroupNormalization of pictures": layer("GroupNormalization", 2),
        "GroupNormalization of channels": layer("GroupNormalization", -1),
        "LayerNormalization of pictures": layer("LayerNormalization", (1, 2, 3)),
        "RandomPerspective": layer("RandomPerspective", seed=1),
        "RandomRotation": layer("RandomRotation", 0.2, seed=1),
        "RandomShear": layer("RandomShear", 0.2, seed=1),
        "RandomTranslation": layer("RandomTranslation", 0.2, 0.2, seed=1),
        "RandomZoom": layer("RandomZoom", 0.2, seed=1),
        "Resizing": layer("Resizing", 4, 4),
        "UpSampling2D": layer("UpSampling2D", 2, interpolation="bilinear"),
    },
)
RAISING = between(VECTOR, {"softsign": layer("Activation", "softsign")}) | between(
    PICTURE,
    {
        f"{name} {interpolation}": layer(name, *size, interpolation=interpolation)
        for name, *size in (("Resizing", 4, 4), ("UpSampling2D", 2))
        for interpolation in ("nearest", "bicubic", "lanczos3", "lanczos5")
        if (name, interpolation) != ("UpSampling2D", "nearest")
    }
    | {"Resizing antialiased": layer("Resizing", 4, 4, antialias=True)},
)


def entries(encoder):
    return [found for part in encoder.layers if (found := find_wrong(part))]


def test_every_entry_is_measured():
    cases = [*WRONG.values(), *RAISING.values()]
    found = {id(entry) for make in cases for entry in entries(make())}
    assert {id(entry) for entry in WRONG_LAYERS} <= found
    assert all(activation.__name__ in RAISING for activation in ACTIVATIONS_WITHOUT)


@pytest.mark.parametrize("name", WRONG)
def test_wrong(name):
    # Resizing computes in float32: no smaller step. Rotation has no float64 at all.
    policy, step = ("float32", 1e-2) if "Rotation" in name else ("float64", 1e-4)
    measured = Measured(WRONG[name], policy)
    (found,) = entries(measured.encoder)
    assert not found.raises
    assert measured.error(step) > (0.05 if policy == "float32" else 1e-4)


def test_spectral_normalization_is_wrong_without_weights_before_it():
    def make():
        return keras.Sequential(
            [keras.Input(VECTOR), L.SpectralNormalization(L.Dense(5))]
        )

    assert entries(make())[0].everywhere
    assert Measured(make).error(1e-4) > 1e-2


@pytest.mark.parametrize("name", RAISING)
def test_missing(name):
    measured = Measured(RAISING[name], "float32")
    assert entries(measured.encoder)[0].raises
    with pytest.raises(LookupError, match="Grad"):
        measured.flat_gradient()


def test_layer_normalization_is_right_behind_a_linear_layer_alone():
    """Which is why the others are measured behind one that bends."""

    def make():
        return keras.Sequential(
            [keras.Input(VECTOR), L.Dense(6), L.LayerNormalization(), L.Dense(3)]
        )

    assert Measured(make).error(1e-6) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("dtype", HALF_PRECISION_ERRORS)
def test_half_precision_is_coarse(dtype):
    def make(policy):
        with precision(policy):
            return tfmeta.encoders.Conv4((16, 16, 1), filters=4)

    exact = Measured(lambda: make("float64"))
    coarse = Measured(lambda: make(f"mixed_{dtype}"), "float32")
    assert distance(coarse.flat_gradient(), exact) > 0.05
    single = Measured(lambda: make("float32"), "float32")
    assert distance(single.flat_gradient(), exact) < 1e-3
