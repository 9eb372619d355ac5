"""Two libraries that hold the same, bit for bit."""

import numpy as np


def check_same(library, other):
    """Compares tasks, their numbers, the learner and what is known of a library."""
    ours, theirs = library.entries, other.entries
    assert (ours.names, ours.groups, ours.classes) == (
        theirs.names,
        theirs.groups,
        theirs.classes,
    )
    assert set(ours.numbers) == set(theirs.numbers)
    for name, part in ours.numbers.items():
        np.testing.assert_array_equal(part, theirs.numbers[name], err_msg=name)
    assert library.about == other.about
    one, another = library.learner(), other.learner()
    assert one.network == another.network and one.describer == another.describer
    for part, expected in zip(one.get_weights(), another.get_weights(), strict=True):
        np.testing.assert_array_equal(part, expected)
