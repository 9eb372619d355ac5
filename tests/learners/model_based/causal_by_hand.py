"""SNAIL, row by row, in plain NumPy."""

import numpy as np


def convolution(block, rows):
    """Channels that a gated convolution adds to the last of `rows`."""
    before = len(rows) - 1 - block.dilation
    product = rows[-1] @ block.now.kernel.numpy() + block.now.bias.numpy()
    if before >= 0:
        product = product + rows[before] @ block.before.kernel.numpy()
    filtered, gate = np.split(product, 2)
    return np.tanh(filtered) / (1 + np.exp(-gate))


def attention(block, rows):
    """Channels that attention adds to the last of `rows`."""
    query, keys, values = (
        rows @ layer.kernel.numpy() + layer.bias.numpy()
        for layer in (block.query, block.key, block.value)
    )
    scores = np.exp(keys @ query[-1] / np.sqrt(block.key_size))
    return (scores / scores.sum()) @ values


def logits(learner, support, labels, query):
    """Of one query, `(ways,)`, from embeddings: the whole sequence for it alone."""
    labels = np.concatenate([labels, np.zeros((1, labels.shape[1]))])
    rows = np.concatenate([np.concatenate([support, [query]]), labels], axis=-1)
    for block in learner.blocks:
        add = convolution if hasattr(block, "dilation") else attention
        found = [add(block, rows[: n + 1]) for n in range(len(rows))]
        rows = np.concatenate([rows, found], axis=-1)
    return rows[-1] @ learner.head.kernel.numpy() + learner.head.bias.numpy()
