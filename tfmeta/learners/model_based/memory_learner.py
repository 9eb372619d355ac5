"""What learners share whose state is a memory of the examples that they read."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfmeta.finite import all_finite, finite_or_nan, finite_rows, nan_unless
from tfmeta.learners.class_sums import only_present, real_labels, sound_support
from tfmeta.learners.each_query import State
from tfmeta.learners.embedding_learner import EmbeddingLearner
from tfmeta.learners.task_endpoints import memory_endpoints
from tfmeta.signatures.endpoint import Endpoint
from tfmeta.signatures.example_spec import ExampleSpec

PRESENT = "present"
# What any size may be; layers of more would not fit into memory.
MOST = 2**20


class MemoryLearner(EmbeddingLearner):
    """A learner that reads labelled examples one after the other.

    Its state is what it remembers of them, and reading goes on from there: `adapt` of
    two examples, and with that state of three more, is `adapt` of five. Each query is
    answered from the state that the support left, and leaves none.

    A subclass implements `first_state`, `read_embeddings` and `answer_embeddings`, in
    the dtype of variables: half precision would round what is remembered. `fit` reads
    the support in another order at every step, drawn by `seed`; the two verbs read it
    in the order in which it comes, on which the answers depend.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            embeddings.
        ways: Classes of every task: a label is as many inputs.
        seed: Seed of the order, and of the weights that are made here.

    Raises:
        ValueError: When `ways` is no int of at least 1.
    """

    def __init__(
        self, encoder: keras.Model, ways: int, *, seed: int | None = None, **kwargs: Any
    ) -> None:
        check_sizes(ways=ways)
        self.ways = self.fixed_ways = ways
        self.seed = seed
        super().__init__(encoder, **kwargs)

    def first_state(self, tasks: tf.Tensor) -> State:
        """What is remembered of nothing.

        Args:
            tasks: How many, an int32 scalar.

        Returns:
            A dict of tensors with a leading task axis.
        """
        raise NotImplementedError

    def read_embeddings(
        self,
        state: State,
        embeddings: tf.Tensor,
        labels: tf.Tensor,
        *,
        training: bool = False,
    ) -> State:
        """Reads labelled examples.

        Args:
            state: What is remembered.
            embeddings: `(tasks, steps, *embedding)`.
            labels: `(tasks, steps, ways)` one-hot; the real rows of each task come
                first, and all others are 0.
            training: Whether layers run in training mode.

        Returns:
            What is remembered then.
        """
        raise NotImplementedError

    def answer_embeddings(
        self, state: State, embeddings: tf.Tensor, *, training: bool = False
    ) -> tf.Tensor:
        """Logits `(tasks, queries, ways)` of examples that are read, each for itself.

        Args:
            state: What is remembered.
            embeddings: `(tasks, queries, *embedding)`.
            training: Whether layers run in training mode.
        """
        raise NotImplementedError

    def begin(self, tasks: Any = 1) -> State:
        """The state of tasks of which nothing was read, for `adapt(..., state=)`.

        Args:
            tasks: How many, an int or an int32 scalar.

        Raises:
            ValueError: When it is no int of at least 0.
        """
        if not tf.is_tensor(tasks) and (
            not isinstance(tasks, int) or isinstance(tasks, bool) or tasks < 0
        ):
            raise ValueError(
                f"`tasks` must be an int of at least 0. Received: tasks={tasks!r}"
            )
        nothing = tf.zeros([tasks, self.ways], tf.bool)
        return {**self.first_state(tf.convert_to_tensor(tasks)), PRESENT: nothing}

    def adapt(
        self,
        support: tf.Tensor,
        support_labels: tf.Tensor,
        *,
        support_mask: tf.Tensor | None = None,
        state: State | None = None,
        training: bool = False,
    ) -> State:
        """Reads the support, from `state` on where there is one."""
        embeddings = self.embed(support, mask=support_mask, training=training)
        embeddings, labels = self._rows_of(embeddings, support_labels, support_mask)
        return self._read(state, embeddings, labels, training=training)

    def adapt_embeddings(
        self,
        embeddings: tf.Tensor,
        support_labels: tf.Tensor,
        *,
        support_mask: tf.Tensor | None = None,
        unlabelled: tf.Tensor | None = None,
        unlabelled_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> State:
        """The state of a support of embeddings; see `EmbeddingLearner`."""
        embeddings, labels = self._rows_of(embeddings, support_labels, support_mask)
        if training:
            order = tf.argsort(self._random_places(labels, 0), axis=1, stable=True)
            embeddings = tf.gather(embeddings, order, batch_dims=1)
            labels = tf.gather(labels, order, batch_dims=1)
        return self._read(None, embeddings, labels, training=training)

    def compare_embeddings(
        self,
        state: State,
        embeddings: tf.Tensor,
        *,
        query_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Logits of queries, `-inf` for ways of which nothing was read."""
        remembered = {name: tf.convert_to_tensor(part) for name, part in state.items()}
        present = remembered.pop(PRESENT)
        embeddings = finite_or_nan(tf.cast(embeddings, self.variable_dtype))
        logits = self.answer_embeddings(remembered, embeddings, training=training)
        logits = nan_unless(self._sound(remembered), logits)
        return only_present(logits, present)

    def endpoints(self, examples: ExampleSpec) -> list[Endpoint]:
        """As `EmbeddingLearner.endpoints`, and those that write to its memory."""
        return [*super().endpoints(examples), *memory_endpoints(self, examples)]

    def _rows_of(
        self, embeddings: tf.Tensor, labels: tf.Tensor, mask: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Embeddings and labels in the dtype of variables, 0 in padded rows."""
        embeddings = tf.cast(embeddings, self.variable_dtype)
        embeddings, labels = sound_support(embeddings, labels)
        labels = real_labels(labels, mask, embeddings.dtype)
        missing = embeddings.shape.rank - 2
        real = tf.reshape(
            tf.reduce_any(labels > 0, axis=-1),
            tf.concat([tf.shape(labels)[:2], [1] * missing], axis=0),
        )
        return tf.where(real, finite_or_nan(embeddings), 0.0), labels

    def check_state(self, state: Mapping[str, Any]) -> None:
        """Refuses a state that is not of this learner; see `FewShotLearner`."""
        wanted = self._state_form
        if set(state) != set(wanted):
            raise ValueError(
                "`state` must be what `adapt` or `begin` of this learner returned, "
                f"with the parts {', '.join(sorted(wanted))}. Received: the parts "
                f"{', '.join(sorted(map(str, state))) or 'none'}"
            )
        for name, spec in wanted.items():
            part = tf.convert_to_tensor(state[name])
            if part.dtype != spec.dtype or not spec.shape.is_compatible_with(
                part.shape
            ):
                raise ValueError(
                    f"`state[{name!r}]` must be {spec.dtype.name} of shape "
                    f"{_form(spec.shape)}. Received: {part.dtype.name} of shape "
                    f"{_form(part.shape)}"
                )

    @functools.cached_property
    def _state_form(self) -> dict[str, tf.TensorSpec]:
        """What a state looks like, of any number of tasks and of rows read."""
        with tf.Graph().as_default():
            parts = self.begin(1)
        return {
            name: tf.TensorSpec(
                [None, *(n or None for n in part.shape[1:])], part.dtype
            )
            for name, part in parts.items()
        }

    def _sound(self, state: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Of which tasks all that answers come from is finite.

        A gate makes a number of infinity again, and the choice of a slot of NaN.
        """
        of_encoder = {id(weight) for weight in self.encoder.weights}
        own = [weight for weight in self.weights if id(weight) not in of_encoder]
        sound = all_finite(own)
        for part in state.values():
            sound &= finite_rows(part)
        return sound

    def _random_places(self, labels: tf.Tensor, stream: int) -> tf.Tensor:
        """Int32 `(tasks, rows)` to sort rows by, the greatest for padding.

        A function of `seed`, of the training step, and of where a row stands: more
        padding changes none.
        """
        step = tf.constant(0) if self.optimizer is None else self.optimizer.iterations
        seed = tf.stack(
            [0 if self.seed is None else self.seed, tf.cast(step, tf.int32)]
        )
        tasks, rows = tf.shape(labels)[0], tf.shape(labels)[1]
        # Integers, which are the same with and without XLA; fractions are not.
        places = tf.random.stateless_uniform(
            [rows, tasks],
            tf.random.fold_in(seed, stream, alg="philox"),
            minval=None,
            maxval=None,
            dtype=tf.int32,
            alg="philox",
        )
        real = tf.reduce_any(labels > 0, axis=-1)
        return tf.where(real, tf.transpose(places), places.dtype.max)

    def _read(
        self,
        state: State | None,
        embeddings: tf.Tensor,
        labels: tf.Tensor,
        *,
        training: bool,
    ) -> State:
        """The state after all real rows, in their order."""
        if state is None:
            state = self.begin(tf.shape(embeddings)[0])
        before = {name: tf.convert_to_tensor(part) for name, part in state.items()}
        present = before.pop(PRESENT) | tf.reduce_any(labels > 0, axis=1)
        order = real_first(labels)
        remembered = self.read_embeddings(
            before,
            tf.gather(embeddings, order, batch_dims=1),
            tf.gather(labels, order, batch_dims=1),
            training=training,
        )
        sound = self._sound(before)
        remembered = {
            name: nan_unless(sound, part) if part.dtype.is_floating else part
            for name, part in remembered.items()
        }
        return {**remembered, PRESENT: present}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, serialized."""
        return {**super().get_config(), "ways": self.ways, "seed": self.seed}


def real_first(labels: tf.Tensor) -> tf.Tensor:
    """Int32 `(tasks, rows)`: real rows in their order, then those without a label."""
    padded = tf.cast(tf.reduce_all(labels <= 0, axis=-1), tf.int32)
    return tf.argsort(padded, axis=1, stable=True)


def _form(shape: tf.TensorShape) -> str:
    """A shape in words, its leading axis that of tasks."""
    sizes = ["any" if size is None else str(size) for size in shape[1:]]
    return f"({', '.join(['tasks', *sizes])})"


def check_sizes(**sizes: Any) -> None:
    """Refuses what is no number of something.

    Raises:
        ValueError: When one is no int from 1 to `MOST`.
    """
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MOST:
            raise ValueError(
                f"`{name}` must be an int from 1 to {MOST:,}. Received: {name}={size!r}"
            )


def is_number(value: Any) -> bool:
    """Whether it is an int or a float, and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)
