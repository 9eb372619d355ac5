"""Reads files that were damaged in a thousand ways; run in a process of its own.

    python mutated_files.py KIND FOLDER COUNT

The process may take 3 GiB of addresses and no more, so that a file that asks for
too much memory shows. One line of JSON for each outcome that must not be, then
one with the numbers of files that were read and refused.
"""

import gzip
import io
import json
import lzma
import os
import pickle
import resource
import struct
import sys
import tarfile
import time
import traceback
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from tfmeta.datasets.reading.archives import read_archive
from tfmeta.datasets.reading.pictures import picture_kind, read_picture
from tfmeta.datasets.reading.unpickling import load_arrays

ADDRESSES = 3 * 2**30
MAX_BYTES = 2**26
# Sizes that a hostile header may declare.
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**40)


def mutated(rng, content, others):
    """The content, damaged once or a few times."""
    content = bytearray(content)
    for _ in range(int(rng.choice([1, 1, 2, 5]))):
        if not content:
            break
        # Headers are at the beginning and at the end of files.
        near = int(rng.integers(min(len(content), 80)))
        place = [near, -near - 1, int(rng.integers(len(content)))][rng.integers(3)]
        place %= len(content)
        length = int(rng.integers(1, 40))
        match rng.integers(8):
            case 0 | 1:
                content[place] ^= 1 << int(rng.integers(8))
            case 2:
                content[place] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF]))
            case 3:
                number = NUMBERS[rng.integers(len(NUMBERS))]
                layout = ["<H", ">H", "<I", ">I", "<Q", ">Q"][rng.integers(6)]
                size = struct.calcsize(layout)
                number %= 2 ** (8 * size)
                content[place : place + size] = struct.pack(layout, number)
            case 4:
                del content[place:]
            case 5:
                del content[place : place + length]
            case 6:
                there = int(rng.integers(len(content)))
                content[place:place] = content[there : there + length]
            case 7:
                other = others[rng.integers(len(others))]
                there = int(rng.integers(len(other)))
                content[place : place + length] = other[there : there + 4 * length]
    return bytes(content)


def with_tar_checksums(content):
    """The same, each block that may be a header with the checksum it must have."""
    content = bytearray(content)
    for start in range(0, len(content) - 511, 512):
        if content[start + 257 : start + 262] == b"ustar":
            block = content[start : start + 512]
            block[148:156] = b" " * 8
            content[start + 148 : start + 156] = b"%06o\0 " % sum(block)
    return bytes(content)


def with_png_checksums(content):
    """The same, each chunk with the checksum it must have."""
    content, start = bytearray(content), 8
    while start + 12 <= len(content):
        (length,) = struct.unpack(">I", content[start : start + 4])
        end = start + 8 + length
        if end + 4 > len(content):
            break
        checksum = zlib.crc32(content[start + 4 : end])
        content[end : end + 4] = struct.pack(">I", checksum)
        start = end + 4
    return bytes(content)


def archives():
    """Name to content and a function that makes damage go deeper."""
    members = [("a/one.txt", b"one" * 99), ("a/two", bytes(600)), ("b" * 120, b"2")]
    zipped, plain = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
        archive.writestr(zipfile.ZipInfo("stored"), b"stored" * 20)
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    extended = io.BytesIO()
    with tarfile.open(fileobj=extended, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in [*members, ("ü" * 120, b"1" * 512)]:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.pax_headers = {"comment": "x"}
            archive.addfile(info, io.BytesIO(content))
    tars = plain.getvalue(), extended.getvalue()
    return [
        ("a.zip", zipped.getvalue(), bytes),
        *((f"{n}.tar", tar, with_tar_checksums) for n, tar in enumerate(tars)),
        *(
            (f"{n}-inside.tar.gz", tar, lambda c: gzip.compress(with_tar_checksums(c)))
            for n, tar in enumerate(tars)
        ),
        ("outside.tar.gz", gzip.compress(tars[1]), bytes),
        ("outside.tar.xz", lzma.compress(tars[0]), bytes),
    ]


def pictures():
    """As `archives`, of every format that is read, in several modes."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 30, 3), np.uint8)
    colour = Image.fromarray(pixels)
    grey, bits = colour.convert("L"), colour.convert("1")
    palette, clear = colour.quantize(16), colour.convert("RGBA")
    deep = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    found = []
    for format_, images, options in (
        ("PNG", (colour, grey, bits, palette, clear, deep), {}),
        ("JPEG", (colour, grey), {}),
        ("JPEG", (colour,), {"progressive": True}),
        ("GIF", (palette, grey), {}),
        ("BMP", (colour, grey, bits, palette), {}),
        ("TIFF", (colour, deep), {}),
        ("TIFF", (colour, grey), {"compression": "tiff_lzw"}),
        ("TIFF", (colour,), {"compression": "tiff_adobe_deflate"}),
        ("TIFF", (bits,), {"compression": "group4"}),
        ("TIFF", (colour,), {"compression": "jpeg"}),
        ("WEBP", (colour, clear), {}),
        ("WEBP", (clear,), {"lossless": True}),
        ("PPM", (colour, grey, bits, deep), {}),
    ):
        for image in images:
            buffer = io.BytesIO()
            image.save(buffer, format_, **options)
            deeper = with_png_checksums if format_ == "PNG" else bytes
            found.append((f"{len(found)}.{format_.lower()}", buffer.getvalue(), deeper))
    return found


def pickles():
    """As `archives`, of all protocols."""
    value = {
        "image_data": np.arange(40, dtype=np.uint8).reshape(2, 4, 5),
        "large": np.arange(700, dtype=np.int16),
        "class_dict": {"n01": [0, 1], b"n02": (1, 2.5, None), 3: {1, 2}},
        "mixed": [np.float32(1), np.array(["a", None], object), True, 2**70, "ä"],
        "shapes": [np.asfortranarray(np.ones((2, 3))), np.zeros(()), np.zeros((0, 2))],
    }
    again = {"first": value, "second": value}
    return [(f"{p}.pkl", pickle.dumps(again, p), bytes) for p in range(6)]


def read(kind, path):
    """Reads one file as the package does."""
    if kind == "archives":
        for _ in read_archive(path, max_bytes=MAX_BYTES):
            pass
    elif kind == "pictures":
        picture_kind(path)
        read_picture(path, size=(8, 8), channels=3)
    else:
        load_arrays(path, max_bytes=MAX_BYTES)


def main(kind, folder, count):
    """Damages and reads `count` files in `folder`."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    warnings.simplefilter("ignore")
    seeds = {"archives": archives, "pictures": pictures, "pickles": pickles}[kind]()
    contents = [content for _, content, _ in seeds]
    done = {"read": 0, "refused": 0, "slowest": 0.0}
    os.chdir(folder)
    for number in range(count):
        rng = np.random.default_rng([len(kind), number])
        name, content, deeper = seeds[number % len(seeds)]
        path = folder / name
        damaged = mutated(rng, content, contents)
        path.write_bytes(deeper(damaged) if rng.integers(4) else damaged)
        start = time.perf_counter()
        try:
            read(kind, path)
            done["read"] += 1
        except Exception as error:
            done["refused"] += 1
            fine = isinstance(error, ValueError | FileNotFoundError)
            if not fine or str(path) not in str(error):
                told = traceback.format_exc(limit=-4)
                print(json.dumps({"file": name, "number": number, "error": told}))
        done["slowest"] = max(done["slowest"], time.perf_counter() - start)
        path.unlink()
    print(json.dumps(done))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
