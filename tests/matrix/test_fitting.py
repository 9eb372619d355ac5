import keras
import numpy as np
import pytest

from tfmeta.datasets import ClassTable
from tfmeta.datasets.own.labelled_files import LabelledFiles
from tfmeta.matrix.domain import Domain
from tfmeta.matrix.fitting import DoesNotFitError, fit_encoder
from tfmeta.matrix.row import Row, TrainedOn, encoder_row


def encoder_of(shape, dtype="float32"):
    """All values of an example, as they come."""
    examples = keras.Input(shape, dtype=dtype)
    return keras.Model(examples, keras.layers.Flatten()(examples))


def domain_of(examples):
    return Domain(
        "toy", ClassTable.from_arrays("toy", examples, ["a"] * len(examples)), "", 1
    )


def pictures(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 256, (3, *shape)).astype(dtype)


def row_of(encoder, **trained_on):
    row = encoder_row("row", encoder, "simple_shot")
    return Row(
        "row", "run", encoder, row.learner, "toy", trained_on=TrainedOn(**trained_on)
    )


def test_the_same_form_is_given_as_it_is():
    for shape, given in (((8, 8, 1), (8, 8, 1)), ((8, 6, 3), (8, 6, 3)), ((5,), (5,))):
        encoder = encoder_of(shape)
        fitted = fit_encoder(row_of(encoder), domain_of(pictures(*given)))
        assert fitted.encoder is encoder and not fitted.inverted


def test_colours_become_grey_by_the_luma_of_itu_r_601():
    given = pictures(8, 8, 3)
    fitted = fit_encoder(row_of(encoder_of((8, 8, 1))), domain_of(given))
    wanted = given @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(
        fitted.encoder(given.astype("float32")), wanted.reshape(3, -1), atol=1e-3
    )
    assert not fitted.encoder.trainable_variables


def test_grey_becomes_colours_and_small_pictures_are_stretched():
    given = np.repeat(np.uint8([[[10]], [[200]], [[255]]]), 16, axis=1)
    given = given.reshape(3, 4, 4, 1)
    fitted = fit_encoder(row_of(encoder_of((8, 8, 3))), domain_of(given))
    values = np.asarray(fitted.encoder(given.astype("float32")))
    assert values.shape == (3, 8 * 8 * 3)
    # A picture of one level is that in any size.
    np.testing.assert_allclose(values, np.repeat([[10], [200], [255]], 192, 1), atol=1)


@pytest.mark.parametrize("light", [True, False])
def test_the_other_ground_is_inverted_for_a_run_alone(light):
    strokes = np.zeros((4, 28, 28, 1), np.uint8)
    strokes[:, 5:20, 9:12], strokes[:, 14:17, 4:25] = 255, 240
    few = domain_of(strokes)
    assert few.light_ground is False
    encoder = encoder_of((28, 28, 1))
    fitted = fit_encoder(row_of(encoder, light_ground=light), few)
    assert fitted.inverted is light
    drawn = few.source.examples[:3].astype("float32")
    wanted = (255 - drawn if light else drawn).reshape(3, -1)
    np.testing.assert_allclose(fitted.encoder(drawn), wanted)
    assert not fit_encoder(encoder_row("e", encoder, "simple_shot"), few).inverted


def test_files_are_read_in_the_form_of_the_encoder(tmp_path):
    files = Domain("f", LabelledFiles(tmp_path, "f", (), ()), "classes", 0)
    for shape in ((8, 8, 1), (8, 6, 3)):
        encoder = encoder_of(shape)
        assert fit_encoder(row_of(encoder), files).encoder is encoder


TEXTS = domain_of(np.array(["one", "two", "two"], object))


@pytest.mark.parametrize(
    ("encoder", "domain", "trained_on", "message"),
    [
        (encoder_of((8, 8, 1)), TEXTS, {}, "takes no texts, and these are texts"),
        (encoder_of((), "string"), domain_of(pictures(4, 4, 1)), {}, "takes texts"),
        (encoder_of((8, 6, 1)), domain_of(pictures(4, 4, 1)), {}, "8 x 6 pixels alone"),
        (encoder_of((7,)), domain_of(pictures(5)), {}, r"shape \(7,\).* are \(5,\)"),
        (encoder_of((7,)), domain_of(pictures(4, 4, 1)), {}, r"shape \(7,\)"),
        (
            encoder_of((4, 4, 1)),
            domain_of(pictures(4, 4, 1, dtype=np.uint16)),
            {},
            "takes pixels of uint8, and these are uint16",
        ),
        (
            encoder_of((8, 8, 1)),
            domain_of(pictures(4, 4, 1, dtype=np.uint16)),
            {"pixels": np.dtype(np.uint16)},
            "stay as they are",
        ),
    ],
    ids=["texts", "pictures", "oblong", "vectors", "maps", "16 bits", "16 bits small"],
)
def test_what_cannot_be_is_said(encoder, domain, trained_on, message):
    row = Row("row", "run", encoder, None, "toy", trained_on=TrainedOn(**trained_on))
    with pytest.raises(DoesNotFitError, match=message):
        fit_encoder(row, domain)
