"""The server of the page: for browsers of this machine, and within bounds."""

import os
import tempfile

import pytest

pytest.importorskip("gradio", reason='needs gradio: pip install "tfmeta[demo]"')

from starlette.testclient import TestClient

from tfmeta.demo import server


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setattr(server, "_MOST_BYTES", 1000)
    with server.private_gradio():
        from tfmeta.demo.page import SCRIPT, STYLE, make_page

        page = make_page(None, "Install <b>it</b>")
        app = server.make_app(page, style=STYLE, script=SCRIPT)
        with TestClient(app, base_url="http://127.0.0.1") as client:
            yield client


def test_it_is_for_this_machine_and_has_nothing_besides(client):
    page = client.get("/")
    assert page.status_code == 200 and "tfmeta demo" in page.text
    assert "Install &lt;b&gt;it&lt;/b&gt;" in page.text.replace("\\u0026", "&")
    assert client.get("/", headers={"host": "localhost:7860"}).status_code == 200
    assert client.get("/", headers={"host": "example.org"}).status_code == 400
    for path in (
        "/docs",
        "/openapi.json",
        "/monitoring",
        "/gradio_api/file=/etc/hosts",
    ):
        assert client.get(path).status_code in (403, 404), path
    config = client.get("/config").json()
    assert not config["analytics_enabled"] and not config["footer_links"]


def test_files_are_bounded_and_forgotten(client):
    url = "/gradio_api/upload"
    (kept,) = client.post(url, files={"files": ("a.png", b"1" * 1000)}).json()
    assert kept.startswith(os.environ["GRADIO_TEMP_DIR"])
    assert kept.startswith(tempfile.gettempdir())
    assert client.post(url, files={"files": ("a.png", b"1" * 3000)}).status_code == 413


def test_what_was_uploaded_ends_with_the_page(monkeypatch):
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    with server.private_gradio():
        folder = os.environ["GRADIO_TEMP_DIR"]
        assert os.path.isdir(folder)
        assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert not os.path.exists(folder) and "GRADIO_TEMP_DIR" not in os.environ
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "True"
