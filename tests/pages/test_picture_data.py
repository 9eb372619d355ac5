import base64
import io

import numpy as np
import pytest
from PIL import Image

from tfmeta.pages.picture_data import PagePictures


def decoded(made):
    kind, _, data = made.get("src").partition(";base64,")
    assert kind in ("data:image/jpeg", "data:image/png")
    return Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


def test_a_picture_is_there_in_its_own_proportions(tmp_path):
    ramp = np.tile(np.arange(300, dtype=np.uint8)[:200, None, None], (1, 300, 3))
    Image.fromarray(ramp).save(tmp_path / "wide.png")
    made = PagePictures([tmp_path / "wide.png"]).picture(
        0, pixels=96, description="a <ramp>"
    )
    picture = decoded(made)
    assert picture.size == (96, 64)
    assert (made.get("width"), made.get("height")) == ("96", "64")
    assert made.get("alt") == "a <ramp>"
    shown = np.asarray(picture.convert("L"), float).mean(axis=1)
    assert np.abs(shown - np.linspace(1, 198, 64)).max() < 4


def test_a_small_picture_keeps_its_pixels(paint_files):
    (file,) = paint_files(1, size=(8, 8))
    made = PagePictures([file]).picture(0, pixels=96, description="")
    assert made.get("class") == "few"
    np.testing.assert_array_equal(
        np.asarray(decoded(made).convert("RGB")), np.asarray(Image.open(file))
    )


def test_a_full_page_takes_no_more(paint_files):
    files = paint_files(20, size=(64, 64))
    pictures = PagePictures(files, most_bytes=20_000)
    made = [pictures.picture(row, pixels=64, description="") for row in range(20)]
    taken = [one for one in made if one is not None]
    assert 1 < len(taken) < 20
    assert sum(len(one.get("src")) for one in taken[:-1]) < 20_000
    assert pictures.left_out == 20 - len(taken)


@pytest.mark.parametrize("content", [None, b"no picture", b""])
def test_a_file_that_is_gone_or_spoilt_since_leaves_a_gap(tmp_path, content):
    file = tmp_path / "x.png"
    if content is not None:
        file.write_bytes(content)
    pictures = PagePictures([file])
    assert pictures.picture(0, pixels=8, description="") is None
    assert pictures.left_out == 0
