"""One step of the least-used memory, and of a network around it, in plain NumPy."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(inputs, hidden, cell, kernel, recurrent, bias):
    """The step of Keras: gates in the order input, forget, cell, output."""
    i, f, c, o = np.split(inputs @ kernel + hidden @ recurrent + bias, 4, axis=-1)
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(c)
    return sigmoid(o) * np.tanh(cell), cell


def step(weights, inputs, state, *, heads, decay, strength=1.0):
    """One step of one task, as the paper has it, slot by slot.

    Args:
        weights: `kernel`, `recurrent`, `bias`; `key`, `content` and `gate`, each a
            matrix and a bias.
        inputs: `(features,)`.
        state: `hidden`, `cell`, `read` (heads, width), `read_weights` (heads, slots),
            `usage` (slots,), `memory` (slots, width).
        heads: How many.
        decay: Of uses.
        strength: Of keys.

    Returns:
        `(units + heads * width,)` and the state after it.
    """
    seen = np.concatenate([inputs, state["read"].reshape(-1)])
    hidden, cell = lstm(
        seen,
        state["hidden"],
        state["cell"],
        *(weights[name] for name in ("kernel", "recurrent", "bias")),
    )
    slots, width = state["memory"].shape
    memory = state["memory"].copy()
    # Of equal uses that of the first slot counts as the least.
    least = sorted(range(slots), key=lambda slot: (state["usage"][slot], slot))[:heads]

    def of_heads(name, size):
        matrix, bias = weights[name]
        return (hidden @ matrix + bias).reshape(heads, size)

    keys, contents = (
        np.tanh(of_heads("key", width)),
        np.tanh(of_heads("content", width)),
    )
    gates = sigmoid(of_heads("gate", 1))[:, 0]
    writes = np.zeros((heads, slots))
    for head in range(heads):
        writes[head] = gates[head] * state["read_weights"][head]
        writes[head, least[head]] += 1 - gates[head]
    for slot in least:
        memory[slot] = 0
    for head in range(heads):
        for slot in range(slots):
            memory[slot] += writes[head, slot] * contents[head]
    reads, read = np.zeros((heads, slots)), np.zeros((heads, width))
    for head in range(heads):
        cosines = np.array(
            [
                keys[head]
                @ row
                / np.sqrt((keys[head] @ keys[head] + 1e-8) * (row @ row + 1e-8))
                for row in memory
            ]
        )
        scores = np.exp(strength * cosines)
        reads[head] = scores / scores.sum()
        read[head] = reads[head] @ memory
    usage = decay * state["usage"] + reads.sum(axis=0) + writes.sum(axis=0)
    return np.concatenate([hidden, read.reshape(-1)]), {
        "hidden": hidden,
        "cell": cell,
        "read": read,
        "read_weights": reads,
        "usage": usage,
        "memory": memory,
    }


def first_state(units, slots, width, heads):
    first = np.eye(slots)[0]
    return {
        "hidden": np.zeros(units),
        "cell": np.zeros(units),
        "read": np.zeros((heads, width)),
        "read_weights": np.tile(first, (heads, 1)),
        "usage": first,
        "memory": np.full((slots, width), 1e-6),
    }


def weights_of(reader):
    """Of a `LeastUsedMemory`, by name."""
    controller = reader.controller
    return {
        "kernel": controller.kernel.numpy(),
        "recurrent": controller.recurrent_kernel.numpy(),
        "bias": controller.bias.numpy(),
        **{
            layer.name: (layer.kernel.numpy(), layer.bias.numpy())
            for layer in (reader.key, reader.content, reader.gate)
        },
    }
