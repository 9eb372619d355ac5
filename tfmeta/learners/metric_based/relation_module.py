"""The learned comparison of Relation Networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfmeta.finite import all_finite, finite_rows, nan_unless
from tfmeta.layers import BatchNormalization
from tfmeta.pairs_at_once import are_pairs_at_once
from tfmeta.seeds import spawn_seeds


@keras.saving.register_keras_serializable(package="tfmeta")
class RelationModule(keras.layers.Layer):
    """Scores how well the map of a query fits the map of a class.

    Two blocks of a 3 × 3 convolution, batch normalization, a rectifier and a 2 ×
    2 maximum pooling, on the two maps joined along their channels; then a
    rectified layer and one number.

    The first convolution of joined maps is the sum of one convolution of each:
    every map is convolved once instead of once a pair, which is the same function
    at a fraction of the work and memory.

    Args:
        map_shape: Height, width and channels of a map. A pooling for which the
            map is too small is left out.
        filters: Filters of both convolutions.
        units: Width of the rectified layer.
        seed: Seed of the weights; `None` for others at every call.

    Call arguments:
        class_maps: `(tasks, ways, *map_shape)`.
        query_maps: `(tasks, queries, *map_shape)`.
        real: `(tasks, queries, ways)` bool or `None`. Pairs where it is False
            never reach the batch normalization; their score is 0.
        training: Whether the batch normalization is in training mode.

    Returns:
        Scores `(tasks, queries, ways)` before the sigmoid, in the dtype of the
        weights.

    Reference:
        Flood Sung, Yongxin Yang, Li Zhang, Tao Xiang, Philip H. S. Torr and
        Timothy M. Hospedales, 2018, Learning to Compare: Relation Network for
        Few-Shot Learning.
    """

    def __init__(
        self,
        map_shape: Sequence[int],
        *,
        filters: int = 64,
        units: int = 8,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.map_shape = tuple(map_shape)
        self.filters = filters
        self.units = units
        self.seed = seed
        height, width, channels = self.map_shape
        seeds = spawn_seeds(seed, 5, stream="relation_module")
        # Glorot's bound for the convolution of joined maps.
        limit = math.sqrt(6 / (9 * (2 * channels + filters)))
        uniform = keras.initializers.RandomUniform
        self.class_convolution, self.query_convolution = (
            self._convolution(name, uniform(-limit, limit, seed=part_seed))
            for name, part_seed in zip(
                ("class_convolution", "query_convolution"), seeds[:2], strict=True
            )
        )
        glorot = keras.initializers.GlorotUniform
        self.pair_layers = [
            *self._rest_of_block(1, height, width),
            self._convolution("convolution_2", glorot(seeds[2])),
            *self._rest_of_block(2, height // 2, width // 2),
            keras.layers.Flatten(
                data_format="channels_last", dtype=self.dtype_policy, name="flatten"
            ),
            # Half precision would round the scores that are to be ranked.
            keras.layers.Dense(
                units,
                "relu",
                kernel_initializer=glorot(seeds[3]),
                dtype=self.variable_dtype,
                name="hidden",
            ),
            keras.layers.Dense(
                1,
                kernel_initializer=glorot(seeds[4]),
                dtype=self.variable_dtype,
                name="score",
            ),
        ]
        # Weights exist before the first episode.
        for convolution in (self.class_convolution, self.query_convolution):
            convolution.build((None, *self.map_shape))
        shape: tuple[int | None, ...] = (None, height, width, filters)
        for layer in self.pair_layers:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.built = True

    def _convolution(
        self, name: str, initializer: keras.initializers.Initializer
    ) -> keras.layers.Conv2D:
        return keras.layers.Conv2D(
            self.filters,
            3,
            padding="same",
            data_format="channels_last",
            use_bias=False,
            kernel_initializer=initializer,
            dtype=self.dtype_policy,
            name=name,
        )

    def _rest_of_block(
        self, block: int, height: int, width: int
    ) -> list[keras.layers.Layer]:
        policy = self.dtype_policy
        layers = [
            BatchNormalization(
                momentum=0.9, dtype=policy, name=f"batch_normalization_{block}"
            ),
            keras.layers.ReLU(dtype=policy, name=f"relu_{block}"),
        ]
        if min(height, width) >= 2:
            layers.append(
                keras.layers.MaxPooling2D(
                    2,
                    data_format="channels_last",
                    dtype=policy,
                    name=f"max_pooling_{block}",
                )
            )
        return layers

    def call(
        self,
        class_maps: tf.Tensor,
        query_maps: tf.Tensor,
        real: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        tasks, ways = tf.unstack(tf.shape(class_maps)[:2])
        queries = tf.shape(query_maps)[1]
        shape = [tasks, queries, ways]

        def score() -> tf.Tensor:
            classes = self._convolved(self.class_convolution, class_maps)
            of_queries = self._convolved(self.query_convolution, query_maps)
            if training or real is not None:
                return self._score_together(classes, of_queries, real, training)
            # Nothing joins the tasks: one at a time, the pairs of a batch of large
            # tasks need no memory.
            return tf.map_fn(
                lambda task: self._score_together(
                    task[0][None], task[1][None], None, False
                )[0],
                (classes, of_queries),
                fn_output_signature=self.variable_dtype,
                parallel_iterations=1,
            )

        if are_pairs_at_once():
            scores = self._score_at_once(class_maps, query_maps)
            return nan_unless(self._sound(class_maps, query_maps), scores)
        # oneDNN cannot convolve a batch without rows, nor differentiate its pooling
        # (tensorflow#126128).
        some = tf.size(query_maps) > 0 if real is None else tf.reduce_any(real)
        scores = tf.cond(
            some, score, lambda: tf.zeros(shape, tf.as_dtype(self.variable_dtype))
        )
        sound = self._sound(class_maps, query_maps)
        scores = nan_unless(sound if real is None else sound | ~real, scores)
        return tf.ensure_shape(
            scores, [class_maps.shape[0], query_maps.shape[1], class_maps.shape[1]]
        )

    def _sound(self, class_maps: tf.Tensor, query_maps: tf.Tensor) -> tf.Tensor:
        """Which pairs `(tasks, queries, ways)` are finite.

        The poolings take NaN for the least number there is.
        """
        sound = finite_rows(class_maps, 2)[:, None, :] & all_finite(self.weights)
        return sound & finite_rows(query_maps, 2)[:, :, None]

    def _score_at_once(self, class_maps: tf.Tensor, query_maps: tf.Tensor) -> tf.Tensor:
        """Scores of all pairs, of which there is one at least."""
        classes = self._convolved(self.class_convolution, class_maps)
        queries = self._convolved(self.query_convolution, query_maps)
        return self._score_together(classes, queries, None, False)

    def _convolved(self, convolution: keras.layers.Layer, maps: tf.Tensor) -> tf.Tensor:
        """`(tasks, rows, height * width * filters)`."""
        height, width, _ = self.map_shape
        flat = convolution(tf.reshape(maps, [-1, *self.map_shape]))
        size = height * width * self.filters
        return tf.reshape(flat, [*tf.unstack(tf.shape(maps)[:2]), size])

    def _score_together(
        self,
        classes: tf.Tensor,
        queries: tf.Tensor,
        real: tf.Tensor | None,
        training: bool,
    ) -> tf.Tensor:
        """Scores of convolved maps, with the batch statistics of all pairs."""
        height, width, _ = self.map_shape
        pairs = classes[:, None] + queries[:, :, None]
        shape = tf.shape(pairs)[:3]
        pairs = tf.reshape(pairs, [-1, height, width, self.filters])
        if real is None:
            scores = self._score_pairs(pairs, training)
        else:
            rows = tf.where(tf.reshape(real, [-1]))
            scores = tf.scatter_nd(
                rows,
                self._score_pairs(tf.gather(pairs, rows[:, 0]), training),
                tf.cast([tf.shape(pairs)[0], 1], tf.int64),
            )
        return tf.reshape(scores, shape)

    def _score_pairs(self, pairs: tf.Tensor, training: bool) -> tf.Tensor:
        for layer in self.pair_layers:
            pairs = layer(pairs, training=training)
        return pairs

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "map_shape": list(self.map_shape),
            "filters": self.filters,
            "units": self.units,
            "seed": self.seed,
        }
