"""Whether an enrolment that `tfmeta serve` has acknowledged is there after `kill -9`.

Four clients enrol 1,000 examples in a gallery that is served. In the middle the server
is killed and started again, and all that it had acknowledged must be there; twenty
times.

    python benchmarks/serving_kills.py --update-tables
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import tempfile
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import keras
from report import measured_or_read
from served_process import served

import tfmeta

NAME = "serving_kills"
ENROLMENTS, CLIENTS, CLASSES = 1000, 4, 50
_JSON = {"content-type": "application/json"}


def enrol_until_killed(url: str, numbers: list[int], done: list[int]) -> None:
    """Enrols examples one by one, and appends to `done` what was acknowledged."""
    client = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    for number in numbers:
        body = {"enrol": {f"class {number % CLASSES}": [[float(number), 1.0]]}}
        try:
            client.request("POST", "/classes", json.dumps(body), _JSON)
            answer = client.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return  # It was killed.
        if answer.status == 200:
            done.append(number)


def missing(url: str, done: list[int]) -> list[int]:
    """Those of the acknowledged that are not in the gallery.

    Enrolled again, an example that is there is passed over, and one that is not is
    enrolled.
    """
    client = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    lost = []
    for number in done:
        body = {"enrol": {f"class {number % CLASSES}": [[float(number), 1.0]]}}
        client.request("POST", "/classes", json.dumps(body), _JSON)
        answer = json.loads(client.getresponse().read())
        if answer["passed_over"] != 1:
            lost.append(number)
    return lost


def once(seed: int, folder: Path) -> dict[str, Any]:
    """One gallery, one kill."""
    rng = random.Random(seed)
    path = folder / f"gallery-{seed}"
    learner = tfmeta.learners.PrototypicalNetwork(
        keras.Sequential([keras.Input((2,)), keras.layers.Identity()])
    )
    tfmeta.Gallery.create(path, learner).close()
    kill_after = rng.randrange(50, ENROLMENTS - 50)
    done: list[list[int]] = [[] for _ in range(CLIENTS)]
    with served(path, folder / "log.txt") as server:
        threads = [
            threading.Thread(
                target=enrol_until_killed,
                args=(server.url, list(range(k, ENROLMENTS, CLIENTS)), done[k]),
            )
            for k in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        while sum(map(len, done)) < kill_after:
            threads[0].join(0.001)
        server.kill()
        for thread in threads:
            thread.join()
    acknowledged = [number for of_client in done for number in of_client]
    with served(path, folder / "log.txt") as server:
        lost = missing(server.url, acknowledged)
        rest = sorted(set(range(ENROLMENTS)) - set(acknowledged))
        enrol_until_killed(server.url, rest, [])
    with tfmeta.Gallery(path) as gallery:
        sizes = gallery.class_sizes()
    return {
        "seed": seed,
        "acknowledged": len(acknowledged),
        "lost": lost,
        "enrolled_at_the_end": sum(sizes.values()),
    }


def markdown(content: dict[str, Any]) -> str:
    """What was lost, and under it how it was measured."""
    runs = content["kills"]
    acknowledged = [run["acknowledged"] for run in runs]
    lost = sum(len(run["lost"]) for run in runs)
    whole = sum(run["enrolled_at_the_end"] == ENROLMENTS for run in runs)
    return (
        "| kills | acknowledged before each | lost | galleries whole at the end |\n"
        "|---|---|---|---|\n"
        f"| {len(runs)} | {min(acknowledged)} to {max(acknowledged)}, "
        f"{sum(acknowledged):,} in all | {lost} | {whole} of {len(runs)} |\n\n"
        f"{CLIENTS} clients enrol {ENROLMENTS:,} examples of {CLASSES} classes, one a "
        "request, in a gallery of `tfmeta serve`, which is killed (SIGKILL) at a "
        "random count of answers (seeds "
        f"{runs[0]['seed']} to {runs[-1]['seed']}) and started again. "
        "Every example whose answer was 200 is then asked for; the rest is enrolled, "
        "and the gallery opened: whole, if it holds each example once. "
        f"`{content['command']}`, commit {(content['commit'] or 'unknown')[:12]}.\n"
    )


def main() -> None:
    """Measures, writes the table."""

    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--kills", type=int, default=20)

    def measured(arguments: argparse.Namespace) -> dict[str, Any]:
        runs = []
        with tempfile.TemporaryDirectory() as folder:
            for seed in range(arguments.kills):
                runs.append(once(seed, Path(folder)))
                print(runs[-1], flush=True)
        return {"kills": runs}

    measured_or_read(__doc__, NAME, add=add, measure=measured, markdown=markdown)


if __name__ == "__main__":
    main()
