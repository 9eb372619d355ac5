"""What malformed requests do to `tfmeta serve`, and to the good ones beside them.

Half are made by schemathesis, of the server's own OpenAPI, so that they break it; half
are bodies that are cut, huge, ragged, wrongly typed, not finite, nested deep, or
pictures that are bombs or damaged. Needs schemathesis (`pip install schemathesis`).

    python benchmarks/serving_malformed.py --update-tables
"""

from __future__ import annotations

import argparse
import base64
import collections
import io
import json
import random
import tempfile
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from report import measured_or_read
from served_process import Served, served

import tfmeta

NAME = "serving_malformed"
# Memory is looked at from this request on, and may grow by so much until the last.
SETTLED, MOST_GROWTH = 500, 50 * 2**20
_JSON = {"content-type": "application/json"}
_ROUTES = ("/embed", "/classify", "/classes")


def drawing(rng: np.random.Generator) -> np.ndarray:
    """A picture of random blocks, uint8 `(28, 28)`."""
    return rng.integers(0, 256, (7, 7), np.uint8).repeat(4, 0).repeat(4, 1)


def png(pixels: np.ndarray) -> bytes:
    """Its PNG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def in_base64(content: bytes) -> dict[str, str]:
    """A file as JSON holds it."""
    return {"b64": base64.b64encode(content).decode()}


class Malformed:
    """Draws malformed requests: `(route, headers, body)`, every one without a sense."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        rng = np.random.default_rng(seed)
        self._good = [png(drawing(rng)) for _ in range(20)]
        bomb = png(np.zeros((6000, 6000), np.uint8))
        comment = b"zTXt" + b"comment\0\0" + zlib.compress(b"x" * 50_000_000)
        chunk = len(comment[4:]).to_bytes(4, "big") + comment
        chunk += zlib.crc32(comment).to_bytes(4, "big")
        self._pictures = {
            "a bomb of pixels": lambda good: bomb,
            "a bomb of text, and cut": lambda good: good[:33] + chunk + good[33:60],
            "a head of a bomb": lambda good: good[:16] + bomb[16:24] + good[24:],
            "cut": lambda good: good[: self._random.randrange(len(good) - 20)],
            "no picture": lambda good: self._random.randbytes(200),
        }
        self.kinds: dict[str, Callable[[], tuple[str, dict, bytes]]] = {
            "cut": self._cut,
            "ragged": lambda: self._of({"examples": [[[1] * 28] * 27 + [[1] * 3]]}),
            "wrongly typed": self._wrongly_typed,
            "not finite": self._not_finite,
            "nested deep": lambda: self._json(
                b'{"examples": ' + b"[" * self._random.randrange(30, 20_000)
            ),
            "huge": self._huge,
            "a picture": self._picture,
            "a form that is cut": self._form,
            "of another media type": lambda: (
                self._route(),
                {"content-type": self._random.choice(["text/html", "", "image/png"])},
                self._body(),
            ),
            "a key twice": lambda: self._json(
                b'{"examples": [], ' + self._body().lstrip()[1:]
            ),
        }

    def draw(self) -> tuple[str, tuple[str, dict, bytes]]:
        """The kind of a request, and it."""
        kind = self._random.choice(list(self.kinds))
        return kind, self.kinds[kind]()

    def _route(self) -> str:
        return self._random.choice(_ROUTES)

    def _body(self) -> bytes:
        return json.dumps({"examples": [in_base64(self._any())]}).encode()

    def _any(self) -> bytes:
        return self._random.choice(self._good)

    def _json(self, body: bytes) -> tuple[str, dict, bytes]:
        return self._route(), _JSON, body

    def _of(self, body: Any) -> tuple[str, dict, bytes]:
        return self._json(json.dumps(body).encode())

    def _cut(self) -> tuple[str, dict, bytes]:
        body = self._body()
        return self._json(body[: self._random.randrange(len(body) - 1)])

    def _wrongly_typed(self) -> tuple[str, dict, bytes]:
        value = self._random.choice(
            [None, True, "a text", {}, {"x": 1}, 10**400, -1, [["1"] * 28] * 28]
        )
        return self._of({"examples": [value]})

    def _not_finite(self) -> tuple[str, dict, bytes]:
        word = self._random.choice([b"NaN", b"Infinity", b"-Infinity", b"1e999"])
        row = b"[" + b",".join([word] * 28) + b"]"
        return self._json(b'{"examples": [[' + b",".join([row] * 28) + b"]]}")

    def _huge(self) -> tuple[str, dict, bytes]:
        # One in a hundred of them really is: they take as long as they are.
        if self._random.random() < 0.01:
            return self._json(b" " * (17 * 2**20))
        return self._of({"examples": [[[0] * 28] * 28] * 300})

    def _picture(self) -> tuple[str, dict, bytes]:
        change = self._random.choice(list(self._pictures))
        content = in_base64(self._pictures[change](self._any()))
        if self._random.random() < 0.5:
            return "/classes", _JSON, json.dumps({"enrol": {"x": [content]}}).encode()
        route = self._random.choice(["/embed", "/classify"])
        return route, _JSON, json.dumps({"examples": [content]}).encode()

    def _form(self) -> tuple[str, dict, bytes]:
        part = b'--x\r\ncontent-disposition: form-data; name="examples"\r\n\r\n'
        whole = part + self._any() + b"\r\n--x--\r\n"
        cut = self._random.randrange(1, len(whole) - 5)
        headers = {"content-type": "multipart/form-data; boundary=x"}
        return self._route(), headers, whole[:cut]


class Beside:
    """A client that asks the same good questions again and again."""

    def __init__(self, url: str, bodies: list[dict]) -> None:
        self._client = httpx.Client(base_url=url, timeout=60)
        self._bodies = bodies
        self._wanted = [self._ask(body) for body in bodies]
        self.asked = self.others = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _ask(self, body: dict) -> Any:
        response = self._client.post("/classify", json=body)
        return response.json()["answers"] if response.status_code == 200 else None

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            place = self.asked % len(self._bodies)
            answer, wanted = self._ask(self._bodies[place]), self._wanted[place]
            self.asked += 1
            self.others += not same(answer, wanted)

    def close(self) -> None:
        """Ends it."""
        self._stop.set()
        self._thread.join()
        self._client.close()


def same(answer: Any, wanted: Any) -> bool:
    """Whether two answers agree, but for the last digits that batches change."""
    if answer is None or len(answer) != len(wanted):
        return False
    return all(
        one["class"] == other["class"]
        and abs((one["probability"] or 0) - (other["probability"] or 0)) < 1e-4
        for one, other in zip(answer, wanted, strict=True)
    )


def send_of_schema(
    server: Served, number: int, count: Callable[[str, int, str], None]
) -> None:
    """Sends requests that break the OpenAPI of the server, drawn by schemathesis."""
    import hypothesis
    import schemathesis
    from schemathesis.generation import GenerationMode

    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    operations = [schema[route]["POST"] for route in _ROUTES]
    operations.append(schema["/v2/models/{name}/infer"]["POST"])
    for operation in operations:
        strategy = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

        @hypothesis.settings(
            max_examples=number // len(operations),
            database=None,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=[hypothesis.Phase.generate],
        )
        @hypothesis.given(case=strategy)
        def send(case: Any) -> None:
            response = case.call(base_url=server.url, timeout=60)
            count("of the OpenAPI", response.status_code, response.text)

        send()


def measure(number: int, seed: int, folder: Path) -> dict[str, Any]:
    """Sends them, and counts."""
    rng = np.random.default_rng(seed)
    encoder = tfmeta.encoders.Conv4((28, 28, 1), filters=16, seed=0)
    gallery = tfmeta.Gallery.create(
        folder / "gallery", tfmeta.learners.PrototypicalNetwork(encoder)
    )
    gallery.enrol({name: [png(drawing(rng)) for _ in range(5)] for name in "abc"})
    gallery.close()
    good = [{"examples": [in_base64(png(drawing(rng)))]} for _ in range(10)]
    statuses: dict[str, collections.Counter] = collections.defaultdict(
        collections.Counter
    )
    faults: list[str] = []
    memory: list[int] = []
    with served(folder / "gallery", folder / "log.txt") as server:

        def count(kind: str, status: int, text: str) -> None:
            statuses[kind][status] += 1
            if not 400 <= status < 500 and len(faults) < 50:
                faults.append(f"{kind}: {status}: {text[:200]}")
            memory.append(server.memory())
            if len(memory) % 500 == 0:
                print(len(memory), f"{memory[-1] / 2**20:.0f} MiB", flush=True)

        beside = Beside(server.url, good)
        client = httpx.Client(base_url=server.url, timeout=60)
        draws = Malformed(seed)
        try:
            for _ in range(number - number // 2):
                kind, (route, headers, body) = draws.draw()
                response = client.post(route, headers=headers, content=body)
                count(kind, response.status_code, response.text)
            send_of_schema(server, number // 2, count)
        finally:
            beside.close()
            client.close()
    return {
        "requests": len(memory),
        "statuses": {
            kind: {str(status): n for status, n in sorted(found.items())}
            for kind, found in statuses.items()
        },
        "not refused": faults,
        "beside": {"asked": beside.asked, "answered otherwise": beside.others},
        "memory": {
            "settled": memory[SETTLED - 1] if len(memory) >= SETTLED else None,
            "end": memory[-1],
            "most": max(memory),
        },
    }


def markdown(content: dict[str, Any]) -> str:
    """Statuses by kind, memory, and how it was measured."""
    found = content["found"]
    lines = ["| malformed how | requests | 4xx | 2xx | 5xx |", "|---|---|---|---|---|"]
    for kind, statuses in found["statuses"].items():
        by_class = {
            digit: sum(n for status, n in statuses.items() if status[0] == digit)
            for digit in "245"
        }
        total = sum(statuses.values())
        lines.append(
            f"| {kind} | {total:,} | {by_class['4']:,} | {by_class['2']:,} | "
            f"{by_class['5']:,} |"
        )
    memory, beside = found["memory"], found["beside"]
    growth = "not measured"
    if memory["settled"] is not None:
        growth = f"{(memory['end'] - memory['settled']) / 2**20:+.0f} MiB"
    lines += [
        "",
        f"{found['requests']:,} requests of seed {content['seed']}. Memory of the "
        f"process (RSS) from request {SETTLED} to the last: {growth}, at most "
        f"{memory['most'] / 2**20:,.0f} MiB. Beside them a client asked "
        f"{beside['asked']:,} good questions, of which {beside['answered otherwise']} "
        "were answered otherwise than at the beginning. "
        f"`{content['command']}`, commit {(content['commit'] or 'unknown')[:12]}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures, writes the table."""

    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--requests", type=int, default=5000)
        parser.add_argument("--seed", type=int, default=0)

    def measured(arguments: argparse.Namespace) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(arguments.requests, arguments.seed, Path(folder))
        return {"seed": arguments.seed, "found": found}

    measured_or_read(__doc__, NAME, add=add, measure=measured, markdown=markdown)


if __name__ == "__main__":
    main()
