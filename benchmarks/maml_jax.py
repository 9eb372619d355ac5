"""Second-order MAML in JAX, all tasks of a step in one compiled function."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from interleaved import Measure
from maml_setting import (
    BATCH_NORMALIZATION_EPSILON,
    EPSILON,
    LEARNING_RATE,
    WAYS,
    first_weights,
    inner_rate,
    make_tasks,
    start_training,
)


def jax_training(
    *, threads: int, tasks: int, inner_steps: int, vectorized: bool
) -> tuple[Measure, dict[str, Any]]:
    """A training step as a user of JAX writes it.

    Args:
        threads: Cores that the process may use, from which XLA takes its threads.
        tasks: Tasks of a step.
        inner_steps: Steps of the inner loop.
        vectorized: Whether `vmap` maps over the tasks; otherwise they are written
            out one after the other.
    """
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    import jax
    from jax import numpy as jnp

    rate = inner_rate(inner_steps)

    def of_task(weights: list[Any], task: Sequence[Any]) -> Any:
        x, y, query, query_labels = task
        for _ in range(inner_steps):
            gradients = jax.grad(_loss)(weights, x, y)
            weights = [w - rate * g for w, g in zip(weights, gradients, strict=True)]
        return _loss(weights, query, query_labels)

    def outer_loss(weights: list[Any], batch: Sequence[Any]) -> Any:
        if vectorized:
            return jax.vmap(of_task, (None, 0))(weights, batch).mean()
        each = [of_task(weights, [part[i] for part in batch]) for i in range(tasks)]
        return jnp.stack(each).mean()

    def advance(state: tuple[Any, ...], batch: Sequence[Any]) -> tuple[Any, ...]:
        weights, momenta, velocities, count = state
        loss, gradients = jax.value_and_grad(outer_loss)(weights, batch)
        count += 1
        momenta = [0.9 * m + 0.1 * g for m, g in zip(momenta, gradients, strict=True)]
        velocities = [
            0.999 * v + 0.001 * g * g
            for v, g in zip(velocities, gradients, strict=True)
        ]
        scale = LEARNING_RATE * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        weights = [
            w - scale * m / (jnp.sqrt(v) + EPSILON)
            for w, m, v in zip(weights, momenta, velocities, strict=True)
        ]
        return (weights, momenta, velocities, count), loss

    support, support_labels, query, query_labels = make_tasks(tasks)
    # Ready-made floats: tfmeta's step starts from bytes.
    batch = [
        jnp.asarray(support / np.float32(255)),
        jnp.asarray(np.eye(WAYS, dtype="f4")[np.tile(support_labels, (tasks, 1))]),
        jnp.asarray(query / np.float32(255)),
        jnp.asarray(np.eye(WAYS, dtype="f4")[np.tile(query_labels, (tasks, 1))]),
    ]
    weights = [jnp.asarray(w) for w in first_weights()]
    zeros = [jnp.zeros_like(w) for w in weights]
    compiled = jax.jit(advance)
    state: tuple[Any, ...] = (weights, zeros, zeros, jnp.float32(0))

    def step() -> Any:
        nonlocal state
        state, loss = compiled(state, batch)
        return loss.block_until_ready()

    def first_step() -> tuple[float, list[np.ndarray]]:
        loss = step()
        # After one step Adam's momentum is a tenth of the gradient.
        return float(loss), [10 * np.asarray(momentum) for momentum in state[1]]

    return start_training(
        first_step, step, tasks=tasks, versions={"jax": jax.__version__}
    )


def _loss(weights: list[Any], images: Any, labels: Any) -> Any:
    """Cross-entropy of the network with these weights, labels one-hot."""
    import jax
    from jax import numpy as jnp

    for block in range(4):
        kernel, scale, offset = weights[3 * block : 3 * block + 3]
        images = jax.lax.conv_general_dilated(
            images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        mean = images.mean((0, 1, 2))
        variance = jnp.square(images - mean).mean((0, 1, 2))
        images = (images - mean) * jax.lax.rsqrt(variance + BATCH_NORMALIZATION_EPSILON)
        images = jax.nn.relu(images * scale + offset)
        # Faster to differentiate than `reduce_window`.
        rows, side, _, filters = images.shape
        half = side // 2
        images = images[:, : 2 * half, : 2 * half]
        images = images.reshape(rows, half, 2, half, 2, filters).max((2, 4))
    kernel, bias = weights[-2:]
    logits = images.reshape(images.shape[0], -1) @ kernel + bias
    return -(labels * jax.nn.log_softmax(logits)).sum(-1).mean()
