"""Functions of single rows, made once for a table and gathered."""

import numpy as np
import pytest
import tensorflow as tf

from tfmeta.layers.sphere import unit_vectors
from tfmeta.row_tables import RowTable, known_rows, of_each_row, rows_known

ROWS = np.random.default_rng(0).normal(size=(10, 4)).astype("float32")
PLACES = np.array([[3, 1, 1], [9, 0, 4]])


def test_rows_in_and_outside_of_a_graph():
    table = RowTable(ROWS)
    places = tf.constant(PLACES)
    for gather in (table.gather, tf.function(table.gather)):
        gathered = gather(places)
        assert gathered.shape == (2, 3, 4)
        np.testing.assert_array_equal(gathered, ROWS[PLACES])


def test_a_function_of_each_row_is_made_once_for_the_table():
    table, seen = RowTable(ROWS), []

    def doubled(rows):
        seen.append(tuple(rows.shape))
        return 2.0 * rows

    @tf.function(autograph=False)
    def graph(places):
        with known_rows():
            rows = table.gather(places)
            # What is made of known rows is known as well.
            return of_each_row(unit_vectors, of_each_row(doubled, rows))

    for places in (PLACES, PLACES[:, :2]):
        expected = unit_vectors(tf.constant(2.0 * ROWS)).numpy()[places]
        np.testing.assert_array_equal(graph(tf.constant(places)), expected)
    assert seen == [(10, 4)]


@pytest.mark.parametrize("change", [lambda x: x + 0.0, lambda x: x[:, :2]])
def test_rows_that_were_changed_are_no_rows_of_the_table(change):
    with known_rows():
        gathered = RowTable(ROWS).gather(tf.constant(PLACES))
        assert rows_known(gathered) is not None
        assert rows_known(change(gathered)) is None
        found = of_each_row(unit_vectors, change(gathered))
    np.testing.assert_array_equal(found, unit_vectors(change(gathered)))


def test_nothing_is_known_elsewhere():
    table = RowTable(ROWS)
    before = table.gather(tf.constant(PLACES))
    with known_rows():
        assert rows_known(before) is None
        within = table.gather(tf.constant(PLACES))
    assert rows_known(within) is None


@pytest.mark.parametrize("sets", [(), (1,), (5,), (40,), (2, 3)])
def test_one_set_of_rows_after_the_other(sets):
    rng = np.random.default_rng(1)
    places = rng.integers(0, 10, size=(*sets, 6))
    factors = rng.normal(size=(*sets, 4, 2)).astype("float32")

    @tf.function(autograph=False)
    def products(places, factors):
        with known_rows():
            known = rows_known(RowTable(ROWS).gather(places))
            return known.set_by_set(tf.matmul, factors, dtype=tf.float32)

    found = products(tf.constant(places), tf.constant(factors))
    np.testing.assert_allclose(found, ROWS[places] @ factors, atol=1e-6)
