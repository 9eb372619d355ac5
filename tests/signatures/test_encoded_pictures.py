"""Files of pictures as what a signature takes."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfmeta import export
from tfmeta.datasets.reading.pictures import read_picture
from tfmeta.encoders import MLP, Conv4
from tfmeta.learners import PrototypicalNetwork
from tfmeta.signatures.encoded_pictures import EncodedPictures
from tfmeta.signatures.example_spec import example_spec


def picture():
    rows, columns = np.mgrid[:60, :47]
    waves = [128 + 100 * np.sin(rows / a + columns / b) for a, b in ((5, 9), (8, -7))]
    return Image.fromarray(np.stack([*waves, rows * 4], -1).astype(np.uint8))


def content(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def see_through():
    image = picture().convert("RGBA")
    image.putalpha(Image.fromarray(np.tile(np.arange(47, dtype=np.uint8) * 5, (60, 1))))
    return image


FILES = {
    "png": lambda: content(picture(), "PNG"),
    "bmp": lambda: content(picture(), "BMP"),
    "grey": lambda: content(picture().convert("L"), "PNG"),
    "one bit": lambda: content(picture().convert("1"), "PNG"),
    "palette": lambda: content(picture().convert("P"), "PNG"),
    "opacity": lambda: content(see_through(), "PNG"),
    "grey opacity": lambda: content(see_through().convert("LA"), "PNG"),
    "16 bits": lambda: content(
        Image.fromarray(np.asarray(picture().convert("L")).astype(np.uint16) * 257),
        "PNG",
    ),
    "animated": lambda: content(
        picture().convert("P"),
        "GIF",
        save_all=True,
        append_images=[picture().rotate(90).convert("P")],
    ),
    "jpeg": lambda: content(picture(), "JPEG"),
    "cmyk": lambda: content(picture().convert("CMYK"), "JPEG"),
}
# Decoders of JPEG and conversions of CMYK differ by rounding.
LOSSY = ("jpeg", "cmyk")


@pytest.mark.parametrize("channels", [1, 3])
def test_files_become_what_the_reader_of_pictures_makes_of_them(channels):
    encoder = Conv4((24, 32, channels), filters=2, blocks=1)
    files = EncodedPictures.of(encoder, example_spec(encoder, None))
    contents = [make() for make in FILES.values()]
    decoded = files.decode(tf.constant(contents)).numpy()
    assert decoded.dtype == np.uint8 and decoded.shape[1:] == (24, 32, channels)
    for name, file, found in zip(FILES, contents, decoded, strict=True):
        expected = read_picture(file, size=(24, 32), channels=channels)
        difference = np.abs(found.astype(int) - expected)
        assert difference.max() <= (8 if name in LOSSY else 2), name
        assert difference.mean() < (1.5 if name in LOSSY else 0.5), name


def test_no_files_are_no_pictures():
    encoder = Conv4((8, 8, 1), filters=2, blocks=1)
    files = EncodedPictures.of(encoder, example_spec(encoder, None))
    assert files.decode(tf.zeros([0], tf.string)).shape == (0, 8, 8, 1)


@pytest.mark.parametrize(
    ("make", "dtype"),
    [
        (lambda: MLP((6,)), None),
        (lambda: Conv4((8, 8, 1), filters=2, blocks=1, rescale=None), None),
        (lambda: Conv4((8, 8, 1), filters=2, blocks=1), "uint16"),
        (lambda: Conv4((8, 8, 2), filters=2, blocks=1), None),
    ],
    ids=["vectors", "no pixels", "16 bits", "two channels"],
)
def test_only_pictures_of_bytes_come_as_files(make, dtype):
    encoder = make()
    assert EncodedPictures.of(encoder, example_spec(encoder, dtype)) is None


def test_a_served_model_answers_to_files_as_to_their_pictures(tmp_path):
    learner = PrototypicalNetwork(Conv4((16, 16, 3), filters=4, blocks=2, seed=0))
    served = tf.saved_model.load(str(export.save(learner, tmp_path))).signatures
    contents = [FILES[name]() for name in ("png", "grey", "opacity", "palette")]
    encoder = learner.encoder
    files = EncodedPictures.of(encoder, example_spec(encoder, None))
    pictures = files.decode(tf.constant(contents))
    found = served["embed_encoded"](examples=tf.constant(contents))["embeddings"]
    expected = served["embed"](examples=pictures)["embeddings"]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    labels = tf.constant([0, 1], tf.int32)
    found = served["classify_encoded"](
        support=tf.constant(contents[:2]),
        support_labels=labels,
        query=tf.constant(contents[2:]),
    )["probabilities"]
    expected = served["classify"](
        support=pictures[:2], support_labels=labels, query=pictures[2:]
    )["probabilities"]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    for broken in (b"", b"no picture", contents[0][:50]):
        with pytest.raises(tf.errors.InvalidArgumentError):
            served["embed_encoded"](examples=tf.constant([contents[0], broken]))
