"""Where a `.keras` file has the weights, which files of earlier versions have there."""

import io
import zipfile

import h5py
import keras
import numpy as np
import pytest

from tfmeta.learners import MAML
from tfmeta.learners.inner_rules import ClipByNorm, PerParameterRates, chain

START = {
    "encoder/layers/dense/vars/0": (8, 4),
    "encoder/layers/dense/vars/1": (4,),
    **{f"encoder/layers/batch_normalization/vars/{n}": (4,) for n in range(4)},
    "head_layer/vars/0": (4, 3),
    "head_layer/vars/1": (3,),
}
# In the order of what is adapted: dense, batch normalization, head.
LIKE_ADAPTED = dict(enumerate([(8, 4), (4,), (4,), (4,), (4, 3), (3,)]))
OF_RULE = {
    "maml": {},
    "anil": {},
    "meta_sgd": LIKE_ADAPTED,
    "maml_plus_plus": {0: (2, 4)},
    "reptile": {**LIKE_ADAPTED, 6: ()},
    # Kernel and bias of 3 units, then those of the two gates.
    "lstm": {0: (7, 12), 1: (12,), 2: (5, 1), 3: (5, 1), 4: (1,), 5: (1,)},
}
ROWS_OF_STEPS = {f"vars/{n}": (3, 4) for n in range(4)}


def weights_in(path):
    shapes = {}

    def look(name, part):
        if isinstance(part, h5py.Dataset):
            shapes[name] = part.shape

    with zipfile.ZipFile(path) as file:
        h5py.File(io.BytesIO(file.read("model.weights.h5")), "r").visititems(look)
    return shapes


@pytest.mark.parametrize("name", OF_RULE)
def test_the_places_of_weights_in_a_file(name, make_maker, tmp_path):
    learner = make_maker(name, batch_normalization="running")((8,), 3)
    learner.save(tmp_path / "learner.keras")
    expected = START | {f"inner_rule/vars/{n}": s for n, s in OF_RULE[name].items()}
    if name == "maml_plus_plus":
        expected |= ROWS_OF_STEPS
    assert weights_in(tmp_path / "learner.keras") == expected


@keras.saving.register_keras_serializable(package="test")
class Clipped(MAML):
    """Meta-SGD on clipped gradients."""

    def make_inner_rule(self, shapes):
        rates = PerParameterRates(shapes, self.inner_learning_rate, name="rates")
        return chain(ClipByNorm(1.0), rates)


@pytest.mark.slow
def test_a_learned_rule_in_a_chain_is_trained_and_saved(make_maker, tmp_path):
    learner = Clipped(make_maker("maml")((8,), 3).encoder, 3, seed=0)
    learner.compile("adam")
    rng = np.random.default_rng(0)
    inputs = {
        "support": rng.normal(size=(2, 6, 8)).astype("float32"),
        "support_labels": np.tile(np.eye(3, dtype="float32"), (2, 2, 1)),
        "query": rng.normal(size=(2, 4, 8)).astype("float32"),
    }
    before = [v.numpy() for v in learner.inner_rule.trainable_variables]
    learner.train_on_batch(inputs, rng.integers(0, 3, (2, 4)))
    after = [v.numpy() for v in learner.inner_rule.trainable_variables]
    assert len(after) == 6
    assert all(np.any(a != b) for a, b in zip(after, before, strict=True))
    learner.save(tmp_path / "learner.keras")
    loaded = keras.saving.load_model(tmp_path / "learner.keras")
    for a, b in zip(after, loaded.inner_rule.trainable_variables, strict=True):
        np.testing.assert_array_equal(a, b)
