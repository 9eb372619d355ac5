"""SNAIL, row by row, in plain NumPy."""

import numpy as np


def convolution(block, rows):
    """Channels that a gated convolution adds to the last of `rows`."""
    before = len(rows) - 1 - block.dilation
    found = product(block.now, rows[-1])
    if before >= 0:
        found = found + rows[before] @ block.before.kernel.numpy()
    filtered, gate = np.split(found, 2)
    return np.tanh(filtered) / (1 + np.exp(-gate))


def product(layer, rows):
    return rows @ layer.kernel.numpy() + layer.bias.numpy()


def attention_weights(block, rows):
    """What the last of `rows` looks at."""
    query = product(block.query, rows[-1])
    scores = np.exp(product(block.key, rows) @ query / np.sqrt(block.key_size))
    return scores / scores.sum()


def attention(block, rows):
    """Channels that attention adds to the last of `rows`."""
    return attention_weights(block, rows) @ product(block.value, rows)


def logits(learner, support, labels, query):
    """Of one query, `(ways,)`, from embeddings: the whole sequence for it alone."""
    rows, _ = last_rows(learner, support, labels, query)
    return product(learner.head, rows[-1])


def last_rows(learner, support, labels, query):
    """All channels of a sequence, and what its last row, a query, looked at."""
    labels = np.concatenate([labels, np.zeros((1, labels.shape[1]))])
    rows = np.concatenate([np.concatenate([support, [query]]), labels], axis=-1)
    looked_at = []
    for block in learner.blocks:
        is_convolution = hasattr(block, "dilation")
        if not is_convolution:
            looked_at.append(attention_weights(block, rows))
        add = convolution if is_convolution else attention
        found = [add(block, rows[: n + 1]) for n in range(len(rows))]
        rows = np.concatenate([rows, found], axis=-1)
    return rows, looked_at
