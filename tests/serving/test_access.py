import contextlib
import socket

import pytest
from running_server import running

from tfmeta.serving.access import check_key, is_loopback

KEY = "0123456789abcdef-secret"


@pytest.fixture(scope="module")
def locked(made):
    with running(made / "points", key=KEY) as client:
        yield client


@pytest.fixture(scope="module")
def unlocked(made):
    with running(made / "points") as client:
        yield client


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": ""},
        {"x-api-key": KEY[:-1]},
        {"x-api-key": KEY + "x"},
        {"authorization": "Bearer"},
        {"authorization": f"Basic {KEY}"},
        {"authorization": f"Bearer {KEY.upper()}"},
        {"authorization": "Bearer x", "x-api-key": KEY},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/model", "/metrics", "/openapi.json", "/v2", "/no"])
def test_without_the_key_nothing_is_told(locked, headers, path):
    response = locked.get(path, headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert KEY not in response.text


@pytest.mark.parametrize(
    "headers", [{"x-api-key": KEY}, {"authorization": f"bearer {KEY}"}], ids=str
)
def test_with_the_key_all_is(locked, headers):
    assert locked.get("/model", headers=headers).status_code == 200
    assert locked.get("/metrics", headers=headers).status_code == 200
    away = {**headers, "host": "models.example.org", "origin": "https://example.org"}
    assert locked.get("/model", headers=away).status_code == 200


def test_openapi_says_that_there_is_a_key(locked, unlocked):
    described = locked.get("/openapi.json", headers={"x-api-key": KEY}).json()
    (scheme,) = described["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert described["paths"]["/classify"]["post"]["security"]
    described = unlocked.get("/openapi.json").json()
    assert "securitySchemes" not in described.get("components", {})


def test_health_needs_no_key(locked):
    for path in ("/health/live", "/health/ready", "/v2/health/ready"):
        assert locked.get(path).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:1"}, 200),
        ({"host": "[::1]:80"}, 200),
        ({"host": "example.org"}, 403),
        ({"host": "127.0.0.1.example.org"}, 403),
        ({"host": ""}, 403),
        ({"origin": "http://localhost:7860"}, 200),
        ({"origin": "https://example.org"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://[x"}, 403),
    ],
    ids=str,
)
def test_without_a_key_pages_of_elsewhere_are_refused(unlocked, headers, status):
    assert unlocked.get("/model", headers=headers).status_code == status


def test_a_key_is_long_and_can_be_sent():
    assert check_key(f" {KEY}\n", "file") == KEY
    for key in ("short", "", "with a space and more", "schlüssel" * 3, "x" * 2000):
        with pytest.raises(ValueError, match="file must hold a key of 16 to 1,024"):
            check_key(key, "file")


def test_addresses_of_loopback():
    for host in ("127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "LOCALHOST."):
        assert is_loopback(host)
    for host in ("0.0.0.0", "10.0.0.1", "example.org", "", "::", "localhost.evil.org"):
        assert not is_loopback(host)


def test_a_head_that_does_not_end_is_cut(unlocked):
    with socket.create_connection(("127.0.0.1", unlocked.port), timeout=30) as client:
        client.sendall(b"GET /model HTTP/1.1\r\nx-long: ")
        # The answer may be lost where the server closes before all was read.
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                client.sendall(b"x" * 65_536)
            assert client.recv(1000).startswith(b"HTTP/1.1 431")
            assert not client.recv(1000)
    assert unlocked.get("/model").status_code == 200
