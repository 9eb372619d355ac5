from tfmeta.datasets.tfds_builders import connection_problem

URL = "https://example.org/data/some.zip"


def test_no_connection_is_told_at_once(monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert connection_problem(URL).startswith(f"{URL}: ")
