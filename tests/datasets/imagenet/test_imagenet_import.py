import functools
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from drawn_copies import (
    SIZES,
    decoded,
    drawn,
    encoded,
    ravi_files,
    ravi_lists,
    small_mini,
    small_tiered,
    write_caches,
    write_files,
    write_npz,
    write_png_pickles,
    write_tar,
)

from tfmeta.datasets.data_dir import table_path
from tfmeta.datasets.imagenet.catalogue import mini_catalogue, tiered_catalogue
from tfmeta.datasets.imagenet.importing import import_pictures
from tfmeta.datasets.imagenet.loading import take_split
from tfmeta.datasets.imagenet.mini import load_mini_imagenet
from tfmeta.datasets.imagenet.sources import open_mini, open_tiered
from tfmeta.datasets.imagenet.tiered import load_tiered_imagenet
from tfmeta.datasets.storage.table_folder import open_table

MINI, TIERED = small_mini(), small_tiered()


@pytest.fixture
def archive(tmp_path):
    files = ravi_files(MINI) | ravi_lists(MINI)
    # The order of an archive is any order.
    names = sorted(files, key=lambda name: zlib.crc32(name.encode()))
    return write_tar(tmp_path / "source" / "a.tar.gz", {n: files[n] for n in names})


def import_mini(source, data_dir, **options):
    opener = functools.partial(open_mini, source, MINI)
    return import_pictures(opener, MINI, data_dir, **options)


def test_the_table_has_the_pictures_in_the_order_of_their_names(archive, tmp_path):
    seen = []
    report = import_mini(
        archive, tmp_path, on_progress=lambda done, of: seen.append((done, of))
    )
    assert report.tables == (table_path(tmp_path, MINI.name),)
    assert not report.already_there
    assert seen == [(k, 40) for k in range(1, 41)]
    table = open_table(report.tables[0])
    assert table.name == "mini_imagenet"
    assert table.class_names == tuple(MINI.split_of)
    assert table.groups is None
    assert "split of Ravi and Larochelle" in table.description
    assert "84x84" in table.description
    for split in SIZES:
        part = take_split(table, MINI, (split,))
        assert part.class_names == MINI.classes[split]
        assert part.class_attributes.tolist() == [
            MINI.words[name] for name in part.class_names
        ]
        assert part.description.endswith(f"{split} classes")
        for class_id, pictures in enumerate(drawn(MINI, split).values()):
            expected = np.stack([decoded(encoded(p)) for p in pictures])
            np.testing.assert_array_equal(part.examples_of(class_id), expected)
    both = take_split(table, MINI, ("train", "validation"))
    assert both.class_names == MINI.classes["train"] + MINI.classes["validation"]


def test_both_data_sets_say_the_same_of_a_class():
    mini, tiered = mini_catalogue(), tiered_catalogue()
    assert set(mini.words) == set(mini.split_of)
    assert len(set(mini.words.values())) == 100
    shared = set(mini.words) & set(tiered.words)
    assert len(shared) == 58
    assert all(mini.words[name] == tiered.words[name] for name in shared)


def test_importing_again_reads_nothing(archive, tmp_path):
    import_mini(archive, tmp_path)
    archive.unlink()
    report = import_mini(archive, tmp_path)
    assert report.already_there
    assert "already holds" in report.notes[0]


def test_a_broken_copy_leaves_no_table(archive, tmp_path):
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(ValueError, match="a.tar.gz"):
        import_mini(archive, tmp_path)
    assert not (tmp_path / "tables").exists()


class Stopped(Exception):
    pass


def test_a_stopped_import_goes_on(archive, tmp_path):
    def stop(done, of):
        if done == 17:
            raise Stopped

    with pytest.raises(Stopped):
        import_mini(archive, tmp_path, on_progress=stop)
    assert not table_path(tmp_path, MINI.name).exists()
    import_mini(archive, tmp_path)
    import_mini(archive, tmp_path / "other")
    one, other = (
        open_table(table_path(d, MINI.name)) for d in (tmp_path, tmp_path / "other")
    )
    np.testing.assert_array_equal(one.examples, other.examples)


KILLED = """
import functools
import sys
import time

sys.path.insert(0, {here!r})
from drawn_copies import small_mini
from tfmeta.datasets.imagenet.importing import import_pictures
from tfmeta.datasets.imagenet.sources import open_mini

def slowly(done, of):
    print(done, flush=True)
    if done > 1100:
        time.sleep(0.2)

catalogue = small_mini(250)
import_pictures(
    functools.partial(open_mini, sys.argv[1], catalogue), catalogue, sys.argv[2], slowly
)
"""


def test_a_killed_import_goes_on(tmp_path):
    catalogue = small_mini(250)
    source = write_caches(tmp_path / "source", catalogue)
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            KILLED.format(here=str(Path(__file__).parent)),
            str(source),
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if int(line) > 1100:
            process.kill()
            break
    process.wait()
    process.stdout.close()
    assert not table_path(tmp_path, catalogue.name).exists()
    done = []
    import_pictures(
        functools.partial(open_mini, source, catalogue),
        catalogue,
        tmp_path,
        lambda d, of: done.append(d),
    )
    assert 1 < done[0] <= 1200  # not from the beginning
    assert done[-1] == 2000
    table = open_table(table_path(tmp_path, catalogue.name))
    for class_id, pictures in enumerate(
        p for split in SIZES for p in drawn(catalogue, split).values()
    ):
        np.testing.assert_array_equal(table.examples_of(class_id), np.stack(pictures))


@pytest.mark.parametrize("write", [write_png_pickles, write_npz])
def test_tiered_tables_have_superclasses(tmp_path, write):
    source = write(tmp_path / "source", TIERED)
    opener = functools.partial(open_tiered, source, TIERED)
    path = import_pictures(opener, TIERED, tmp_path).tables[0]
    assert path.name == "tiered_imagenet"
    table = open_table(path)
    assert table.group_level == "superclass"
    assert table.groups == tuple(map(TIERED.group_of, table.class_names))
    for split in SIZES:
        part = take_split(table, TIERED, (split,))
        expected = drawn(TIERED, split)
        assert part.class_names == tuple(expected)
        assert part.class_attributes.tolist() == [TIERED.words[n] for n in expected]
        assert set(part.groups).isdisjoint(
            take_split(table, TIERED, tuple(s for s in SIZES if s != split)).groups
        )
        for class_id, pictures in enumerate(expected.values()):
            np.testing.assert_array_equal(
                part.examples_of(class_id), np.stack(pictures)
            )


def test_numbered_classes_keep_their_splits(tmp_path):
    def number(split, labels):
        return {"labels": labels["label_specific"].tolist()}

    source = write_npz(tmp_path / "source", TIERED, change=number)
    opener = functools.partial(open_tiered, source, TIERED)
    report = import_pictures(opener, TIERED, tmp_path)
    table = open_table(report.tables[0])
    part = take_split(table, TIERED, ("validation",))
    assert part.class_names == ("validation/000", "validation/001")
    assert part.class_attributes is None
    assert part.groups is None


def test_a_partial_copy_is_another_data_set(tmp_path):
    catalogue = small_tiered(partial=True)
    files = {
        f"{name}/{name}_{i}.JPEG": encoded(picture)
        for name, pictures in drawn(TIERED, "train").items()
        for i, picture in enumerate(pictures)
    }
    source = write_files(tmp_path / "source", files)
    opener = functools.partial(open_tiered, source, catalogue)
    report = import_pictures(opener, catalogue, tmp_path)
    assert report.tables[0].name == "tiered_imagenet_partial"
    assert "4 of 8 classes" in report.notes[-1]
    assert "not those of tieredImageNet" in report.notes[-1]
    table = load_tiered_imagenet("train", data_dir=tmp_path, partial=True)
    assert table.name == "tiered_imagenet_partial"
    assert table.origins[0].startswith("tiered_imagenet_partial/n")
    assert table.cut_from == "imagenet"
    with pytest.raises(ValueError, match="a class of test. Received: none among its 4"):
        load_tiered_imagenet("test", data_dir=tmp_path, partial=True)
    with pytest.raises(FileNotFoundError, match="import tiered_imagenet --from DIR`,"):
        load_tiered_imagenet("train", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("load", "command"),
    [
        (load_mini_imagenet, "`tfmeta datasets import mini_imagenet --from DIR`"),
        (load_tiered_imagenet, "`tfmeta datasets import tiered_imagenet --from DIR`"),
        (
            functools.partial(load_tiered_imagenet, partial=True),
            "`tfmeta datasets import tiered_imagenet --from DIR --partial`",
        ),
    ],
)
def test_without_data(tmp_path, load, command):
    begun = time.perf_counter()
    with pytest.raises(FileNotFoundError) as caught:
        load("test", data_dir=tmp_path / "new")
    assert command in str(caught.value)
    assert "ILSVRC-2012" in str(caught.value)
    assert str(tmp_path / "new") in str(caught.value)
    assert not (tmp_path / "new").exists()
    assert time.perf_counter() - begun < 60
    with pytest.raises(ValueError, match="'trainval'.*Received: 'meta'"):
        load("meta", data_dir=tmp_path)
