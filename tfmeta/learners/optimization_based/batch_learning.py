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
        settings: How.
    """

    def map(self, function: Callable[[Any], Any], tasks: Any, result: Any) -> Any:
        """As `map_tasks`, in the formulation of the settings."""
        vectorized = is_vectorized(self.settings.vectorize_tasks)
        with patch_convolutions(self.network.encoder, active=vectorized):
            return map_tasks(function, tasks, result, vectorized=vectorized)

    def adapt(
        self,
        support: tf.Tensor,
        labels: tf.Tensor,
        mask: tf.Tensor | None,
        *,
        training: bool,
        state: State | None = None,
    ) -> State:
        """States of all tasks; with `state`, tasks go on from there."""
        names = self.network.adapted_names()

        def adapt_one(task: dict[str, tf.Tensor]) -> State:
            own = self.support_of(task)
            moving = self.network.moving_values()
            start = None if state is None else [task[name] for name in names]
            parameters, _ = self.adapt_task(own, moving, training=training, start=start)
            statistics = tf.zeros([0], self.network.dtype)
            if not self.uses_running_averages:
                statistics = self.support_statistics(
                    parameters,
                    own,
                    moving,
                    step=self.steps(training),
                    training=training,
                )
            adapted = dict(zip(names, parameters, strict=True))
            return {**adapted, "present": own.present, "batch_statistics": statistics}

        tasks = {"support": support, "support_labels": labels}
        if mask is not None:
            tasks["support_mask"] = mask
        if state is not None:
            tasks |= {name: state[name] for name in (*names, "present")}
        dtype, ways = self.network.dtype, labels.shape[-1]
        if self.settings.head == "linear":
            ways = self.settings.ways
        specs = {
            name: tf.TensorSpec(shape, dtype)
            for name, shape in zip(
                names, self.network.adapted_shapes(ways), strict=True
            )
        }
        specs["present"] = tf.TensorSpec([labels.shape[-1]], tf.bool)
        specs["batch_statistics"] = tf.TensorSpec([None], dtype)
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
        names = self.network.adapted_names()
        kind = self.settings.statistics

        def predict_one(task: dict[str, tf.Tensor]) -> tf.Tensor:
            source: Source = "layer" if self.uses_running_averages else "batch"
            if kind == "support" or (inductive and kind == "query_batch"):
                source = task["batch_statistics"]
            return self.query_outputs(
                [task[name] for name in names],
                task["query"],
                task.get("query_mask"),
                task["present"],
                self.network.moving_values(),
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
        dtype = self.network.dtype

        def finish(
            outputs: tf.Tensor, added: tf.Tensor | None
        ) -> tuple[tf.Tensor, tf.Tensor]:
            nonlocal adds
            adds = added is not None
            return outputs, tf.zeros([], dtype) if added is None else added

        def learn_one(task: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            moving = self.network.moving_values()
            return self.learn(task, moving, finish, training=training).found[-1]

        result = (self.outputs_spec(inputs["query"]), tf.TensorSpec([], dtype))
        outputs, added = self.map(learn_one, task_inputs(inputs), result)
        return outputs, tf.reduce_mean(added) if adds else None

    def outputs_spec(self, query: tf.Tensor) -> tf.TensorSpec:
        """Of the outputs for one task's part of `query`."""
        ways = None if self.settings.head == "prototypes" else self.settings.ways
        return tf.TensorSpec([query.shape[1], ways], self.network.dtype)


def task_inputs(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The parts of an episode batch that an inner loop takes."""
    names = ("support", "support_labels", "support_mask", "query", "query_mask")
    return {name: inputs[name] for name in names if name in inputs}
