"""Pictures a second by EfficientNet-Lite0: tfmeta, PyTorch, onnxruntime.

Everyone has the same weights, those of the extra `photos`: uint8 NumPy pictures of
224 x 224 x 3 come in, 1,280 float32 NumPy features go out. Before the clock starts, the
features must agree within 1e-4 of the largest. Results go to
results/pretrained_inference.json.

PyTorch and onnxruntime may lie in environments of their own, with the same version of
Python:

    python -m venv torch && torch/bin/pip install torch efficientnet-lite-pytorch
    python -m venv onnx && onnx/bin/pip install onnxruntime onnxscript
    python benchmarks/pretrained_inference.py \
        --torch torch/lib/python3.11/site-packages \
        --onnx onnx/lib/python3.11/site-packages
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from interleaved import (
    Contestant,
    Measure,
    compete,
    in_own_process,
    look_in,
    spread,
    start_tensorflow,
    start_torch,
    timed,
)
from report import line_of, parse_arguments, show_group, write_result

NAME = "pretrained_inference"
ENCODER, SIZE = "efficientnet_lite0", 224
BATCHES = (1, 32)
# Of the largest feature: float32 sums in another order.
TOLERANCE = 1e-4

OURS = "tfmeta"
TORCH = "PyTorch eager"
TORCH_SCRIPT = "PyTorch, traced and frozen TorchScript"
ONNX = "onnxruntime, exported by PyTorch"


def make_pictures(batch: int) -> np.ndarray:
    """Uint8 `(batch, 224, 224, 3)`: smooth colours, as photographs have."""
    from PIL import Image

    colours = np.random.default_rng(0).integers(0, 256, (batch, 14, 14, 3), np.uint8)
    side = (SIZE, SIZE)
    return np.stack(
        [Image.fromarray(c).resize(side, Image.Resampling.BICUBIC) for c in colours]
    )


def find_weights() -> str:
    """The file of weights that everyone has."""
    start_tensorflow(1)
    from tfmeta.encoders.pretrained.lite import lite_weights

    return str(lite_weights(ENCODER))


def pretrained_encoder(*, threads: int, batch: int) -> tuple[Measure, dict[str, Any]]:
    """`pretrained`, run as `features_of` and the commands run it."""
    tf = start_tensorflow(threads)
    import keras

    from tfmeta.encoders import pretrained
    from tfmeta.features.encoding import encode_in_batches, reader_for

    encoder = pretrained(ENCODER)
    pictures, rows = make_pictures(batch), np.arange(batch)
    encode = encode_in_batches(encoder, pictures, reader_for(encoder))

    def embed() -> np.ndarray:
        ((_, features),) = encode(rows)
        return features

    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    return timed(embed, batch), {"features": embed(), "versions": versions}


def features_module(torch: Any, weights: str, layout: Any) -> Any:
    """The network of efficientnet-lite-pytorch, from raw pixels to features.

    Args:
        torch: The library.
        weights: File of weights.
        layout: Memory format of weights and pictures.
    """
    from efficientnet_lite_pytorch import EfficientNet

    class Features(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            with contextlib.redirect_stdout(io.StringIO()):
                self.network = EfficientNet.from_pretrained(
                    ENCODER.replace("_", "-"), weights_path=weights
                )

        def forward(self, pictures: Any) -> Any:
            scaled = (pictures.permute(0, 3, 1, 2).float() - 127) / 128
            scaled = scaled.contiguous(memory_format=layout)
            return self.network.extract_features(scaled).mean((2, 3))

    return Features().eval().to(memory_format=layout)


def torch_network(
    *, threads: int, batch: int, weights: str, packages: str | None, script: bool
) -> tuple[Measure, dict[str, Any]]:
    """PyTorch in inference mode, in the memory format that is faster here."""
    look_in(packages)
    torch = start_torch(threads)
    pictures = torch.from_numpy(make_pictures(batch))
    layouts = {
        "channels last": torch.channels_last,
        "channels first": torch.contiguous_format,
    }

    def embedder(layout: str) -> Callable[[], np.ndarray]:
        module = features_module(torch, weights, layouts[layout])
        with torch.inference_mode():
            if script:
                module = torch.jit.freeze(torch.jit.trace(module, pictures))

        def embed() -> np.ndarray:
            with torch.inference_mode():
                return module(pictures).numpy()

        # A trace is optimised in its first calls.
        for _ in range(3):
            embed()
        return embed

    embedders = {layout: embedder(layout) for layout in layouts}
    seconds = {layout: _shortest(embed) for layout, embed in embedders.items()}
    layout = min(seconds, key=lambda name: seconds[name])
    embed = embedders[layout]
    facts = {"versions": {"torch": str(torch.__version__)}, "layout": layout}
    return timed(embed, batch), {"features": embed(), **facts}


def _shortest(call: Callable[[], Any], calls: int = 3) -> float:
    seconds = []
    for _ in range(calls):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def write_onnx(
    *, weights: str, path: str, torch_packages: str | None, onnx_packages: str | None
) -> str | None:
    """Writes the ONNX form, for any batch.

    Returns:
        Why there is none, or `None` when there is one.
    """
    look_in(onnx_packages)
    look_in(torch_packages)
    try:
        import onnxscript  # noqa: F401

        torch = start_torch(2)
        module = features_module(torch, weights, torch.contiguous_format)
    except ImportError as error:
        return str(error)
    example = torch.zeros(2, SIZE, SIZE, 3, dtype=torch.uint8)
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(
            module,
            (example,),
            path,
            input_names=["pictures"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
        )
    return None


def onnx_session(
    *, threads: int, batch: int, path: str, packages: str | None
) -> tuple[Measure, dict[str, Any]]:
    """The ONNX form in onnxruntime, with its default optimisations."""
    look_in(packages)
    import onnxruntime

    if not Path(path).exists():
        raise ImportError("there is no ONNX form")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"]
    )
    pictures = make_pictures(batch)

    def embed() -> np.ndarray:
        return session.run(None, {"pictures": pictures})[0]

    versions = {"onnxruntime": onnxruntime.__version__}
    return timed(embed, batch), {"features": embed(), "versions": versions}


def check_same_features(facts: dict[str, dict[str, Any]]) -> None:
    """Raises when features do not agree; leaves the largest difference."""
    expected = facts[OURS]["features"]
    scale = float(np.abs(expected).max())
    for name, values in facts.items():
        given = values.pop("features")
        if given.shape != expected.shape:
            difference = float("inf")
        else:
            difference = float(np.abs(given - expected).max())
        if not difference <= TOLERANCE * scale:
            raise SystemExit(
                f"all contestants must give the features of {OURS}, of shape "
                f"{expected.shape} and up to {scale:.3g}. Received: {name}, of shape "
                f"{given.shape}, which differs by {difference:.3g}"
            )
        values["largest_difference"] = difference
        values["largest_feature"] = scale


def show_over_fastest(group: dict[str, Any]) -> None:
    """Prints tfmeta's rate over that of the fastest other; notes it in the group."""
    own = (line_of(group, OURS) or {})["values"]
    others = [c["values"] for c in group["contestants"] if c["name"] != OURS]
    if not others:
        return
    fastest = map(max, *others) if len(others) > 1 else others[0]
    ratio = spread([a / b for a, b in zip(own, fastest, strict=True)])
    group["over_fastest_other"] = ratio
    print(
        f"{OURS} over the fastest other: {ratio['median']:.3g} "
        f"({ratio['min']:.3g} to {ratio['max']:.3g})"
    )


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--torch", type=Path, help="site-packages that hold PyTorch")
    parser.add_argument("--onnx", type=Path, help="site-packages with onnxruntime")


def main() -> None:
    """Measures both batch sizes and writes the result."""
    arguments = parse_arguments(
        __doc__ or "", name=NAME, rounds=9, seconds=4.0, add=_add
    )
    in_torch, in_onnx = (
        None if given is None else str(given.resolve())
        for given in (arguments.torch, arguments.onnx)
    )
    weights = in_own_process(find_weights)
    groups = []
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.onnx")
        reason = in_own_process(
            write_onnx,
            weights=weights,
            path=path,
            torch_packages=in_torch,
            onnx_packages=in_onnx,
        )
        if reason is not None:
            print(f"no ONNX form: {reason}")
        for batch in BATCHES:
            common = {"batch": batch}
            torch_s = {**common, "weights": weights, "packages": in_torch}
            group = compete(
                f"{ENCODER}, {SIZE} x {SIZE}, batch of {batch}",
                "images/s",
                [
                    Contestant(OURS, pretrained_encoder, common),
                    Contestant(TORCH, torch_network, {**torch_s, "script": False}),
                    Contestant(
                        TORCH_SCRIPT, torch_network, {**torch_s, "script": True}
                    ),
                    Contestant(
                        ONNX,
                        onnx_session,
                        {**common, "path": path, "packages": in_onnx},
                    ),
                ],
                reference=TORCH,
                rounds=arguments.rounds,
                seconds=arguments.seconds,
                threads=arguments.threads,
                check=check_same_features,
            )
            show_group(group, step_times=True)
            show_over_fastest(group)
            groups.append(group)
    for name in ("torch", "onnx"):
        given = getattr(arguments, name)
        setattr(arguments, name, None if given is None else given.name)
    write_result(NAME, arguments, groups, [])


if __name__ == "__main__":
    main()
