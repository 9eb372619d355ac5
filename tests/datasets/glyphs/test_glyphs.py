"""The generated data set: reproducible, disjoint, and neither trivial nor noise."""

import hashlib
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.glyphs.load import (
    ALPHABETS,
    CHARACTERS_PER_ALPHABET,
    DRAWINGS_PER_CHARACTER,
    load_glyphs,
)

# Figures measured on glyphs hold for these pictures alone: whoever changes the
# pictures on purpose changes this, and has the figures to measure again.
VALIDATION_DIGEST = "33a78f4c8257ea1f81526560e030ebe9"


def digest(table: ClassTable) -> str:
    """A hash of the pictures and the names."""
    value = hashlib.blake2b(digest_size=16)
    value.update(table.examples.tobytes())
    value.update("\n".join(table.class_names).encode())
    return value.hexdigest()


def drawings(table: ClassTable) -> np.ndarray:
    """Float64 pictures in [0, 1]: (classes, drawings, pixels)."""
    shape = (table.num_classes, DRAWINGS_PER_CHARACTER, -1)
    return table.examples.reshape(shape).astype(np.float64) / 255


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances between the rows of two matrices."""
    return (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T


@pytest.fixture(scope="module")
def tables(draw_glyphs_once: Callable[..., ClassTable]) -> dict[str, ClassTable]:
    return {split: draw_glyphs_once(split) for split in ALPHABETS}


@pytest.mark.parametrize("split", ALPHABETS)
def test_shapes_and_names(tables, split):
    table = tables[split]
    classes = ALPHABETS[split] * CHARACTERS_PER_ALPHABET
    assert table.name == "glyphs-seed0"
    assert table.num_classes == classes
    assert table.examples.shape == (classes * DRAWINGS_PER_CHARACTER, 28, 28, 1)
    assert table.examples.dtype == np.uint8
    assert set(table.class_sizes) == {DRAWINGS_PER_CHARACTER}
    assert table.group_level == "alphabet"
    assert len(set(table.groups)) == ALPHABETS[split]
    for name, group in zip(table.class_names, table.groups, strict=True):
        assert name.startswith(f"{group}/character")
    assert split in table.description


@pytest.mark.parametrize("split", ALPHABETS)
def test_ink_on_empty_paper(tables, split):
    ink = tables[split].examples
    assert (ink.max(axis=(1, 2, 3)) >= 128).all()
    share = ink.mean(axis=(1, 2, 3)) / 255
    assert 0.08 < share.mean() < 0.2
    assert share.min() > 0.01
    assert share.max() < 0.5
    # The middle of the paper is used, its rim is not.
    mean = ink.mean(axis=(0, 3)) / 255
    rim = np.concatenate([mean[0], mean[-1], mean[:, 0], mean[:, -1]])
    assert rim.max() < 0.03 < 0.2 < mean[9:19, 9:19].mean()


def test_same_in_another_process(tables):
    script = (
        "import sys, hashlib\n"
        "from tfmeta.datasets.glyphs.load import load_glyphs\n"
        "table = load_glyphs('validation')\n"
        "value = hashlib.blake2b(digest_size=16)\n"
        "value.update(table.examples.tobytes())\n"
        "value.update('\\n'.join(table.class_names).encode())\n"
        "print(value.hexdigest(), 'tensorflow' in sys.modules)\n"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert printed == [digest(tables["validation"]), "False"]


def test_same_as_ever(tables):
    assert digest(tables["validation"]) == VALIDATION_DIGEST


def test_global_random_state_plays_no_part(tables):
    state = np.random.get_state()
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    again = load_glyphs("validation")
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    np.random.set_state(state)
    np.testing.assert_array_equal(again.examples, tables["validation"].examples)


def test_splits_are_disjoint(tables):
    for field in ("origins", "groups"):
        members = [set(getattr(table, field)) for table in tables.values()]
        assert len(set.union(*members)) == sum(map(len, members))
    pictures = [
        {picture.tobytes() for picture in table.examples} for table in tables.values()
    ]
    assert len(set.union(*pictures)) == sum(map(len, pictures))
    # Nor is a drawing there twice within a split.
    assert sum(map(len, pictures)) == sum(t.num_examples for t in tables.values())


def test_no_two_classes_are_the_same_shape(tables):
    pictures = np.concatenate([drawings(table) for table in tables.values()])
    alphabets = np.concatenate([table.groups for table in tables.values()])
    means = pictures.mean(axis=1)
    # How far, squared, a mean of 20 drawings lies from the shape behind it: two
    # classes of one shape would lie as far apart as the errors of both.
    error = pictures.var(axis=1).sum(axis=-1) / DRAWINGS_PER_CHARACTER
    ratios = squared_distances(means, means) / (error[:, None] + error[None])
    pairs = np.triu(np.ones(ratios.shape, bool), 1)
    related = alphabets[:, None] == alphabets[None]
    assert ratios[pairs & related].min() > 1.5
    # Alphabets know nothing of each other: a ring may be in two of them.
    assert (ratios[pairs & ~related] < 1.5).mean() < 1e-3


def test_another_seed_is_another_data_set(tables):
    other = load_glyphs("validation", seed=1)
    assert other.name == "glyphs-seed1"
    assert not set(other.origins) & set(tables["validation"].origins)
    seen = {p.tobytes() for t in tables.values() for p in t.examples}
    assert not any(picture.tobytes() in seen for picture in other.examples)


def test_drawings_of_a_class_resemble_each_other(tables):
    pictures = drawings(tables["test"])
    means = pictures[:, ::2].mean(axis=1)
    others = pictures[:, 1::2]
    own = ((others - means[:, None]) ** 2).sum(-1).mean()
    any_class = squared_distances(others.reshape(-1, 784), means).mean()
    assert own < 0.75 * any_class


@pytest.mark.parametrize("split", ALPHABETS)
def test_characters_of_an_alphabet_can_be_told_apart(tables, split):
    shape = (ALPHABETS[split], CHARACTERS_PER_ALPHABET, DRAWINGS_PER_CHARACTER, -1)
    hits = []
    for alphabet in drawings(tables[split]).reshape(shape):
        means = alphabet[:, ::2].mean(axis=1)
        distances = squared_distances(alphabet[:, 1::2].reshape(-1, 784), means)
        answers = distances.argmin(axis=1).reshape(CHARACTERS_PER_ALPHABET, -1)
        hits.append((answers == np.arange(CHARACTERS_PER_ALPHABET)[:, None]).mean())
    chance = 1 / CHARACTERS_PER_ALPHABET
    assert min(hits) > 6 * chance
    assert np.mean(hits) > 10 * chance
    # Pixels alone do not solve it: there is something to learn.
    assert np.mean(hits) < 0.9


def test_one_drawing_does_not_give_the_class_away(tables):
    """Pixel distances are far from solving 5 ways with one shot, and from chance."""
    rng = np.random.default_rng(0)
    pictures = drawings(tables["test"])
    hits = []
    for _ in range(300):
        classes = rng.choice(len(pictures), 5, replace=False)
        support, query = pictures[classes, 0], pictures[classes, 1:].reshape(-1, 784)
        answers = squared_distances(query, support).argmin(axis=1)
        hits.append((answers.reshape(5, -1) == np.arange(5)[:, None]).mean())
    assert 0.45 < np.mean(hits) < 0.7


def test_characters_of_an_alphabet_are_related(tables):
    """A permutation test: no regrouping of the characters is as close-knit."""
    table = tables["train"]
    means = drawings(table).mean(axis=1)
    distances = squared_distances(means, means)
    shape = (ALPHABETS["train"], CHARACTERS_PER_ALPHABET)

    def within(order: np.ndarray) -> float:
        groups = order.reshape(shape)
        return distances[groups[:, :, None], groups[:, None, :]].mean()

    rng = np.random.default_rng(0)
    shuffled = [within(rng.permutation(len(means))) for _ in range(500)]
    assert within(np.arange(len(means))) < min(shuffled)


@pytest.mark.parametrize("split", ["valid", "", None, ["train"]])
def test_unknown_split(split):
    with pytest.raises(ValueError, match="`split` must be one of 'train'.*Received"):
        load_glyphs(split)


@pytest.mark.parametrize(
    ("seed", "error"),
    [(-1, ValueError), (1.0, TypeError), ("1", TypeError), (True, TypeError)],
)
def test_wrong_seed(seed, error):
    with pytest.raises(error, match="`seed` must be an integer from 0. Received"):
        load_glyphs("train", seed=seed)


def test_numpy_seed(tables):
    table = load_glyphs("validation", seed=np.int64(0))
    assert table.name == "glyphs-seed0"
    assert digest(table) == digest(tables["validation"])
