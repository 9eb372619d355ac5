"""Asks TensorFlow Serving over REST; needs Python and NumPy alone.

    python client_rest.py http://localhost:8501 glyphs embed inputs.npz
    python client_rest.py http://localhost:8501 cups SIGNATURE --files query.png

INPUTS holds one array for each input of the signature, by its name; the outputs are
printed as JSON.
"""

from __future__ import annotations

import argparse
import base64
import json
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def make_body(
    signature: str, inputs: Mapping[str, np.ndarray], *, one_task: bool = False
) -> bytes:
    """A request in columns, which inputs of several lengths need.

    Args:
        signature: Its name.
        inputs: By name; bytes are contents of files.
        one_task: Whether the signature is not `batchable`: REST looks for every input,
            and `one_task`, whose value says nothing, is one of these.
    """
    columns: dict[str, Any] = {name: _listed(array) for name, array in inputs.items()}
    if one_task:
        columns["one_task"] = 1
    return json.dumps({"signature_name": signature, "inputs": columns}).encode()


def read_outputs(body: bytes, names: list[str]) -> dict[str, Any]:
    """Outputs by name: where there is one alone, the server omits its name.

    Python's JSON reads the `NaN` and `-Infinity` that the server writes.

    Args:
        body: Of the response.
        names: Outputs of the signature, as in `tfmeta.json`.
    """
    outputs = json.loads(body)["outputs"]
    return outputs if len(names) > 1 else {names[0]: outputs}


def predict(
    url: str,
    model: str,
    body: bytes,
    *,
    version: int | None = None,
    seconds: float = 30,
) -> bytes:
    """The body of the response.

    Raises:
        urllib.error.HTTPError: With `{"error": ...}` as its body.
    """
    path = f"/v1/models/{urllib.parse.quote(model, safe='')}"
    if version is not None:
        path += f"/versions/{version}"
    request = urllib.request.Request(
        f"{url.rstrip('/')}{path}:predict", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=seconds) as response:
        return response.read()


def _listed(array: np.ndarray) -> Any:
    if array.dtype.kind in "OS":
        return [{"b64": base64.b64encode(one).decode()} for one in array.tolist()]
    return array.tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description="Ask TensorFlow Serving over REST.")
    parser.add_argument("url", help="http://host:port")
    parser.add_argument("model")
    parser.add_argument("signature")
    parser.add_argument("inputs", type=Path, nargs="?")
    parser.add_argument("--files", type=Path, nargs="+", help="for `examples`")
    parser.add_argument(
        "--one-task", action="store_true", help="the signature is not batchable"
    )
    options = parser.parse_args()
    if (options.inputs is None) == (options.files is None):
        parser.error("give INPUTS or --files. Received: both, or neither")
    if options.files:
        contents = np.array([path.read_bytes() for path in options.files], object)
        inputs = {"examples": contents}
    else:
        with np.load(options.inputs, allow_pickle=False) as arrays:
            inputs = dict(arrays)
    body = make_body(options.signature, inputs, one_task=options.one_task)
    print(predict(options.url, options.model, body).decode())


if __name__ == "__main__":
    main()
