"""Tasks whose examples come one after the other, in random order."""

from __future__ import annotations

import tensorflow as tf

from tfmeta.episodes.episodes import Episodes
from tfmeta.episodes.prefetching import prefetch
from tfmeta.episodes.streams import EpisodeStreams


class InstanceSequences:
    """Episodes whose support and queries are one sequence, put in random order.

    A task has `shots + queries` examples of each of its classes. The order is a
    function of seed and step, as all that is drawn, and says nothing of classes: any
    order of the examples is as likely as any other.

    Args:
        episodes: Of a fixed number of ways and shots, whose support is examples.

    Raises:
        ValueError: When they are others.

    Example:

    ```python
    episodes = tfmeta.episodes.Episodes(table, ways=5, shots=1, queries=9)
    sequences = tfmeta.episodes.InstanceSequences(episodes)
    examples, labels = sequences.batch(0)  # (1, 50, *example), (1, 50, 5)
    ```
    """

    def __init__(self, episodes: Episodes) -> None:
        if (
            episodes.padded
            or episodes.support != "examples"
            or episodes.query_dirichlet is not None
            or episodes.unlabelled
        ):
            received = ", ".join(f"{k}={v}" for k, v in episodes.describe().items())
            raise ValueError(
                "`episodes` must have a fixed number of `ways` and `shots`, equally "
                "many queries of each class, support='examples' and no `unlabelled` "
                f"examples, to be sequences. Received: {received}"
            )
        self.episodes = episodes

    @property
    def instances(self) -> int:
        """Examples of each class."""
        return self.episodes.shots + self.episodes.queries

    def batch(self, step: int | tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The sequences of batch `step`; works in a graph.

        Returns:
            Examples `(tasks, ways * instances, *example)`, and their labels, float32
            one-hot `(tasks, ways * instances, ways)`.
        """
        inputs, y, *_ = self.episodes.batch(step)
        ways = self.episodes.ways
        examples = tf.concat([inputs["support"], inputs["query"]], axis=1)
        labels = tf.concat([inputs["support_labels"], tf.one_hot(y, ways)], axis=1)
        stream = EpisodeStreams.at(self.episodes.seed, step).sequence_order
        places = tf.random.stateless_uniform(labels.shape[:2], stream)
        order = tf.argsort(places, axis=1, stable=True)
        return (
            tf.gather(examples, order, batch_dims=1),
            tf.gather(labels, order, batch_dims=1),
        )

    def as_dataset(self, *, steps: int) -> tf.data.Dataset:
        """The first `steps` batches."""
        numbers = tf.data.Dataset.range(steps)
        return prefetch(
            numbers.map(
                self.batch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
            )
        )
