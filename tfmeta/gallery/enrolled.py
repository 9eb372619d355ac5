"""What a learner knows of the enrolled classes, kept up to date class by class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.gallery.records import StoredClass

# Classes that are learned at once.
_AT_ONCE = 1024
# Ways of a learner that learns all classes together, from labels (examples, ways).
_MOST_WAYS = 4096


class Enrolled:
    """The enrolled classes in memory, and the state that a learner makes of them.

    A learner with `independent_classes` learns the classes that have changed alone;
    others learn all of them again when they are next asked.

    Args:
        learner: A learner with `independent_embeddings`.
    """

    def __init__(self, learner: Any) -> None:
        self._learner = learner
        self._classes: dict[int, StoredClass] = {}
        # Of each class its part of the state, (1, ...) at the place of the ways.
        self._rows: dict[int, dict[str, np.ndarray]] = {}
        self._state: dict[str, tf.Tensor] | None = None
        self._compare = tf.function(self._compared, reduce_retracing=True)
        # A head that is fitted takes hundreds of steps, one by one without a graph.
        self._adapt = tf.function(
            lambda embeddings, labels: learner.adapt_embeddings(embeddings, labels),
            input_signature=[
                tf.TensorSpec([1, None, *learner.encoder.output_shape[1:]]),
                tf.TensorSpec([1, None, None]),
            ],
        )

    def __len__(self) -> int:
        return len(self._classes)

    @property
    def classes(self) -> Sequence[StoredClass]:
        """The classes with their embeddings, in order of enrolment."""
        return tuple(self._classes.values())

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, by label."""
        return tuple(one.name for one in self._classes.values())

    def update(self, changed: Iterable[StoredClass]) -> None:
        """Takes over classes as they are now; those without examples are gone."""
        learn = []
        for one in changed:
            if not len(one.embeddings):
                self._classes.pop(one.id, None)
                self._rows.pop(one.id, None)
            else:
                self._classes[one.id] = one
                learn.append(one)
        self._classes = dict(sorted(self._classes.items()))
        self._state = None
        if self._learner.independent_classes:
            self._rows.update(self.rows_of(learn))

    def rows_of(
        self, classes: Sequence[StoredClass]
    ) -> dict[int, dict[str, np.ndarray]]:
        """The part of the state of each class, by its id, where they are independent.

        Classes of as many examples each are the tasks of a batch, of one way.
        """
        by_size: dict[int, list[StoredClass]] = {}
        for one in classes:
            by_size.setdefault(len(one.embeddings), []).append(one)
        rows = {}
        for alike in by_size.values():
            for start in range(0, len(alike), _AT_ONCE):
                part = alike[start : start + _AT_ONCE]
                embeddings = np.stack([one.embeddings for one in part])
                state = self._learner.adapt_embeddings(
                    tf.constant(embeddings), tf.ones((*embeddings.shape[:2], 1))
                )
                values = {name: value.numpy() for name, value in state.items()}
                for place, one in enumerate(part):
                    rows[one.id] = {name: v[place] for name, v in values.items()}
        return rows

    def state(self) -> dict[str, tf.Tensor]:
        """The state of one task with all classes.

        Raises:
            ValueError: When there is no class, or too many for a learner that learns
                all of them together.
        """
        if not self._classes:
            raise ValueError(
                "the gallery must have at least one class. Received: none; enrol some"
            )
        if self._state is None:
            self._state = self._learned()
        return self._state

    def _learned(self) -> dict[str, tf.Tensor]:
        if self._learner.independent_classes:
            rows = [self._rows[number] for number in self._classes]
            return {
                name: tf.constant(np.concatenate([row[name] for row in rows])[None])
                for name in rows[0]
            }
        ways = len(self._classes)
        if ways > _MOST_WAYS:
            raise ValueError(
                f"a gallery of a {type(self._learner).__name__}, which learns all "
                f"classes together, must have at most {_MOST_WAYS:,} classes. "
                f"Received: {ways:,}"
            )
        return self.learn([one.embeddings for one in self._classes.values()])

    def learn(self, embeddings: Sequence[np.ndarray]) -> dict[str, tf.Tensor]:
        """The state of one task, from the embeddings of each class."""
        sizes = [len(of_class) for of_class in embeddings]
        labels = np.repeat(np.arange(len(sizes)), sizes)
        return self._adapt(
            tf.constant(np.concatenate(embeddings))[None],
            tf.one_hot(labels, len(sizes))[None],
        )

    def logits(
        self, embeddings: np.ndarray, state: dict[str, tf.Tensor] | None = None
    ) -> np.ndarray:
        """Float32 `(queries, ways)`; no query has a part in another's.

        Args:
            embeddings: Float32 `(queries, *embedding)`.
            state: Of one task; `None` for that of all classes.
        """
        state = self.state() if state is None else state
        return self._compare(state, tf.constant(embeddings)[None])[0].numpy()

    def _compared(self, state: dict[str, tf.Tensor], query: tf.Tensor) -> tf.Tensor:
        if self._learner.transductive:
            logits = self._learner.predict_each_embedded(state, query)
        else:
            logits = self._learner.compare_embeddings(state, query)
        return tf.cast(logits, tf.float32)
