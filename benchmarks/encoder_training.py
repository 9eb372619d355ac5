"""Training pictures per second of a Prototypical Network, beside PyTorch.

Everyone trains the same Conv4 network with Adam on one batch that lies in
memory, from the same first weights. Before the clock starts, the first losses
must agree.
"""

from __future__ import annotations

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
from report import goal, line_of, parse_arguments, show_goals, show_group, write_result

NAME = "encoder_training"
GOAL = 2.0
SIZES = ((60, 1, 5), (20, 5, 15))
LEARNING_RATE = 1e-3

OURS = "tfmeta"
OURS_KERAS = "tfmeta with keras.layers.BatchNormalization"
TORCH = "PyTorch eager"
TORCH_BF16 = "PyTorch bfloat16 autocast"


def first_kernels() -> list[np.ndarray]:
    """Glorot-uniform kernels `(3, 3, channels, filters)` of the four blocks."""
    rng = np.random.default_rng(0)
    kernels = []
    for channels in (1, 64, 64, 64):
        limit = np.sqrt(6 / (9 * channels + 9 * 64))
        kernels.append(rng.uniform(-limit, limit, (3, 3, channels, 64)).astype("f4"))
    return kernels


def make_episode(
    ways: int, shots: int, queries: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Uint8 support and query pictures in the order of ways; query labels."""
    rng = np.random.default_rng(1)
    support = rng.integers(0, 256, (ways * shots, 28, 28, 1), np.uint8)
    query = rng.integers(0, 256, (ways * queries, 28, 28, 1), np.uint8)
    return support, query, np.repeat(np.arange(ways), queries)


def tensorflow_training(
    *, threads: int, ways: int, shots: int, queries: int, keras_normalization: bool
) -> tuple[Measure, dict[str, Any]]:
    """A learner's compiled training step."""
    tf = start_tensorflow(threads)
    import keras

    import tfmeta.layers
    from tfmeta.encoders import Conv4
    from tfmeta.learners import PrototypicalNetwork

    encoder = Conv4()
    if keras_normalization:

        def exchange(layer: keras.layers.Layer) -> keras.layers.Layer:
            if isinstance(layer, tfmeta.layers.BatchNormalization):
                return keras.layers.BatchNormalization.from_config(layer.get_config())
            return type(layer).from_config(layer.get_config())

        encoder = keras.models.clone_model(encoder, clone_function=exchange)
    for block, kernel in enumerate(first_kernels(), start=1):
        encoder.get_layer(f"convolution_{block}").kernel.assign(kernel)
    learner = PrototypicalNetwork(encoder)
    learner.compile(keras.optimizers.Adam(LEARNING_RATE))

    support, query, labels = make_episode(ways, shots, queries)
    one_hot = tf.one_hot(tf.repeat(tf.range(ways), shots), ways)
    inputs = {"support": support, "support_labels": one_hot, "query": query}
    batch = {name: tf.constant(value)[None] for name, value in inputs.items()}
    dataset = (
        tf.data.Dataset.from_tensors((batch, tf.constant(labels, tf.int32)[None]))
        .cache()
        .repeat()
    )
    # The first step goes through `fit`, which builds and compiles everything.
    history = learner.fit(dataset, steps_per_epoch=1, shuffle=False, verbose=0).history
    batches = iter(dataset)
    facts = {
        "first_loss": float(history["loss"][0]),
        "versions": {"tensorflow": tf.__version__, "keras": keras.__version__},
    }
    return timed(
        lambda: learner.train_function(batches), ways * (shots + queries)
    ), facts


def torch_training(
    *, threads: int, ways: int, shots: int, queries: int, bfloat16: bool
) -> tuple[Measure, dict[str, Any]]:
    """The training step as a PyTorch user writes it."""
    torch = start_torch(threads)
    from conv4_torch import conv4, set_kernels

    network = conv4()
    set_kernels(network, first_kernels())
    network.train()
    adam = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    cross_entropy = torch.nn.CrossEntropyLoss()
    support, query, labels = make_episode(ways, shots, queries)
    # Ready-made floats: tfmeta's step starts from bytes.
    pictures = np.concatenate([support, query]).transpose(0, 3, 1, 2) / np.float32(255)
    images = torch.from_numpy(np.ascontiguousarray(pictures))
    targets = torch.from_numpy(labels)

    def step() -> Any:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            embeddings = network(images)
        embeddings = embeddings.float()
        prototypes = embeddings[: ways * shots].reshape(ways, shots, -1).mean(1)
        queried = embeddings[ways * shots :]
        distances = (
            queried.square().sum(1, keepdim=True)
            + prototypes.square().sum(1)
            - 2 * queried @ prototypes.T
        )
        loss = cross_entropy(-distances, targets)
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss

    facts = {"first_loss": step().item(), "versions": {"torch": torch.__version__}}
    return timed(step, ways * (shots + queries)), facts


def check_same_network(facts: dict[str, dict[str, Any]]) -> None:
    """Raises when the first losses do not agree."""
    expected = facts[OURS]["first_loss"]
    for name, values in facts.items():
        tolerance = 0.05 if name == TORCH_BF16 else 1e-3
        if not np.isclose(values["first_loss"], expected, rtol=tolerance):
            raise ValueError(
                f"all contestants must start with the loss of {OURS}, {expected:.6g}. "
                f"Received: {name} with {values['first_loss']:.6g}"
            )


def main() -> None:
    """Measures both sizes and writes the result."""
    arguments = parse_arguments(__doc__ or "", name=NAME, rounds=7, seconds=4.0)
    groups, goals = [], []
    for ways, shots, queries in SIZES:
        size = {"ways": ways, "shots": shots, "queries": queries}
        group = compete(
            f"{ways}-way {shots}-shot, {queries} queries: "
            f"{ways * (shots + queries)} pictures a step",
            "images/s",
            [
                Contestant(
                    OURS, tensorflow_training, {**size, "keras_normalization": False}
                ),
                Contestant(
                    OURS_KERAS,
                    tensorflow_training,
                    {**size, "keras_normalization": True},
                ),
                Contestant(TORCH, torch_training, {**size, "bfloat16": False}),
                Contestant(TORCH_BF16, torch_training, {**size, "bfloat16": True}),
            ],
            reference=TORCH,
            rounds=arguments.rounds,
            seconds=arguments.seconds,
            threads=arguments.threads,
            check=check_same_network,
        )
        show_group(group, step_times=True)
        groups.append(group)
        ours = line_of(group, OURS) or {}
        goals.append(
            goal(
                f"{ways}-way {shots}-shot, {OURS} over {TORCH}",
                ours.get("ratio"),
                at_least=GOAL,
            )
        )
    show_goals(goals)
    write_result(NAME, arguments, groups, goals)


if __name__ == "__main__":
    main()
