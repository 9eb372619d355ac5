"""What a model file holds is known, and bounded, before it is read."""

import io
import zipfile

import h5py
import keras
import numpy as np
import pytest

from tfmeta.encoders import pretrained
from tfmeta.model_files import ENVIRONMENT_VARIABLE, check_model_file, most_bytes


def weights(fill):
    """The bytes of an HDF5 file."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        fill(file)
    return content.getvalue()


def archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)


def with_another_size(path, size):
    """An archive whose one member says another size than it has."""
    archive(path, {"config.json": b"{" * 50_000}, zipfile.ZIP_DEFLATED)
    content = path.read_bytes()
    said, other = (n.to_bytes(4, "little") for n in (50_000, size))
    assert content.count(said) == 2
    path.write_bytes(content.replace(said, other))


def model():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3)(inputs)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))


def never_written(file):
    file.create_dataset("layers/dense/vars/0", (2**20, 2**10), "float32")


def chunk_larger_than_all(file):
    file.create_dataset("x", (1,), "f8", chunks=(2**28,), maxshape=(None,))


def compressed(file):
    file.create_dataset("x", data=np.zeros(2**20), compression="gzip")


def in_another_file(file):
    external = [("/etc/hostname", 0, 8)]
    file.create_dataset("x", (1,), "f8", external=external)


def by_a_link(file):
    file["layers"] = h5py.ExternalLink("/etc/other.h5", "/x")


def by_a_soft_link(file):
    file.create_group("a/b")["c"] = h5py.SoftLink("/x")


FILLS = [
    (never_written, "at most 1,073,741,824 bytes when it is unpacked"),
    (chunk_larger_than_all, "at most 1,073,741,824 bytes"),
    (compressed, "uncompressed"),
    (in_another_file, "hold its arrays itself"),
    (by_a_link, "hold its arrays itself. Received: the link 'layers'"),
    (by_a_soft_link, "hold its arrays itself. Received: the link 'c'"),
]


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in .keras"])
@pytest.mark.parametrize(("fill", "message"), FILLS, ids=[f.__name__ for f, _ in FILLS])
def test_weights_that_become_more_are_refused(tmp_path, inside, fill, message):
    path, content = tmp_path / "model.keras", weights(fill)
    if inside:
        archive(path, {"config.json": "{}", "model.weights.h5": content})
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="model.keras") as raised:
        check_model_file(path)
    assert message in str(raised.value)


def test_an_archive_that_unpacks_to_more_is_refused_before_it_is(tmp_path):
    path = tmp_path / "learner.keras"
    with_another_size(path, 1_200_000_000)
    with pytest.raises(ValueError, match="1,200,000,000 of 1 members") as raised:
        check_model_file(path)
    assert f"set {ENVIRONMENT_VARIABLE} for more" in str(raised.value)


def test_a_member_is_unpacked_no_further_than_it_says(tmp_path):
    path = tmp_path / "model.keras"
    for size in (10, 60_000):
        with_another_size(path, size)
        with pytest.raises(ValueError, match="must be a whole file of a model"):
            check_model_file(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_that_zipfile_unpacks_without_bounds_are_refused(tmp_path, compression):
    path = tmp_path / "model.keras"
    archive(path, {"config.json": "{}"}, compression)
    with pytest.raises(ValueError, match="stored or deflated"):
        check_model_file(path)


def test_the_bound_can_be_set(tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    model().save(path)
    check_model_file(path)
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "2000")
    assert most_bytes() == 2000
    with pytest.raises(ValueError, match="at most 2,000 bytes"):
        check_model_file(path)
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "1 GB")
    with pytest.raises(ValueError, match=f"{ENVIRONMENT_VARIABLE} must be a number"):
        check_model_file(path)


def test_models_of_keras_pass_and_damaged_ones_are_named(tmp_path):
    path = tmp_path / "model.keras"
    model().save(path)
    check_model_file(path)
    model().save_weights(tmp_path / "x.weights.h5")
    check_model_file(tmp_path / "x.weights.h5")
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes(64) + content[164:])
    with pytest.raises(ValueError, match="model.keras must be a whole file"):
        check_model_file(path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="model.keras"):
        check_model_file(path)


def test_an_encoder_from_elsewhere_is_bounded(tmp_path, monkeypatch):
    path = tmp_path / "encoder.keras"
    model().save(path)
    assert pretrained(path)(np.zeros((1, 8, 8, 3), "uint8")).shape == (1, 4)
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "2000")
    with pytest.raises(ValueError, match="encoder.keras.*at most 2,000 bytes"):
        pretrained(path)
