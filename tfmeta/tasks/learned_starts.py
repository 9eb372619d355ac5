"""Starts of training that were learned: by one classifier, or through training."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tfmeta.datasets.class_table import ClassTable
from tfmeta.seeds import spawn_seeds
from tfmeta.tasks.drawn_tasks import DrawnTasks
from tfmeta.tasks.task_network import TaskNetwork


def pretrained_start(
    network: TaskNetwork,
    table: ClassTable,
    *,
    steps: int = 1000,
    batch_size: int = 512,
    learning_rate: float = 0.01,
    seed: int = 0,
) -> TaskNetwork:
    """The network with the body of a classifier of all classes of a table.

    Args:
        network: Of tasks, which are to be classified.
        table: Of features, `(examples, features)`.
        steps: Of training the classifier.
        batch_size: Examples of a step.
        learning_rate: Of Adam, which falls to 0 as a cosine does.
        seed: Of the order of examples.

    Returns:
        The same network, whose training begins at that body and a head of zeros.

    Raises:
        ValueError: When it was not learned: numbers are not finite.
    """
    (own,) = spawn_seeds(seed, 1, stream="pretrained_start")
    layers = [keras.layers.Dense(units, activation="relu") for units in network.units]
    head = keras.layers.Dense(table.num_classes, kernel_initializer="zeros")
    classifier = keras.Sequential([keras.Input((network.features,)), *layers, head])
    classifier.set_weights([*network.start()[:-2], *head.get_weights()])
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(keras.optimizers.Adam(rate), loss=loss)
    rows = np.asarray(table.examples[:], np.float32)
    numbers = np.repeat(np.arange(table.num_classes), table.class_sizes)
    examples = tf.data.Dataset.from_tensor_slices((rows, numbers))
    examples = examples.shuffle(len(rows), seed=own).repeat().batch(batch_size)
    classifier.fit(examples, steps_per_epoch=steps, shuffle=False, verbose=0)
    last = (np.zeros(shape, np.float32) for shape in network.shapes[-2:])
    return network.starting_at([*classifier.get_weights()[:-2], *last])


def maml_start(
    network: TaskNetwork,
    tasks: DrawnTasks,
    *,
    steps: int = 400,
    batch_size: int = 32,
    inner_steps: int = 5,
    inner_rate: float = 0.01,
    learning_rate: float = 3e-3,
    seed: int = 0,
) -> TaskNetwork:
    """The network with a start that was learned through training on a support.

    Finn et al. (2017), *Model-Agnostic Meta-Learning*: the loss of the queries after
    some steps on the support, and its exact gradient by where these began. The inner
    loop is that of `TaskNetwork`, of Adam, with which new tasks are trained, too.

    Args:
        network: Of tasks.
        tasks: What it is learned from.
        steps: Of the start.
        batch_size: Tasks of a step, drawn without putting back, at most all.
        inner_steps: Of training on a support.
        inner_rate: Of the inner Adam.
        learning_rate: Of Adam over the start.
        seed: Of the order of tasks.

    Returns:
        The same network, whose training begins there.

    Raises:
        ValueError: When it was not learned: numbers are not finite.
    """
    start = [tf.Variable(part) for part in network.start()]
    optimizer = keras.optimizers.Adam(learning_rate)
    optimizer.build(start)
    (own,) = spawn_seeds(seed, 1, stream="maml_start")
    rng = np.random.default_rng(own)
    count = min(batch_size, len(tasks))

    @tf.function
    def step(
        support: tf.Tensor, labels: tf.Tensor, query: tf.Tensor, wanted: tf.Tensor
    ) -> None:
        with tf.GradientTape() as tape:
            begin = tuple(tf.repeat(part[tf.newaxis], count, axis=0) for part in start)
            trained = network.trained(
                support,
                labels,
                steps=inner_steps,
                learning_rate=inner_rate,
                start=begin,
            )
            loss = tf.reduce_mean(network.losses(trained, query, wanted))
        gradients = tape.gradient(loss, start)
        optimizer.apply_gradients(zip(gradients, start, strict=True))

    for _ in range(steps):
        some = rng.choice(len(tasks), count, replace=False)
        step(
            *(
                tf.constant(part[some], tf.float32)
                for part in (
                    tasks.support,
                    tasks.labels,
                    tasks.query,
                    tasks.query_labels,
                )
            )
        )
    return network.starting_at([part.numpy() for part in start])
