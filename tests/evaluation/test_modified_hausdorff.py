import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfmeta.datasets.omniglot.lake_runs import load_lake_runs
from tfmeta.evaluation import evaluate_modified_hausdorff, modified_hausdorff_distance


def by_all_pairs(first, second):
    """The distance as its authors write it."""
    a, b = (
        np.argwhere(picture > 127) - np.argwhere(picture > 127).mean(axis=0)
        for picture in (first, second)
    )
    apart = np.linalg.norm(a[:, None] - b[None], axis=-1)
    return max(apart.min(axis=1).mean(), apart.min(axis=0).mean())


@st.composite
def pairs(draw):
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))
    ink = hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 127, 128, 255]))
    return tuple(draw(ink.filter(lambda p: (p > 127).any())) for _ in range(2))


@given(pairs())
def test_against_all_pairs_of_pixels(pair):
    first, second = pair
    found = modified_hausdorff_distance(first, second)
    assert found == pytest.approx(by_all_pairs(first, second), abs=1e-9)
    assert found == modified_hausdorff_distance(second, first)
    assert modified_hausdorff_distance(first, first) == 0


@given(pairs(), st.integers(0, 9), st.integers(0, 9))
def test_where_a_drawing_stands_does_not_matter(pair, down, across):
    first, second = (np.pad(picture, ((0, 9), (0, 9))) for picture in pair)
    moved = np.roll(first, (down, across), axis=(0, 1))
    assert modified_hausdorff_distance(moved, second) == pytest.approx(
        modified_hausdorff_distance(first, second), abs=1e-9
    )


def test_by_hand():
    # Centred: a at -1 and 1, b at -2 and 2; each pixel is 1 away from the nearest.
    a, b = np.zeros((2, 1, 5, 1), np.uint8)
    a[0, [1, 3]] = b[0, [0, 4]] = 255
    assert modified_hausdorff_distance(a, b) == 1
    # With a pixel in the middle of b: 1 away from each of a, and so 1 on average.
    b[0, 2] = 255
    assert modified_hausdorff_distance(a, b) == 1
    # A single pixel is 2 away from the outer two of b and 0 from the middle one.
    c = np.zeros((1, 5, 1), np.uint8)
    c[0, 4] = 255
    assert modified_hausdorff_distance(c, b) == pytest.approx(4 / 3)


@pytest.mark.slow
def test_on_the_authors_pictures_it_is_wrong_155_times_of_400(lake_dir):
    reports = []
    result = evaluate_modified_hausdorff(
        load_lake_runs(data_dir=lake_dir, size=105),
        on_progress=lambda done, of_all: reports.append((done, of_all)),
    )
    assert result.wrong.sum() == 155
    assert result.error == 0.3875
    assert "105x105, inductive: 38.8 % error (155 of 400)" in str(result)
    assert reports == [(run + 1, 20) for run in range(20)]


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.zeros((5, 5)), np.full((5, 5), 255), "a pixel above 127"),
        (np.full((5, 5, 3), 255), np.full((5, 5, 3), 255), "shape (5, 5, 3)"),
        (np.full((5, 5), 255), np.full((5, 6), 255), "(5, 5) and (5, 6)"),
    ],
)
def test_what_is_no_pair_of_drawings(first, second, message):
    with pytest.raises(ValueError) as caught:
        modified_hausdorff_distance(first.astype(np.uint8), second.astype(np.uint8))
    assert message in str(caught.value)
