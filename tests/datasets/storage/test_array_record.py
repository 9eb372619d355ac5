"""Tables to TensorFlow Datasets and back."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from stored_tables import (
    assert_same_table,
    encode,
    encoded,
    make_table,
    make_text_table,
)

from tfmeta.datasets import ClassTable
from tfmeta.datasets.storage.array_record import read_array_record, write_array_record
from tfmeta.datasets.storage.encoded_pictures import EncodedPictures

pytest.importorskip("array_record")


@pytest.mark.parametrize(
    "table",
    [
        make_table(),
        make_table(shape=(4, 4, 1)).with_rotations(),
        make_table(shape=(3, 2), dtype="float32"),
        make_table(shape=(), dtype="int64"),
        make_table(shape=(4, 4, 2)),
        encoded(make_table(), "JPEG"),
        dataclasses.replace(make_text_table(), description="some texts"),
    ],
    ids=repr,
)
def test_there_and_back(table, tmp_path):
    reports = []
    path = tmp_path / "set" / "1.0.0"
    write_array_record(table, path, on_progress=lambda *r: reports.append(r))
    n = table.num_examples
    assert reports == [(i + 1, n) for i in range(n)]
    assert os.listdir(tmp_path) == ["set"] and os.listdir(tmp_path / "set") == ["1.0.0"]
    back = read_array_record(path)
    assert_same_table(back, table)
    assert type(back.examples) is type(table.examples)
    if isinstance(back.examples, EncodedPictures):
        assert back.examples.file(3) == table.examples.file(3)


def test_plain_tensorflow_datasets_reads_it(tmp_path):
    table = make_table()
    write_array_record(table, tmp_path / "toy" / "1.0.0", split="validation")
    for builder in (
        tfds.builder_from_directory(tmp_path / "toy" / "1.0.0"),
        tfds.builder("toy", data_dir=tmp_path),
    ):
        source = builder.as_data_source("validation")
        assert len(source) == table.num_examples
        label = builder.info.features["label"]
        assert tuple(label.names) == table.class_names
        for row, example in enumerate(source):
            np.testing.assert_array_equal(example["image"], table.examples[row])
            first, end = table.offsets[example["label"]], table.offsets[1:]
            assert first <= row < end[example["label"]]
        assert builder.info.description == table.description


def prepare(path, features, examples, name="plain", **options):
    """A data set of somebody else's; returns its folder."""
    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="2.0.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={
            split: list(enumerate(some)) for split, some in examples.items()
        },
        data_dir=path,
        file_format=options.pop("file_format", "array_record"),
        download_config=tfds.download.DownloadConfig(try_download_gcs=False),
        **options,
    )
    return builder.data_path


def test_data_sets_of_others(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (30, 6, 6, 3), np.uint8)
    labels = [(5 * i) % 4 - 1 for i in range(30)]  # -1 is no label
    path = prepare(
        tmp_path,
        {
            "picture": tfds.features.Image(),
            "mask": tfds.features.Image(shape=(6, 6, 1)),
            "kind": tfds.features.ClassLabel(names=["no", "yes", "well", "unused"]),
            "number": tfds.features.Scalar(np.int32),
        },
        {
            "train": [
                {"picture": p, "mask": p[..., :1], "kind": k, "number": i}
                for i, (p, k) in enumerate(zip(pictures, labels, strict=True))
            ],
            "test": [
                {"picture": pictures[0], "mask": pictures[0, ..., :1]}
                | {"kind": -1, "number": 0}
            ],
        },
    )
    table = read_array_record(path, split="train", example_key="picture")
    assert table.name == "plain" and table.class_names == ("no", "yes", "well")
    for c in range(3):
        expected = {pictures[i].tobytes() for i in range(30) if labels[i] == c}
        assert {p.tobytes() for p in table.examples_of(c)} == expected

    numbers = read_array_record(path, split="train", example_key="number")
    assert [labels[i] for i in numbers.examples] == sorted(k for k in labels if k >= 0)
    masks = read_array_record(path, split="train", example_key="mask")
    np.testing.assert_array_equal(masks.examples, pictures[numbers.examples, ..., :1])

    stored = read_array_record(
        path,
        tmp_path / "table",
        split="train",
        example_key="picture",
        keep_encoded=True,
    )
    assert isinstance(stored.examples, EncodedPictures)
    assert_same_table(dataclasses.replace(stored, examples=table.examples), table)
    np.testing.assert_array_equal(np.asarray(stored.examples), table.examples)

    with pytest.raises(ValueError, match=r"`split` .*'test'.*Received: None"):
        read_array_record(path, example_key="picture")
    with pytest.raises(
        ValueError, match=r"`example_key` .*'mask', 'number', 'picture'"
    ):
        read_array_record(path, split="train")
    with pytest.raises(ValueError, match=r"`label_key` .* one of \['kind'\]"):
        read_array_record(path, split="train", label_key="number")
    with pytest.raises(ValueError, match="examples with a label. Received: 1 without"):
        read_array_record(path, split="test", example_key="picture")


def test_pictures_that_are_stored_otherwise_are_decoded(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (6, 6, 1), np.uint8)
    path = prepare(
        tmp_path,
        {
            "image": tfds.features.Image(),
            "label": tfds.features.ClassLabel(names=["a"]),
        },
        {"train": [{"image": encode(grey), "label": 0}]},
    )
    table = read_array_record(path)
    np.testing.assert_array_equal(table.examples[0], np.repeat(grey, 3, axis=-1))


def test_pictures_of_several_sizes_are_named(tmp_path):
    sizes = [np.zeros((n, 6, 3), np.uint8) for n in (6, 6, 7)]
    path = prepare(
        tmp_path,
        {
            "image": tfds.features.Image(),
            "label": tfds.features.ClassLabel(names=["a"]),
        },
        {"train": [{"image": p, "label": 0} for p in sizes]},
    )
    with pytest.raises(ValueError, match=r"\(6, 6, 3\)\. Received: .*\(7, 6, 3\)"):
        read_array_record(path)


def test_other_formats_and_folders_are_named(tmp_path):
    path = prepare(
        tmp_path,
        {"x": tfds.features.Text(), "label": tfds.features.ClassLabel(names=["a"])},
        {"train": [{"x": "a", "label": 0}]},
        file_format="tfrecord",
    )
    with pytest.raises(ValueError, match="array_record'. Received: 'tfrecord'"):
        read_array_record(path)
    with pytest.raises(FileNotFoundError, match="without dataset_info.json"):
        read_array_record(tmp_path)


def test_nothing_is_overwritten_and_nothing_left_behind(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(FileExistsError, match="never overwritten"):
        write_array_record(make_table(), tmp_path / "there")

    def stop(done, of_all):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_array_record(make_table(), tmp_path / "new", on_progress=stop)
    assert os.listdir(tmp_path) == ["there"]


@pytest.mark.parametrize("name", ["two\nlines", " space", ""])
def test_class_names_that_would_be_lost_are_refused(name, tmp_path):
    table = ClassTable("toy", np.zeros(2, "int64"), [0, 1, 2], (name, "b"))
    with pytest.raises(ValueError, match="of one line"):
        write_array_record(table, tmp_path / "t")


def test_without_the_package_its_name_is_said():
    code = (
        "import sys; sys.modules['array_record'] = None\n"
        "from tfmeta.datasets.storage.array_record import read_array_record\n"
        "try:\n    read_array_record('x')\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install array_record" in done.stdout, done.stderr
