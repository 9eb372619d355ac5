"""How much may be asked for, and what is said to more, or to what is no request."""

import json
import socket
import zlib

import numpy as np
import pytest
from running_server import (
    b64,
    error,
    held,
    in_threads,
    jpeg,
    png,
    post,
    running,
    wait_until,
)
from served_models import drawings

GOOD = {"examples": [[1.0, 2.0]]}
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def points(made):
    with running(made / "points", body=20_000, examples=5) as client:
        yield client


@pytest.fixture(scope="module")
def pictures(made):
    with running(made / "drawings", pixels=1000) as client:
        yield client


BODIES = {
    "nothing": b"",
    "cut": json.dumps(GOOD).encode()[:-3],
    "no UTF-8": b'{"examples": ["\xff"]}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a list": b"[1]",
    "a text": b'"x"',
    "null": b"null",
    "NaN": b'{"examples": [[NaN, 1]]}',
    "Infinity": b'{"examples": [[-Infinity, 1]]}',
    "1e999": b'{"examples": [[1e999, 1]]}',
    "1e39": b'{"examples": [[1e39, 1]]}',
    "a long integer": b'{"examples": [[' + b"9" * 5000 + b", 1]]}",
    "deep": b'{"examples": ' + b"[" * 9000 + b"]" * 9000 + b"}",
    "rather deep": b'{"examples": ' + b"[" * 60 + b"]" * 60 + b"}",
    "ragged": b'{"examples": [[1, 2], [3]]}',
    "ragged inside": b'{"examples": [[[1, 2], [3]]]}',
    "texts": b'{"examples": [["1", "2"]]}',
    "bools": b'{"examples": [[true, false]]}',
    "nulls": b'{"examples": [[null, null]]}',
    "mappings": b'{"examples": [{"x": 1}]}',
    "a file": b'{"examples": [{"b64": "AAAA"}]}',
    "no list": b'{"examples": {"0": [1, 2]}}',
    "none": b'{"examples": []}',
    "an empty one": b'{"examples": [[]]}',
    "unknown keys": b'{"examples": [[1, 2]], "example": 1}',
    "a lone surrogate": b'{"examples": ["\\ud800"]}',
    "support of another type": b'{"examples": [[1, 2]], "support": [1]}',
    "top of another type": b'{"examples": [[1, 2]], "top": "5"}',
    "top 0": b'{"examples": [[1, 2]], "top": 0}',
    "top beyond": b'{"examples": [[1, 2]], "top": 123456789012345678901234567890}',
    "a surrogate as a name": b'{"enrol": {"\\udcff": [[1, 2]]}}',
    "null as a name": b'{"rename": {"name": null, "to": 3}}',
    "two values": b'{"examples": [[1, 2]]} {}',
    "a key twice": b'{"examples": [[1, 2]], "examples": [[3, 4]]}',
    "a class twice": b'{"enrol": {"a": [[1, 2]], "\\u0061": [[3, 4]]}}',
}


@pytest.mark.parametrize("path", ["/embed", "/classify", "/classes"])
@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_no_request_is_422(points, path, name):
    if path == "/embed" and name.startswith(("top", "support")):
        name = "unknown keys"
    response = points.post(path, content=BODIES[name], headers=JSON)
    expected = 409 if name.startswith("support") else 422
    if path == "/classes":
        expected = 422
    assert response.status_code in (422, expected), response.text
    assert set(response.json()) == {"error", "request_id"}
    assert len(response.json()["error"]) < 700


def test_v2_refuses_the_same(points):
    for content in BODIES.values():
        response = points.post("/v2/models/points/infer", content=content, headers=JSON)
        assert response.status_code == 422, response.text
    assert post(points, "/embed", GOOD)["embeddings"] == [[1, 2]]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "text/html"}, 415),
        ({"content-type": ""}, 415),
        ({"content-type": "multipart/form-data"}, 422),
        ({"content-type": "multipart/form-data; boundary=x"}, 422),
        ({"content-type": "application/json; charset=latin-1"}, 200),
        ({"content-type": "APPLICATION/JSON"}, 200),
        ({**JSON, "content-encoding": "gzip"}, 415),
    ],
    ids=str,
)
def test_media_types(points, headers, status):
    content = json.dumps(GOOD).encode()
    response = points.post("/embed", content=content, headers=headers)
    assert response.status_code == status, response.text


def test_forms_that_are_none(points):
    kind = {"content-type": "multipart/form-data; boundary=x"}
    head = b'--x\r\ncontent-disposition: form-data; name="%s"\r\n\r\n'
    for content in (
        b"--x\r\n",
        b"--y--",
        b"--x\r\n\r\n\r\n--x--\r\n",
        head % b"examples" + b"1",
        head % b"examples" + b"1\r\n" + head % b"examples" + b"2",
        head % b"examples" + b"1\r\n--x\r\n",
        head % b"other" + b"1\r\n--x--\r\n",
        head % b"top" + b"-3\r\n--x--\r\n",
        head % b"top" + b"1.5\r\n--x--\r\n",
        head % b"\xff" + b"1\r\n--x--\r\n",
        head % b"examples" + b"\xff\r\n--x--\r\n",
        (head % b"examples" + b"1\r\n") * 200 + b"--x--\r\n",
    ):
        response = points.post("/embed", content=content, headers=kind)
        assert response.status_code == 422, (content[:99], response.text)


def test_keys_are_counted_as_json_is_written(points):
    name = '":{\\" , \\\\'
    body = {"examples": [[1, 2]], "top": 1}
    assert len(post(points, "/classify", body)["answers"]) == 1
    enrol = {
        "enrol": {name: [[1, 2]], "other": [[5, 5]]},
        "rename": {"name": name, "to": "x"},
    }
    assert "one of `enrol`" in error(points, "/classes", enrol)
    twice = json.dumps({"enrol": {name: [[1, 2]], "x": [[1, 2]]}}).replace(
        '"x"', json.dumps(name)
    )
    response = points.post("/classes", content=twice, headers=JSON)
    assert "there once. Received: one twice" in response.json()["error"]


def test_a_refusal_says_where_and_what(points, pictures):
    response = points.get("/classify")
    assert response.status_code == 405
    assert "Received: GET /classify" in response.json()["error"]
    response = points.get("/other%0a")
    assert response.status_code == 404
    assert response.json()["error"].endswith("Received: GET /other%0a")
    message = points.get("/classes?limit=x").json()["error"]
    assert "`limit` of the query" in message and message.endswith("Received: 'x'")
    # Whole as far as its head goes: damage that shows when it is decoded.
    good, cut = png(drawings(1, 0)[0]), jpeg(drawings(1, 0, size=28)[0])[:-100]
    for path, body in (
        ("/classify", {"examples": [b64(good), b64(cut)]}),
        ("/classes", {"enrol": {"a": [b64(good), b64(cut)]}}),
    ):
        assert "example 2 of 2: " in error(pictures, path, body)
    body = {"enrol": {"a\0b": [[1, 2]]}}
    message = error(points, "/classes", body)
    assert message.startswith("`enrol` must be a name without NUL. Received: 'a")


def test_a_body_that_is_too_long_is_413(points):
    content = b" " * 20_001
    assert points.post("/embed", content=content, headers=JSON).status_code == 413

    def parts():
        for _ in range(300):
            yield b" " * 100

    response = points.post("/embed", content=parts(), headers=JSON)
    assert response.status_code == 413
    assert response.headers["connection"] == "close"
    at_once = b" " * 20_001
    response = points.post("/embed", content=iter([at_once]), headers=JSON)
    assert response.status_code == 413
    with socket.create_connection(("127.0.0.1", points.port), timeout=30) as client:
        client.sendall(
            b"POST /embed HTTP/1.1\r\nhost: localhost\r\n"
            b"content-type: application/json\r\ncontent-length: 99999999999999\r\n\r\n"
        )
        assert client.recv(100).startswith(b"HTTP/1.1 413")


def test_too_many_examples_are_422(points):
    body = {"examples": [[1, 2]] * 6}
    assert "at most 5 examples. Received: 6" in error(points, "/embed", body)
    body = {"enrol": {"a": [[1, 2]] * 3, "b": [[1, 2]] * 3}}
    assert "at most 5 examples. Received: 6" in error(points, "/classes", body)


def test_pictures_that_are_none_or_too_large_are_422(pictures):
    good = png(drawings(1, 0)[0])
    bomb = png(np.zeros((4000, 4000), np.uint8), optimize=True)
    chunk = b"zTXt" + b"comment\0\0" + zlib.compress(b"x" * 50_000_000)
    text = len(chunk[4:]).to_bytes(4, "big") + chunk
    text += zlib.crc32(chunk).to_bytes(4, "big")
    files = {
        "too many pixels": bomb,
        "a head of another": good[:16] + bomb[16:24] + good[24:],
        "cut": good[: len(good) // 2],
        "changed": good[:40] + b"\0\0\0" + good[43:],
        "a bomb of text": good[:33] + text + good[33:],
        "empty": b"",
        "others": b"GIF89a" + b"\xff" * 100,
    }
    for name, content in files.items():
        for path, body in (
            ("/classify", {"examples": [b64(content)]}),
            ("/classes", {"enrol": {"a": [b64(good), b64(content)]}}),
        ):
            response = pictures.post(path, json=body)
            assert response.status_code in (200, 422), (name, response.text)
            if name != "a bomb of text":
                assert response.status_code == 422, name
        assert (
            len(post(pictures, "/classify", {"examples": [b64(good)]})["answers"]) == 1
        )
    assert "4000 x 4000" in error(pictures, "/embed", {"examples": [b64(bomb)]})


def test_more_requests_than_there_may_be_are_429(made):
    with running(made / "points", queue=4) as client:
        with held(client):
            threads, found = in_threads(4, lambda n: client.post("/embed", json=GOOD))
            wait_until(lambda: client.service._admission.admitted == 4)
            response = client.post("/embed", json=GOOD)
            assert response.status_code == 429
            assert response.headers["retry-after"] == "1"
            assert client.get("/health/live").status_code == 200
        for thread in threads:
            thread.join()
        assert [one.status_code for one in found] == [200] * 4
        assert client.post("/embed", json=GOOD).status_code == 200


def test_an_answer_that_takes_too_long_is_503(made):
    with running(made / "points", seconds=2.0) as client:
        with held(client):
            response = client.post("/classify", json=GOOD)
            assert response.status_code == 503
            assert "took longer" in response.json()["error"]
        wait_until(lambda: not client.service._admission.admitted)
        assert client.post("/classify", json=GOOD).status_code == 200


def test_a_body_that_does_not_come_is_408(made):
    with (
        running(made / "points", seconds=1.0) as client,
        socket.create_connection(("127.0.0.1", client.port), timeout=30) as slow,
    ):
        slow.sendall(
            b"POST /embed HTTP/1.1\r\nhost: localhost\r\n"
            b"content-type: application/json\r\ncontent-length: 50\r\n\r\n{"
        )
        assert slow.recv(100).startswith(b"HTTP/1.1 408")
        assert client.service._admission.admitted == 0


def test_who_leaves_leaves_nothing_behind(points):
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", points.port)) as client:
            client.sendall(
                b"POST /embed HTTP/1.1\r\nhost: localhost\r\n"
                b"content-type: application/json\r\ncontent-length: 50\r\n\r\n{"
            )
    assert post(points, "/embed", GOOD)["embeddings"] == [[1, 2]]
    wait_until(lambda: not points.service._admission.admitted)


def test_answers_that_are_not_finite_are_422(made):
    body = {"examples": [[3e38, -3e38]]}
    for name in ("points", "frozen"):
        with running(made / name) as client:
            assert "finite" in error(client, "/classify", body)
            inputs = {"name": "examples", "shape": [1, 2], "datatype": "FP32"}
            inputs["data"] = [3e38, -3e38]
            path = f"/v2/models/{name}/infer"
            assert "finite" in error(client, path, {"inputs": [inputs]})


def test_many_clients_get_their_own_answers(made):
    queries = drawings(40, 9)
    with running(made / "pictures", batch=8) as client:
        alone = [
            post(client, "/embed", {"examples": [one.tolist()]})["embeddings"][0]
            for one in queries
        ]

        def ask(client_number):
            found = []
            for step in range(10):
                rows = [
                    (7 * client_number + step + k) % 40 for k in range(1 + step % 3)
                ]
                body = {"examples": [queries[row].tolist() for row in rows]}
                answer = client.post("/embed", json=body).json()["embeddings"]
                found.append((rows, answer))
            return found

        threads, found = in_threads(8, ask)
        for thread in threads:
            thread.join()
        for rows, answer in (one for of_client in found for one in of_client):
            np.testing.assert_allclose(answer, [alone[row] for row in rows], atol=1e-5)
