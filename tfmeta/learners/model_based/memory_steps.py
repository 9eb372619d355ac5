"""The steps of a least-used memory as one loop, with its gradient."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

# Of norms: their derivative at 0, where a slot that was cleared is, has no end.
_TINY = 1e-8


class Memory(NamedTuple):
    """What is remembered between two steps."""

    hidden: tf.Tensor  # (tasks, units), of the controller
    cell: tf.Tensor  # (tasks, units)
    read: tf.Tensor  # (tasks, heads, width)
    read_weights: tf.Tensor  # (tasks, heads, slots)
    memory: tf.Tensor  # (tasks, slots, width)
    usage: tf.Tensor  # (tasks, slots)


class Weights(NamedTuple):
    """Matrices of a step."""

    recurrent: tf.Tensor  # (units + heads * width, 4 * units), for hidden and read
    access: tf.Tensor  # (units, heads * (2 * width + 1)), for key, content and gate
    access_bias: tf.Tensor  # (heads * (2 * width + 1),)


class _Kept(NamedTuple):
    """What the way back needs of a step."""

    gates: tf.Tensor  # of the controller, before their activation
    asked: tf.Tensor  # of the memory, likewise
    before: tf.Tensor  # hidden and read
    hidden: tf.Tensor
    cell_before: tf.Tensor
    reads_before: tf.Tensor
    unused: tf.Tensor  # (tasks, heads, slots), 0 in a step that is not real
    memory: tf.Tensor
    slot_norms: tf.Tensor  # (tasks, 1, slots)
    cosines: tf.Tensor  # (tasks, heads, slots)
    reads: tf.Tensor  # (tasks, heads, slots)


class Settings(NamedTuple):
    """Numbers of a memory that are not trained."""

    usage_decay: float  # what is left of a use after a step
    key_strength: float  # what cosines are multiplied by


def read_steps(
    projected: tf.Tensor,
    weights: Weights,
    start: Memory,
    real: tf.Tensor,
    settings: Settings,
    *,
    training: bool,
) -> tuple[tf.Tensor, Memory]:
    """Reads a sequence; see `LeastUsedMemory` for the equations.

    The derivative that TensorFlow takes of a loop adds up the gradient of every matrix
    step by step. In training the way back is one of our own: it keeps the derivatives
    of all steps, and the gradient of a matrix is one product of them at its end. The
    numbers are the same. None is taken of the uses.

    Args:
        projected: `(tasks, steps, 4 * units)`: the inputs times the controller's
            matrix, and its bias.
        weights: What a step multiplies with.
        start: What is remembered before.
        real: Bool `(tasks, steps)`: a step that is not changes nothing.
        settings: What is not trained.
        training: Whether a gradient will be asked for. A SavedModel cannot hold the
            way back.

    Returns:
        `(tasks, steps, units + heads * width)`, hidden vector and reads after every
        step; and what is remembered then.
    """
    is_real = tf.cast(tf.transpose(real), projected.dtype)[:, :, None]

    @tf.custom_gradient
    def with_way_back(projected: tf.Tensor, *parts: tf.Tensor) -> tuple[Any, Any]:
        matrices, memory = Weights(*parts[:3]), Memory(*parts[3:])
        outputs, end, kept = _forwards(
            projected, matrices, memory, is_real, settings, keep=True
        )

        def backwards(outputs: tf.Tensor, *end: tf.Tensor) -> tuple[Any, ...]:
            towards = Memory(*end)
            return _backwards(kept, matrices, towards, is_real, settings, outputs)

        return (outputs, *end), backwards

    projected = tf.transpose(projected, [1, 0, 2])
    if training:
        outputs, *parts = with_way_back(projected, *weights, *start)
        end = Memory(*parts)
    else:
        outputs, end, _ = _forwards(
            projected, weights, start, is_real, settings, keep=False
        )
    return tf.transpose(outputs, [1, 0, 2]), end


def _forwards(
    projected: tf.Tensor,
    weights: Weights,
    start: Memory,
    real: tf.Tensor,
    settings: Settings,
    *,
    keep: bool,
) -> tuple[tf.Tensor, Memory, list[tf.TensorArray]]:
    """All steps in their order, the steps axis first."""
    steps = tf.shape(projected)[0]

    def step(
        t: tf.Tensor,
        memory: Memory,
        outputs: tf.TensorArray,
        kept: list[tf.TensorArray],
    ) -> tuple[Any, ...]:
        memory, used = _step(projected[t], weights, memory, real[t], settings)
        outputs = outputs.write(t, _joined(memory))
        kept = [
            a.write(t, part) for a, part in zip(kept, used[: len(kept)], strict=True)
        ]
        return t + 1, memory, outputs, kept

    def array() -> tf.TensorArray:
        return tf.TensorArray(projected.dtype, steps, clear_after_read=False)

    _, end, outputs, kept = tf.while_loop(
        lambda t, *_: t < steps,
        step,
        (tf.constant(0), start, array(), [array() for _ in _Kept._fields if keep]),
        maximum_iterations=steps,
    )
    # Of no steps a stack has no shape.
    size = start.hidden.shape[1] + start.read.shape[1] * start.read.shape[2]
    stacked = tf.reshape(outputs.stack(), [steps, tf.shape(projected)[1], size])
    return stacked, end, kept


def _step(
    projected: tf.Tensor,
    weights: Weights,
    last: Memory,
    real: tf.Tensor,
    settings: Settings,
) -> tuple[Memory, _Kept]:
    """One step: what is remembered after it, and what its derivative needs."""
    before = _joined(last)
    gates = projected + tf.matmul(before, weights.recurrent)
    i, f, c, o = tf.split(gates, 4, axis=-1)
    cell = tf.sigmoid(f) * last.cell + tf.sigmoid(i) * tf.tanh(c)
    hidden = tf.sigmoid(o) * tf.tanh(cell)
    asked = tf.matmul(hidden, weights.access) + weights.access_bias
    keys, contents, written = _asked(asked, last.read.shape)

    heads, slots = last.read_weights.shape[1:]
    unused = real[:, None] * tf.one_hot(
        tf.math.top_k(-last.usage, heads).indices, slots, dtype=gates.dtype
    )
    reads_before = real[:, None] * last.read_weights
    writes = written * reads_before + (1 - written) * unused
    memory = last.memory * (1 - tf.reduce_sum(unused, axis=1)[:, :, None])
    memory += tf.matmul(writes, contents, transpose_a=True)
    slot_norms = tf.sqrt(tf.reduce_sum(memory**2, axis=-1) + _TINY)[:, None]
    cosines = tf.matmul(keys, memory, transpose_b=True) / (_norms(keys) * slot_norms)
    reads = tf.nn.softmax(settings.key_strength * cosines)
    read = tf.matmul(reads, memory)
    used = settings.usage_decay * last.usage + tf.reduce_sum(reads + writes, axis=1)
    used = tf.stop_gradient(used)

    kept = _Kept(
        gates,
        asked,
        before,
        hidden,
        last.cell,
        reads_before,
        unused,
        memory,
        slot_norms,
        cosines,
        reads,
    )
    is_real = real > 0
    after = Memory(
        tf.where(is_real, hidden, last.hidden),
        tf.where(is_real, cell, last.cell),
        tf.where(is_real[:, None], read, last.read),
        tf.where(is_real[:, None], reads, last.read_weights),
        memory,
        tf.where(is_real, used, last.usage),
    )
    return after, kept


def _backwards(
    kept: list[tf.TensorArray],
    weights: Weights,
    end: Memory,
    real: tf.Tensor,
    settings: Settings,
    outputs: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    """Derivatives of all that `_forwards` takes, of those of what it gives."""
    steps = tf.shape(outputs)[0]
    units = weights.access.shape[0]

    def step(
        t: tf.Tensor, towards: Memory, gates: tf.TensorArray, asked: tf.TensorArray
    ) -> tuple[Any, ...]:
        used = _Kept(*(array.read(t) for array in kept))
        read = tf.reshape(outputs[t][:, units:], tf.shape(towards.read))
        towards = towards._replace(
            hidden=towards.hidden + outputs[t][:, :units], read=towards.read + read
        )
        towards, of_gates, of_asked = _step_back(
            used, weights, towards, real[t], settings
        )
        return t - 1, towards, gates.write(t, of_gates), asked.write(t, of_asked)

    def array() -> tf.TensorArray:
        return tf.TensorArray(outputs.dtype, steps)

    _, start, gates, asked = tf.while_loop(
        lambda t, *_: t >= 0,
        step,
        (steps - 1, end, array(), array()),
        maximum_iterations=steps,
    )
    gates, asked = gates.stack(), asked.stack()
    before, hidden = (_rows(kept[_Kept._fields.index(n)].stack()) for n in _MATRICES)
    return (
        gates,
        tf.matmul(before, _rows(gates), transpose_a=True),
        tf.matmul(hidden, _rows(asked), transpose_a=True),
        tf.reduce_sum(asked, axis=[0, 1]),
        *start[:-1],
        tf.zeros_like(end.usage),
    )


# What a step multiplies with the recurrent and the access matrix.
_MATRICES = ("before", "hidden")


def _step_back(
    used: _Kept,
    weights: Weights,
    towards: Memory,
    real: tf.Tensor,
    settings: Settings,
) -> tuple[Memory, tf.Tensor, tf.Tensor]:
    """Derivatives of what was remembered before a step, and of its products."""
    keys, contents, written = _asked(used.asked, towards.read.shape)
    # A step that is not real handed on what was there.
    real_hidden, real_cell = real * towards.hidden, real * towards.cell
    real_read, real_reads = (
        real[:, None] * part for part in (towards.read, towards.read_weights)
    )

    reads = used.reads
    of_reads = real_reads + tf.matmul(real_read, used.memory, transpose_b=True)
    of_cosines = (settings.key_strength * reads) * (
        of_reads - tf.reduce_sum(of_reads * reads, axis=-1, keepdims=True)
    )
    turned = of_cosines * used.cosines
    of_products = of_cosines / (_norms(keys) * used.slot_norms)
    of_slots = tf.reduce_sum(turned, axis=1) / used.slot_norms[:, 0] ** 2
    # Reads and products of keys in one: both are of heads and slots.
    of_memory = (
        towards.memory
        + tf.matmul(
            tf.concat([reads, of_products], axis=1),
            tf.concat([real_read, keys], axis=1),
            transpose_a=True,
        )
        - used.memory * of_slots[:, :, None]
    )
    of_keys = (
        tf.matmul(of_products, used.memory)
        - keys * tf.reduce_sum(turned, axis=-1, keepdims=True) / _norms(keys) ** 2
    )
    writes = written * used.reads_before + (1 - written) * used.unused
    of_writes = real[:, None] * tf.matmul(contents, of_memory, transpose_b=True)
    of_contents = tf.matmul(writes, of_memory)
    of_written = tf.reduce_sum(
        of_writes * (used.reads_before - used.unused), axis=-1, keepdims=True
    )
    of_asked = tf.concat(
        [
            _flat(of_keys * (1 - keys**2)),
            _flat(of_contents * (1 - contents**2)),
            _flat(of_written * written * (1 - written)),
        ],
        axis=-1,
    )

    of_hidden = real_hidden + tf.matmul(of_asked, weights.access, transpose_b=True)
    i, f, c, o = tf.split(used.gates, 4, axis=-1)
    i, f, c, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(c), tf.sigmoid(o)
    squashed = tf.tanh(f * used.cell_before + i * c)
    of_cell = real_cell + of_hidden * o * (1 - squashed**2)
    of_gates = tf.concat(
        [
            of_cell * c * i * (1 - i),
            of_cell * used.cell_before * f * (1 - f),
            of_cell * i * (1 - c**2),
            of_hidden * squashed * o * (1 - o),
        ],
        axis=-1,
    )
    of_before = tf.matmul(of_gates, weights.recurrent, transpose_b=True)
    units = weights.access.shape[0]
    rest = 1 - real
    before = Memory(
        rest * towards.hidden + of_before[:, :units],
        rest * towards.cell + of_cell * f,
        rest[:, None] * towards.read
        + tf.reshape(of_before[:, units:], tf.shape(towards.read)),
        rest[:, None] * towards.read_weights + written * of_writes,
        of_memory * (1 - tf.reduce_sum(used.unused, axis=1)[:, :, None]),
        towards.usage,
    )
    return before, of_gates, of_asked


def _asked(asked: tf.Tensor, shape: Any) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Keys, contents and gates of the heads, of a step's second product."""
    heads, width = shape[1:]
    sizes = [heads * width, heads * width, heads]
    keys, contents, gates = tf.split(asked, sizes, axis=-1)
    size = [-1, heads, width]
    return (
        tf.reshape(tf.tanh(keys), size),
        tf.reshape(tf.tanh(contents), size),
        tf.sigmoid(gates)[:, :, None],
    )


def _norms(keys: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(tf.reduce_sum(keys**2, axis=-1, keepdims=True) + _TINY)


def _joined(memory: Memory) -> tf.Tensor:
    """What the controller reads of the step before."""
    return tf.concat([memory.hidden, _flat(memory.read)], axis=-1)


def _flat(part: tf.Tensor) -> tf.Tensor:
    return tf.reshape(part, [-1, part.shape[1] * part.shape[2]])


def _rows(steps: tf.Tensor) -> tf.Tensor:
    return tf.reshape(steps, [-1, steps.shape[-1]])
