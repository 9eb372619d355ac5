"""The process: signals, certificates, and what it says."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import httpx
import pytest
from running_server import held, in_threads, post, running, wait_until

BODY = json.dumps({"enrol": {"up": [[0.0, 9.0]]}}).encode()


@contextlib.contextmanager
def process(path, *options):
    """`tfmeta serve` in a process of its own, and the port that it says."""
    words = [sys.executable, "-m", "tfmeta.cli.main", "serve", path, "--port", 0]
    started = subprocess.Popen(
        [*map(str, words), *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={k: v for k, v in os.environ.items() if k != "TFMETA_API_KEY"},
    )
    try:
        line = started.stdout.readline()
        found = re.fullmatch(r"Serving (\S+), version \d+, at \S+:(\d+)\n", line)
        assert found, (line, started.poll(), started.stderr.read())
        yield started, int(found[2])
    finally:
        started.kill()
        started.communicate()


def half_sent(port):
    """A connection with a request whose last byte is missing."""
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    head = "POST /classes HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json"
    client.sendall(f"{head}\r\ncontent-length: {len(BODY)}\r\n\r\n".encode())
    client.sendall(BODY[:-1])
    return client


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_a_signal_lets_the_request_in_flight_end(points, number):
    with process(points) as (started, port), half_sent(port) as client:
        # Another one shows that the first has been read.
        assert httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200
        started.send_signal(number)
        with contextlib.suppress(OSError):
            while True:  # Until nobody listens any more.
                socket.create_connection(("127.0.0.1", port), timeout=60).close()
        assert started.poll() is None
        client.sendall(BODY[-1:])
        # Head and body may come one after the other.
        answer = b"".join(iter(lambda: client.recv(100_000), b"")).decode()
        assert answer.startswith("HTTP/1.1 200"), answer
        assert '"kind": "enrol"' in answer
        out, err = started.communicate(timeout=60)
        assert started.returncode == 0
        assert out == "Stopped. All requests that were taken are answered.\n"
        lines = err.splitlines()
        assert all(re.match(r"[\d-]+ [\d:,]+ INFO request \w+ ", x) for x in lines), err
        assert any(" POST /classes 200 " in line for line in lines)
    with running(points) as client:
        assert client.get("/classes", params={"name": "up"}).json()["total"] == 1


def test_the_end_waits_for_the_model(made):
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(running(made / "points"))
        with held(client):
            body = {"examples": [[1.0, 2.0]]}
            threads, found = in_threads(3, lambda n: client.post("/embed", json=body))
            wait_until(lambda: client.service._admission.admitted == 3)
            client.stop()
        for thread in threads:
            thread.join()
        assert [one.json()["embeddings"] for one in found] == [[[1, 2]]] * 3


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Files of a certificate for this machine and of its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    words = f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
    files = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [*words.split(), "-out", files[0], "-keyout", files[1]],
        check=True,
        capture_output=True,
    )
    return files


def test_https(made, certificate):
    with running(made / "points", tls=certificate) as client:
        assert client.base_url.scheme == "https"
        assert post(client, "/embed", {"examples": [[1, 2]]})["embeddings"] == [[1, 2]]
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{client.port}/model")
        assert client.get("/health/ready").status_code == 200


@pytest.mark.slow
def test_a_kill_loses_nothing_that_was_acknowledged(points):
    acknowledged = 0
    for turn in range(2):
        with process(points) as (started, port):
            url, wanted = f"http://127.0.0.1:{port}/classes", 10 * (turn + 1)

            def enrol(worker, url=url, turn=turn):
                done = []
                with httpx.Client() as client, contextlib.suppress(httpx.HTTPError):
                    for step in range(1000):
                        name = f"{turn} {worker} {step}"
                        body = {"enrol": {name: [[float(worker), float(step)]]}}
                        if client.post(url, json=body).status_code == 200:
                            done.append(name)
                return done

            threads, found = in_threads(4, enrol)
            enough = 2 + acknowledged + wanted
            wait_until(lambda: httpx.get(url).json()["total"] >= enough)  # noqa: B023
            started.kill()
            for thread in threads:
                thread.join()
        names = [name for done in found for name in done]
        assert names
        with running(points) as client:
            listed = client.get("/classes", params={"limit": 100_000}).json()["classes"]
            assert set(names) <= {one["name"] for one in listed}
            acknowledged = len(listed) - 2
