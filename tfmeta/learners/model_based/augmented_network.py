"""A small network with slow weights, and fast ones beside them."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from tfmeta.finite import all_finite, finite_rows, nan_unless
from tfmeta.learners.model_based.cross_entropies import cross_entropies
from tfmeta.seeds import spawn_seeds

_KERNEL = 3


@keras.saving.register_keras_serializable(package="tfmeta")
class AugmentedNetwork(keras.layers.Layer):
    """Convolutions, a hidden layer and logits, each of slow and of fast weights.

    Layer augmentation (Munkhdalai and Yu 2017): a layer's output is `relu(slow) +
    relu(fast)`, where both look at the same input, and the last one's is the sum of the
    logits of both. Slow weights are those of the network, fast ones are given, a set
    for each row. There are no biases.

    Of maps `(height, width, channels)`: `blocks` convolutions of 3 x 3, each with a
    maximum pooling of 2 behind it that keeps what is left at a border, then the hidden
    layer. Of vectors: the hidden layer alone, behind one more of `filters` units.

    Args:
        example_shape: Of one row, of rank 3 or 1.
        ways: Number of logits.
        filters: Of each convolution.
        blocks: Convolutions, for maps.
        features: Units of the hidden layer.
        train_logits: Whether the slow weights of the last layer are trained. Those of a
            network whose logits serve for gradients alone, of which no derivative is
            taken, could not be.
        seed: Seed of the slow weights; `None` for others at every call.

    Reference:
        Tsendsuren Munkhdalai and Hong Yu, 2017, Meta Networks.
    """

    def __init__(
        self,
        example_shape: tuple[int, ...],
        ways: int,
        *,
        filters: int = 64,
        blocks: int = 5,
        features: int = 64,
        train_logits: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.example_shape, self.ways = tuple(example_shape), ways
        self.filters, self.blocks, self.features = filters, blocks, features
        self.train_logits, self.seed = train_logits, seed
        shapes: list[tuple[int, ...]] = []
        if len(self.example_shape) == 3:
            height, width, channels = self.example_shape
            for _ in range(blocks):
                shapes.append((_KERNEL, _KERNEL, channels, filters))
                height, width, channels = -(-height // 2), -(-width // 2), filters
            size = height * width * channels
        else:
            shapes.append((self.example_shape[0], filters))
            size = filters
        self.convolutions = len(shapes) if len(self.example_shape) == 3 else 0
        shapes += [(size, features), (features, ways)]
        seeds = spawn_seeds(seed, len(shapes), stream="augmented_network")
        self.slow = [
            self.add_weight(
                shape=shape,
                initializer=keras.initializers.GlorotUniform(own),
                trainable=train_logits or number < len(shapes) - 1,
                # Half precision would round gradients away.
                autocast=False,
                name=f"kernel_{number}",
            )
            for number, (shape, own) in enumerate(zip(shapes, seeds, strict=True))
        ]
        self.built = True

    @property
    def sizes(self) -> list[int]:
        """How many weights each layer has, the convolutions first."""
        return [math.prod(weights.shape) for weights in self.slow]

    def call(
        self,
        rows: tf.Tensor,
        fast: list[tf.Tensor] | None = None,
        training: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Hidden features and logits.

        Args:
            rows: `(rows, *example)`.
            fast: For every layer `(sets, size)`: of one set for each row, or of fewer,
                each for as many rows that come one after the other. Those of the last
                layer may be left out, and `None` is for none at all.
            training: Without effect.

        Returns:
            `(rows, features)` and `(rows, ways)`.
        """
        features, logits, _ = self._forward(rows, fast)
        sound = self._sound(rows)
        for given in fast or ():
            each = tf.shape(rows)[0] // tf.maximum(tf.shape(given)[0], 1)
            sound &= tf.repeat(finite_rows(given), each)
        return nan_unless(sound, features), nan_unless(sound, logits)

    def example_gradients(self, rows: tf.Tensor, labels: tf.Tensor) -> list[tf.Tensor]:
        """Gradients of the cross-entropy of each row by the slow weights alone.

        Args:
            rows: `(rows, *example)`.
            labels: `(rows, ways)` one-hot; the gradients of a row of 0 are 0.

        Returns:
            For every layer `(rows, size)`; no derivative is taken of them.
        """
        with tf.GradientTape() as tape:
            tape.watch(rows)
            _, logits, layers = self._forward(rows, None)
            loss = tf.reduce_sum(cross_entropies(labels, logits))
        # Of a layer's products, of which each row has its own; that of the weights,
        # which rows share, follows from it.
        before = tape.gradient(loss, [product for _, product in layers])
        gradients = [
            tf.matmul(inputs, gradient, transpose_a=True)
            for (inputs, _), gradient in zip(layers, before, strict=True)
        ]
        sound = self._sound(rows)
        return [
            tf.stop_gradient(nan_unless(sound, tf.reshape(gradient, [-1, size])))
            for gradient, size in zip(gradients, self.sizes, strict=True)
        ]

    def _sound(self, rows: tf.Tensor) -> tf.Tensor:
        """Which rows a sound network sees; maximum pooling would hide the others."""
        return finite_rows(rows) & all_finite(self.slow)

    def _forward(
        self, rows: tf.Tensor, fast: list[tf.Tensor] | None
    ) -> tuple[tf.Tensor, tf.Tensor, list[tuple[tf.Tensor, tf.Tensor]]]:
        """Features, logits, and of each layer its input and slow product as matrices.

        An input is `(rows, places, size)`: of a convolution one row for each place, of
        what the kernel covers there.
        """
        layers = []
        features = outputs = rows
        for number, weights in enumerate(self.slow):
            inputs = self._as_matrix(outputs, convolution=number < self.convolutions)
            inner = inputs.shape[-1]
            slow = tf.matmul(inputs, tf.reshape(weights, [inner, -1]))
            layers.append((inputs, slow))
            given = None if fast is None or number >= len(fast) else fast[number]
            if given is not None:
                given = tf.reshape(given, [-1, inner, slow.shape[-1]])
                given = _by_sets(inputs, given)
            if number == len(self.slow) - 1:
                return features, (slow if given is None else slow + given)[:, 0], layers
            active = tf.nn.relu(slow)
            if given is not None:
                active += tf.nn.relu(given)
            if number < self.convolutions:
                maps = [-1, *outputs.shape[1:3], slow.shape[-1]]
                outputs = tf.nn.max_pool2d(tf.reshape(active, maps), 2, 2, "SAME")
            else:
                features = outputs = active[:, 0]
        raise AssertionError  # There is a last layer.

    def _as_matrix(self, inputs: tf.Tensor, *, convolution: bool) -> tf.Tensor:
        if not convolution:
            return tf.reshape(inputs, [-1, 1, math.prod(inputs.shape[1:])])
        patches = tf.image.extract_patches(
            inputs,
            sizes=[1, _KERNEL, _KERNEL, 1],
            strides=[1, 1, 1, 1],
            rates=[1, 1, 1, 1],
            padding="SAME",
        )
        return tf.reshape(
            patches, [-1, patches.shape[1] * patches.shape[2], patches.shape[3]]
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "example_shape": self.example_shape,
            "ways": self.ways,
            "filters": self.filters,
            "blocks": self.blocks,
            "features": self.features,
            "train_logits": self.train_logits,
            "seed": self.seed,
        }


def _by_sets(inputs: tf.Tensor, matrices: tf.Tensor) -> tf.Tensor:
    """Products of `(rows, places, size)` with `(sets, size, outputs)`.

    The first set is for the first rows, as many as there are for each, and so on.
    """
    rows, places = tf.shape(inputs)[0], tf.shape(inputs)[1]
    sets = tf.shape(matrices)[0]
    each = rows // tf.maximum(sets, 1)
    together = tf.reshape(inputs, [sets, each * places, inputs.shape[-1]])
    return tf.reshape(tf.matmul(together, matrices), [rows, places, matrices.shape[-1]])
