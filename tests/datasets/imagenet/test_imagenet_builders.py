import io
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from drawn_copies import (
    SIZES,
    drawn,
    encoded,
    ravi_files,
    ravi_lists,
    ravi_name,
    small_mini,
    small_tiered,
    write_caches,
    write_files,
    write_npz,
    write_png_pickles,
    write_tar,
)
from etils import epath
from PIL import Image

from tfmeta.datasets.data_dir import table_path
from tfmeta.datasets.imagenet.builders import (
    MiniImagenet,
    TieredImagenet,
    TieredImagenetPartial,
)
from tfmeta.datasets.imagenet.importing import import_pictures
from tfmeta.datasets.imagenet.prepared import PreparedPictures
from tfmeta.datasets.storage.table_folder import open_table

MINI = small_mini()
TIERED, PARTIAL = small_tiered(), small_tiered(partial=True)


class DrawnMiniImagenet(MiniImagenet):
    """The builder of miniImageNet, for small drawn copies."""

    @classmethod
    def catalogue(cls):
        return MINI


class DrawnTieredImagenet(TieredImagenet):
    """The builder of tieredImageNet, for small drawn copies."""

    @classmethod
    def catalogue(cls):
        return TIERED


class DrawnTieredImagenetPartial(TieredImagenetPartial):
    """The builder of a part of tieredImageNet, for small drawn copies."""

    @classmethod
    def catalogue(cls):
        return PARTIAL


def stand_ins():
    """Pictures of 64x64, of all but one class, one of them grey."""
    files = {}
    for split, names in PARTIAL.classes.items():
        for name in names[:-1]:
            for i, picture in enumerate(drawn(PARTIAL, split)[name]):
                small = Image.fromarray(picture).resize((64, 64))
                buffer = io.BytesIO()
                (small.convert("L") if i == 0 else small).save(buffer, "JPEG")
                place = f"{split}/{PARTIAL.superclasses[name]}/{name}/{name}_{i}.JPEG"
                files[place] = buffer.getvalue()
    return files


class DrawnTestCase(tfds.testing.DatasetBuilderTestCase):
    """The checks of TFDS, with examples drawn for the occasion."""

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tempfile.mkdtemp(prefix="tfmeta-drawn-")
        cls.write(Path(cls.EXAMPLE_DIR))
        # Not guessed by the name of the module: packages install a `tests` of theirs.
        cls.DATASET_CLASS.pkg_dir_path = epath.Path(__file__).parent
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.EXAMPLE_DIR)


class TestMiniFromArchive(DrawnTestCase):
    DATASET_CLASS = DrawnMiniImagenet
    SPLITS = dict(MINI.pictures)

    @classmethod
    def write(cls, folder):
        write_tar(folder / "a.tar.gz", ravi_files(MINI))
        write_files(folder / "splits", ravi_lists(MINI))


class TestTieredFromPickles(DrawnTestCase):
    DATASET_CLASS = DrawnTieredImagenet
    SPLITS = dict(TIERED.pictures)

    @classmethod
    def write(cls, folder):
        write_png_pickles(folder, TIERED)


class TestTieredPartial(DrawnTestCase):
    DATASET_CLASS = DrawnTieredImagenetPartial
    SPLITS = {
        split: sum(len(drawn(PARTIAL, split)[name]) for name in names[:-1])
        for split, names in PARTIAL.classes.items()
    }

    @classmethod
    def write(cls, folder):
        write_files(folder, stand_ins())


del DrawnTestCase  # pytest would run it by itself


def prepare(builder_class, source, data_dir):
    builder = builder_class(data_dir=data_dir)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=source)
    )
    return builder


@pytest.mark.parametrize(
    ("name", "builder_class", "classes", "superclasses"),
    [
        ("mini_imagenet", MiniImagenet, 100, None),
        ("tiered_imagenet", TieredImagenet, 608, 34),
        ("tiered_imagenet_partial", TieredImagenetPartial, 608, 34),
    ],
)
def test_they_are_registered(name, builder_class, classes, superclasses, tmp_path):
    assert name in tfds.list_builders()
    info = tfds.builder(name, data_dir=tmp_path).info
    assert tfds.builder_cls(name) is builder_class
    assert info.features["label"].num_classes == classes
    assert info.features["image"].shape == (84, 84, 3)
    assert info.supervised_keys == ("image", "label")
    if superclasses is None:
        assert "superclass" not in info.features
    else:
        assert info.features["superclass"].num_classes == superclasses
    assert "non-commercial" in info.description
    assert "non-commercial" in info.redistribution_info.license
    assert "SHA-256" in info.description
    assert "@inproceedings" in info.citation
    assert str(info.version) == "1.0.0"
    assert builder_class.RELEASE_NOTES["1.0.0"]


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(AssertionError, match="mini-imagenet-cache-train.pkl"):
        prepare(MiniImagenet, tmp_path / "nothing", tmp_path)


def test_tfds_load_gives_labels_and_names(tmp_path):
    source = write_files(tmp_path / "source", ravi_files(MINI))
    config = tfds.download.DownloadConfig(manual_dir=source)
    datasets = tfds.load(
        "drawn_mini_imagenet",
        data_dir=tmp_path,
        download_and_prepare_kwargs={"download_config": config},
    )
    assert list(datasets) == ["train", "validation", "test"]
    labels = {}
    for split, dataset in datasets.items():
        names = list(MINI.split_of)
        for example in dataset.as_numpy_iterator():
            name = names[example["label"]]
            labels.setdefault(split, set()).add(name)
            folder, file = example["filename"].decode().split("/")
            assert folder == name
            number = next(i for i in range(5) if ravi_name(name, i) == file)
            content = encoded(drawn(MINI, split)[name][number])
            picture = tf.io.decode_image(content, channels=3)
            np.testing.assert_array_equal(example["image"], picture)
    assert labels == {s: set(names) for s, names in MINI.classes.items()}


def test_jpeg_files_are_kept_as_they_are(tmp_path):
    files = ravi_files(MINI)
    builder = prepare(
        DrawnMiniImagenet, write_files(tmp_path / "a", files), tmp_path / "b"
    )
    undecoded = {"image": tfds.decode.SkipDecoding()}
    for split in SIZES:
        for example in builder.as_dataset(split, decoders=undecoded):
            name = example["filename"].numpy().decode()
            assert example["image"].numpy() == files[name]


def test_superclasses_are_those_of_the_classes(tmp_path):
    source = write_files(tmp_path / "a", stand_ins())
    builder = prepare(DrawnTieredImagenetPartial, source, tmp_path / "b")
    of_class = builder.info.features["label"].names
    of_superclass = builder.info.features["superclass"].names
    seen = set()
    for split in SIZES:
        for example in builder.as_dataset(split).as_numpy_iterator():
            name = of_class[example["label"]]
            assert of_superclass[example["superclass"]] == PARTIAL.superclasses[name]
            assert PARTIAL.split_of[name] == split
            assert example["image"].shape == (84, 84, 3)
            seen.add(name)
    assert len(seen) == 5


def test_classes_without_names_are_refused(tmp_path):
    def number(split, labels):
        return {"labels": labels["label_specific"].tolist()}

    source = write_npz(tmp_path / "a", TIERED, change=number)
    with pytest.raises(ValueError, match="must name its classes. Received: numbers"):
        prepare(DrawnTieredImagenet, source, tmp_path / "b")


def test_a_short_copy_is_refused(tmp_path):
    files = ravi_files(MINI)
    files.popitem()
    with pytest.raises(ValueError, match="1 class short"):
        prepare(DrawnMiniImagenet, write_files(tmp_path / "a", files), tmp_path / "b")


def test_a_damaged_picture_is_named(tmp_path):
    files = ravi_files(MINI)
    name = list(files)[7]
    files[name] = files[name][:300]
    with pytest.raises(ValueError, match=f"picture '{name}'"):
        prepare(DrawnMiniImagenet, write_files(tmp_path / "a", files), tmp_path / "b")


@pytest.mark.parametrize(
    ("builder_class", "catalogue", "write"),
    [
        (DrawnMiniImagenet, MINI, lambda f: write_files(f, ravi_files(MINI))),
        (DrawnTieredImagenet, TIERED, lambda f: write_png_pickles(f, TIERED)),
    ],
)
def test_a_prepared_data_set_gives_the_table_of_an_import(
    tmp_path, builder_class, catalogue, write
):
    source = write(tmp_path / "source")
    builder = prepare(builder_class, source, tmp_path / "prepared")
    packed = import_pictures(
        lambda: PreparedPictures(builder, catalogue), catalogue, tmp_path / "packed"
    )
    imported = import_pictures(
        lambda: builder.open_source(source, catalogue), catalogue, tmp_path
    )
    one, other = open_table(packed.tables[0]), open_table(imported.tables[0])
    assert one.class_names == other.class_names
    assert one.groups == other.groups
    np.testing.assert_array_equal(one.class_sizes, other.class_sizes)
    np.testing.assert_array_equal(one.examples, other.examples)


def test_loading_packs_what_is_prepared(tmp_path, monkeypatch):
    from tfmeta.datasets.imagenet import builders
    from tfmeta.datasets.imagenet.dataset import MINI_IMAGENET
    from tfmeta.datasets.imagenet.loading import open_or_pack

    class MiniImagenetHere(MiniImagenet):
        name = "mini_imagenet_here"

        @classmethod
        def catalogue(cls):
            return MINI

    import dataclasses

    here = dataclasses.replace(MINI, name="mini_imagenet_here")
    monkeypatch.setattr(builders, "MiniImagenetHere", MiniImagenetHere, raising=False)
    options = {"builder_name": "MiniImagenetHere"}
    source = write_caches(tmp_path / "source", MINI)
    with pytest.raises(FileNotFoundError, match="import mini_imagenet --from DIR"):
        open_or_pack(MINI_IMAGENET, here, "test", tmp_path, **options)
    prepare(MiniImagenetHere, source, tmp_path)
    table = open_or_pack(MINI_IMAGENET, here, "test", tmp_path, **options)
    assert table_path(tmp_path, here.name).is_dir()
    assert table.class_names == MINI.classes["test"]
    for class_id, pictures in enumerate(drawn(MINI, "test").values()):
        np.testing.assert_array_equal(table.examples_of(class_id), np.stack(pictures))


def test_damaged_records_are_named(tmp_path):
    source = write_caches(tmp_path / "source", MINI)
    builder = prepare(DrawnMiniImagenet, source, tmp_path)
    (record,) = Path(builder.data_path).glob("*-test.tfrecord*")
    content = bytearray(record.read_bytes())
    content[len(content) // 2] ^= 0xFF
    record.write_bytes(content)
    with pytest.raises(ValueError, match="prepared TFDS data set at .* readable"):
        PreparedPictures(builder, MINI)
