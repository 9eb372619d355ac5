"""Pictures embedded per second: the SavedModel beside other ways to serve Conv4.

Everyone serves the same network with the same weights: bytes (uint8 NumPy
pictures) come in, float32 NumPy embeddings go out. Before the clock starts, the
embeddings must agree.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from interleaved import (
    Contestant,
    Measure,
    compete,
    in_own_process,
    start_tensorflow,
    start_torch,
    timed,
)
from report import parse_arguments, show_group, write_result

NAME = "encoder_inference"
BATCHES = (1, 256)

OURS = "SavedModel, embed"
TORCH = "PyTorch eager"
TORCH_SCRIPT = "PyTorch, traced and frozen TorchScript"
ONNX = "onnxruntime, exported by tf2onnx"


def make_pictures(batch: int) -> np.ndarray:
    """Uint8 `(batch, 28, 28, 1)`."""
    return np.random.default_rng(1).integers(0, 256, (batch, 28, 28, 1), np.uint8)


def write_models(folder: str) -> str | None:
    """Writes the SavedModel, its ONNX form and the bare weights.

    The weights are as if after training: random, with moving statistics of
    their own.

    Returns:
        Why there is no ONNX form, or `None` when there is one.
    """
    tf = start_tensorflow(2)
    import tfmeta.export
    from tfmeta.encoders import Conv4
    from tfmeta.learners import PrototypicalNetwork

    encoder = Conv4(seed=0)
    rng = np.random.default_rng(0)
    weights = {}
    for block in range(1, 5):
        layer = encoder.get_layer(f"batch_normalization_{block}")
        for name in ("gamma", "beta", "moving_mean", "moving_variance"):
            low, high = (-0.1, 0.1) if name in ("beta", "moving_mean") else (0.5, 1.5)
            values = rng.uniform(low, high, 64).astype(np.float32)
            getattr(layer, name).assign(values)
            weights[f"{name}_{block}"] = values
        kernel = encoder.get_layer(f"convolution_{block}").kernel
        weights[f"kernel_{block}"] = kernel.numpy()
    np.savez(Path(folder) / "weights.npz", allow_pickle=False, **weights)
    learner = PrototypicalNetwork(encoder)
    tfmeta.export.save(learner, Path(folder) / "saved_model", version=1)

    try:
        import tf2onnx
    except ImportError as error:
        return str(error)
    embed = tf.function(lambda examples: encoder(examples, training=False))
    tf2onnx.convert.from_function(
        embed,
        input_signature=[tf.TensorSpec([None, 28, 28, 1], tf.uint8, "examples")],
        opset=17,
        output_path=str(Path(folder) / "model.onnx"),
    )
    return None


def saved_model(
    *, threads: int, folder: str, batch: int
) -> tuple[Measure, dict[str, Any]]:
    """The signature `embed`, as any TensorFlow program calls it."""
    tf = start_tensorflow(threads)
    loaded = tf.saved_model.load(str(Path(folder) / "saved_model" / "1"))
    embed = loaded.signatures["embed"]
    pictures = make_pictures(batch)

    def serve() -> np.ndarray:
        return embed(examples=tf.constant(pictures))["embeddings"].numpy()

    facts = {"embeddings": serve(), "versions": {"tensorflow": tf.__version__}}
    return timed(serve, batch), facts


def torch_network(
    *, threads: int, folder: str, batch: int, script: bool
) -> tuple[Measure, dict[str, Any]]:
    """The network in PyTorch, in inference mode."""
    torch = start_torch(threads)
    from conv4_torch import BLOCKS, conv4, set_kernels, set_normalization

    weights = np.load(Path(folder) / "weights.npz")
    network = conv4()
    blocks = range(1, BLOCKS + 1)
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    set_kernels(network, [weights[f"kernel_{b}"] for b in blocks])
    set_normalization(network, [[weights[f"{n}_{b}"] for n in names] for b in blocks])
    network.eval()
    pictures = make_pictures(batch)
    with torch.inference_mode():
        if script:
            example = torch.zeros(batch, 1, 28, 28)
            network = torch.jit.freeze(torch.jit.trace(network, example))

    def serve() -> np.ndarray:
        with torch.inference_mode():
            images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
            return network(images).numpy()

    # A trace is optimised in its first calls.
    for _ in range(3):
        embeddings = serve()
    facts = {"embeddings": embeddings, "versions": {"torch": torch.__version__}}
    return timed(serve, batch), facts


def onnx_session(
    *, threads: int, folder: str, batch: int
) -> tuple[Measure, dict[str, Any]]:
    """The ONNX form in onnxruntime."""
    import onnxruntime

    path = Path(folder) / "model.onnx"
    if not path.exists():
        raise ImportError("tf2onnx is not installed")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    pictures = make_pictures(batch)

    def serve() -> np.ndarray:
        return session.run(None, {name: pictures})[0]

    versions = {"onnxruntime": onnxruntime.__version__}
    return timed(serve, batch), {"embeddings": serve(), "versions": versions}


def check_same_embeddings(facts: dict[str, dict[str, Any]]) -> None:
    """Raises when embeddings do not agree; leaves the largest difference."""
    expected = facts[OURS]["embeddings"]
    scale = float(np.abs(expected).max())
    for name, values in facts.items():
        given = values.pop("embeddings")
        difference = float(np.abs(given - expected).max())
        values["largest_difference"] = difference
        if given.shape != expected.shape or not difference <= 1e-4 * scale:
            raise ValueError(
                f"all contestants must give the embeddings of {OURS}, of up to "
                f"{scale:.3g}. Received: {name}, which differs by {difference:.3g}"
            )


def main() -> None:
    """Measures both batch sizes and writes the result."""
    arguments = parse_arguments(__doc__ or "", name=NAME, rounds=9, seconds=2.0)
    groups = []
    with tempfile.TemporaryDirectory() as folder:
        reason = in_own_process(write_models, folder=folder)
        if reason is not None:
            print(f"no ONNX form: {reason}")
        for batch in BATCHES:
            common = {"folder": folder, "batch": batch}
            group = compete(
                f"batch of {batch}",
                "images/s",
                [
                    Contestant(OURS, saved_model, common),
                    Contestant(TORCH, torch_network, {**common, "script": False}),
                    Contestant(TORCH_SCRIPT, torch_network, {**common, "script": True}),
                    Contestant(ONNX, onnx_session, common),
                ],
                reference=TORCH,
                rounds=arguments.rounds,
                seconds=arguments.seconds,
                threads=arguments.threads,
                check=check_same_embeddings,
            )
            show_group(group, step_times=True)
            groups.append(group)
    write_result(NAME, arguments, groups, [])


if __name__ == "__main__":
    main()
