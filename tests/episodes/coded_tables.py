"""Tables whose pictures say which class and example they are, and statistics."""

import hashlib

import numpy as np
import scipy.stats
import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.episodes import EpisodeIndices, Episodes

LEAST_P = 1e-4


def coded_table(sizes, groups=None, dtype="uint8", name="coded"):
    """Pictures of 3 x 3 with channels (class + 1, example + 1, marked corner)."""
    pictures = []
    for class_id, size in enumerate(sizes):
        for example in range(size):
            picture = np.zeros((3, 3, 3), dtype)
            picture[..., 0] = class_id + 1
            picture[..., 1] = example + 1
            picture[0, 0, 2] = 1
            pictures.append(picture)
    return ClassTable(
        name=name,
        examples=np.array(pictures),
        offsets=np.concatenate([[0], np.cumsum(sizes)]),
        class_names=tuple(f"class{c}" for c in range(len(sizes))),
        groups=None if groups is None else tuple(groups),
        group_level="alphabet",
    )


def decode(pictures):
    """Class, example and number of quarter turns of `(..., 3, 3, 3)` pictures."""
    pictures = np.asarray(pictures).astype("int64")
    corners = pictures[..., [0, 2, 2, 0], [0, 0, 2, 2], 2]
    assert (corners.sum(-1) == 1).all()
    return (
        pictures[..., 1, 1, 0] - 1,
        pictures[..., 1, 1, 1] - 1,
        corners.argmax(-1),
    )


def draw(episodes: Episodes, steps: int, start: int = 0) -> EpisodeIndices:
    """Indices of many steps as arrays, tasks of all steps along the first axis."""
    numbers = tf.data.Dataset.range(start, start + steps)
    drawn = numbers.map(episodes.indices, num_parallel_calls=2).batch(steps)
    parts = [part.numpy() for part in drawn.get_single_element()]
    return EpisodeIndices(*(part.reshape(-1, *part.shape[2:]) for part in parts))


def digest(episodes: Episodes) -> str:
    """A hash of some batches and class ids."""
    made = hashlib.sha256()
    for batch in episodes.as_dataset(start=1, steps=3):
        for part in tf.nest.flatten(batch):
            made.update(part.numpy().tobytes())
    for step in (0, 2**33):
        made.update(episodes.class_ids(step).tobytes())
    return made.hexdigest()


def chi_squared_p(cells, num_cells):
    """P-value of Pearson's test that `cells` are uniform over `range(num_cells)`."""
    counts = np.bincount(np.ravel(cells), minlength=num_cells)
    assert len(counts) == num_cells
    expected = counts.sum() / num_cells
    assert expected >= 20, "too few draws for the approximation"
    statistic = ((counts - expected) ** 2 / expected).sum()
    return scipy.stats.chi2.sf(statistic, num_cells - 1)


def assert_uniform(cells, num_cells):
    assert chi_squared_p(cells, num_cells) > LEAST_P


def ordered_pair(first, second, n):
    """Number of the ordered pair of different members of `range(n)`."""
    first, second = np.asarray(first, "int64"), np.asarray(second, "int64")
    assert (first != second).all()
    return first * (n - 1) + second - (second > first)
