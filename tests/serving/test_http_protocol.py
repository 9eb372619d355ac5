"""What is no body is bounded, and so is a body that nobody reads."""

import contextlib
import socket
import time

import pytest
from running_server import running

HEAD = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n0\r\n"


@pytest.fixture(scope="module")
def served(made):
    with running(made / "points") as client:
        yield client


@pytest.mark.parametrize("begin", [HEAD, CHUNKED], ids=["head", "trailer"])
def test_lines_without_an_end_end_the_connection(served, begin):
    line = b"a" * 1000 + b": " + b"b" * 1000 + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as client:
        client.sendall(begin)
        with contextlib.suppress(ConnectionError):
            while sent < 2**26:  # Far beyond what sockets hold.
                client.sendall(line)
                sent += len(line)
    assert sent < 2**26
    assert served.get("/health/ready").status_code == 200


def test_a_head_that_comes_at_once_is_no_longer_either(served):
    lines = b"".join(b"x%d: " % n + b"b" * 1000 + b"\r\n" for n in range(80))
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as client:
        client.sendall(HEAD + lines + b"\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize("path", [b"/health/live", b"/nowhere"])
@pytest.mark.parametrize("kind", [b"content-length: 9999999999", b"chunked"])
def test_a_body_that_nobody_reads_ends(served, path, kind):
    if kind == b"chunked":
        kind = b"transfer-encoding: chunked"
    part = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as client:
        client.sendall(b"GET " + path + b" HTTP/1.1\r\nhost: localhost\r\n" + kind)
        client.sendall(b"\r\n\r\n" + part)
        assert client.recv(100).startswith(b"HTTP/1.1 ")
        client.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            while client.recv(100_000):
                pass
        client.settimeout(60)
        with pytest.raises(ConnectionError):
            for _ in range(600):
                client.sendall(part[:1000])
                time.sleep(0.05)
    assert served.get("/health/ready").status_code == 200


def test_who_sends_too_much_comes_to_read_why(served):
    length = 2**27
    head = b"POST /embed HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json"
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as client:
        client.sendall(head + b"\r\ncontent-length: %d\r\n\r\n" % length)
        for _ in range(length // 2**20):
            client.sendall(b" " * 2**20)
        answer = b"".join(iter(lambda: client.recv(100_000), b""))
    assert answer.startswith(b"HTTP/1.1 413") and b"at most" in answer


def test_a_host_is_there_once(served):
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as client:
        client.sendall(HEAD + b"host: 127.0.0.1\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400")


def test_a_few_lines_behind_a_body_harm_nobody(served):
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as client:
        client.sendall(CHUNKED + b"checksum: 1\r\n\r\n")
        client.sendall(HEAD + b"connection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(100_000), b""))
    assert answer.count(b"HTTP/1.1 200") == 2
