"""What learners share that adapt by gradient steps on the support."""

from __future__ import annotations

import functools
from typing import Any, Literal

import keras
import tensorflow as tf

from tfmeta.learners.base import FewShotLearner
from tfmeta.learners.each_query import State
from tfmeta.learners.encoder_check import check_gives_vectors
from tfmeta.learners.inner_rules import InnerRule
from tfmeta.learners.optimization_based.arguments import (
    check_arguments,
    check_reduction,
    no_quantizing,
)
from tfmeta.learners.optimization_based.batch_learning import BatchLearning
from tfmeta.learners.optimization_based.meta_gradient import (
    FoundGradient,
    MetaGradient,
    OuterLoop,
    are_finite,
)
from tfmeta.learners.optimization_based.phases import Phase
from tfmeta.learners.optimization_based.second_order import (
    check_jit_compile,
    prepare_encoder,
)
from tfmeta.learners.optimization_based.settings import InnerLoopSettings
from tfmeta.learners.optimization_based.support import Choose, whole_support
from tfmeta.learners.optimization_based.task_network import (
    Statistics,
    TaskNetwork,
    has_batch_normalization,
    linear_head,
)
from tfmeta.learners.optimization_based.trainable_flags import (
    FLAGS_SINCE,
    set_trainable_flags,
    trainable_flags,
    with_trainable_flags,
)
from tfmeta.learners.run_checks import evenly_shared, with_tasks
from tfmeta.learners.task_endpoints import adaptation_endpoints
from tfmeta.signatures.endpoint import Endpoint
from tfmeta.signatures.example_spec import ExampleSpec


class GradientBasedLearner(FewShotLearner):
    """Learns new classes by steps of an inner rule from a trained start.

    The inner loop of each task runs inside a map over the tasks of a batch, and so
    does its part of the outer gradient, so that memory does not grow with the fast
    weights of all tasks. A subclass says which rule (`make_inner_rule`), and what is
    adapted.

    Tasks adapt what of the encoder is trainable when the learner is made, whatever is
    frozen or set free later; the outer loop trains what is trainable then.

    Args:
        encoder: A built `keras.Model` from a batch of examples to a batch of
            vectors. Layers whose second derivatives are wrong on TensorFlow are
            replaced, with a warning that names them, or refused.
        ways: Classes of every task, the outputs of the linear head; for regression
            the number of outputs. With `head="prototypes"` it may be `None`.
        task: `"classification"`, or `"regression"`, where `support_labels` hold
            targets `(tasks, support, ways)` and logits are predictions.
        head: `"linear"`, whose start is learned for a fixed number of ways, or
            `"prototypes"`, whose start is made from the support's prototypes, for
            any number of ways (ProtoMAML, Triantafillou 2020).
        inner_steps: Steps of the inner loop in training.
        test_inner_steps: Steps otherwise; `None` for as many as in training.
        first_order: Whether gradients of the inner loop are constants.
        batch_normalization: Which statistics normalize. `"query_batch"`: those of
            the batch, support and queries each their own, at inference too, as in
            Finn's code; predictions then depend on the other queries of the task.
            `"support"`: queries take those of the support. `"running"`: as Keras'
            layers do it, the batch in training and moving averages otherwise.
        vectorize_tasks: Whether every operation is one for all tasks of a batch, for
            accelerators, or tasks are worked on one by one, which is faster on a
            CPU. `"auto"`: where TensorFlow has an accelerator. Both are exact.
        rematerialize: Whether inner steps are computed once more in the outer
            backward pass instead of being kept: more time, and less memory where
            the support is large.
        seed: Seed of the head's first weights, `None` for others at every call.

    Raises:
        TypeError: When `encoder` is no `keras.Model`.
        ValueError: When an argument is none of the above, the encoder does not give
            vectors, or it has a layer without right second derivatives.
    """

    adapts_encoder: bool = True
    # Whether the outer loop differentiates the inner rule in first order, too.
    learns_inner_rule: bool = False

    def __init__(
        self,
        encoder: keras.Model,
        ways: int | None = None,
        *,
        task: Literal["classification", "regression"] = "classification",
        head: Literal["linear", "prototypes"] = "linear",
        inner_steps: int = 1,
        test_inner_steps: int | None = None,
        first_order: bool = False,
        batch_normalization: Statistics = "query_batch",
        vectorize_tasks: bool | Literal["auto"] = "auto",
        rematerialize: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_arguments(
            ways=ways,
            task=task,
            head=head,
            inner_steps=inner_steps,
            test_inner_steps=test_inner_steps,
            batch_normalization=batch_normalization,
            vectorize_tasks=vectorize_tasks,
            rematerialize=rematerialize,
            is_differentiated=self.adapts_encoder
            and (self.learns_inner_rule or not first_order),
        )
        if isinstance(encoder, keras.Model) and encoder.built:
            encoder = prepare_encoder(
                encoder, first_order=first_order or not self.adapts_encoder
            )
        super().__init__(encoder, **kwargs)
        check_gives_vectors(self.encoder)
        self.ways = ways
        self.task = task
        self.head = head
        self.inner_steps = inner_steps
        self.test_inner_steps = test_inner_steps
        self.first_order = first_order
        self.batch_normalization = batch_normalization
        self.vectorize_tasks = vectorize_tasks
        self.rematerialize = rematerialize
        self.seed = seed
        self.transductive = batch_normalization == "query_batch" and (
            has_batch_normalization(self.encoder)
        )
        linear = head == "linear"
        self.head_layer = linear_head(self.encoder, ways, seed) if linear else None
        self._flags_when_made = tuple(trainable_flags(self.encoder))
        self.network = self.make_network()
        self.inner_rule = self.make_inner_rule(self.adapted_shapes())

    def make_inner_rule(self, shapes: list[tuple[int, ...]]) -> InnerRule:
        """The inner rule; a `keras.layers.Layer` when it has weights.

        Args:
            shapes: Shapes of what is adapted; a size that varies is 1.
        """
        raise NotImplementedError

    def make_network(self) -> TaskNetwork:
        """Encoder and head as functions of what is adapted."""
        return TaskNetwork(
            self.encoder, self.head_layer, adapts_encoder=self.adapts_encoder
        )

    def phases(self) -> list[Phase]:
        """How the outer gradient is found as training goes on, the first from 0."""
        return [Phase(0, first_order=self.first_order)]

    def choose_support(self, seed: tf.Tensor | None) -> Choose:
        """What an inner step learns from, of a support and its number.

        Args:
            seed: Int32 `(2,)`, another in every task that is trained on; `None`
                otherwise.
        """
        return whole_support

    def make_meta_gradient(self, phase: Phase) -> MetaGradient:
        """What finds the outer gradient in a phase."""
        return MetaGradient(self.learning, self.outer_loop(), phase)

    @property
    def learning(self) -> BatchLearning:
        """How tasks are learned, as the learner's attributes say."""
        test_steps = self.test_inner_steps
        return BatchLearning(
            InnerLoopSettings(
                network=self.network,
                rule=self.inner_rule,
                task=self.task,
                head=self.head,
                ways=self.ways,
                steps=self.inner_steps,
                test_steps=self.inner_steps if test_steps is None else test_steps,
                first_order=self.first_order,
                statistics=self.batch_normalization,
                rematerialize=self.rematerialize,
                vectorize_tasks=self.vectorize_tasks,
                choose_support=self.choose_support,
            )
        )

    def outer_loop(self) -> OuterLoop:
        """What is trained, and by what."""
        return OuterLoop(
            variables=self.trainable_variables,
            carried=self.carried_variables(),
            optimizer=self.optimizer,
            compute_loss=self.compute_loss,
            reduction=getattr(self.loss, "reduction", None),
            # Keras has no public name for what layers add in a replica.
            replica_part=self._aggregate_additional_loss,
            seed=self.seed or 0,
        )

    def carried_variables(self) -> list[keras.Variable]:
        """What the inner rule carries from the tasks of a batch to the next ones."""
        return []

    def adapted_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of what a task adapts, 1 for a number of ways that varies."""
        ways = 1 if self.head == "prototypes" else int(self.ways or 1)
        return self.network.adapted_shapes(ways)

    def adapted_names(self) -> list[str]:
        """Names of what a task adapts, as states and exports call them."""
        return self.network.adapted_names()

    def adapt(
        self,
        support: tf.Tensor,
        support_labels: tf.Tensor,
        *,
        support_mask: tf.Tensor | None = None,
        state: State | None = None,
        training: bool = False,
    ) -> State:
        """Runs the inner loop of every task; see `FewShotLearner.adapt`.

        From a `state` it goes on with its weights, while the inner rule begins anew;
        ways that were present stay so.

        Returns:
            The adapted weights by name, each with a leading task axis; `present`,
            `(tasks, ways)`, the ways with a real support row; and
            `batch_statistics`, `(tasks, values)`, those of the support.
        """
        return self.learning.adapt(
            support, support_labels, support_mask, training=training, state=state
        )

    def predict_query(
        self,
        state: State,
        query: tf.Tensor,
        *,
        query_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Classifies queries; see `FewShotLearner.predict_query`."""
        return self.learning.predict(state, query, query_mask, training=training)

    def predict_each_query(self, state: State, query: tf.Tensor) -> tf.Tensor:
        """Logits that no other query has a part in: the support's statistics."""
        return self.learning.predict(state, query, None, inductive=True)

    def episode_logits(
        self, inputs: dict[str, tf.Tensor], *, training: bool = False
    ) -> tf.Tensor:
        """Logits of an episode batch, inner loop and queries in one map."""
        return self.learning.episode_outputs(inputs, training=training)[0]

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Logits of an episode batch; see `FewShotLearner.call`.

        What the encoder's layers add to the losses is added, as `MetaGradient` says.
        """
        if tf.distribute.has_strategy() and tf.distribute.in_cross_replica_context():
            return super().call(inputs, training=training)
        outputs, added = self.learning.episode_outputs(inputs, training=training)
        if added is not None:
            self.add_loss(added)
        return outputs

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step of the outer loop.

        A step that a `LossScaleOptimizer` skips, since the scaled gradient is not
        finite, changes nothing but the scale: what the inner rule carries on and the
        encoder's moving statistics stay as they were.
        """
        data = evenly_shared(data, training=True)
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        x = with_tasks(x)
        # Keras does so in `call`: what was added there is no part of this loss.
        self._clear_losses()
        found = self._find_gradient(x, y, sample_weight)
        self.optimizer.apply_gradients(
            zip(found.gradients, self.trainable_variables, strict=True)
        )
        self._keep_state(found)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        # compute_loss divides by the replicas; what is shown is not.
        self._loss_tracker.update_state(
            found.loss * replicas, sample_weight=tf.shape(x["support"])[0]
        )
        return self.compute_metrics(x, y, found.outputs, sample_weight=sample_weight)

    def _keep_state(self, found: FoundGradient) -> None:
        """Takes over what a step leaves besides the weights."""
        carried = self.carried_variables()
        moving, values = found.moving, found.carried
        if isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer):
            taken = are_finite(found.gradients)
            before = (self.network.moving_values(), [v.value for v in carried])
            moving, values = tf.nest.map_structure(
                lambda new, old: tf.where(taken, new, old), (moving, values), before
            )
        self.network.keep_moving_values(moving)
        for variable, value in zip(carried, values, strict=True):
            variable.assign(value)

    def _find_gradient(
        self, x: dict[str, tf.Tensor], y: tf.Tensor, sample_weight: Any
    ) -> FoundGradient:
        phases = self.phases()
        branches = [
            functools.partial(
                self.make_meta_gradient(phase).of_batch, x, y, sample_weight
            )
            for phase in phases
        ]
        if len(phases) == 1:
            return FoundGradient(*branches[0]())
        begun = [self.optimizer.iterations >= phase.start for phase in phases]
        current = tf.reduce_sum(tf.cast(tf.stack(begun), tf.int32)) - 1
        return FoundGradient(*tf.switch_case(current, branches))

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """As `FewShotLearner.compile`.

        Raises:
            ValueError: When `jit_compile=True` would make second derivatives wrong, or
                the loss has no reduction, and so no one gradient.
        """
        super().compile(*args, **kwargs)
        check_reduction(self.loss)
        if self.jit_compile is True and self.adapts_encoder:
            check_jit_compile(self.encoder, first_order=self.first_order)

    def quantize(self, *args: Any, **kwargs: Any) -> None:
        """Refused by a `ValueError`: there are no gradient steps on whole numbers."""
        raise no_quantizing(self)

    @property
    def fixed_ways(self) -> int | None:  # type: ignore[override]
        """Outputs of the linear head; `None` for a head of prototypes."""
        return None if self.head == "prototypes" else self.ways

    def state_spec(self, ways: int | None = None) -> dict[str, tf.TensorSpec]:
        """The adapted weights, `present` and `batch_statistics` of one task."""
        dtype = tf.as_dtype(self.encoder.variable_dtype)
        shapes: list[tuple[int | None, ...]] = [*self.adapted_shapes()]
        if self.head == "prototypes":
            shapes[-2:] = [(shapes[-2][0], ways), (ways,)]
        parts = dict(zip(self.adapted_names(), shapes, strict=True))
        specs = {n: tf.TensorSpec(shape, dtype, n) for n, shape in parts.items()}
        specs["present"] = tf.TensorSpec([self.fixed_ways or ways], tf.bool, "present")
        name = "batch_statistics"
        return {**specs, name: tf.TensorSpec([None], dtype, name)}

    def endpoints(self, examples: ExampleSpec) -> list[Endpoint]:
        """As `FewShotLearner.endpoints`, and those that keep what was adapted."""
        return [*super().endpoints(examples), *adaptation_endpoints(self, examples)]

    def get_config(self) -> dict:
        """The constructor's arguments, serialized."""
        names = (
            "ways task head inner_steps test_inner_steps first_order "
            "batch_normalization vectorize_tasks rematerialize seed"
        )
        own = {name: getattr(self, name) for name in names.split()}
        now = trainable_flags(self.encoder)
        if now == list(self._flags_when_made):
            return {**super().get_config(), **own}
        # From an encoder that was frozen later another network would be made.
        with with_trainable_flags(self.encoder, self._flags_when_made):
            return {**super().get_config(), **own, FLAGS_SINCE: now}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        """The learner of a `get_config`."""
        config = {**config}
        now = config.pop(FLAGS_SINCE, None)
        learner = super().from_config(config, custom_objects)
        if now is not None:
            set_trainable_flags(learner.encoder, now)
        return learner
