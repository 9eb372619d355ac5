"""Description, health, metrics, the log, and OpenAPI of a server."""

import logging
import re
import socket

import pytest
from running_server import post, running
from served_models import drawings


@pytest.fixture(scope="module")
def points(made):
    with running(made / "points", batch=4) as client:
        yield client


def test_a_model_says_what_it_takes(points, made):
    found = points.get("/model").json()
    assert found["examples"] == {"kind": "array", "shape": [2], "dtype": "float32"}
    assert found["support"] is None and found["can_enrol"]
    assert found["limits"]["examples"] == 256


def test_routes_that_are_not_there(points):
    for method, path, status in (
        ("GET", "/", 404),
        ("GET", "/embed", 405),
        ("DELETE", "/classes", 405),
        ("GET", "/docs", 404),
        ("GET", "/v2/models/a/b/c/d", 404),
        ("GET", "/%00%ff", 404),
    ):
        response = points.request(method, path)
        assert response.status_code == status, path
        assert set(response.json()) == {"error", "request_id"}


def test_what_is_no_http_is_400(points):
    with socket.create_connection(("127.0.0.1", points.port), timeout=30) as client:
        client.sendall(b"\x16\x03\x01\x02\x00 no HTTP\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400")


def test_metrics_count_requests_and_examples(points):
    def value(name):
        found = re.search(
            rf"^{re.escape(name)} (\S+)$", points.get("/metrics").text, re.M
        )
        return float(found[1]) if found else 0.0

    asked = 'tfmeta_requests_total{endpoint="/embed",status="200"}'
    refused = 'tfmeta_requests_total{endpoint="/embed",status="422"}'
    before = value(asked), value(refused), value("tfmeta_batch_rows_sum")
    post(points, "/embed", {"examples": [[1, 2]] * 6})
    post(points, "/embed", {"examples": []}, 422)
    assert value(asked) == before[0] + 1 and value(refused) == before[1] + 1
    assert value("tfmeta_batch_rows_sum") == before[2] + 6
    assert value('tfmeta_examples_total{endpoint="/embed"}') >= 6
    assert value("tfmeta_requests_in_flight") == 0
    response = points.get("/metrics")
    assert response.headers["content-type"] == (
        "text/plain; version=0.0.4; charset=utf-8"
    )
    points.get("/" + "x" * 100)
    assert "xxx" not in points.get("/metrics").text


def test_a_request_has_an_id_in_answer_error_and_log(points, caplog):
    caplog.set_level(logging.INFO, logger="tfmeta.serving")
    response = points.get("/model", headers={"x-request-id": "my.id-1"})
    assert response.headers["x-request-id"] == "my.id-1"
    response = points.get("/no%0Aline", headers={"x-request-id": "two words"})
    number = response.headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", number)
    assert response.json()["request_id"] == number
    lines = [record.getMessage() for record in caplog.records]
    assert any(re.match(r"request my\.id-1 GET /model 200 ", line) for line in lines)
    (line,) = [line for line in lines if number in line]
    assert "\n" not in line and "/no\\nline 404" in line


def test_the_examples_of_openapi_are_answered(made):
    with running(made / "points") as client:
        described = client.get("/openapi.json").json()
        paths = described["paths"]
        assert set(paths) >= {
            "/embed",
            "/classify",
            "/classes",
            "/v2/models/{name}/infer",
        }
        for path in ("/embed", "/classify", "/classes", "/v2/models/{name}/infer"):
            content = paths[path]["post"]["requestBody"]["content"]
            examples = content["application/json"]["examples"]
            assert examples
            statuses = [
                client.post(path.format(name="points"), json=one["value"]).status_code
                for one in examples.values()
            ]
            # Of pictures, texts and arrays, which one model does not take all.
            assert set(statuses) <= {200, 404, 409, 422}
            assert path == "/classes" or 200 in statuses
        for route in paths.values():
            for operation in route.values():
                assert operation["summary"]


def test_the_pictures_of_openapi_are_pictures(made):
    with running(made / "drawings") as client:
        content = client.get("/openapi.json").json()["paths"]["/embed"]["post"]
        examples = content["requestBody"]["content"]["application/json"]["examples"]
        body = examples["pictures"]["value"]
        assert len(post(client, "/embed", body)["embeddings"]) == 1
        assert drawings(1, 0).shape == (
            1,
            *client.get("/model").json()["examples"]["shape"],
        )


def test_a_server_that_stops_is_not_ready(made):
    with running(made / "points") as client:
        assert client.get("/health/ready").status_code == 200
        client.service.stopping = True
        assert client.get("/health/ready").status_code == 503
        assert client.get("/health/live").status_code == 200


def test_a_gallery_that_is_gone_is_503(made, tmp_path):
    import shutil

    path = shutil.copytree(made / "points", tmp_path / "points")
    with running(path) as client:
        (path / "gallery.sqlite").rename(path / "elsewhere")
        for request in (
            lambda: client.post("/classify", json={"examples": [[1, 2]]}),
            lambda: client.post("/classes", json={"enrol": {"a": [[1, 2]]}}),
            lambda: client.get("/classes"),
            lambda: client.get("/health/ready"),
            lambda: client.get("/v2/models/points"),
        ):
            response = request()
            assert response.status_code == 503, response.text
            assert str(tmp_path) not in response.text
        assert client.get("/metrics").status_code in (200, 503)
        (path / "elsewhere").rename(path / "gallery.sqlite")
        post(client, "/classify", {"examples": [[1, 2]]})
