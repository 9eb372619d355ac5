"""Requests a second of `tfmeta serve` beside the bare SavedModel and beside MLServer.

The same examples, one a request: by calling the SavedModel in a loop, without a
network, which is the limit of one example at a time; over V2 from `tfmeta serve`; and
over V2 from MLServer, which `export/mlserver/README.md` says how to install. They take
turns; wrk (Debian's package of that name) is the clients, all on loopback.

    python benchmarks/serving_load.py --mlserver mlserver_venv/bin --update-tables
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from report import FOLDER, measured_or_read
from served_process import served

NAME = "serving_load"
CLIENTS = (1, 16, 64)
GOAL_CLIENTS, GOAL = 16, 0.8
RAW, OURS, THEIRS = "SavedModel, called", "tfmeta serve", "MLServer"

_WRK = """
local file = io.open("{body}", "rb")
wrk.method, wrk.body = "POST", file:read("*a")
wrk.headers["content-type"] = "application/json"
file:close()
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\nRESULT {{"requests": %d, "seconds": %f, ' ..
    '"p50": %f, "p99": %f, "errors": %d}}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, e.connect + e.read + e.write + e.status + e.timeout))
end
"""
_RAW = """
import sys, time, json
import numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
call, seconds = model.signatures[sys.argv[2]], float(sys.argv[4])
given = np.load(sys.argv[3])
if given.dtype.kind == "S":
    given = tf.constant([open(sys.argv[5], "rb").read()])
given, times = tf.constant(given), []
for _ in range(20):
    call(examples=given)
began = time.perf_counter()
while (now := time.perf_counter()) - began < seconds:
    call(examples=given)["embeddings"].numpy()
    times.append(time.perf_counter() - now)
took = time.perf_counter() - began
p50, p99 = np.percentile(times, [50, 99]) * 1e3
print("RESULT", json.dumps({"requests": len(times), "seconds": took, "p50": p50,
    "p99": p99, "errors": 0}))
"""
_MAKE = """
import sys, tfmeta
from pathlib import Path
folder = Path(sys.argv[1])
drawings = tfmeta.encoders.Conv4((28, 28, 1), seed=0)
tfmeta.export.save(tfmeta.learners.PrototypicalNetwork(drawings), folder / "conv4")
photos = tfmeta.encoders.pretrained("efficientnet_lite0")
tfmeta.export.save(tfmeta.learners.SimpleShot(photos), folder / "efficientnet_lite0")
"""


class Case:
    """A model, a signature of it, and one request."""

    def __init__(self, name: str, title: str, signature: str, folder: Path) -> None:
        rng = np.random.default_rng(0)
        self.name, self.title, self.signature = name, title, signature
        self.model = folder / name
        self.array, self.file = folder / f"{name}.npy", folder / f"{name}.jpg"
        if signature == "embed":
            pixels = rng.integers(0, 256, (1, 28, 28, 1), np.uint8)
            np.save(self.array, pixels)
            tensor = {"shape": [1, 28, 28, 1], "datatype": "UINT8"}
            tensor["data"] = pixels.ravel().tolist()
        else:
            coarse = rng.integers(0, 256, (20, 30, 3), np.uint8)
            image = Image.fromarray(coarse).resize((360, 240), Image.Resampling.BICUBIC)
            content = io.BytesIO()
            image.save(content, "JPEG", quality=90)
            self.file.write_bytes(content.getvalue())
            np.save(self.array, np.array([b"file"]))
            data = [base64.b64encode(content.getvalue()).decode()]
            tensor = {"shape": [1], "datatype": "BYTES", "data": data}
        body = {
            "parameters": {"signature": signature},
            "inputs": [{"name": "examples", **tensor}],
        }
        self.body = folder / f"{name}.json"
        self.body.write_text(json.dumps(body), encoding="utf-8")

    def raw(self, seconds: float) -> dict[str, float]:
        """The bare call."""
        return _result(
            [
                *(sys.executable, "-c", _RAW, str(self.model / "1"), self.signature),
                *(str(self.array), str(seconds), str(self.file)),
            ]
        )

    def load(self, url: str, clients: int, seconds: float) -> dict[str, float]:
        """Clients that ask a server, each again when it has its answer."""
        script = self.body.with_suffix(".lua")
        script.write_text(_WRK.format(body=self.body), encoding="utf-8")
        return _result(
            [
                *("wrk", "--threads", "1", "--connections", str(clients)),
                *("--duration", f"{seconds:.0f}s", "--timeout", "30s", "--latency"),
                *("--script", str(script), url),
            ]
        )

    def answer(self, url: str) -> np.ndarray:
        """The embedding that a server answers with."""
        request = urllib.request.Request(
            url, self.body.read_bytes(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            (output,) = json.load(response)["outputs"]
        return np.array(output["data"], np.float32)


def _result(command: list[str]) -> dict[str, float]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment
    )
    line = next(x for x in done.stdout.splitlines() if x.startswith("RESULT "))
    found: dict[str, float] = json.loads(line.removeprefix("RESULT "))
    return {**found, "a second": found["requests"] / found["seconds"]}


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextlib.contextmanager
def mlserver(programs: Path, case: Case, log: Path) -> Iterator[str]:
    """An MLServer of a model; the address of its inference."""
    folder = log.parent / f"mlserver-{case.name}"
    shutil.copytree(FOLDER.parent / "export" / "mlserver", folder)
    file = folder / "model-settings.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings["parameters"]["extra"]["picture_files"] = True
    settings["parameters"]["extra"]["joined_signature"] = case.signature
    file.write_text(json.dumps(settings), encoding="utf-8")
    port = _free_port()
    variables = {
        "MLSERVER_MODEL_URI": str(case.model),
        "MLSERVER_HTTP_PORT": str(port),
        "MLSERVER_GRPC_PORT": str(_free_port()),
        "MLSERVER_METRICS_PORT": str(_free_port()),
    }
    plain = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    with log.open("a", encoding="utf-8") as output:
        process = subprocess.Popen(
            [str(programs / "mlserver"), "start", str(folder)],
            stdout=output,
            stderr=output,
            env={**plain, **variables, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
    try:
        url = f"http://127.0.0.1:{port}/v2"
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{url}/models/tfmeta/ready", timeout=5)
                break
            if process.poll() is not None:
                raise RuntimeError(f"MLServer did not start; see {log}")
            time.sleep(0.2)
        yield f"{url}/models/tfmeta/infer"
    finally:
        process.terminate()
        process.wait(60)


def measure(case: Case, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All contestants, at each number of clients."""
    log = folder / "log.txt"
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(served(case.model, log))
        urls = {OURS: f"{ours.url}/v2/models/{case.name}/infer"}
        if options.mlserver is not None:
            programs = options.mlserver.absolute()
            urls[THEIRS] = stack.enter_context(mlserver(programs, case, log))
        answers = {name: case.answer(url) for name, url in urls.items()}
        for url in urls.values():
            case.load(url, 16, 3)
        turns = []
        for clients in CLIENTS:
            turn: dict[str, Any] = {"clients": clients, RAW: case.raw(options.seconds)}
            for name, url in urls.items():
                turn[name] = case.load(url, clients, options.seconds)
            turns.append(turn)
            print(case.name, turn, flush=True)
    first = answers[OURS]
    return {
        "model": case.title,
        "body_bytes": case.body.stat().st_size,
        "largest_difference": max(
            float(np.abs(one - first).max()) for one in answers.values()
        ),
        "turns": turns,
    }


def markdown(content: dict[str, Any]) -> str:
    """A line for each number of clients, and under them how it was measured."""
    lines = []
    for found in content["models"]:
        lines += [
            f"**{found['model']}**",
            "",
            "| clients | who | requests a second | of the bare call | p50, ms "
            "| p99, ms | errors |",
            "|---|---|---|---|---|---|---|",
        ]
        for turn in found["turns"]:
            raw = turn[RAW]["a second"]
            for name in (RAW, OURS, THEIRS):
                if name not in turn:
                    continue
                one = turn[name]
                clients = "" if name == RAW else turn["clients"]
                lines.append(
                    f"| {clients} | {name} | {one['a second']:,.0f} "
                    f"| {one['a second'] / raw:.0%} | {one['p50']:.1f} "
                    f"| {one['p99']:.1f} | {one['errors']:.0f} |"
                )
        lines.append("")
    machine = content["machine"]
    lines.append(
        f"One example a request, {content['seconds']:g} s each, in turn, on "
        f"{machine['cores']} cores that servers and clients share "
        f"({machine['processor']}). Requests are the same bytes for both servers (V2, "
        "JSON). The bare call takes the example from memory, one after the other, in "
        "a process of its own. "
        f"`{content['command']}`, commit {(content['commit'] or 'unknown')[:12]}."
    )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures, writes the table."""

    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--seconds", type=float, default=60.0, help="of each turn")
        parser.add_argument(
            "--mlserver", type=Path, help="folder of MLServer's program"
        )

    def measured(arguments: argparse.Namespace) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            subprocess.run([sys.executable, "-c", _MAKE, name], check=True)
            cases = [
                Case("conv4", "Conv4, 28 x 28 pixels as JSON", "embed", folder),
                Case(
                    "efficientnet_lite0",
                    "EfficientNet-Lite0, a JPEG file of 360 x 240 in base64",
                    "embed_encoded",
                    folder,
                ),
            ]
            models = [measure(case, arguments, folder) for case in cases]
        return {"seconds": arguments.seconds, "models": models}

    measured_or_read(__doc__, NAME, add=add, measure=measured, markdown=markdown)


if __name__ == "__main__":
    main()
