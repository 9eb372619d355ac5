"""Tasks that data allow are drawn; what they do not allow is refused by its name."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmeta.datasets import ClassTable
from tfmeta.datasets.class_sizes import ClassSizes
from tfmeta.episodes import Episodes
from tfmeta.registry import learner_entry
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.defaults import learner_defaults
from tfmeta.runs.sizing import check_splits, check_task, check_tasks, lowered_to_data


def table_of(sizes, groups=None, name="photos", rotated=False):
    table = ClassTable(
        name=name,
        examples=np.zeros((sum(sizes), 1, 1, 1), np.uint8),
        offsets=np.cumsum([0, *sizes]),
        class_names=tuple(f"c{i}" for i in range(len(sizes))),
        groups=None if groups is None else tuple(groups),
    )
    return table.with_rotations() if rotated else table


OPTIONS = {
    **{name: st.integers(1, 6) for name in ("shots", "queries", "train_queries")},
    **{name: st.integers(2, 9) for name in ("ways", "train_ways")},
    "train_shots": st.integers(1, 6) | st.sampled_from([(1, 3), (2, 5)]),
    **{"unlabelled": st.integers(1, 3), "distractors": st.integers(1, 3)},
    "same_group": st.just(True),
}
SPLIT = st.lists(st.tuples(st.integers(1, 8), st.sampled_from("ab")), min_size=2)


@settings(deadline=None, max_examples=300)
@given(
    st.tuples(SPLIT, SPLIT, SPLIT),
    st.sampled_from(["prototypical", "maml", "reptile", "baseline", "simple_shot"]),
    st.fixed_dictionaries({}, optional=OPTIONS),
    st.booleans(),
)
def test_what_is_planned_can_be_drawn(splits, learner, chosen, grouped):
    trains_on = learner_entry(learner).trains_on
    chosen = {
        name: value
        for name, value in chosen.items()
        if trains_on == "episodes" or not name.startswith("train_")
    }
    if "distractors" in chosen:
        chosen.setdefault("unlabelled", 1)
    equal = learner in ("maml", "reptile")
    if equal:
        chosen.pop("train_ways", None)
    chosen["learner"] = learner
    tables = {
        split: table_of(*zip(*rows, strict=True))
        if grouped
        else table_of([size for size, _ in rows])
        for split, rows in zip(("train", "validation", "test"), splits, strict=True)
    }
    sizes = {split: ClassSizes.of(table) for split, table in tables.items()}
    config = TrainConfig().with_options(
        {"train_ways": 20, **learner_defaults(chosen), **chosen}
    )
    config = lowered_to_data(config, chosen, sizes)
    if equal:
        assert config.training.ways == config.test.ways
    try:
        check_tasks(config, chosen, sizes)
    except ValueError as error:
        received = str(error).rpartition("Received: ")[2]
        for name in re.findall(r"(\w+)=", received):
            assert name in chosen, error
        assert "by default" not in str(error) or "ways" in chosen
        return
    parts = {"validation": config.validation, "test": config.test}
    if trains_on == "episodes":
        parts["train"] = config.training
    for split, task in parts.items():
        Episodes(tables[split], **task)
    if trains_on == "examples":
        assert config.batch_size <= tables["train"].num_examples


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"ways": 4}, "`ways` must fit into the 3 test classes of 'photos'. .* ways=4"),
        ({"shots": 4}, "`shots` .* the 4 examples of 'c1', .* 1 of `queries`. R.*=4"),
        ({"shots": 2, "queries": 3}, "`shots` . `queries` .*shots=2 and queries=3"),
        ({"unlabelled": 1, "distractors": 3}, "`distractors` .*2 of `ways`.*ors=3"),
        ({"same_group": True}, "`same_group` must be left out .*same_group=True"),
    ],
)
def test_refusals_name_what_was_chosen(chosen, message):
    sizes = ClassSizes.of(table_of([5, 4, 6]))
    config = TrainConfig().with_options(chosen)
    parts = dict.fromkeys(("train", "validation", "test"), sizes)
    config = lowered_to_data(config, chosen, parts)
    with pytest.raises(ValueError, match=message):
        check_task(config.test, sizes, chosen, split="test")


@pytest.mark.parametrize("name", ["ways", "train_ways"])
def test_ways_of_a_linear_head_are_called_as_they_were_chosen(name):
    chosen = {"learner": "maml", name: 4}
    sizes = {
        split: ClassSizes.of(table_of([5] * count))
        for split, count in (("train", 2), ("validation", 6), ("test", 6))
    }
    for parts in (sizes, {**sizes, "train": sizes["test"], "test": sizes["train"]}):
        config = TrainConfig().with_options({**learner_defaults(chosen), **chosen})
        config = lowered_to_data(config, chosen, parts)
        with pytest.raises(ValueError, match=rf"^`{name}` must fit .*: {name}=4$"):
            check_tasks(config, chosen, parts)


def test_defaults_are_called_so():
    sizes = ClassSizes.of(table_of([20] * 6))
    task = TrainConfig().with_options({"shots": 8}).test
    with pytest.raises(ValueError, match="beside 15 of `queries` as in the run. .*=8$"):
        check_task(task, sizes, {"shots"}, split="test", otherwise="as in the run")


def test_rotations_of_one_class_do_not_meet():
    sizes = ClassSizes.of(table_of([3, 3], rotated=True))
    assert (sizes.num_classes, sizes.most_ways()) == (8, 2)
    good = dict.fromkeys(("train", "validation", "test"), sizes)
    check_splits("photos", good)
    one = ClassSizes.of(table_of([3], rotated=True))
    with pytest.raises(ValueError, match="at least 6 classes, .* 5, split 2, 2, 1;"):
        check_splits("photos", {**good, "test": one})
