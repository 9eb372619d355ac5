"""The backbones of `keras.applications`, by name."""

import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tfmeta.encoders import pretrained
from tfmeta.encoders.pretrained.applications import application_names, default_size
from tfmeta.encoders.pretrained.family_preprocessing import FamilyPreprocessing

# Neither below what the network takes, nor more work than it needs.
SIZES = {"InceptionResNetV2": 75, "InceptionV3": 75, "Xception": 71}


def test_all_that_keras_has_are_known():
    names = application_names()
    assert len(names) >= 38
    assert {"ConvNeXtTiny", "MobileNetV3Small", "VGG19", "ResNet50V2"} <= set(names)
    assert default_size("EfficientNetV2S") == 384 and default_size("VGG16") == 224


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("mobilenet_v2", [-1.0, 0.0, 1.0]),  # to [-1, 1]
        ("mobilenet_v3", [0.0, 127.5, 255.0]),  # the model does it
        # To BGR, less the means of ImageNet.
        ("vgg16", [255 - 103.939, 127.5 - 116.779, 0 - 123.68]),
        # To [0, 1], less the mean and by the deviation of each colour.
        (
            "densenet",
            [(0 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (1 - 0.406) / 0.225],
        ),
    ],
)
def test_preprocessing_is_that_of_the_family(family, expected):
    layer = FamilyPreprocessing(family)
    pixel = np.array([[[[0, 127.5, 255]]]], "float32")
    np.testing.assert_allclose(layer(pixel)[0, 0, 0], expected, rtol=1e-5)
    again = FamilyPreprocessing.from_config(layer.get_config())
    np.testing.assert_array_equal(again(pixel), layer(pixel))


@pytest.mark.parametrize("family", ["os", "imagenet", "ResNet50", "__doc__", ""])
def test_no_other_module_can_be_named(family):
    with pytest.raises(ValueError, match="`family` must be a module"):
        FamilyPreprocessing(family)


def test_weights_that_cannot_be_had_are_named(tmp_path, monkeypatch):
    # An address that answers nobody, in place of a machine without a network.
    module = keras.src.applications.mobilenet_v3
    monkeypatch.setattr(module, "BASE_WEIGHT_PATH", "http://127.0.0.1:9/")
    monkeypatch.setattr(keras.src.backend.config, "_KERAS_DIR", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(OSError) as caught:
        pretrained("MobileNetV3Small", size=32)
    message = str(caught.value)
    assert "\n" not in message and "http://127.0.0.1:9/weights_mobilenet_v3" in message
    file = "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5"
    assert str(tmp_path / "models" / file) in message


def test_weights_from_a_file(tmp_path):
    first = pretrained("MobileNet", weights=None, size=32)
    path = tmp_path / "mobile.weights.h5"
    first.get_layer("backbone").layer.save_weights(path)
    second = pretrained("MobileNet", weights=path, size=32)
    given = np.random.default_rng(0).integers(0, 256, (1, 40, 40, 3), np.uint8)
    np.testing.assert_array_equal(second(given), first(given))


def test_a_size_below_what_it_takes_is_refused():
    with pytest.raises(ValueError, match="`size` and `weights` must be what Xception"):
        pretrained("Xception", weights=None, size=16)


# Small ones, each of another family and preprocessing.
SOME = ("EfficientNetB0", "MobileNetV3Small")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=pytest.mark.slow if name in SOME else pytest.mark.exhaustive
        )
        for name in application_names()
    ],
)
def test_every_backbone_embeds_and_exports(name, tmp_path):
    script = Path(__file__).with_name("embed_and_export.py")
    done = subprocess.run(
        [sys.executable, script, name, str(SIZES.get(name, 32)), tmp_path],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("embedded and exported 1 ")
    assert (tmp_path / "1" / "saved_model.pb").is_file()
    shutil.rmtree(tmp_path)  # All of them are some gigabytes.
