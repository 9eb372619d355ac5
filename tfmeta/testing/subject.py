"""What every check of a learner works with."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes
from tfmeta.learners.base import FewShotLearner
from tfmeta.testing.comparisons import expect

WAYS, SHOTS, QUERIES, TASKS = 3, 2, 3, 2


class MakeLearner(Protocol):
    """Makes a learner; see `check_learner`."""

    def __call__(self, example_shape: tuple[int, ...], ways: int) -> FewShotLearner: ...


class LearnerCheck(Protocol):
    """One check; raises `AssertionError` when the learner violates it."""

    __name__: str

    def __call__(
        self,
        make_learner: MakeLearner,
        *,
        example_shape: tuple[int, ...] = (8,),
        ways_are_free: bool = True,
    ) -> None: ...


@contextlib.contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Sets Keras' global dtype policy and, for float64, its float type."""
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx("float64" if dtype == "float64" else "float32")
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def logits_of(
    learner: FewShotLearner, inputs: dict[str, tf.Tensor], training: bool = False
) -> tf.Tensor:
    """Logits by the two verbs alone, unlabelled examples for those who use them."""
    names = ("unlabelled", "unlabelled_mask") if learner.uses_unlabelled else ()
    state = learner.adapt(
        inputs["support"],
        inputs["support_labels"],
        support_mask=inputs.get("support_mask"),
        training=training,
        **{name: inputs[name] for name in names if name in inputs},
    )
    return learner.predict_query(
        state, inputs["query"], query_mask=inputs.get("query_mask"), training=training
    )


@dataclasses.dataclass(frozen=True)
class Subject:
    """The learner under test, and episodes for it."""

    make_learner: MakeLearner
    example_shape: tuple[int, ...]
    ways_are_free: bool

    def learner(self, ways: int = WAYS) -> FewShotLearner:
        """A fresh learner."""
        learner = self.make_learner(self.example_shape, ways)
        expect(
            isinstance(learner, FewShotLearner),
            "`make_learner` must return a tfmeta.learners.FewShotLearner. Received: "
            f"{type(learner).__name__}",
        )
        return learner

    def compiled(self, optimizer: Any, **options: Any) -> FewShotLearner:
        """A fresh learner, compiled; without XLA unless the options say so."""
        learner = self.learner()
        learner.compile(optimizer, **{"jit_compile": False, **options})
        return learner

    @functools.cached_property
    def table(self) -> ClassTable:
        """Twelve classes that overlap, so that no accuracy is 1 by itself."""
        rng = np.random.default_rng(0)
        centres = rng.normal(size=(12, 1, *self.example_shape))
        noise = rng.normal(size=(12, 8, *self.example_shape))
        examples = (0.5 * centres + noise).reshape(-1, *self.example_shape)
        labels = [f"class_{i // 8:02d}" for i in range(len(examples))]
        return ClassTable.from_arrays("checks", examples.astype(np.float32), labels)

    def episodes(
        self,
        *,
        varied: bool = False,
        ways: int = WAYS,
        tasks: int = TASKS,
        unlabelled: bool = False,
    ) -> Episodes:
        """Episodes; varied ones have padded shots and absent ways.

        Those that are `unlabelled` have such examples, some of distractors; they
        are otherwise the same.
        """
        return Episodes(
            self.table,
            ways=(2, ways) if varied else ways,
            shots=(1, SHOTS) if varied else SHOTS,
            queries=QUERIES,
            tasks=tasks,
            unlabelled=2 if unlabelled else 0,
            distractors=1 if unlabelled else 0,
        )

    def batch(
        self, *, varied: bool = False, ways: int = WAYS, unlabelled: bool = False
    ) -> tuple:
        """One batch; a varied one has an absent way in some task, not in all."""
        episodes = self.episodes(varied=varied, ways=ways, unlabelled=unlabelled)
        for step in itertools.count():
            batch = episodes.batch(step)
            present = tf.reduce_any(batch[0]["support_labels"] > 0, axis=1)
            complete = tf.reduce_all(present, axis=1).numpy()
            if not varied or (complete.any() and not complete.all()):
                return batch
        raise AssertionError  # Unreachable.


def learner_check(
    dtype: str = "float32",
) -> Callable[[Callable[[Subject], None]], LearnerCheck]:
    """Turns a function of a `Subject` into a public check.

    The check runs under the dtype policy `dtype`, and whatever goes wrong in it
    becomes an `AssertionError` that names it.
    """

    def decorate(body: Callable[[Subject], None]) -> LearnerCheck:
        name = body.__name__

        def check(
            make_learner: MakeLearner,
            *,
            example_shape: tuple[int, ...] = (8,),
            ways_are_free: bool = True,
        ) -> None:
            subject = Subject(make_learner, tuple(example_shape), ways_are_free)
            try:
                with precision(dtype):
                    body(subject)
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from error
            except Exception as error:
                habit = (body.__doc__ or "").strip().splitlines()[0]
                text = f"{type(error).__name__}: {error}"[:500]
                raise AssertionError(f"{name}: {habit} It raised {text}") from error

        check.__name__ = check.__qualname__ = name
        check.__doc__ = body.__doc__
        check.__module__ = body.__module__
        return check

    return decorate
