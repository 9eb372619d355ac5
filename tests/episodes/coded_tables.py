"""Tables whose pictures say which class and example they are, and checks."""

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
    rows = steps * episodes.tasks
    return EpisodeIndices(*(part.reshape(rows, *part.shape[2:]) for part in parts))


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


def arrays(batch):
    return tf.nest.map_structure(lambda tensor: tensor.numpy(), batch)


def assert_same(ours, theirs):
    tf.nest.assert_same_structure(ours, theirs)
    pairs = zip(tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True)
    for one, other in pairs:
        one, other = np.asarray(one), np.asarray(other)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def class_and_turn(pictures, table):
    """Class ids and examples of `(rows, 3, 3, 3)` pictures, which may be turned."""
    class_id, example, turn = decode(pictures)
    return (class_id if table.origin_names is None else class_id * 4 + turn), example


def check_batch(episodes, step):
    """All that a batch of a coded table must hold; returns the batch."""
    batch = arrays(episodes.batch(step))
    inputs, y = batch[:2]
    tasks, ways, shots, queries = (
        episodes.tasks,
        episodes.ways,
        episodes.shots,
        episodes.queries,
    )
    settings = episodes.describe()
    least_ways, least_shots = (
        min(settings[name]) if isinstance(settings[name], list) else settings[name]
        for name in ("ways", "shots")
    )
    ids = episodes.class_ids(step)
    assert ids.shape == (tasks, ways) and ids.dtype == np.int32
    assert episodes.ways_vary == (least_ways != ways)
    assert ("support_mask" in inputs) == episodes.padded
    assert ("query_mask" in inputs) == episodes.ways_vary
    assert ("unlabelled" in inputs) == (episodes.unlabelled > 0)
    assert len(batch) == (3 if episodes.ways_vary else 2)
    support_mask = inputs.get("support_mask", np.ones((tasks, ways * shots), bool))
    query_mask = inputs.get("query_mask", np.ones((tasks, ways * queries), bool))
    if episodes.ways_vary:
        np.testing.assert_array_equal(batch[2], query_mask.astype("float32"))
        assert batch[2].dtype == np.float32

    for task in range(tasks):
        seen = {}
        by_part = {}
        labels = {
            "support": inputs["support_labels"][task].argmax(-1),
            "query": y[task],
        }
        masks = {"support": support_mask[task], "query": query_mask[task]}
        for part, mask in masks.items():
            pictures = inputs[part][task]
            assert not pictures[~mask].any()
            assert not labels[part][~mask].any()
            class_id, example = class_and_turn(pictures[mask], episodes.table)
            np.testing.assert_array_equal(ids[task][labels[part][mask]], class_id)
            assert (example < episodes.table.class_sizes[class_id]).all()
            by_part[part] = np.bincount(labels[part][mask], minlength=ways)
            for pair in zip(class_id.tolist(), example.tolist(), strict=True):
                assert pair not in seen, "one example twice in a task"
                seen[pair] = part
        real = ids[task] >= 0
        one_hot = inputs["support_labels"][task]
        np.testing.assert_array_equal(one_hot.sum(-1), masks["support"])
        assert set(np.unique(one_hot)) <= {0.0, 1.0}
        # The real ways come first, and have shots of the range and all queries.
        assert (np.diff(real.astype(int)) <= 0).all()
        assert len(set(ids[task][real])) == real.sum() >= least_ways
        of_ways = by_part["support"]
        assert (least_shots <= of_ways[real]).all() and (of_ways <= shots).all()
        assert not of_ways[~real].any()
        if settings.get("balanced", True):
            assert len(set(of_ways[real])) == 1
        np.testing.assert_array_equal(by_part["query"], np.where(real, queries, 0))
        if episodes.unlabelled:
            check_unlabelled(episodes, inputs, task, ids[task][real], seen)
    return batch


def check_unlabelled(episodes, inputs, task, ids, seen):
    """The unlabelled examples of one task, beside those `seen` with a label."""
    count, distractors = episodes.unlabelled, episodes.distractors
    pictures = inputs["unlabelled"][task]
    assert len(pictures) == (episodes.ways + distractors) * count
    mask = np.ones(len(pictures), bool)
    assert ("unlabelled_mask" in inputs) == episodes.ways_vary
    if episodes.ways_vary:
        mask = inputs["unlabelled_mask"][task]
        assert mask.dtype == bool
    # Padding comes last, so it says nothing about the order of the others.
    np.testing.assert_array_equal(mask, np.arange(len(mask)) < mask.sum())
    assert not pictures[~mask].any()
    class_id, example = class_and_turn(pictures[mask], episodes.table)
    pairs = list(zip(class_id.tolist(), example.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs) == (len(ids) + distractors) * count
    assert not set(pairs) & set(seen)
    found, counts = np.unique(class_id, return_counts=True)
    assert (counts == count).all()
    assert set(ids) <= set(found) and len(found) == len(ids) + distractors
    origins = [episodes.table.origins[c] for c in found]
    if not episodes.describe()["allow_same_origin"]:
        assert len(set(origins)) == len(origins)
    assert set(origins) <= episodes.origins
    if episodes.describe()["same_group"]:
        assert len({episodes.table.groups[c] for c in found}) == 1
