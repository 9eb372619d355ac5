import shutil
import threading
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from running_server import post, running, wait_until
from served_models import drawings

import tfmeta
from tfmeta.encoders import Conv4
from tfmeta.learners import PrototypicalNetwork
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.run_folder import RunFolder
from tfmeta.serving.service import Service


@pytest.fixture(scope="module")
def following(tmp_path_factory):
    """The folder of another model of the same form, whose only version is 1."""
    keras.utils.set_random_seed(5)
    other = PrototypicalNetwork(Conv4((8, 8, 1), filters=4, blocks=1, seed=5))
    return tfmeta.export.save(other, tmp_path_factory.mktemp("following")).parent


@pytest.fixture
def versions(made, following, tmp_path):
    """A folder with version 1, beside one of what is to become version 2."""
    shutil.copytree(following, tmp_path / "next")
    return Path(shutil.copytree(made / "pictures", tmp_path / "pictures"))


def embeddings(version, examples):
    loaded = tf.saved_model.load(str(version))
    found = loaded.signatures["embed"](examples=tf.constant(examples))
    return found["embeddings"].numpy()


def test_a_newer_version_is_taken_up_and_no_request_is_dropped(versions):
    examples = drawings(2, 0)
    second = versions.parent / "next" / "1"
    wanted = {
        "1": embeddings(versions / "1", examples),
        "2": embeddings(second, examples),
    }
    assert np.abs(wanted["1"] - wanted["2"]).max() > 0.01
    stop, wrong, seen = threading.Event(), [], []
    with running(versions, poll=0.05) as client:

        def ask():
            while not stop.is_set():
                response = client.post("/embed", json={"examples": examples.tolist()})
                if response.status_code != 200:
                    wrong.append(response.text)
                    continue
                answer = response.json()
                version = answer["model"]["version"]
                seen.append(version)
                if not np.allclose(answer["embeddings"], wanted[version], atol=1e-5):
                    wrong.append(version)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: wrong or len(seen) >= 20)
        second.rename(versions / "2")
        wait_until(lambda: wrong or seen[-4:] == ["2"] * 4)
        stop.set()
        for thread in threads:
            thread.join()
        assert not wrong and set(seen) == {"1", "2"}
        metrics = client.get("/metrics").text
        assert 'tfmeta_version_loads_total{result="taken_up"} 1.0' in metrics
        assert 'tfmeta_model_info{name="pictures",version="2"} 1.0' in metrics
        path = "/v2/models/pictures/versions/1"
        assert client.get(path).status_code == 404


def test_a_version_that_is_damaged_is_passed_over(versions):
    with running(versions) as client:
        shutil.copytree(versions / "1", versions / "3")
        (versions / "3" / "saved_model.pb").write_bytes(b"damaged")
        shutil.copytree(versions / "1", versions / "2.tmp")
        assert not client.service.current.look()
        assert not client.service.current.look()
        metrics = client.get("/metrics").text
        assert 'tfmeta_version_loads_total{result="failed"} 1.0' in metrics
        answer = post(client, "/embed", {"examples": drawings(1, 0).tolist()})
        assert answer["model"]["version"] == "1"
        # It was still being copied.
        whole = versions / "1" / "saved_model.pb"
        shutil.copy(whole, versions / "3" / "saved_model.pb")
        assert client.service.current.look()
        answer = post(client, "/embed", {"examples": drawings(1, 0).tolist()})
        assert answer["model"]["version"] == "3"
        (versions.parent / "next" / "1").rename(versions / "4")
        assert client.service.current.look()
        answer = post(client, "/embed", {"examples": drawings(1, 0).tolist()})
        assert answer["model"]["version"] == "4"


def test_one_version_stays(versions):
    with running(versions / "1") as client:
        (versions.parent / "next" / "1").rename(versions / "2")
        assert not client.service.current.look()
        found = client.get("/model").json()
        assert (found["name"], found["version"]) == ("pictures", "1")


def test_a_run_is_its_newest_saved_model(versions, tmp_path):
    folder = RunFolder(tmp_path / "my run")
    folder.create(TrainConfig(), {})
    with pytest.raises(FileNotFoundError, match="must have a trained|train"):
        Service(folder.path)
    shutil.copytree(versions, folder.saved_model)
    with running(folder.path) as client:
        found = client.get("/model").json()
        assert (found["name"], found["version"]) == ("my run", "1")
        (versions.parent / "next" / "1").rename(folder.saved_model / "2")
        assert client.service.current.look()
        assert client.get("/v2/models/my%20run/versions/2").status_code == 200
