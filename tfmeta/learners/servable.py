"""What a learner must have to be served, for those who serve it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import tensorflow as tf

from tfmeta.learners.each_query import State
from tfmeta.signatures.example_spec import ExampleSpec


class Servable(Protocol):
    """The part of `LearnerContract` that endpoints are made of; see there."""

    task: str
    uses_unlabelled: bool
    fixed_ways: int | None
    encoder: Any

    @property
    def adapt(self) -> Callable[..., State]:
        """Learns the classes of the support set; some take unlabelled examples."""

    def predict_query(
        self, state: State, query: tf.Tensor, *, training: bool = False
    ) -> tf.Tensor:
        """Classifies queries among the classes of a state."""

    def state_spec(self, ways: int | None) -> dict[str, tf.TensorSpec]:
        """What the state of one task looks like."""

    def example_spec(self, input_dtype: str | None = None) -> ExampleSpec:
        """The examples that the learner is to be served with."""

    def support_spec(self, examples: ExampleSpec) -> ExampleSpec:
        """What `support` holds where queries look like `examples`."""

    @property
    def target_dtype(self) -> tf.DType:
        """Of the targets of regression."""


class RemembersOneByOne(Servable, Protocol):
    """What besides has a state to begin with, from which `adapt` goes on."""

    def begin(self, tasks: Any = 1) -> State:
        """The state of tasks of which nothing was learned."""
