"""Ray Serve with a gallery: replicas that are killed, and what was acknowledged.

Two replicas read a gallery and one writes it (export/ray_serve/app.py), while clients
classify and enrol over HTTP. Meanwhile one reader is killed (SIGKILL), then the writer,
then the application is deployed anew as version 2. Clients send a request again until
it is answered. In the end the gallery is read from its folder: every enrolment that was
acknowledged must be there. Results go to results/ray_serve.json.

    RAYVENV/bin/python benchmarks/ray_serve.py --update-tables

Needs tfmeta's own requirements and ray[serve] in RAYVENV; it takes three minutes, or
more where the machine has other work: a replica starts as long as TensorFlow does.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import datetime
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Before anything of Ray: it reads them when it is imported. The token keeps other users
# of this machine out of Ray's ports, and lies in no file.
os.environ.update(
    RAY_AUTH_MODE="token",
    RAY_AUTH_TOKEN=secrets.token_hex(32),
    RAY_USAGE_STATS_ENABLED="0",
    # It would kill replicas where others fill the machine's memory.
    RAY_memory_monitor_refresh_ms="0",
    # Its processes may start slowly on a machine that is busy.
    RAY_agent_register_timeout_ms="120000",
    RAY_raylet_start_wait_time_s="120",
    TF_CPP_MIN_LOG_LEVEL="2",
    TF_NUM_INTRAOP_THREADS="1",
    TF_NUM_INTEROP_THREADS="1",
)

from report import RESULTS, command_line, describe_machine, git_commit, write_json

from tfmeta.reproduction.readme import put_into_readme

HERE = Path(__file__).resolve().parent
APP = HERE.parent / "export" / "ray_serve"
ADDRESS = "127.0.0.2"
PICTURE = (8, 8, 1)
MAX_SECONDS = 300.0


class Clients:
    """What clients have asked, and what they were told.

    Args:
        url: Of the application.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.counts: collections.Counter[str] = collections.Counter()
        self.acknowledged: list[str] = []
        self.readers: collections.Counter[str] = collections.Counter()
        self.writers: collections.Counter[int] = collections.Counter()
        self.errors: collections.Counter[str] = collections.Counter()
        self.waits: list[float] = []
        self.lock = threading.Lock()
        self.stop = threading.Event()

    def ask(self, kind: str, route: str, body: Any) -> dict[str, Any] | None:
        """An answer, after as many attempts as it takes; `None` for none."""
        content, begun = json.dumps(body).encode(), time.monotonic()
        with self.lock:
            self.counts[f"{kind}: requests"] += 1
        while time.monotonic() - begun < MAX_SECONDS:
            request = urllib.request.Request(
                self.url + route, content, {"content-type": "application/json"}
            )
            try:
                with urllib.request.urlopen(request, timeout=60) as response:
                    answer = json.load(response)
            except (OSError, ValueError) as error:
                status = getattr(error, "code", type(error).__name__)
                with self.lock:
                    self.counts[f"{kind}: attempts without an answer"] += 1
                    self.errors[f"{kind}: {status}"] += 1
                time.sleep(0.1)
                continue
            with self.lock:
                self.counts[f"{kind}: answered"] += 1
                self.waits.append(time.monotonic() - begun)
                self.readers[f"{answer['version']}/{answer['pid']}"] += 1
            return answer
        with self.lock:
            self.counts[f"{kind}: given up"] += 1
        return None

    def classify(self, pictures: Any, names: list[str]) -> None:
        """Asks for classes that are there from the beginning, until it is stopped."""
        place = 0
        while not self.stop.is_set():
            place = (place + 1) % len(names)
            found = self.ask("classify", "/classify", {"examples": [pictures[place]]})
            right = found and found["queries"][0]["class"] == names[place]
            with self.lock:
                self.counts["classify: right class"] += bool(right)

    def enrol(self, seed: int) -> None:
        """Enrols one class after the other, and asks for each at once."""
        import numpy as np

        rng, number = np.random.default_rng([1, seed]), 0
        while not self.stop.is_set():
            name, number = f"class {seed}-{number}", number + 1
            picture = rng.integers(0, 256, PICTURE).tolist()
            answer = self.ask("enrol", "/classes", {"classes": {name: [picture]}})
            if answer is None:
                continue
            with self.lock:
                self.acknowledged.append(name)
                self.writers[answer["writer"]] += 1
            found = self.ask("read back", "/classify", {"examples": [picture]})
            with self.lock:
                seen = found and found["queries"][0]["class"] == name
                self.counts["read back: the class enrolled before"] += bool(seen)
            time.sleep(0.02)


def make_gallery(path: Path) -> tuple[list[Any], list[str]]:
    """A gallery of ten classes; one picture of each, and the names."""
    import numpy as np

    import tfmeta

    encoder = tfmeta.encoders.Conv4(PICTURE, filters=4, blocks=1, seed=0)
    learner = tfmeta.learners.PrototypicalNetwork(encoder)
    rng = np.random.default_rng(0)
    names = [f"known {number}" for number in range(10)]
    classes = {name: rng.integers(0, 256, (1, *PICTURE), np.uint8) for name in names}
    with tfmeta.Gallery.create(path, learner, threshold=None) as gallery:
        gallery.enrol(classes)
    return [classes[name][0].tolist() for name in names], names


def free_ports(number: int) -> list[int]:
    """Ports that nobody has just now."""
    with contextlib.ExitStack() as stack:
        bound = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in bound:
            one.bind((ADDRESS, 0))
        return [one.getsockname()[1] for one in bound]


def kill(clients: Clients, whom: str) -> int:
    """Kills a process that has answered."""
    with clients.lock:
        if whom == "writer":
            pid = list(clients.writers)[-1]
        else:
            pid = int(list(clients.readers)[-1].partition("/")[2])
    os.kill(pid, signal.SIGKILL)
    print(f"killed the {whom}, process {pid}", flush=True)
    return pid


def wait_for(condition: Any, seconds: float = 90) -> float:
    """Seconds until it is so, at most `seconds`."""
    begun = time.monotonic()
    while not condition() and time.monotonic() - begun < seconds:
        time.sleep(0.1)
    return time.monotonic() - begun


@contextlib.contextmanager
def cluster(folder: Path, python_path: str) -> Iterator[str]:
    """The address of a cluster of this machine alone, at loopback.

    Ports of its agents are fixed: where they are not, Ray waits for its agents to say
    which, and gives up after fifteen seconds, too short on a busy machine.
    """
    port, agent, listen, environments = free_ports(4)
    command = [
        *(Path(sys.executable).parent / "ray", "start", "--head", "--block"),
        # In place of 127.0.0.1 Ray takes the address that others reach.
        *("--node-ip-address", ADDRESS, "--port", port),
        *("--dashboard-agent-grpc-port", agent, "--dashboard-agent-listen-port"),
        *(listen, "--runtime-env-agent-port", environments),
        *("--include-dashboard", "false", "--disable-usage-stats"),
        # Of Ray's own counting: a replica asks for one.
        *("--num-cpus", 8, "--object-store-memory", 100 * 2**20),
    ]
    with (folder / "ray.log").open("wb") as log:
        started = subprocess.Popen(
            list(map(str, command)),
            env={**os.environ, "PYTHONPATH": python_path},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield f"{ADDRESS}:{port}"
    finally:
        # Ends all that it has started.
        started.terminate()
        try:
            started.wait(60)
        except subprocess.TimeoutExpired:
            started.kill()


def connect(address: str) -> None:
    """Waits for the cluster."""
    import ray

    for attempt in range(20):
        try:
            ray.init(address, log_to_driver=False)
            return
        except Exception as error:
            ray.shutdown()
            print(f"attempt {attempt + 1}: {str(error)[:200]}", flush=True)
            time.sleep(5)
    raise SystemExit("Ray does not start")


def measure(folder: Path, seconds: float) -> dict[str, Any]:
    """Runs it all on a gallery in a folder."""
    path, begun = folder / "gallery", time.monotonic()
    pictures, names = make_gallery(path)
    inherited = [str(APP), str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    with cluster(folder, os.pathsep.join(inherited)) as address:
        connect(address)
        return measured_on(path, pictures, names, seconds, begun)


def measured_on(
    path: Path, pictures: list[Any], names: list[str], seconds: float, begun: float
) -> dict[str, Any]:
    """The same, where Ray runs."""
    import ray
    from ray import serve

    sys.path.insert(0, str(APP))
    from app import build

    (port,) = free_ports(1)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(build({"gallery": str(path), "version": "1"}))
    up = time.monotonic() - begun
    print(f"up after {up:.0f} s", flush=True)
    clients = Clients(f"http://127.0.0.1:{port}")
    threads = [
        threading.Thread(target=clients.classify, args=(pictures, names))
        for _ in range(4)
    ] + [threading.Thread(target=clients.enrol, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    events: dict[str, float] = {}
    wait_for(lambda: len(clients.readers) >= 2 and clients.writers)
    before = set(clients.readers)
    time.sleep(seconds)
    kill(clients, "reader")
    events["seconds from the reader's kill to answers of another"] = wait_for(
        lambda: set(clients.readers) - before
    )
    time.sleep(seconds)
    old = kill(clients, "writer")
    events["seconds from the writer's kill to an enrolment"] = wait_for(
        lambda: set(clients.writers) - {old}
    )
    time.sleep(seconds)
    errors = sum(clients.errors.values())
    print("version 2", flush=True)
    redeployed = time.monotonic()
    serve.run(build({"gallery": str(path), "version": "2"}))
    events["seconds of the rolling update"] = time.monotonic() - redeployed
    time.sleep(seconds)
    during_update = sum(clients.errors.values()) - errors
    clients.stop.set()
    for thread in threads:
        thread.join()
    serve.shutdown()
    ray.shutdown()
    return {
        "seconds until it was up": round(up, 1),
        **{name: round(value, 1) for name, value in events.items()},
        **dict(sorted(clients.counts.items())),
        "attempts without an answer in the rolling update": during_update,
        "kinds of them": dict(clients.errors),
        "answers by version and process": dict(clients.readers),
        "enrolments by the writer's process": dict(clients.writers),
        "median seconds to an answer": sorted(clients.waits)[len(clients.waits) // 2],
        "longest seconds to an answer": max(clients.waits),
        **present(path, clients.acknowledged),
    }


def present(path: Path, acknowledged: list[str]) -> dict[str, Any]:
    """What is in the gallery, read from its folder, of what was acknowledged."""
    import tfmeta

    with tfmeta.Gallery(path) as gallery:
        sizes = gallery.class_sizes()
    return {
        "enrolments acknowledged": len(acknowledged),
        "of these present": sum(sizes.get(name) == 1 for name in acknowledged),
        "acknowledged and lost": [name for name in acknowledged if name not in sizes],
        "enrolled twice": [name for name in acknowledged if sizes.get(name, 1) != 1],
    }


def table(measured: dict[str, Any]) -> str:
    """The numbers of a measurement, one a line."""
    rows = ["| | |", "|---|---|"]
    for name, value in measured.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key}: {number}" for key, number in value.items())
        if isinstance(value, list):
            value = ", ".join(value) or "none"
        if isinstance(value, float):
            value = f"{value:.3g}"
        rows.append(f"| {name} | {value or 0} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="between two of what is done to it"
    )
    parser.add_argument("--output", type=Path, default=RESULTS / "ray_serve.json")
    parser.add_argument(
        "--update-tables",
        action="store_true",
        help="write the table in its page",
    )
    arguments = parser.parse_args()
    if not arguments.seconds > 0:
        parser.error(f"--seconds must be above 0. Received: {arguments.seconds}")
    import ray

    with tempfile.TemporaryDirectory() as folder:
        measured = measure(Path(folder), arguments.seconds)
    now = datetime.datetime.now(datetime.timezone.utc)
    content = {
        "format_version": 1,
        "benchmark": "ray_serve",
        "command": command_line(),
        "finished": now.isoformat(timespec="seconds"),
        "commit": git_commit(),
        "machine": describe_machine(),
        "versions": {"ray": ray.__version__},
        "measured": measured,
    }
    write_json(arguments.output, content)
    if arguments.update_tables:
        put_into_readme(APP / "README.md", "ray_serve", table(measured))
    print(json.dumps(measured, indent=2))
    if measured["acknowledged and lost"]:
        raise SystemExit("enrolments that were acknowledged are lost")


if __name__ == "__main__":
    main()
