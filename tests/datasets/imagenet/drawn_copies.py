"""Small data sets like miniImageNet and tieredImageNet, drawn by a program.

Their classes are some of the real ones, their pictures are colour gradients; they
are laid down in every form that people hold.
"""

import csv
import dataclasses
import io
import pickle
import tarfile
import zipfile
import zlib

import numpy as np
from PIL import Image

from tfmeta.datasets.imagenet.catalogue import mini_catalogue, tiered_catalogue

FILE_OF = {"train": "train", "validation": "val", "test": "test"}
SIZES = {"train": 4, "validation": 2, "test": 2}


def small_mini(pictures=5):
    whole = mini_catalogue()
    classes = {split: whole.classes[split][:n] for split, n in SIZES.items()}
    return dataclasses.replace(
        whole,
        classes=classes,
        pictures={split: pictures * n for split, n in SIZES.items()},
        class_sizes=(pictures, pictures),
    )


def small_tiered(partial=False):
    """Four, two and two classes of two superclasses each, of 3 to 5 pictures."""
    whole = tiered_catalogue(partial=partial)
    classes = {}
    for split, number in SIZES.items():
        by_superclass = {}
        for name in whole.classes[split]:
            by_superclass.setdefault(whole.superclasses[name], []).append(name)
        two = list(by_superclass.values())[:2]
        classes[split] = tuple(sorted(n for c in two for n in c[: number // 2]))
    catalogue = dataclasses.replace(whole, classes=classes, class_sizes=(3, 5))
    numbers = {s: sum(map(len, drawn(catalogue, s).values())) for s in SIZES}
    return dataclasses.replace(catalogue, pictures=None if partial else numbers)


def drawn(catalogue, split):
    """Pictures by class."""
    least, most = catalogue.class_sizes
    return {
        name: [
            draw(name, number)
            for number in range(least + zlib.crc32(name.encode()) % (most - least + 1))
        ]
        for name in catalogue.classes[split]
    }


def draw(name, number, size=(84, 84)):
    """A gradient whose channels differ much."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), number])
    corners = rng.integers(0, 256, (2, 2, 3)).astype(float)
    y, x = (np.linspace(0, 1, n)[:, None] for n in size)
    rows = corners[0] * (1 - y[..., None]) + corners[1] * y[..., None]
    picture = rows[:, :1] * (1 - x) + rows[:, 1:] * x
    return picture.round().astype(np.uint8)


def encoded(picture, form="JPEG"):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, form)
    return buffer.getvalue()


def decoded(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def ravi_name(class_name, number):
    """Numbers are as in the real lists: not all, and not from 1 on."""
    return f"{class_name}{3 * number + 2:08d}.jpg"


def ravi_lists(catalogue):
    """The three lists by file name."""
    lists = {}
    for split, file in FILE_OF.items():
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow(["filename", "label"])
        for name, pictures in drawn(catalogue, split).items():
            writer.writerows([ravi_name(name, i), name] for i in range(len(pictures)))
        lists[f"{file}.csv"] = buffer.getvalue().encode()
    return lists


def ravi_files(catalogue, template="{name}/{file}"):
    """Pictures by file name, as in the archive of 84x84 JPEG files."""
    return {
        template.format(name=name, file=ravi_name(name, i)): encoded(picture)
        for split in SIZES
        for name, pictures in drawn(catalogue, split).items()
        for i, picture in enumerate(pictures)
    }


def ilsvrc_files(catalogue, others=("n01440764",), size=(97, 120)):
    """A training tree of ILSVRC-2012, and the listed pictures in the right order.

    File numbers are such that their order differs from the alphabet's.
    """
    files, listed = {}, {}
    for split in SIZES:
        for name, pictures in drawn(catalogue, split).items():
            numbers = [7 + 13 * k for k in range(3 * len(pictures) + 2)]
            for place, number in enumerate(numbers, 1):
                content = encoded(draw(name, 1000 + place, size))
                files[f"{name}/{name}_{number}.JPEG"] = content
                if (place - 2) % 3 == 0 and (place - 2) // 3 < len(pictures):
                    listed.setdefault(name, []).append(content)
    for name in others:
        files[f"{name}/{name}_1.JPEG"] = encoded(draw(name, 0, size))
    return files, listed


def write_files(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_zip(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_caches(folder, catalogue, change=lambda split, content: content):
    """`mini-imagenet-cache-*.pkl`, the rows of a class not next to each other."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, file in FILE_OF.items():
        pictures, names = interleaved(drawn(catalogue, split))
        rows = {n: [i for i, m in enumerate(names) if m == n] for n in set(names)}
        content = {"image_data": np.stack(pictures), "class_dict": rows}
        path = folder / f"mini-imagenet-cache-{file}.pkl"
        path.write_bytes(pickle.dumps(change(split, content), 4))
    return folder


def write_category_splits(folder, catalogue, change=lambda split, content: content):
    """`miniImageNet_category_split_*.pickle`; the numbers of classes go on."""
    folder.mkdir(parents=True, exist_ok=True)
    label_of = {name: label for label, name in enumerate(catalogue.split_of)}
    for split, file in FILE_OF.items():
        pictures, names = interleaved(drawn(catalogue, split))
        content = {
            "data": np.stack(pictures),
            "labels": [label_of[name] for name in names],
            "catname2label": label_of,
        }
        file = "train_phase_train" if split == "train" else file
        path = folder / f"miniImageNet_category_split_{file}.pickle"
        path.write_bytes(pickle.dumps(change(split, content), 2))
    return folder


def tiered_labels(catalogue, split):
    """What `{split}_labels.pkl` of Ren et al. holds, classes in another order."""
    _, names = interleaved(drawn(catalogue, split))
    classes = sorted(set(names), reverse=True)
    superclasses = sorted({catalogue.superclasses[name] for name in classes})
    return {
        "label_specific": np.array([classes.index(n) for n in names], np.int32),
        "label_general": np.array(
            [superclasses.index(catalogue.superclasses[n]) for n in names], np.int32
        ),
        "label_specific_str": [catalogue.words[name] for name in classes],
        "label_general_str": {
            i: catalogue.words[n] for i, n in enumerate(superclasses)
        },
    }


def write_png_pickles(folder, catalogue, change=lambda split, labels: labels):
    folder.mkdir(parents=True, exist_ok=True)
    for split, file in FILE_OF.items():
        pictures, _ = interleaved(drawn(catalogue, split))
        # OpenCV gives a column of bytes.
        files = [np.frombuffer(encoded(p, "PNG"), np.uint8)[:, None] for p in pictures]
        (folder / f"{file}_images_png.pkl").write_bytes(pickle.dumps(files, 4))
        labels = change(split, tiered_labels(catalogue, split))
        (folder / f"{file}_labels.pkl").write_bytes(pickle.dumps(labels, 2))
    return folder


def write_npz(folder, catalogue, save=np.savez, change=lambda split, labels: labels):
    folder.mkdir(parents=True, exist_ok=True)
    for split, file in FILE_OF.items():
        pictures, _ = interleaved(drawn(catalogue, split))
        blue_first = np.stack(pictures)[..., ::-1]
        save(folder / f"{file}_images.npz", images=np.ascontiguousarray(blue_first))
        labels = change(split, tiered_labels(catalogue, split))
        (folder / f"{file}_labels.pkl").write_bytes(pickle.dumps(labels, 2))
    return folder


def interleaved(by_class):
    """All pictures and their classes: first the first of each class, and so on."""
    pairs = [
        (number, picture, name)
        for name, pictures in by_class.items()
        for number, picture in enumerate(pictures)
    ]
    pairs.sort(key=lambda pair: pair[0])
    return [p for _, p, _ in pairs], [n for _, _, n in pairs]


def read_all(source):
    """Pixels by class, in the order of the ranks, and the names of the pictures."""
    found, names = {}, []
    for split in SIZES:
        for picture in source.pictures(split):
            assert source.catalogue.split_of[picture.class_name] == split
            found.setdefault(picture.class_name, {})[picture.rank] = picture.pixels()
            names.append(picture.name)
    assert len(set(names)) == len(names)
    for ranks in found.values():
        assert sorted(ranks) == list(range(len(ranks)))
    return {name: [r[k] for k in sorted(r)] for name, r in found.items()}


def assert_pictures(source, expected):
    found = read_all(source)
    assert set(found) == set(expected)
    assert source.sizes == {name: len(pictures) for name, pictures in expected.items()}
    for name, pictures in expected.items():
        for one, other in zip(found[name], pictures, strict=True):
            np.testing.assert_array_equal(one, other)
