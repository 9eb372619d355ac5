"""Which encoder a run of arrays has."""

import numpy as np
import pytest

from tfmeta.datasets import ClassTable
from tfmeta.registry import ENCODERS, LEARNERS, usual_encoder
from tfmeta.runs.building import build_encoder, build_learner
from tfmeta.runs.config import TrainConfig


def table(*shape, dtype=np.float32):
    examples = np.random.default_rng(0).normal(5, 3, (8, *shape)).astype(dtype)
    return ClassTable.from_arrays("own", examples, [f"class{i % 2}" for i in range(8)])


VECTORS, SERIES, ARRAYS = table(6), table(20, 3), table(20, 20, 5)


@pytest.mark.parametrize(
    ("data", "name", "embedding"),
    [
        (VECTORS, "standardized_mlp", (4,)),
        (SERIES, "standardized_series_fcn", (4,)),
        (ARRAYS, "standardized_conv4", (4,)),
        # Too small for four poolings.
        (table(3, 40, 2), "standardized_conv4", (1 * 3 * 4,)),
        (table(1, 1, 2), "standardized_conv4", (4,)),
        (table(32, 32, 1), "standardized_conv4", (2 * 2 * 4,)),
    ],
)
def test_the_usual(data, name, embedding):
    encoder = build_encoder(TrainConfig(filters=4), data)
    assert encoder.name == name
    assert encoder.output_shape == (None, *embedding)
    assert encoder.input_shape == (None, *data.example_shape)
    assert np.isfinite(encoder(data.examples)).all()


def test_units_do_not_matter():
    for data in (VECTORS, SERIES, ARRAYS):
        other = ClassTable.from_arrays("own", data.examples[:] * 1e6 + 3e6, range(8))
        config = TrainConfig(filters=4)
        one = build_encoder(config, data)(data.examples)
        # A shift by the same in all channels, and a factor.
        np.testing.assert_allclose(
            build_encoder(config, other)(other.examples), one, atol=1e-2
        )


@pytest.mark.parametrize(
    ("data", "encoder", "message"),
    [
        (VECTORS, "conv4", r"vectors of shape \(6,\) and dtype float32, such as mlp"),
        (VECTORS, "wordllama", "which takes text"),
        (SERIES, "standardized", "series.*such as mlp, series_fcn"),
        (SERIES, "efficientnet_lite0", "which takes pictures"),
        (ARRAYS, "koch", "such as conv4"),
        (ARRAYS, "series_fcn", "which takes series"),
    ],
)
def test_encoders_of_others_are_refused_by_name(data, encoder, message):
    with pytest.raises(ValueError, match=f"`encoder` must take.*{message}"):
        build_encoder(TrainConfig(encoder=encoder), data)


def test_pictures_have_none_of_arrays():
    pixels = np.zeros((4, 28, 28, 1), np.uint8)
    pictures = ClassTable.from_arrays("own", pixels, list("abab"))
    with pytest.raises(ValueError, match="pictures of shape.*'mlp', which takes"):
        build_encoder(TrainConfig(encoder="mlp"), pictures)


def test_flattened_where_somebody_chooses_it():
    encoder = build_encoder(TrainConfig(filters=4, encoder="mlp"), SERIES)
    assert encoder.output_shape == (None, 4)


@pytest.mark.parametrize("learner", LEARNERS)
def test_every_learner_has_an_encoder_of_vectors_or_says_why_not(learner):
    config = TrainConfig(filters=4).with_options(
        {"learner": learner, "train_ways": 2, "ways": 2, "train_queries": 1}
    )
    if learner == "relation":
        with pytest.raises(ValueError, match="a batch of maps"):
            build_learner(config, VECTORS)
        return
    if learner == "zero_shot_prototypical":
        with pytest.raises(ValueError, match="attributes"):
            build_learner(config, VECTORS)
        return
    encoder = build_learner(config, VECTORS).encoder
    frozen = LEARNERS[learner].trains_on == "nothing"
    assert encoder.name == f"standardized_{'identity' if frozen else 'mlp'}"
    if frozen:
        found = encoder(VECTORS.examples).numpy()
        np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(found.std(axis=0), 1, atol=1e-5)


def test_usual_encoders_take_what_they_are_for():
    for learner in LEARNERS:
        for kind in ("pictures", "vectors"):
            name = usual_encoder(learner, kind)
            assert kind in ENCODERS[name].examples, (learner, kind)
        assert usual_encoder(learner, "other") is None
