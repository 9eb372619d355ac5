"""Episodes whose classes have unequal numbers of shots."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
from coded_tables import arrays, assert_uniform, check_batch, coded_table, draw

from tfmeta.episodes import Episodes


@hypothesis.settings(max_examples=15, deadline=None)
@hypothesis.given(
    ways=st.sampled_from([3, (2, 5)]),
    least=st.integers(1, 2),
    more=st.integers(1, 3),
    seed=st.integers(0, 2**63 - 1),
    step=st.integers(0, 2**62),
)
def test_every_batch_keeps_the_contract(ways, least, more, seed, step):
    episodes = Episodes(
        coded_table([6, 9, 7, 6, 8, 12]),
        ways=ways,
        shots=(least, least + more),
        queries=1,
        tasks=3,
        seed=seed,
        balanced=False,
    )
    check_batch(episodes, step)


def test_shots_are_uniform_and_those_of_two_classes_independent():
    episodes = Episodes(
        coded_table([6] * 4), ways=3, shots=(2, 5), queries=1, tasks=300, balanced=False
    )
    drawn = draw(episodes, 20)
    shots = drawn.support_mask.sum(2)
    assert shots.min() == 2
    for way in range(3):
        assert_uniform(shots[:, way] - 2, 4)
        # Nor do they depend on the class, or on its first example.
        assert_uniform((shots[:, way] - 2) * 4 + drawn.classes[:, way], 4 * 4)
        assert_uniform((shots[:, way] - 2) * 6 + drawn.support[:, way, 0] % 6, 4 * 6)
    assert_uniform((shots[:, 0] - 2) * 4 + shots[:, 2] - 2, 4 * 4)


def test_shots_say_nothing_about_ways():
    # One task a step: every number drawn is among the first of its stream.
    episodes = Episodes(
        coded_table([4] * 4), ways=(2, 4), shots=(1, 3), queries=1, balanced=False
    )
    drawn = draw(episodes, 2000)
    ways = drawn.query_mask[:, :, 0].sum(1) - 2
    shots = drawn.support_mask[:, 0].sum(1) - 1
    assert_uniform(ways * 3 + shots, 3 * 3)


def test_classes_and_examples_are_those_of_balanced_episodes():
    settings = {"ways": (2, 4), "shots": (1, 3), "queries": 2, "tasks": 5, "seed": 4}
    table = coded_table([6] * 7)
    balanced = Episodes(table, **settings)
    imbalanced = Episodes(table, balanced=False, **settings)
    one, other = balanced.indices(3), imbalanced.indices(3)
    for part in ("classes", "support", "query", "query_mask"):
        np.testing.assert_array_equal(getattr(one, part), getattr(other, part))
    assert (one.support_mask.numpy() != other.support_mask.numpy()).any()
    np.testing.assert_array_equal(
        arrays(balanced.batch(3))[0]["query"], arrays(imbalanced.batch(3))[0]["query"]
    )
