"""Encoder and head as a pure function of the parameters that a task adapts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import keras
import tensorflow as tf

from tfmeta.finite import all_finite, finite_rows, nan_unless
from tfmeta.layers import BatchNormalization, batch_statistics
from tfmeta.layers.empty_batch import apply_to_rows
from tfmeta.learners.class_sums import at_least_float32, class_means
from tfmeta.learners.encoder_check import check_examples
from tfmeta.learners.inner_rules.rule import Parameters
from tfmeta.seeds import spawn_seeds
from tfmeta.squares import common_offset

Statistics = Literal["query_batch", "support", "running"]
# How a pass normalizes: by its own batch, as the layers do by themselves, or by
# statistics that are handed in.
Source: TypeAlias = Literal["batch", "layer"] | tf.Tensor

# Values that the encoder's layers change themselves, for every step that has its own.
Moving = list[list[tf.Tensor]]


class Embedded(NamedTuple):
    """The examples of a task, embedded.

    Attributes:
        features: Vectors `(rows, features)`, at least float32; NaN for an example
            that is not finite.
        statistics: Those of the batch, empty when not recording.
        added: The sum of what layers added to the losses, such as an
            `activity_regularizer`; `None` where none did.
    """

    features: tf.Tensor
    statistics: tf.Tensor
    added: tf.Tensor | None


class TaskNetwork:
    """An encoder and a linear head, as functions of tensors.

    Args:
        encoder: From examples to vectors.
        head: The linear head; `None` where every task makes one from its support.
        adapts_encoder: Whether the encoder's weights are adapted, too: those that are
            trainable now, whatever is frozen or set free later.
        offsets: For each of the encoder's trainable weights `None`, or a variable
            `(steps, *shape)` that is added to it, row by row in the steps of the
            inner loop. Such weights are not adapted.
        moving: For each of the encoder's `moving_variables` `None`, or a variable
            `(steps, *shape)` that has its value at each step of the inner loop.

    Attributes:
        moving_variables: What the encoder's layers change themselves, as averages and
            seeds.
    """

    def __init__(
        self,
        encoder: keras.Model,
        head: keras.layers.Dense | None,
        *,
        adapts_encoder: bool,
        offsets: Sequence[keras.Variable | None] | None = None,
        moving: Sequence[keras.Variable | None] = (),
    ) -> None:
        self.encoder = encoder
        self.head = head
        self.adapts_encoder = adapts_encoder
        free = encoder.trainable_variables
        frozen, self.moving_variables = frozen_and_moving(encoder)
        self._weights = [*free, *frozen]
        self.offsets = [*(offsets or [None] * len(free)), *[None] * len(frozen)]
        adapted = [adapts_encoder and offset is None for offset in self.offsets]
        self._adapted = [*adapted[: len(free)], *[False] * len(frozen)]
        self._moving = {n: rows for n, rows in enumerate(moving) if rows is not None}

    @property
    def adapted_encoder_variables(self) -> list[keras.Variable]:
        """The encoder's variables that a task adapts."""
        variables = zip(self._weights, self._adapted, strict=True)
        return [variable for variable, adapted in variables if adapted]

    def adapted_names(self) -> list[str]:
        """Names of what a task adapts, as states and exports call them."""
        # Names of tensors in a served signature are words.
        names = [re.sub(r"\W", "_", v.path) for v in self.adapted_encoder_variables]
        if len(set(names)) < len(names):
            names = [f"{name}_{number}" for number, name in enumerate(names)]
        return [*names, "head_kernel", "head_bias"]

    def adapted_shapes(self, ways: int | None) -> list[tuple[Any, ...]]:
        """Shapes of what a task adapts, with a head for so many ways."""
        shapes = [tuple(v.shape) for v in self.adapted_encoder_variables]
        return [*shapes, (int(self.encoder.output_shape[1]), ways), (ways,)]

    @property
    def dtype(self) -> tf.DType:
        """What is adapted, and of outputs: float64 or float32."""
        wide = self.encoder.variable_dtype == "float64"
        return tf.float64 if wide else tf.float32

    def moving_values(self) -> Moving:
        """The encoder's moving values, of every step that has its own."""
        shared = [v.value for v in self.moving_variables]
        if not self._moving:
            return [shared]
        steps = next(iter(self._moving.values())).shape[0]
        return [
            [
                tf.convert_to_tensor(self._moving[number].value)[step]
                if number in self._moving
                else value
                for number, value in enumerate(shared)
            ]
            for step in range(steps)
        ]

    def keep_moving_values(self, values: Moving) -> None:
        """Takes over what they are after a step; the encoder has the last step's."""
        for variable, value in zip(self.moving_variables, values[-1], strict=True):
            variable.assign(value)
        for number, rows in self._moving.items():
            rows.assign(tf.stack([of_step[number] for of_step in values]))

    def adapted_variables(self) -> list[keras.Variable]:
        """The variables that a task adapts, the network's own head last."""
        assert self.head is not None
        return [*self.adapted_encoder_variables, self.head.kernel, self.head.bias]

    def start(self, head: Parameters | None = None) -> Parameters:
        """Where every task starts from: the adapted variables, then the head.

        Args:
            head: Kernel and bias of a head that the task made; `None` for the
                network's own.
        """
        values = [v.value for v in self.adapted_encoder_variables]
        if head is None:
            assert self.head is not None
            head = [self.head.kernel.value, self.head.bias.value]
        return [tf.convert_to_tensor(value) for value in [*values, *head]]

    def embed(
        self,
        parameters: Parameters,
        examples: tf.Tensor,
        moving: Moving,
        *,
        step: int | tf.Tensor,
        source: Source,
        rows: tf.Tensor | None = None,
        training: bool = False,
        recording: bool = False,
    ) -> Embedded:
        """Embeds the examples of one task.

        Args:
            parameters: What a task adapts.
            examples: `(rows, *example)`.
            moving: The encoder's moving values; those of this step are
                replaced by what they are after the pass.
            step: Number of inner steps taken.
            source: What normalizes.
            rows: `(rows,)` bool, False is padding, or `None`.
            training: Whether layers run in training mode.
            recording: Whether to return the statistics of the batch; it is
                normalized by them then.
        """
        if rows is not None:
            shape = tf.concat([tf.shape(rows), [1] * (len(examples.shape) - 1)], 0)
            examples = tf.where(
                tf.reshape(rows, shape), examples, tf.zeros_like(examples)
            )
        given = source if tf.is_tensor(source) else None
        check_examples(self.encoder, examples.shape[1:])
        after: list[tf.Tensor] = []
        statistics: list[tf.Tensor] = []
        losses: list[tf.Tensor] = []

        def encode(batch: tf.Tensor, counted: tf.Tensor | None) -> tf.Tensor:
            with batch_statistics(
                rows=counted,
                of_batch=given is None and source == "batch",
                given=given,
                recording=recording,
            ) as found:
                features, after[:], losses[:] = self._call_encoder(
                    self._encoder_values(parameters, step),
                    _at_step(moving, step),
                    batch,
                    training=training,
                )
            features = at_least_float32(features)
            if given is not None:
                # Those of another network leave numbers that look like any others.
                features = nan_unless(found.fits, features)
            statistics[:] = [found.vector(features.dtype)]
            return features

        features = apply_to_rows(encode, examples, rows=rows, training=training)
        features = nan_unless(finite_rows(examples), features)
        if isinstance(step, int):
            moving[min(step, len(moving) - 1)] = after
        added = None
        if losses:
            added = tf.add_n(
                [tf.reduce_sum(tf.cast(loss, features.dtype)) for loss in losses]
            )
        return Embedded(features, statistics[0], added)

    def _call_encoder(
        self,
        weights: Sequence[tf.Tensor],
        moving: Sequence[tf.Tensor],
        examples: tf.Tensor,
        *,
        training: bool,
    ) -> tuple[tf.Tensor, list[tf.Tensor], list[tf.Tensor]]:
        """Outputs, moving values after the call, and losses of the layers.

        As `stateless_call`, which mixes the losses of layers with those of weights.
        """
        variables = [*self._weights, *self.moving_variables]
        values = zip(variables, [*weights, *moving], strict=True)
        with keras.StatelessScope(list(values), collect_losses=True) as scope:
            outputs = self.encoder(examples, training=training)
        after = [scope.get_current_value(v) for v in self.moving_variables]
        return outputs, after, list(scope.losses)

    def classify(self, parameters: Parameters, features: tf.Tensor) -> tf.Tensor:
        """Head outputs `(rows, outputs)` of vectors `(rows, features)`."""
        kernel, bias = parameters[-2:]
        kernel, bias = (tf.cast(part, features.dtype) for part in (kernel, bias))
        return tf.matmul(features, kernel) + bias

    def is_finite(
        self, parameters: Parameters, moving: Moving, *, step: int, source: Source
    ) -> tf.Tensor:
        """A scalar bool: whether all numbers that a pass works with are finite."""
        values = [*self._encoder_values(parameters, step), *_at_step(moving, step)]
        given = [source] if tf.is_tensor(source) else []
        return all_finite([*values, *parameters[-2:], *given])

    def _encoder_values(
        self, parameters: Parameters, step: int | tf.Tensor
    ) -> list[tf.Tensor]:
        adapted = iter(parameters)
        values = []
        for variable, is_adapted, offset in zip(
            self._weights, self._adapted, self.offsets, strict=True
        ):
            if is_adapted:
                values.append(next(adapted))
                continue
            value = tf.convert_to_tensor(variable.value)
            if offset is not None:
                row = tf.minimum(step, offset.shape[0] - 1)
                value += tf.gather(tf.convert_to_tensor(offset.value), row)
            values.append(value)
        return values


def _at_step(moving: Moving, step: int | tf.Tensor) -> list[tf.Tensor]:
    if len(moving) == 1:
        return moving[0]
    if isinstance(step, int):
        return moving[min(step, len(moving) - 1)]
    row = tf.minimum(step, len(moving) - 1)
    return [tf.gather(tf.stack(values), row) for values in zip(*moving, strict=True)]


def frozen_and_moving(
    encoder: keras.Model,
) -> tuple[list[keras.Variable], list[keras.Variable]]:
    """What of an encoder is not trained: weights, and what is none.

    Returns:
        Weights that are frozen now; and what is never trained, which layers change
        themselves: averages and seeds.
    """
    weights = {
        id(variable)
        for layer in encoder._flatten_layers()
        for variable in layer._trainable_variables
    }
    frozen: list[keras.Variable] = []
    moving: list[keras.Variable] = []
    for variable in encoder.non_trainable_variables:
        (frozen if id(variable) in weights else moving).append(variable)
    return frozen, moving


def linear_head(
    encoder: keras.Model, ways: int | None, seed: int | None
) -> keras.layers.Dense:
    """A linear layer from the encoder's vectors to so many outputs, built."""
    (own,) = spawn_seeds(seed, 1, stream="head")
    layer = keras.layers.Dense(
        ways,
        kernel_initializer=keras.initializers.GlorotUniform(own),
        dtype=encoder.variable_dtype,
        name="head",
    )
    layer.build(encoder.output_shape)
    return layer


def has_batch_normalization(encoder: keras.Model) -> bool:
    """Whether some layer normalizes with the statistics of a batch."""
    return any(
        isinstance(layer, BatchNormalization) and layer.trainable
        for layer in encoder._flatten_layers(include_self=False)
    )


def prototype_head(
    features: tf.Tensor, labels: tf.Tensor, mask: tf.Tensor | None
) -> Parameters:
    """Kernel and bias that classify by the distance to each class's prototype.

    Triantafillou et al. (2020), *Meta-Dataset: A Dataset of Datasets for Learning to
    Learn from Few Examples*: weights `2p` and bias `-|p|^2` give the negative squared
    Euclidean distance to prototype `p`, but for a term that all classes share. Here
    they are `2(p - c)` and `-(|p|^2 - |c|^2)`, where `c` is what all prototypes have in
    common: classes share one more term, which neither probabilities nor gradient
    steps see, and a large offset of all features does not take the digits of what
    differs.

    Args:
        features: `(support, features)`.
        labels: `(support, ways)` one-hot.
        mask: `(support,)` bool, False is padding, or `None`.

    Returns:
        Kernel `(features, ways)` and bias `(ways,)`.
    """
    labels = tf.cast(labels, features.dtype)
    if mask is not None:
        labels *= tf.cast(mask, features.dtype)[:, None]
    prototypes, counts = class_means(features, labels)
    prototypes = tf.cast(prototypes, tf.float64)
    offset = common_offset(prototypes)
    differences = tf.where(counts[:, None] > 0, prototypes - offset, 0.0)
    # |p|² − |c|², multiplied out so that it does not cancel.
    bias = -tf.reduce_sum(differences * (prototypes + offset), axis=1)
    kernel = tf.transpose(2.0 * differences)
    return [tf.cast(part, features.dtype) for part in (kernel, bias)]
