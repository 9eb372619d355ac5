"""Tables whose rows many batches are gathered from, and functions of single rows."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

# The name of resources that are freed with the last who holds them, in all of
# TensorFlow.
_ANONYMOUS = "cd2c89b7-88b7-44c8-ad83-06c2a9158347"
_BLOCK = 4096
# Sets of rows that are looked at one after the other without a loop in the graph.
_UNROLLED = 32


class RowTable:
    """Rows in the memory of the host, which graphs gather from without a copy.

    Args:
        rows: `(rows, *row)`.

    Attributes:
        rows: The same, a tensor outside of any graph.

    Example:

    ```python
    table = RowTable(np.arange(6.0).reshape(3, 2))
    table.gather(tf.constant([[2, 0]], tf.int64))  # [[[4.0, 5.0], [0.0, 1.0]]]
    ```
    """

    def __init__(self, rows: np.ndarray | tf.Tensor) -> None:
        # Behind a resource: `tf.data` copies every tensor that a function holds into
        # the graph of each iterator, which takes seconds for a gigabyte. Not a
        # `tf.Variable`: within the scope of a strategy it would be one per replica.
        with tf.init_scope(), tf.device("CPU"):
            self.rows = tf.convert_to_tensor(rows)
            self._resource = tf.raw_ops.VarHandleOp(
                dtype=self.rows.dtype, shape=self.rows.shape, shared_name=_ANONYMOUS
            )
            tf.raw_ops.AssignVariableOp(resource=self._resource, value=self.rows)
        self._found: dict[Callable, Any] = {}
        self._mapped: dict[Callable, RowTable] = {}

    def gather(self, places: tf.Tensor) -> tf.Tensor:
        """Rows `(*places.shape, *row)`; within `known_rows` it is known which.

        Args:
            places: Int, of any static rank: numbers of rows.
        """
        # A GPU would be sent the whole table.
        with tf.device("CPU"):
            gathered = tf.gather(self.held(), places)
        known = _KNOWN.get()
        if known is not None:
            known[id(gathered)] = (gathered, Gathered(self, places))
        return gathered

    def held(self) -> tf.Tensor:
        """The whole table in the graph of the caller."""
        held = tf.raw_ops.ReadVariableOp(resource=self._resource, dtype=self.rows.dtype)
        return tf.ensure_shape(held, self.rows.shape)

    def once(self, function: Callable[[RowTable], Any]) -> Any:
        """What `function` makes of this table, outside of any graph; once."""
        if function not in self._found:
            with tf.init_scope(), tf.device("CPU"):
                self._found[function] = function(self)
        return self._found[function]

    def mapped(self, function: Callable[[tf.Tensor], tf.Tensor]) -> RowTable:
        """The table of what `function` makes of each row, outside of any graph; once.

        Args:
            function: From `(rows, *row)` to `(rows, *other)`, of each row alone.
        """
        if function not in self._mapped:
            # Not of all rows at a time: what it makes on the way may be larger.
            with tf.init_scope(), tf.device("CPU"):
                starts = range(0, self.rows.shape[0], _BLOCK)
                blocks = [function(self.rows[n : n + _BLOCK]) for n in starts]
                self._mapped[function] = RowTable(tf.concat(blocks, axis=0))
        return self._mapped[function]


class Gathered(NamedTuple):
    """Where the rows of a tensor come from.

    Attributes:
        table: Whose rows they are.
        places: Int: numbers of its rows.
    """

    table: RowTable
    places: tf.Tensor

    def set_by_set(
        self, function: Callable[..., tf.Tensor], *others: tf.Tensor, dtype: tf.DType
    ) -> tf.Tensor:
        """What `function` makes of one set of rows after the other.

        Each set is gathered when it is its turn: those of all tasks of a batch, and
        what is made of them on the way, would not stay in the cache of a core.

        Args:
            function: Of the rows `(rows, *row)` of one set, and of one each of
                `others`; a tensor of static rank.
            others: Tensors whose leading axes are those of the sets.
            dtype: What `function` returns.

        Returns:
            `(*sets, ...)`.
        """
        if self.places.shape.rank == 1:
            return function(self.table.gather(self.places), *others)

        sets = self.places.shape[0]
        if self.places.shape.rank > 2 or sets is None or sets > _UNROLLED:
            return tf.map_fn(
                lambda one: Gathered(self.table, one[0]).set_by_set(
                    function, *one[1:], dtype=dtype
                ),
                (self.places, *others),
                fn_output_signature=dtype,
                parallel_iterations=1,
            )
        # A loop takes as long as some of what is in it.
        with tf.device("CPU"):
            held = self.table.held()
            found: list[tf.Tensor] = []
            for places, *rest in zip(
                *(tf.unstack(part, num=sets) for part in (self.places, *others)),
                strict=True,
            ):
                with tf.control_dependencies(found[-1:]):
                    rows = tf.gather(held, places)
                found.append(function(rows, *rest))
        return tf.stack(found)


# By the identity of a tensor, which is kept here so that no other gets its own.
_KNOWN: contextvars.ContextVar[dict[int, tuple[tf.Tensor, Gathered]] | None] = (
    contextvars.ContextVar("known_rows", default=None)
)


@contextlib.contextmanager
def known_rows() -> Iterator[None]:
    """Within it a tensor from `RowTable.gather` is known to be rows of that table.

    For a graph in which the rows of a table occur again and again, and gradients
    matter to nobody: what `of_each_row` makes of them is made once for the table, when
    the graph is traced, and gathered in its place.
    """
    token = _KNOWN.set({})
    try:
        yield
    finally:
        _KNOWN.reset(token)


def rows_known(tensor: tf.Tensor) -> Gathered | None:
    """Where the rows of a tensor come from, `None` where that is not known."""
    known = _KNOWN.get() or {}
    entry = known.get(id(tensor))
    return None if entry is None else entry[1]


def of_each_row(
    function: Callable[[tf.Tensor], tf.Tensor], rows: tf.Tensor
) -> tf.Tensor:
    """`function(rows)`, made once for all rows of a table where that is known.

    Args:
        function: Of each row alone, whatever axes come before it.
        rows: `(..., *row)`.

    Example:

    ```python
    unit = of_each_row(unit_vectors, embeddings)
    ```
    """
    known = rows_known(rows)
    if known is None:
        return function(rows)
    return known.table.mapped(function).gather(known.places)
