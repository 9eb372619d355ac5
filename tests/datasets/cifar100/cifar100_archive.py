"""An archive laid out like CIFAR-100's binary version, with made-up pictures."""

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np

from tfmeta.datasets.cifar100.class_lists import superclasses

# The authors list both sorted by name.
FINE = sorted(superclasses())
COARSE = sorted(set(superclasses().values()))


def picture(part: str, index: int) -> np.ndarray:
    """The picture at a place of a file, (32, 32, 3): it says where it was."""
    numbers = np.random.default_rng([part == "test", index])
    return numbers.integers(0, 256, (32, 32, 3), np.uint8)


def label(part: str, index: int) -> int:
    """The class of the picture at a place of a file: mixed, and as many of each."""
    block, place = divmod(index, 100)
    order = np.random.default_rng([part == "test", 10**6 + block]).permutation(100)
    return int(order[place])


def records(part: str, each: int) -> bytes:
    """The content of `train.bin` or `test.bin`."""
    content = io.BytesIO()
    for index in range(100 * each):
        fine = label(part, index)
        coarse = COARSE.index(superclasses()[FINE[fine]])
        content.write(bytes([coarse, fine]))
        content.write(picture(part, index).transpose(2, 0, 1).tobytes())
    return content.getvalue()


def members(each: dict[str, int]) -> dict[str, bytes]:
    """The files of the archive by name."""
    return {
        "fine_label_names.txt": ("\n".join(FINE) + "\n\n").encode(),
        "coarse_label_names.txt": ("\n".join(COARSE) + "\n\n").encode(),
        **{f"{part}.bin": records(part, count) for part, count in each.items()},
    }


def write_archive(path: Path, files: dict[str, bytes]) -> Path:
    """Writes the archive."""
    with (
        gzip.open(path, "wb", compresslevel=1) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        folder = tarfile.TarInfo("cifar-100-binary")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in files.items():
            info = tarfile.TarInfo(f"cifar-100-binary/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path
