"""`tfmeta serve`: what it refuses before it serves; tests/serving has the rest."""

import socket
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tfmeta.gallery import GalleryStore
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.run_folder import RunFolder


@pytest.fixture
def gallery(tmp_path):
    """A folder that is a gallery by its file, which nobody reads that far."""
    (tmp_path / "gallery").mkdir()
    facts = {"embedding_shape": "[2]"}
    GalleryStore.create(tmp_path / "gallery" / "gallery.sqlite", facts).close()
    return tmp_path / "gallery"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3"])
def test_others_reach_it_with_a_key_alone(call, gallery, host, monkeypatch):
    monkeypatch.delenv("TFMETA_API_KEY", raising=False)
    done = call("serve", gallery, "--host", host)
    assert "--host must be an address of this machine alone" in done.usage_error
    assert "--key-file or in $TFMETA_API_KEY" in done.usage_error


def test_a_name_of_another_machine_is_not_asked_for(call, gallery):
    done = call("serve", gallery, "--host", "example.org")
    assert "--host" in done.usage_error and "an IP address" in done.usage_error


def test_a_key_that_others_may_write_is_refused(call, gallery, tmp_path):
    file = tmp_path / "key"
    file.write_text("a key of more than sixteen characters".replace(" ", "-"))
    for mode in (0o602, 0o620):
        file.chmod(mode)
        done = call("serve", gallery, "--key-file", file)
        assert "--key-file" in done.error and "nobody else may write" in done.error


def test_a_key_that_is_none_is_refused_and_not_shown(
    call, gallery, tmp_path, monkeypatch
):
    file = tmp_path / "key"
    file.write_text("hunter2\n")
    done = call("serve", gallery, "--key-file", file)
    assert "--key-file" in done.error and "16 to 1,024" in done.error
    assert "hunter2" not in done.err
    monkeypatch.setenv("TFMETA_API_KEY", "hunter2")
    done = call("serve", gallery)
    assert "$TFMETA_API_KEY must hold a key" in done.error
    assert "hunter2" not in done.err


def test_a_certificate_that_is_none_is_refused(call, gallery, tmp_path):
    (tmp_path / "cert").write_text("no certificate")
    done = call("serve", gallery, "--tls-cert", tmp_path / "cert")
    assert "`--tls-cert` and `--tls-key` must be a certificate" in done.error
    done = call("serve", gallery, "--tls-key", tmp_path / "cert")
    assert "--tls-key needs --tls-cert" in done.usage_error


def test_a_port_that_is_taken_is_said_at_once(call, gallery):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = call("serve", gallery, "--port", port)
    assert f"Received: 127.0.0.1 port {port}" in done.error


def test_what_cannot_be_served_is_said(call, tmp_path):
    RunFolder(tmp_path / "run").create(TrainConfig(), {})
    done = call("serve", tmp_path / "run", "--port", 0)
    assert "run" in done.error
    (tmp_path / "pictures").mkdir()
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "pictures" / "a.png")
    done = call("serve", tmp_path / "pictures", "--port", 0)
    assert "a folder that is none of these" in done.error


WITHOUT = """
import importlib.metadata, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("fastapi", "uvicorn", "starlette", "pydantic"):
            raise ModuleNotFoundError(name)

found = importlib.metadata.distribution
def distribution(name):
    if name in ("fastapi", "uvicorn"):
        raise importlib.metadata.PackageNotFoundError(name)
    return found(name)

sys.meta_path.insert(0, Missing())
importlib.metadata.distribution = distribution
from tfmeta.cli.main import main
sys.argv = ["tfmeta", *sys.argv[1:]]
main()
"""


def test_without_the_extra_it_names_the_command(tmp_path):
    for words, code, said in (
        (("serve", tmp_path), 2, 'pip install "tfmeta[serve]"'),
        (("serve", "--help"), 0, ""),
        (("--help",), 0, ""),
    ):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT, *map(str, words)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stderr
        lines = done.stderr.splitlines()
        assert len(lines) == (1 if said else 0) and said in done.stderr
        assert "serve" in done.stdout or said
