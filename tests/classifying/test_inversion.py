from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmeta.classifying.inversion import decide_inversion

GROUNDS = st.sampled_from(["light", "light", "light", "dark", "unclear", "colour"])


def named(grounds, folder):
    return {Path(f"/task/{folder}/{i}.png"): g for i, g in enumerate(grounds)}


def decide(support, query, *, light_ground=False):
    return decide_inversion(
        light_ground, named(support, "support/a"), named(query, "query")
    )


@given(st.lists(GROUNDS, min_size=2, max_size=9), st.data(), st.booleans())
def test_which_pictures_are_support_decides_nothing(grounds, data, light_ground):
    found = set()
    for _ in range(4):
        order = data.draw(st.permutations(grounds))
        cut = data.draw(st.integers(1, len(grounds) - 1))
        sides = order[:cut], order[cut:]
        for support, query in (sides, sides[::-1]):
            done = decide(support, query, light_ground=light_ground)
            found.add(done.inverted)
            assert done.note is None
    assert len(found) == 1


def test_a_clear_other_ground_is_inverted_on_both_sides():
    done = decide(["light"] * 5, ["light"] * 3 + ["unclear"])
    assert done.inverted
    assert done.warning == (
        "the run was trained on light on dark and these pictures are the other way "
        "round. --support: inverted (5 dark on light); --query: inverted (3 dark on "
        "light, 1 not clear). Use --invert no to leave them"
    )
    done = decide(["dark"], ["dark"], light_ground=True)
    assert done.inverted
    assert "trained on dark on light" in done.warning
    assert "--query: inverted (1 light on dark)" in done.warning


@pytest.mark.parametrize("light_ground", [True, False])
def test_pictures_as_trained_on_need_no_word(light_ground):
    ground = "light" if light_ground else "dark"
    done = decide([ground] * 4 + ["unclear"], [ground], light_ground=light_ground)
    assert (done.inverted, done.warning) == (False, None)


def test_sides_that_disagree_are_left_with_a_warning():
    done = decide(["dark"] * 5, ["light"] * 3)
    assert not done.inverted
    assert done.warning == (
        "the run was trained on light on dark and these pictures differ in their "
        "ground, dark on light among them (query/0.png, query/1.png, query/2.png). "
        "--support: not inverted (5 light on dark); --query: not inverted (3 dark on "
        "light). Bring all to one ground and try again; --invert yes inverts all of "
        "them, --invert no none"
    )


def test_one_picture_of_the_other_ground_is_named():
    done = decide(["light"] * 40 + ["dark"], ["light"] * 40)
    assert not done.inverted
    assert "light on dark among them (a/40.png)" in done.warning
    done = decide(["light"], ["light"] * 9 + ["dark"] * 6)
    assert "(query/9.png, query/10.png, query/11.png and 3 more)" in done.warning


def test_colours_and_unclear_grounds_are_left_with_a_warning():
    done = decide(["light"] * 9 + ["colour"], ["light"] * 9)
    assert not done.inverted
    assert "have colours (a/9.png), which are inverted on request" in done.warning
    assert "--support: not inverted (9 dark on light, 1 in colour)" in done.warning
    assert "Use --invert yes if all are dark on light" in done.warning
    done = decide(["unclear"] * 3, ["light"] * 2)
    assert not done.inverted
    assert "the ground of these pictures is not clear. --support: not" in done.warning
    assert "--invert yes if they are dark on light" in done.warning
    done = decide(["unclear"] * 3, ["dark"] * 2, light_ground=True)
    assert "--invert yes if they are light on dark" in done.warning
