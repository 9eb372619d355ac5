"""Meta Networks of vectors, one task, in plain NumPy."""

import numpy as np
from memory_by_hand import lstm


def softmax(x):
    shifted = np.exp(x - x.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def forward(slow, fast, row):
    """Hidden features and logits of one row by layer augmentation."""
    outputs = row
    for weights, other in list(zip(slow, fast, strict=True))[:-1]:
        outputs = np.maximum(outputs @ weights, 0) + np.maximum(outputs @ other, 0)
    return outputs, outputs @ slow[-1] + outputs @ fast[-1]


def gradients(slow, row, label):
    """Of the cross-entropy of one row by slow weights alone, layer by layer."""
    inputs = [row]
    for weights in slow[:-1]:
        inputs.append(np.maximum(inputs[-1] @ weights, 0))
    back = softmax(inputs[-1] @ slow[-1]) - label
    found = []
    for weights, given in list(zip(slow, inputs, strict=True))[::-1]:
        found.append(np.outer(given, back))
        back = (weights @ back) * (given > 0)
    return found[::-1]


def features(gradient):
    """Magnitude and sign, one after the other."""
    magnitude = np.maximum(np.log(np.abs(gradient) + 1e-20) / 7, -1)
    return np.stack([magnitude, np.clip(gradient * np.exp(7), -1, 1)], axis=-1)


def of_one(generator, gradient):
    """A fast weight for each coordinate of one gradient."""
    hidden = features(gradient)
    for layer in generator.hidden:
        hidden = np.maximum(hidden @ layer.kernel.numpy() + layer.bias.numpy(), 0)
    kernel, bias = (w.numpy() for w in generator.weight.weights)
    return (hidden @ kernel + bias)[..., 0]


def of_all(generator, found):
    """A fast weight for each coordinate, of its gradients one after the other."""
    cell = generator.reader.cell
    weights = [w.numpy() for w in (cell.kernel, cell.recurrent_kernel, cell.bias)]
    hidden = memory = np.zeros((*found[0].shape, generator.units))
    for gradient in found:
        hidden, memory = lstm(features(gradient), hidden, memory, *weights)
    kernel, bias = (w.numpy() for w in generator.weight.weights)
    return (hidden @ kernel + bias)[..., 0]


def logits(learner, support, labels, query):
    """Of one query, `(ways,)`, and the attention `(support,)`."""
    u, b = (
        [w.numpy() for w in network.slow]
        for network in (learner.embedding, learner.classifier)
    )
    # 1. Fast weights of the embedding network, one set of all examples.
    each = [gradients(u, *one) for one in zip(support, labels, strict=True)]
    q = [
        of_all(learner.embedding_fast[0], [g[n] for g in each])
        for n in range(len(u) - 1)
    ]
    # The last layer makes no key.
    q.append(np.zeros_like(u[-1]))
    # 2. Fast weights of the classifier for each example, and its key.
    stored = [
        [of_one(learner.classifier_fast[0], g) for g in gradients(b, *one)]
        for one in zip(support, labels, strict=True)
    ]
    keys = [forward(u, q, row)[0] for row in support]
    # 3. The query.
    key = forward(u, q, query)[0]

    def unit(vector):
        return vector / np.sqrt(vector @ vector + 1e-8)

    attention = softmax(np.array([unit(key) @ unit(other) for other in keys]))
    fast = [
        sum(a * weights[n] for a, weights in zip(attention, stored, strict=True))
        for n in range(len(b))
    ]
    return forward(b, fast, query)[1], attention
