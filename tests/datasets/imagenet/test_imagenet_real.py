import io
import itertools
import os
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
from drawn_copies import write_files
from filelock import FileLock
from PIL import Image

from tfmeta.datasets.data_dir import table_path
from tfmeta.datasets.imagenet.catalogue import (
    SPLITS,
    mini_catalogue,
    tiered_catalogue,
)
from tfmeta.datasets.imagenet.importing import (
    import_mini_imagenet,
    import_tiered_imagenet,
)
from tfmeta.datasets.imagenet.mini import load_mini_imagenet
from tfmeta.datasets.imagenet.picture_tree import PictureTree
from tfmeta.datasets.imagenet.ravi_lists import find_lists
from tfmeta.datasets.imagenet.sources import open_tiered
from tfmeta.datasets.imagenet.stored_files import FolderFiles
from tfmeta.datasets.imagenet.tiered import load_tiered_imagenet
from tfmeta.datasets.storage.examples import lie_in_memory
from tfmeta.episodes import Episodes

SPLIT_SIZES = {"train": 64, "validation": 16, "test": 20, "trainval": 80}


@pytest.fixture(scope="module")
def mini(reference_data):
    return reference_data / "miniimagenet"


@pytest.fixture(scope="module")
def tiered(reference_data):
    return reference_data / "tieredimagenet"


@pytest.fixture(scope="module")
def data_dir(shared_folder):
    cache = os.environ.get("TFMETA_TEST_CACHE")
    return Path(cache) if cache else shared_folder / "imagenet"


@pytest.fixture(scope="module")
def mini_dir(mini, data_dir, shared_folder):
    """A data folder with miniImageNet; takes a minute the first time."""
    with FileLock(shared_folder / "imagenet.lock"):
        import_mini_imagenet(mini, data_dir)
    return data_dir


@pytest.fixture(scope="module")
def tiered_dir(tiered, data_dir, shared_folder):
    """A data folder with the stand-ins of tieredImageNet."""
    with FileLock(shared_folder / "imagenet.lock"):
        import_tiered_imagenet(tiered, data_dir, partial=True)
    return data_dir


def members(path):
    with tarfile.open(path, mode="r|gz") as archive:
        for member in archive:
            if member.isfile():
                yield member.name, archive.extractfile(member).read()


def decoded(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def test_the_first_pictures_of_the_archive(mini, tmp_path):
    archive = mini / "miniimagenet_84x84_jpeg.tar.gz"
    files = dict(itertools.islice(members(archive), 20))
    catalogue = mini_catalogue()
    lists = find_lists(FolderFiles(mini / "splits"), catalogue)
    source = PictureTree(FolderFiles(write_files(tmp_path, files)), catalogue, lists)
    assert {name: n for name, n in source.sizes.items() if n} == {"n01532829": 20}
    assert source.form == "from picture files of 84x84"
    pictures = sorted(source.pictures("train"), key=lambda p: p.rank)
    assert [p.name for p in pictures] == sorted(files)
    for picture in pictures:
        assert picture.kind().mode == "RGB"
        np.testing.assert_array_equal(picture.pixels(), decoded(files[picture.name]))


@pytest.mark.exhaustive
def test_mini_imagenet_splits(mini_dir):
    for split, classes in SPLIT_SIZES.items():
        table = load_mini_imagenet(split, data_dir=mini_dir)
        assert table.name == "mini_imagenet" and table.cut_from == "imagenet"
        assert table.num_classes == classes
        assert set(table.class_sizes) == {600}
        assert table.example_shape == (84, 84, 3)
        assert table.examples.dtype == np.uint8
        assert not lie_in_memory(table.examples)
        assert table.groups is None
        assert all(re.fullmatch(r"n\d{8}", name) for name in table.class_names)
    origins = [load_mini_imagenet(s, data_dir=mini_dir).origins for s in SPLITS]
    assert len(set().union(*origins)) == sum(map(len, origins)) == 100


@pytest.mark.exhaustive
def test_every_picture_of_mini_imagenet_is_that_of_the_archive(mini, mini_dir):
    tables = {s: load_mini_imagenet(s, data_dir=mini_dir) for s in SPLITS}
    rows = {}
    for split, file in zip(SPLITS, ("train", "val", "test"), strict=True):
        lines = (mini / "splits" / "ravi" / f"{file}.csv").read_text().split()[1:]
        for class_id, name in enumerate(tables[split].class_names):
            start = int(tables[split].offsets[class_id])
            listed = sorted(n for n, c in (x.split(",") for x in lines) if c == name)
            rows |= {n: (split, start + rank) for rank, n in enumerate(listed)}
    assert len(rows) == 60_000
    for name, content in members(mini / "miniimagenet_84x84_jpeg.tar.gz"):
        split, row = rows.pop(name.split("/")[1])
        np.testing.assert_array_equal(tables[split].examples[row], decoded(content))
    assert not rows


@pytest.mark.slow
def test_every_stand_in_is_that_of_the_archive(tiered, tmp_path):
    import_tiered_imagenet(tiered, tmp_path, partial=True)
    path = table_path(tmp_path, tiered_catalogue(partial=True).name)
    assert path.name == "tiered_imagenet_partial"
    by_class = {}
    for name, content in members(tiered / "tiered_classes_tiny64_jpeg.tar.gz"):
        split, superclass, wnid, file = name.split("/")
        by_class.setdefault((split, superclass, wnid), {})[file] = content
    catalogue = tiered_catalogue()
    short = {"train": "train", "validation": "val", "test": "test"}
    seen = 0
    for split in SPLITS:
        table = load_tiered_imagenet(split, data_dir=tmp_path, partial=True)
        assert "enlarged from 64x64 to 84x84" in table.description
        for class_id, wnid in enumerate(table.class_names):
            key = (short[split], catalogue.superclasses[wnid], wnid)
            assert table.groups[class_id] == catalogue.words[key[1]].split(",")[0]
            expected = [
                np.asarray(
                    Image.fromarray(decoded(content)).resize(
                        (84, 84), Image.Resampling.BILINEAR
                    )
                )
                for _, content in sorted(
                    by_class.pop(key).items(),
                    key=lambda item: int(item[0].split("_")[1].split(".")[0]),
                )
            ]
            np.testing.assert_array_equal(table.examples_of(class_id), expected)
            seen += len(expected)
    assert not by_class
    assert seen == 6150


@pytest.mark.slow
def test_the_stand_ins_are_not_tiered_imagenet(tiered):
    with pytest.raises(ValueError) as caught:
        open_tiered(tiered, tiered_catalogue())
    message = str(caught.value)
    assert "448,695 train, 124,261 validation, 206,209 test" in message
    assert "3,050 train, 850 validation, 2,250 test" in message
    assert "485 classes missing" in message
    assert "123 classes short: n01742172 by 682 or more" in message


@pytest.mark.slow
def test_episodes_of_one_superclass(tiered_dir):
    table = load_tiered_imagenet("test", data_dir=tiered_dir, partial=True)
    episodes = Episodes(table, ways=3, shots=1, queries=2, tasks=4, same_group=True)
    seen = set()
    for step in range(20):
        for classes in episodes.class_ids(step):
            groups = {table.groups[c] for c in classes}
            assert len(groups) == 1
            seen |= groups
        inputs, y = episodes.batch(step)
        assert inputs["support"].shape == (4, 3, 84, 84, 3)
        assert y.shape == (4, 6)
    assert len(seen) > 3


@pytest.mark.slow
def test_the_stand_ins_through_tensorflow_datasets(tiered, tiered_dir, tmp_path):
    import tensorflow_datasets as tfds

    from tfmeta.datasets.imagenet.builders import TieredImagenetPartial

    builder = TieredImagenetPartial(data_dir=tmp_path)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=tiered)
    )
    counts = {split: info.num_examples for split, info in builder.info.splits.items()}
    assert counts == {"train": 3050, "validation": 850, "test": 2250}
    packed = load_tiered_imagenet("validation", data_dir=tmp_path, partial=True)
    imported = load_tiered_imagenet("validation", data_dir=tiered_dir, partial=True)
    assert packed.class_names == imported.class_names
    assert packed.groups == imported.groups
    np.testing.assert_array_equal(packed.examples, imported.examples)
