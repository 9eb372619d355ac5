import warnings

import numpy as np
import pytest
from PIL import Image

from tfmeta.datasets import ClassTable
from tfmeta.datasets.contact_sheet import draw_contact_sheet
from tfmeta.datasets.own.open_own import list_own_files
from tfmeta.datasets.storage.table_folder import open_table, save_table


def drawn(path):
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB")).astype(int)


def has_colour(pixels, colour):
    return bool((np.abs(pixels - np.array(colour)).max(axis=-1) <= 3).any())


def table_of(examples, name="toy"):
    labels = [f"c{i % 3}" for i in range(len(examples))]
    return ClassTable.from_arrays(name, examples, labels)


def test_every_picture_shown_is_there(tmp_path):
    colours = [(250, 10, 20), (20, 240, 30), (10, 30, 220), (200, 200, 0), (0, 99, 99)]
    examples = np.array([np.full((5, 5, 3), c, np.uint8) for c in colours])
    table = ClassTable.from_arrays("toy", examples, list("aabbc"))
    pixels = drawn(draw_contact_sheet(table, tmp_path / "sheet.png"))
    assert all(has_colour(pixels, colour) for colour in colours)
    assert not list(tmp_path.glob(".*"))
    fewer = draw_contact_sheet(table, tmp_path / "fewer.png", classes=2, examples=1)
    found = [has_colour(drawn(fewer), colour) for colour in colours]
    assert found == [True, False, True, False, False]
    assert drawn(fewer).shape[0] < pixels.shape[0]


def test_the_same_each_time(glyphs, tmp_path):
    table = glyphs.take_classes(range(3))
    save_table(table, tmp_path / "table")
    mapped = open_table(tmp_path / "table", memory_map=True)
    sheets = [
        draw_contact_sheet(t, tmp_path / f"{i}.png", examples=2).read_bytes()
        for i, t in enumerate((table, table, mapped))
    ]
    assert sheets[0] == sheets[1] == sheets[2]


@pytest.mark.parametrize(
    "examples",
    [
        np.linspace(0, 1, 6),
        np.arange(6 * 20.0).reshape(6, 20),
        np.arange(6 * 20 * 3.0).reshape(6, 20, 3),
        np.arange(6 * 20 * 30.0).reshape(6, 20, 30),
        np.arange(6 * 4 * 20 * 30).reshape(6, 4, 20, 30),
        np.full((6, 20), np.nan),
        np.zeros((6, 8, 8, 1), np.uint16) + 40_000,
        np.zeros((6, 8, 8, 3), np.uint16) + 40_000,
        np.linspace(-1, 1, 6 * 192).reshape(6, 8, 8, 3).astype(np.float32),
        np.zeros((6, 20), np.complex64) + 1j,
        np.arange(6 * 20).reshape(6, 20) % 2 == 0,
        np.array(["a long sentence " * 20, "$\\no$ 字"] * 3, object),
    ],
    ids=lambda e: f"{e.dtype}{e.shape[1:]}",
)
def test_any_kind_of_example(examples, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels = drawn(draw_contact_sheet(table_of(examples), tmp_path / "s.png"))
    assert len(np.unique(pixels)) > 2


def test_sixteen_bits_are_shown_at_their_brightness(tmp_path):
    wide = np.full((6, 8, 8, 1), 40_000, np.uint16)
    pixels = drawn(draw_contact_sheet(table_of(wide), tmp_path / "s.png"))
    assert has_colour(pixels, [40_000 / 257] * 3)
    wide = np.repeat(wide, 3, axis=-1)
    pixels = drawn(draw_contact_sheet(table_of(wide), tmp_path / "colour.png"))
    assert has_colour(pixels, [40_000 / 257] * 3)


def test_names_of_any_script_and_length(tmp_path):
    names = ["$\\no$", "字", "ب", "a" * 300, "two words/and more", "x"]
    table = ClassTable.from_arrays("$ %", np.zeros((6, 4, 4, 1), np.uint8), names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sheet = draw_contact_sheet(table, tmp_path / "s.png")
    assert drawn(sheet).shape[1] < 1500


def test_files_of_any_size(tmp_path):
    for place, size, colour in (
        ("a/1.png", (300, 900), (250, 10, 20)),
        ("b/1.jpg", (16, 16), (10, 30, 220)),
        ("b/2.png", (1, 3), (20, 240, 30)),
    ):
        (tmp_path / "in" / place).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, colour).save(tmp_path / "in" / place)
    files = list_own_files(tmp_path / "in")
    pixels = drawn(draw_contact_sheet(files, tmp_path / "sheet.png"))
    for colour in ((250, 10, 20), (10, 30, 220), (20, 240, 30)):
        assert has_colour(pixels, colour)


def test_array_files(tmp_path):
    for name in "ab":
        (tmp_path / "in" / name).mkdir(parents=True)
        np.save(tmp_path / "in" / name / "1.npy", np.sin(np.arange(64.0)))
    files = list_own_files(tmp_path / "in")
    assert has_colour(
        drawn(draw_contact_sheet(files, tmp_path / "s.png")), (0x1F, 0x4E, 0x79)
    )


def test_nothing_is_overwritten(tmp_path):
    table = table_of(np.zeros((3, 4, 4, 1), np.uint8))
    (tmp_path / "there.png").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="there.png"):
        draw_contact_sheet(table, tmp_path / "there.png")
    assert (tmp_path / "there.png").read_bytes() == b"mine"
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(FileExistsError, match="link.png"):
        draw_contact_sheet(table, tmp_path / "link.png")
    with pytest.raises(ValueError, match=r"\*.png"):
        draw_contact_sheet(table, tmp_path / "sheet.jpg")
    with pytest.raises(FileNotFoundError, match="folder"):
        draw_contact_sheet(table, tmp_path / "no" / "sheet.png")
