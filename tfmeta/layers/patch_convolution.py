"""Convolutions as matrix products of patches."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import keras
import tensorflow as tf


def convolve_patches(
    inputs: tf.Tensor,
    kernel: tf.Tensor,
    *,
    strides: Sequence[int] = (1, 1),
    padding: str = "valid",
    dilation: Sequence[int] = (1, 1),
) -> tf.Tensor:
    """A 2-D convolution made of slices and one matrix product.

    `tf.vectorized_map` makes one batched matrix product of it where every element has
    a kernel of its own, and falls back to a loop for `tf.nn.conv2d`. Its derivatives
    are slices and matrix products again, of every order.

    Args:
        inputs: `(batch, height, width, channels)`.
        kernel: `(rows, columns, channels, filters)`.
        strides: Of rows and columns.
        padding: `"valid"` or `"same"`.
        dilation: Of rows and columns of the kernel.

    Returns:
        `(batch, new_height, new_width, filters)`, equal to `tf.nn.conv2d` but for the
        order of its sums.

    Example:

    ```python
    convolve_patches(tf.ones([1, 5, 5, 1]), tf.ones([3, 3, 1, 2])).shape  # 1, 3, 3, 2
    ```
    """
    rows, columns, channels, filters = kernel.shape
    ends, sizes = [], []
    for axis, (size, stride, step) in enumerate(
        zip((rows, columns), strides, dilation, strict=True), start=1
    ):
        reach = (size - 1) * step + 1
        length = inputs.shape[axis]
        if length is None:
            length = tf.shape(inputs)[axis]
        if padding == "same":
            count = -(-length // stride)
            missing = _at_least_zero((count - 1) * stride + reach - length)
            ends.append([missing // 2, missing - missing // 2])
        else:
            count = (length - reach) // stride + 1
            ends.append([0, 0])
        sizes.append(count)
    if padding == "same":
        inputs = tf.pad(inputs, [[0, 0], *ends, [0, 0]])
    height, width = sizes
    slices = [
        inputs[
            :,
            top : top + (height - 1) * strides[0] + 1 : strides[0],
            left : left + (width - 1) * strides[1] + 1 : strides[1],
        ]
        for top in range(0, rows * dilation[0], dilation[0])
        for left in range(0, columns * dilation[1], dilation[1])
    ]
    patches = tf.concat(slices, axis=-1)
    depth = rows * columns * channels
    outputs = tf.matmul(
        tf.reshape(patches, [-1, depth]), tf.reshape(kernel, [depth, filters])
    )
    return tf.reshape(outputs, tf.concat([tf.shape(patches)[:3], [filters]], axis=0))


@contextlib.contextmanager
def patch_convolutions(model: keras.Model, *, active: bool = True) -> Iterator[None]:
    """Lets every `keras.layers.Conv2D` of a model compute by `convolve_patches`.

    Convolutions with groups or with the channels first stay as they are.

    Args:
        model: Whose layers, nested ones included, are meant.
        active: Whether anything is changed at all.

    Example:

    ```python
    encoder = tfmeta.encoders.Conv4()
    with patch_convolutions(encoder):
        encoder(np.zeros((2, 28, 28, 1)))
    ```
    """
    layers = []
    if active:
        layers = [layer for layer in model._flatten_layers() if _is_replaceable(layer)]
    for layer in layers:
        # Keras' convolutions call this method of theirs, for others to override.
        layer.convolution_op = _operation(layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.convolution_op


def _is_replaceable(layer: keras.Layer) -> bool:
    return (
        isinstance(layer, keras.layers.Conv2D)
        and type(layer).convolution_op is keras.layers.Conv2D.convolution_op
        and layer.groups == 1
        and layer.data_format == "channels_last"
    )


def _operation(layer: keras.layers.Conv2D):  # type: ignore[no-untyped-def]
    def convolution_op(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return convolve_patches(
            inputs,
            tf.convert_to_tensor(kernel),
            strides=layer.strides,
            padding=layer.padding,
            dilation=layer.dilation_rate,
        )

    return convolution_op


def _at_least_zero(value: int | tf.Tensor) -> int | tf.Tensor:
    return max(value, 0) if isinstance(value, int) else tf.maximum(value, 0)
