"""Steps of episodes over embeddings that are there, drawn and gathered in one graph."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfmeta.episodes import Episodes
from tfmeta.evaluation.outputs import Inputs
from tfmeta.row_tables import RowTable


class EmbeddedStep(NamedTuple):
    """A batch of episodes that holds embeddings in place of examples.

    Attributes:
        inputs: As of `Episodes`.
        y: Int32 `(tasks, queries)`.
        participants: Int32 `(tasks, ways + distractors)`: class ids, -1 where padded.
    """

    inputs: Inputs
    y: tf.Tensor
    participants: tf.Tensor


def embedding_table(embeddings: np.ndarray) -> RowTable:
    """Embeddings `(examples, *embedding)`, behind a row 0 of zeros for padding."""
    with tf.device("CPU"):
        first = [[1, 0], *[[0, 0]] * (embeddings.ndim - 1)]
        return RowTable(tf.pad(embeddings, first))


class EmbeddedSteps:
    """The steps of `Episodes` over the embeddings of their table's examples.

    Args:
        episodes: The episodes, none of whose examples are distorted.
        table: Of `embedding_table`.
    """

    def __init__(self, episodes: Episodes, table: RowTable) -> None:
        count = episodes.table.num_examples
        # Padding is 0 in batches, and so the first row.
        self._places = episodes.with_examples(np.arange(1, count + 1))
        self._table = table
        self._gathered = ["query", "unlabelled"]
        if episodes.support == "examples":
            self._gathered.append("support")

    def at(self, step: tf.Tensor, support_ways: int | None = None) -> EmbeddedStep:
        """The batch of a step, in the graph of `step`.

        Args:
            step: Scalar int64.
            support_ways: How many ways of each task have a support, the first ones;
                `None` for all.
        """
        drawn, (inputs, y, *_) = self._places.drawn_batch(step)
        if support_ways is not None:
            inputs = without_support_of_others(inputs, support_ways)
        gathered = {
            name: self._table.gather(inputs[name])
            for name in self._gathered
            if name in inputs
        }
        return EmbeddedStep(
            {**inputs, **gathered},
            y,
            tf.concat([drawn.way_ids, drawn.distractors], axis=1),
        )


def without_support_of_others(inputs: Inputs, ways: int) -> Inputs:
    """The inputs with the support of the first `ways` ways alone."""
    # Support rows are in the order of their ways, equally many of each.
    all_ways = inputs["support_labels"].shape[-1]
    rows = inputs["support"].shape[1] // all_ways * ways
    kept = {
        name: part[:, :rows]
        for name, part in inputs.items()
        if name in ("support", "support_labels", "support_mask")
    }
    kept["support_labels"] = kept["support_labels"][..., :ways]
    return {**inputs, **kept}
