"""Which statistics the batch normalizations of a model use, chosen from outside."""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterator

import tensorflow as tf

Moments = tuple[tf.Tensor, tf.Tensor]


@dataclasses.dataclass
class BatchStatistics:
    """What `batch_statistics` hands to the layers, and what they hand back.

    Attributes:
        rows: Bool `(batch,)`: rows that count; `None` for all.
        of_batch: Whether the statistics are those of the batch, whatever `training`.
        given: As `vector()` of the pass whose statistics are to be used; `None`
            where the layers find their own.
        recording: Whether the layers keep the statistics of the batch.
        recorded: What they kept, in the order of their calls.
    """

    rows: tf.Tensor | None = None
    of_batch: bool = False
    given: tf.Tensor | None = None
    recording: bool = False
    recorded: list[Moments] = dataclasses.field(default_factory=list)
    _used: int = 0

    def next_given(self, channels: int) -> Moments:
        """The given statistics of the layer that is called next."""
        assert self.given is not None
        start, self._used = self._used, self._used + 2 * channels
        given = self.given[start : self._used]
        return given[:channels], given[channels:]

    @property
    def fits(self) -> tf.Tensor:
        """Bool: whether the layers called have used up what was given, no more."""
        return tf.equal(0 if self.given is None else tf.size(self.given), self._used)

    def vector(self, dtype: tf.DType = tf.float32) -> tf.Tensor:
        """`(values,)`: mean and variance of every call, one behind the other."""
        parts = [part for moments in self.recorded for part in moments]
        return tf.concat(parts, axis=0) if parts else tf.zeros([0], dtype)


_ACTIVE: contextvars.ContextVar[BatchStatistics | None] = contextvars.ContextVar(
    "tfmeta_batch_statistics", default=None
)


def active_statistics() -> BatchStatistics | None:
    """What the innermost `batch_statistics` says, `None` outside of any."""
    return _ACTIVE.get()


@contextlib.contextmanager
def batch_statistics(
    *,
    rows: tf.Tensor | None = None,
    of_batch: bool = False,
    given: tf.Tensor | None = None,
    recording: bool = False,
) -> Iterator[BatchStatistics]:
    """Chooses the statistics of every `tfmeta.layers.BatchNormalization` called.

    Keras knows two choices, the batch while training and the moving averages
    otherwise, and dropout goes with them. An inner loop needs others: the batch at
    inference too, the support's for the queries, and padded rows left out.

    Moving statistics are not updated with `of_batch` or `given`. A layer with
    `trainable=False` uses its moving statistics, as everywhere in Keras.

    Args:
        rows: Bool `(batch,)`; rows where it is False do not count for the
            statistics of a batch.
        of_batch: Statistics are those of the batch, in inference too.
        given: Statistics to use instead, the `vector()` of a pass of the same model.
        recording: Keeps the statistics of the batch, where gradients pass through
            them; they are of the batch then.

    Yields:
        The choice, whose `vector()` holds the statistics after the model is called.

    Raises:
        ValueError: When `given` goes together with `of_batch` or `recording`.

    Example:

    ```python
    with batch_statistics(recording=True) as of_support:
        encoder(support)
    with batch_statistics(given=of_support.vector()):
        encoder(query)
    ```
    """
    if given is not None and (of_batch or recording):
        raise ValueError(
            "`given` must not go together with `of_batch` or `recording`. Received: "
            f"of_batch={of_batch}, recording={recording}"
        )
    chosen = BatchStatistics(rows, of_batch or recording, given, recording)
    token = _ACTIVE.set(chosen)
    try:
        yield chosen
    finally:
        _ACTIVE.reset(token)
