"""What a server may join: rows whose answers depend on no other row."""

import numpy as np
import pytest
import tensorflow as tf
from every_learner import LEARNERS, by_cost, dense

from tfmeta import export
from tfmeta.learners import PrototypicalNetwork
from tfmeta.signatures.endpoint import Endpoint

ROWS = 6


def make_rows(spec, endpoint, seed=0):
    """Rows that differ, one of them much louder than the others."""
    rng = np.random.default_rng(seed)
    if endpoint.takes_files:
        pictures = rng.integers(0, 256, (ROWS, 9, 7, 3), np.uint8)
        return tf.stack([tf.io.encode_png(picture) for picture in pictures])
    if spec.dtype == tf.string:
        return tf.constant(["a b c", "x", "", "b b c d", "y z", "unknown"])
    numbers = rng.uniform(0, 40, (ROWS, *spec.shape[1:]))
    numbers[2] *= 6
    return tf.cast(numbers, spec.dtype)


def traced(endpoint):
    """As an export has it: of any number of rows."""
    return tf.function(endpoint.function, input_signature=endpoint.inputs)


@pytest.mark.slow
@pytest.mark.parametrize("name", by_cost(LEARNERS))
def test_a_row_is_answered_as_if_it_were_alone(name):
    learner = LEARNERS[name]()
    endpoints = learner.endpoints(learner.example_spec())
    joined = [endpoint for endpoint in endpoints if endpoint.batchable]
    assert bool(joined) == learner.independent_embeddings
    for endpoint in joined:
        (spec,) = endpoint.inputs
        answer = traced(endpoint)
        rows = make_rows(spec, endpoint)
        (output, together), *others = answer(rows).items()
        # What predicts is of a task, and never joined: transductive or not.
        assert (output, others) == ("embeddings", [])
        alone = tf.concat([answer(rows[i : i + 1])[output] for i in range(ROWS)], 0)
        # Koch's embeddings hardly differ before it is trained.
        assert np.ptp(alone, axis=0).max() > (1e-6 if "koch" in name else 1e-3)
        scale = np.abs(alone).max()
        np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-5 * scale)
        # Among others of other clients, in another place.
        strangers = make_rows(spec, endpoint, seed=1)
        mixed = answer(tf.concat([strangers, rows[3:4], strangers[:2]], 0))[output]
        np.testing.assert_allclose(
            mixed[ROWS],
            alone[3],
            rtol=1e-5,
            atol=1e-5 * max(scale, np.abs(mixed).max()),
        )


class SaysSo(PrototypicalNetwork):
    """Declares what is not so."""

    def __init__(self, encoder, function):
        super().__init__(encoder)
        self.function = function

    def endpoints(self, examples):
        spec = tf.TensorSpec([None, *examples.shape], examples.dtype, "examples")
        return [Endpoint("wrong", self.function, (spec,), batchable=True)]


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda examples: {"sum": tf.reduce_sum(examples)}, r"\(\)"),
        (lambda examples: {"sum": tf.reduce_sum(examples, 0)}, r"\(6,\)"),
    ],
)
def test_what_cannot_be_joined_is_not_declared_so(tmp_path, function, shape):
    learner = SaysSo(dense(), function)
    with pytest.raises(ValueError, match=rf"'wrong' with 'sum' of shape {shape}$"):
        export.save(learner, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
