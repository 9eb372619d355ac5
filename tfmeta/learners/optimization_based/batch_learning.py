"""The two verbs of gradient-based learners, for all tasks of a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfmeta.layers.patch_convolution import patch_convolutions
from tfmeta.learners.each_query import State
from tfmeta.learners.optimization_based.task_learning import TaskLearning
from tfmeta.learners.optimization_based.task_map import is_vectorized, map_tasks
from tfmeta.learners.optimization_based.task_network import Source


class BatchLearning(TaskLearning):
    """Adapts to the tasks of a batch, each by itself, and classifies their queries.

    Args:
        learner: Whose settings and weights count.
    """

    def map(self, function: Callable[[Any], Any], tasks: Any, result: Any) -> Any:
        """As `map_tasks`, in the learner's formulation."""
        vectorized = is_vectorized(self.learner.vectorize_tasks)
        with patch_convolutions(self.learner.encoder, active=vectorized):
            return map_tasks(function, tasks, result, vectorized=vectorized)

    def adapt(
        self,
        support: tf.Tensor,
        labels: tf.Tensor,
        mask: tf.Tensor | None,
        *,
        training: bool,
    ) -> State:
        """States of all tasks."""
        names = self.learner.adapted_names()

        def adapt_one(task: dict[str, tf.Tensor]) -> State:
            own = self.support_of(task)
            moving = self.learner.moving_values()
            parameters, _ = self.adapt_task(
                own, moving, training=training, choose=self.learner.choose_support(None)
            )
            state = dict(zip(names, parameters, strict=True))
            statistics = tf.zeros([0], self.dtype)
            if not self.uses_running_averages:
                statistics = self.support_statistics(
                    parameters,
                    own,
                    moving,
                    step=self.steps(training),
                    training=training,
                )
            return {**state, "present": own.present, "batch_statistics": statistics}

        tasks = {"support": support, "support_labels": labels}
        if mask is not None:
            tasks["support_mask"] = mask
        shapes = self.learner.adapted_shapes()
        if self.learner.head == "prototypes":
            ways = labels.shape[-1]
            shapes[-2:] = [(shapes[-2][0], ways), (ways,)]
        specs = {
            name: tf.TensorSpec(shape, self.dtype)
            for name, shape in zip(names, shapes, strict=True)
        }
        specs["present"] = tf.TensorSpec([labels.shape[-1]], tf.bool)
        specs["batch_statistics"] = tf.TensorSpec([None], self.dtype)
        return self.map(adapt_one, tasks, specs)

    def predict(
        self,
        state: State,
        query: tf.Tensor,
        mask: tf.Tensor | None,
        *,
        training: bool = False,
        inductive: bool = False,
    ) -> tf.Tensor:
        """Outputs `(tasks, queries, outputs)` of all tasks."""
        names = self.learner.adapted_names()
        kind = self.learner.batch_normalization

        def predict_one(task: dict[str, tf.Tensor]) -> tf.Tensor:
            source: Source = "layer" if self.uses_running_averages else "batch"
            if kind == "support" or (inductive and kind == "query_batch"):
                source = task["batch_statistics"]
            return self.query_outputs(
                [task[name] for name in names],
                task["query"],
                task.get("query_mask"),
                task["present"],
                self.learner.moving_values(),
                step=self.steps(training),
                source=source,
                training=training,
            )[0]

        tasks = {**state, "query": query}
        if mask is not None:
            tasks["query_mask"] = mask
        return self.map(predict_one, tasks, self.outputs_spec(query))

    def episode_outputs(
        self, inputs: dict[str, tf.Tensor], *, training: bool
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Outputs of all tasks, adapted and classified one by one.

        With them comes what layers add to the losses in the pass of the queries, the
        mean over the tasks; `None` where none does.
        """
        adds = False

        def learn_one(task: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            nonlocal adds
            own = self.support_of(task)
            moving = self.learner.moving_values()
            parameters, _ = self.adapt_task(
                own, moving, training=training, choose=self.learner.choose_support(None)
            )
            step = self.steps(training)
            outputs, added = self.query_outputs(
                parameters,
                task["query"],
                task.get("query_mask"),
                own.present,
                moving,
                step=step,
                source=self.query_source(
                    parameters, own, moving, step=step, training=training
                ),
                training=training,
                adding=True,
            )
            if added is None:
                return outputs, tf.zeros([], self.dtype)
            adds = True
            return outputs, added

        result = (self.outputs_spec(inputs["query"]), tf.TensorSpec([], self.dtype))
        outputs, added = self.map(learn_one, task_inputs(inputs), result)
        return outputs, tf.reduce_mean(added) if adds else None

    def outputs_spec(self, query: tf.Tensor) -> tf.TensorSpec:
        """Of the outputs for one task's part of `query`."""
        ways = None if self.learner.head == "prototypes" else self.learner.ways
        return tf.TensorSpec([query.shape[1], ways], self.dtype)


def task_inputs(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The parts of an episode batch that an inner loop takes."""
    names = ("support", "support_labels", "support_mask", "query", "query_mask")
    return {name: inputs[name] for name in names if name in inputs}
