import keras
import numpy as np
import pytest

from tfmeta.datasets import ClassTable
from tfmeta.matrix.domain import Domain
from tfmeta.matrix.plan import MatrixTasks, plan_matrix
from tfmeta.matrix.row import encoder_row


def vectors(name, *sizes):
    """Classes of so many vectors of two numbers."""
    labels = np.repeat([f"c{n}" for n in range(len(sizes))], sizes)
    table = ClassTable.from_arrays(name, np.zeros((len(labels), 2), "float32"), labels)
    return Domain(name, table, "classes", len(sizes))


@pytest.fixture(scope="module")
def row():
    examples = keras.Input((2,))
    identity = keras.Model(examples, keras.layers.Identity()(examples))
    return encoder_row("row", identity, "simple_shot")


def test_queries_are_fifteen_or_what_the_smallest_class_leaves(row):
    domains = [vectors("large", *[40] * 5), vectors("small", *[9] * 4, 7)]
    plan = plan_matrix([row], domains, MatrixTasks())
    large, small = plan.pairs
    assert (large.queries, large.reasons) == ({1: 15, 5: 15}, {})
    assert (small.queries, small.reasons) == ({1: 6, 5: 2}, {})
    assert (plan.num_cells, plan.work) == (4, 200 + 43 + 4 * 1000)


def test_what_classes_do_not_allow_has_a_reason(row):
    domains = [
        vectors("few", 40, 40, 40),
        vectors("small", *[40] * 4, 5),
        vectors("large", *[40] * 5),
    ]
    tasks = MatrixTasks(queries=3)
    few, small, large = plan_matrix([row], domains, tasks).pairs
    assert few.reasons == dict.fromkeys((1, 5), "3 unseen classes, and tasks are of 5")
    assert few.num_examples == 0
    assert small.queries == {1: 3}
    assert list(small.reasons) == [5]
    assert "'c4', has 5 examples, and a task takes 5 + 3 of each" in small.reasons[5]
    assert large.queries == {1: 3, 5: 3}


def test_without_a_cell_nothing_is_begun(row):
    with pytest.raises(ValueError, match="a cell that .*row on few: 2 unseen classes"):
        plan_matrix([row], [vectors("few", 9, 9)], MatrixTasks())
    with pytest.raises(ValueError, match="no encoder or no domain"):
        plan_matrix([row], [], MatrixTasks())
