import io
import tarfile
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tfmeta.datasets.reading.ground import common_ground, ground_of, invert_pictures
from tfmeta.datasets.reading.pictures import read_picture

GROUNDS = ("light", "dark", "unclear", "colour")
TURNED = {"light": "dark", "dark": "light", "unclear": "unclear", "colour": "colour"}


def drawn(seed, *, size=105, width=3, paper=255, ink=0):
    """A character of three curved strokes, as a pen would write it."""
    rng = np.random.default_rng(seed)
    picture = Image.new("L", (size, size), paper)
    draw = ImageDraw.Draw(picture)
    for _ in range(3):
        points = (
            rng.uniform(0.12, 0.88, (2, 3))
            @ np.array(
                [[(1 - t) ** 2, 2 * t * (1 - t), t**2] for t in np.linspace(0, 1, 20)]
            ).T
        )
        draw.line([tuple(p) for p in points.T * size], fill=ink, width=width)
    return np.asarray(picture)


def resized(picture, size):
    return np.asarray(
        Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR)
    )


def in_colours(levels, tint=(1.0, 1.0, 1.0)):
    return np.rint(levels[..., None] * np.array(tint)).astype(np.uint8)


def photograph(seed, size=84):
    """Smooth random colours: waves of random direction in each channel."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    waves = [
        sum(
            rng.normal()
            * np.sin(rng.uniform(1, 9) * (x * np.cos(a) + y * np.sin(a)) + b)
            for a, b in rng.uniform(0, 6.3, (6, 2))
        )
        for _ in range(3)
    ]
    levels = rng.uniform(60, 190, 3) + rng.uniform(20, 45) * np.stack(waves, axis=-1)
    return np.clip(levels, 0, 255).astype(np.uint8)


def assert_ground(picture, expected):
    __tracebackhide__ = True
    assert ground_of(picture) == expected
    assert ground_of(invert_pictures(picture)) == TURNED[expected]


# Ink on paper.


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8, 11])
def test_ink_of_any_width(width):
    for seed in range(10):
        assert_ground(drawn(seed, width=width), "light")


@pytest.mark.parametrize("size", [14, 20, 28, 48, 84, 105, 200])
def test_ink_of_any_size_resized_with_antialiasing(size):
    for seed, (stored, width) in enumerate(
        [(105, 3), (105, 6), (300, 12), (56, 3)] * 3
    ):
        assert_ground(resized(drawn(seed, size=stored, width=width), size), "light")


def test_faint_ink_on_grey_paper():
    for seed in range(10):
        assert_ground(drawn(seed, paper=120, ink=85), "light")
        assert_ground(drawn(seed, paper=250, ink=200), "light")


@pytest.mark.parametrize("noise", [5, 15, 25])
def test_noisy_scans(noise):
    for seed in range(10):
        levels = drawn(seed, width=5, paper=220, ink=50).astype(float)
        levels += np.random.default_rng(seed).normal(0, noise, levels.shape)
        scan = np.clip(levels, 0, 255).astype(np.uint8)
        for picture in (scan, resized(scan, 28)):
            assert_ground(picture, "light")


@pytest.mark.parametrize("darkest", [0.8, 0.6, 0.45])
def test_light_from_one_side(darkest):
    shade = np.linspace(darkest, 1, 105)[:, None] * np.linspace(0.9, 1, 105)
    for seed in range(10):
        scan = (drawn(seed, width=4, ink=40) * shade).astype(np.uint8)
        assert scan.std(axis=1).min() > 0
        for picture in (scan, scan.T, resized(scan, 28)):
            assert_ground(picture, "light")


def test_ink_is_not_told_by_the_mean():
    # Grey paper: the mean is below 127 though the ground is light, and above it
    # though the ground is dark.
    assert drawn(0, paper=110, ink=10).mean() < 127
    assert_ground(drawn(0, paper=110, ink=10), "light")
    assert drawn(0, paper=150, ink=250).mean() > 127
    assert_ground(drawn(0, paper=150, ink=250), "dark")


def test_sixteen_bits_are_as_eight():
    for picture in (drawn(1), photograph(1)[..., 0]):
        assert ground_of(picture * np.uint16(257)) == ground_of(picture)
    assert_ground(drawn(1) * np.uint16(257), "light")


# What is not clear.


@pytest.mark.parametrize("share", [0.42, 0.47, 0.5, 0.53, 0.58])
def test_two_levels_of_nearly_half_each(share):
    rng = np.random.default_rng(0)
    stripes = np.zeros(1600)
    stripes[: int(share * 1600)] = 1
    for ones in (stripes, rng.permutation(stripes)):
        for low, high in ((0, 255), (90, 160)):
            picture = np.where(ones.reshape(40, 40) == 1, high, low).astype(np.uint8)
            assert_ground(picture, "unclear")


def test_marks_on_both_sides_of_the_ground():
    for dark, bright in ((50, 50), (60, 40), (40, 60), (80, 30)):
        levels = np.full(1600, 128)
        levels[:dark], levels[dark : dark + bright] = 10, 246
        levels = np.random.default_rng(0).permutation(levels)
        assert_ground(levels.reshape(40, 40).astype(np.uint8), "unclear")


@pytest.mark.parametrize("seed", range(5))
def test_one_skewed_peak_is_no_ink(seed):
    generator = np.random.default_rng(seed)
    exponential = generator.exponential(30, size=(64, 64))
    for levels in (
        exponential,
        255 - exponential,
        30 * np.exp(0.7 * generator.normal(size=(64, 64))),
        generator.gamma(2, 20, size=(64, 64)),
    ):
        picture = np.clip(levels, 0, 255).astype(np.uint8)
        assert ground_of(picture) == "unclear"


def test_empty_sheets_and_plain_noise():
    rng = np.random.default_rng(0)
    noise = rng.normal(200, 12, (28, 28))
    steps = np.linspace(0, 255, 784).reshape(28, 28)
    for levels in (np.full((28, 28), 255), noise, steps, steps.T, rng.random((28, 28))):
        assert_ground(np.asarray(levels).astype(np.uint8), "unclear")
    assert_ground(np.zeros((1, 1), np.uint8), "unclear")
    specks = np.full((28, 28), 255, np.uint8)
    specks[::7, ::7] = 250
    assert_ground(specks, "unclear")


@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 12))
def test_any_picture_has_the_other_ground_inverted(seed, height, width):
    levels = np.random.default_rng(seed).choice([0, 40, 200, 255], (height, width))
    picture = levels.astype(np.uint8)
    assert ground_of(255 - picture) == TURNED[ground_of(picture)]
    assert ground_of(picture.T) == ground_of(picture)


# Colours.


def test_ink_that_is_merely_stored_in_colours():
    for seed in range(10):
        assert_ground(in_colours(drawn(seed)), "light")
        assert_ground(in_colours(drawn(seed), (0.98, 0.94, 0.85)), "light")


@pytest.mark.parametrize(
    ("paper", "ink", "expected"),
    [
        # Where colour begins: 40 levels between red, green and blue.
        ((245, 225, 206), (0, 0, 0), "light"),
        ((245, 225, 203), (0, 0, 0), "colour"),
        ((255, 255, 255), (30, 40, 150), "colour"),
        ((255, 255, 255), (30, 40, 60), "light"),
        ((220, 30, 30), (250, 220, 40), "colour"),
    ],
)
def test_where_colour_begins(paper, ink, expected):
    picture = np.full((40, 40, 3), paper, np.uint8)
    picture[5:35, 18:22] = ink
    assert ground_of(picture) == expected
    assert ground_of(255 - picture) == TURNED[expected]


def test_a_speck_of_colour_is_none():
    picture = in_colours(drawn(3))
    picture[:10, :10] = (250, 20, 20)  # 100 of 11,025 pixels
    assert ground_of(picture) == "light"
    picture[:10, 10:13] = (250, 20, 20)
    assert ground_of(picture) == "colour"


def test_photographs_have_colours():
    for seed in range(40):
        for size in (84, 28):
            assert_ground(photograph(seed, size), "colour")


def test_stored_as_jpeg():
    for seed in range(10):
        file = io.BytesIO()
        Image.fromarray(in_colours(drawn(seed))).save(file, "JPEG", quality=75)
        for size in (None, (28, 28)):
            assert_ground(read_picture(file.getvalue(), size=size, channels=3), "light")


def test_bad_pictures():
    for picture in (
        *(np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8)),
        *(np.zeros(4, np.uint8), np.zeros((2, 4, 4, 1), np.uint8)),
    ):
        with pytest.raises(ValueError, match="`picture` must be a uint8.*Received"):
            ground_of(picture)


# The ground of many.


def test_the_common_ground():
    assert common_ground(["light"]) == "light"
    assert common_ground(["dark"] * 3 + ["unclear"]) == "dark"
    assert common_ground(["dark"] * 2 + ["unclear"]) == "unclear"
    assert common_ground(["dark"] * 99 + ["light"]) == "mixed"
    assert common_ground(["dark"] * 99 + ["light"], most_against=0.02) == "dark"
    assert common_ground(["dark"] * 97 + ["light"] * 3, most_against=0.02) == "mixed"
    assert common_ground(["light"] * 99 + ["colour"]) == "colour"
    assert common_ground(["unclear"] * 9) == common_ground([]) == "unclear"


@given(st.lists(st.sampled_from(GROUNDS), max_size=12), st.randoms())
def test_the_common_ground_knows_no_order_and_turns_with_the_pictures(grounds, random):
    found = common_ground(grounds)
    shuffled = random.sample(grounds, len(grounds))
    assert common_ground(shuffled) == found
    turned = common_ground(TURNED[ground] for ground in grounds)
    assert turned == {**TURNED, "mixed": "mixed"}[found]


def test_invert():
    for dtype in (np.uint8, np.uint16):
        levels = np.array([0, 1, np.iinfo(dtype).max], dtype)
        inverted = invert_pictures(levels)
        assert inverted.dtype == dtype
        assert inverted.tolist() == levels[::-1].tolist()[:1] + [
            np.iinfo(dtype).max - 1,
            0,
        ]
        assert invert_pictures(inverted, out=inverted) is inverted
        np.testing.assert_array_equal(inverted, levels)


# Real pictures.


def test_every_scan_of_omniglot_is_light(reference_data):
    path = reference_data / "omniglot" / "images_evaluation.zip"
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")][::20]
        scans = [archive.read(name) for name in names]
    for size in ((105, 105), (28, 28), (20, 20)):
        for scan in scans:
            assert ground_of(read_picture(scan, size=size)) == "light"


def test_generated_glyphs_are_dark(glyphs):
    found = {ground_of(picture) for picture in glyphs.examples[::3]}
    assert found == {"dark"}


def test_tasks_of_real_photographs(reference_data):
    path = reference_data / "miniimagenet" / "miniimagenet_84x84_jpeg.tar.gz"
    if not path.is_file():
        pytest.skip(f"no miniImageNet at {path}")
    classes = {}
    with tarfile.open(path, "r|gz") as archive:
        for number, member in enumerate(archive):
            if member.isfile() and number % 20 == 0:
                photos = classes.setdefault(member.name.split("/")[-2], [])
                photos.append(archive.extractfile(member).read())
            if number == 7_000:
                break
    rng = np.random.default_rng(0)
    classes = [photos for photos in classes.values() if len(photos) >= 10]
    assert len(classes) > 8
    for _ in range(30):
        task = [
            classes[c][i]
            for c in rng.permutation(len(classes))[:5]
            for i in rng.permutation(len(classes[c]))[:10]
        ]
        form = {"size": (28, 28)}
        assert (
            common_ground(ground_of(read_picture(p, channels=3, **form)) for p in task)
            == "colour"
        )
        # Some have two peaks, of either ground: it is never the one or the other.
        grey = common_ground(ground_of(read_picture(p, **form)) for p in task)
        assert grey in ("mixed", "unclear")
