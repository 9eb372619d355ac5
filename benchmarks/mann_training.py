"""Training episodes per second of a memory-augmented network, beside PyTorch.

Everyone trains the network of Santoro et al. (2016), 50 steps of 20 x 20 pixels, five
classes of ten examples, 16 episodes a batch, with Adam on one batch that lies in
memory, from the same first weights. Before the clock starts, the first losses must
agree. PyTorch has a loop over steps, eager as most write it and compiled.

    python benchmarks/mann_training.py
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from interleaved import (
    Contestant,
    Measure,
    compete,
    start_tensorflow,
    start_torch,
    timed,
)
from mann_torch import make_network
from report import goal, line_of, parse_arguments, show_goals, show_group, write_result

NAME = "mann_training"
GOAL = 1.5
TASKS, WAYS, INSTANCES, SIDE = 16, 5, 10, 20
UNITS, SLOTS, WIDTH, HEADS = 200, 128, 40, 4
LEARNING_RATE = 1e-3

OURS = "tfmeta"
OURS_XLA = "tfmeta with XLA"
TORCH = "PyTorch eager"
TORCH_COMPILED = "PyTorch compiled"


def first_weights() -> dict[str, np.ndarray]:
    """Weights by the names of mann_torch.py."""
    rng = np.random.default_rng(0)

    def uniform(rows: int, columns: int) -> np.ndarray:
        limit = np.sqrt(6 / (rows + columns))
        return rng.uniform(-limit, limit, (rows, columns)).astype("f4")

    bias = np.zeros(4 * UNITS, "f4")
    bias[UNITS : 2 * UNITS] = 1
    weights = {
        "kernel": uniform(SIDE**2 + WAYS + HEADS * WIDTH, 4 * UNITS),
        "recurrent": uniform(UNITS, 4 * UNITS),
        "bias": bias,
        "memory": np.full((SLOTS, WIDTH), 1e-6, "f4"),
    }
    sizes = {"key": HEADS * WIDTH, "content": HEADS * WIDTH, "gate": HEADS}
    for name, size in sizes.items():
        weights |= {name: uniform(UNITS, size), f"{name}_bias": np.zeros(size, "f4")}
    weights["head"] = uniform(UNITS + HEADS * WIDTH, WAYS)
    weights["head_bias"] = np.zeros(WAYS, "f4")
    return weights


def make_sequences() -> tuple[np.ndarray, np.ndarray]:
    """Uint8 pictures and labels of all steps, the first of each class first."""
    rng = np.random.default_rng(1)
    steps = WAYS * INSTANCES
    pictures = rng.integers(0, 256, (TASKS, steps, SIDE, SIDE, 1), np.uint8)
    labels = np.stack(
        [
            np.concatenate(
                [
                    rng.permutation(WAYS),
                    rng.permutation(np.repeat(np.arange(WAYS), INSTANCES - 1)),
                ]
            )
            for _ in range(TASKS)
        ]
    )
    return pictures, labels.astype(np.int32)


def tensorflow_training(
    *, threads: int, jit_compile: bool
) -> tuple[Measure, dict[str, Any]]:
    """A learner's compiled training step."""
    tf = start_tensorflow(threads)
    import keras

    from tfmeta.encoders import Pixels
    from tfmeta.learners import MemoryAugmentedNetwork

    learner = MemoryAugmentedNetwork(
        Pixels((SIDE, SIDE, 1)),
        WAYS,
        units=UNITS,
        slots=SLOTS,
        width=WIDTH,
        heads=HEADS,
        key_strength=1.0,  # as in the paper
        seed=0,
    )
    weights = first_weights()
    cell = learner.reader
    cell.controller.set_weights(
        [weights[name] for name in ("kernel", "recurrent", "bias")]
    )
    for name in ("key", "content", "gate"):
        getattr(cell, name).set_weights([weights[name], weights[f"{name}_bias"]])
    learner.head.set_weights([weights["head"], weights["head_bias"]])
    pictures, labels = make_sequences()
    one_hot = tf.one_hot(labels, WAYS)
    logits = learner.sequence_logits(tf.constant(pictures), one_hot)
    losses = tf.nn.softmax_cross_entropy_with_logits(one_hot, logits)
    facts = {
        "first_loss": float(tf.reduce_mean(losses)),
        "versions": {"tensorflow": tf.__version__, "keras": keras.__version__},
    }
    learner.compile(keras.optimizers.Adam(LEARNING_RATE), jit_compile=jit_compile)
    inputs = {
        "support": pictures[:, :WAYS],
        "support_labels": one_hot[:, :WAYS],
        "query": pictures[:, WAYS:],
    }
    batch = {name: tf.constant(value) for name, value in inputs.items()}
    dataset = tf.data.Dataset.from_tensors((batch, tf.constant(labels[:, WAYS:])))
    dataset = dataset.cache().repeat()
    # The first step goes through `fit`, which builds and compiles everything.
    start = time.perf_counter()
    learner.fit(dataset, steps_per_epoch=1, shuffle=False, verbose=0)
    facts["first step, s"] = time.perf_counter() - start
    batches = iter(dataset)
    return timed(lambda: learner.train_function(batches), TASKS), facts


def torch_training(*, threads: int, compiled: bool) -> tuple[Measure, dict[str, Any]]:
    """The training step as a PyTorch user writes it."""
    torch = start_torch(threads)

    network = make_network(first_weights(), heads=HEADS)
    adam = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    cross_entropy = torch.nn.CrossEntropyLoss()
    pictures, labels = make_sequences()
    # Ready-made floats and labels: tfmeta's step starts from bytes.
    rows = pictures.reshape(TASKS, -1, SIDE**2) / np.float32(255)
    told = np.eye(WAYS, dtype="f4")[labels]
    told = np.concatenate([np.zeros_like(told[:, :1]), told[:, :-1]], axis=1)
    inputs = torch.from_numpy(np.concatenate([rows, told], axis=-1))
    targets = torch.from_numpy(labels.astype(np.int64)).flatten()
    forward = torch.compile(network) if compiled else network

    def step() -> Any:
        loss = cross_entropy(forward(inputs).flatten(0, 1), targets)
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss

    start = time.perf_counter()
    facts: dict[str, Any] = {"first_loss": step().item()}
    facts["first step, s"] = time.perf_counter() - start
    facts["versions"] = {"torch": torch.__version__}
    return timed(step, TASKS), facts


def check_same_network(facts: dict[str, dict[str, Any]]) -> None:
    """Raises when the first losses do not agree."""
    expected = facts[OURS]["first_loss"]
    for name, values in facts.items():
        if not np.isclose(values["first_loss"], expected, rtol=1e-4):
            raise ValueError(
                f"all contestants must start with the loss of {OURS}, {expected:.6g}. "
                f"Received: {name} with {values['first_loss']:.6g}"
            )


def main() -> None:
    """Measures, prints, writes."""
    arguments = parse_arguments(__doc__ or "", name=NAME, rounds=5, seconds=4.0)
    group = compete(
        f"{TASKS} episodes of {WAYS * INSTANCES} steps",
        "episodes/s",
        [
            Contestant(OURS, tensorflow_training, {"jit_compile": False}),
            Contestant(OURS_XLA, tensorflow_training, {"jit_compile": True}),
            Contestant(TORCH, torch_training, {"compiled": False}),
            Contestant(TORCH_COMPILED, torch_training, {"compiled": True}),
        ],
        reference=TORCH,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        threads=arguments.threads,
        check=check_same_network,
    )
    show_group(group, step_times=True)
    ours = line_of(group, OURS_XLA) or {}
    goals = [goal(f"{OURS_XLA} over {TORCH}", ours.get("ratio"), at_least=GOAL)]
    show_goals(goals)
    write_result(NAME, arguments, [group], goals)


if __name__ == "__main__":
    main()
