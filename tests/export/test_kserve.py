"""The manifest for KServe beside what it starts."""

import json
import re

import pytest
import yaml
from other_servers import EXPORT

from tfmeta.cli.main import tfmeta as commands
from tfmeta.serving import access


@pytest.fixture(scope="module")
def services():
    text = (EXPORT / "kserve" / "inference_service.yaml").read_text("utf-8")
    return list(yaml.safe_load_all(text))


def test_both_are_inference_services(services):
    for service in services:
        assert service["apiVersion"] == "serving.kserve.io/v1beta1"
        assert service["kind"] == "InferenceService"
        assert service["spec"]["predictor"]["securityContext"]["runAsNonRoot"]
    names = [service["metadata"]["name"] for service in services]
    assert len(set(names)) == 2


def test_the_first_names_a_saved_model(services):
    model = services[0]["spec"]["predictor"]["model"]
    assert model["modelFormat"]["name"] == "tensorflow"
    assert model["runtime"] == "kserve-tensorflow-serving"
    assert model["storageUri"]


def test_the_second_starts_the_image_of_the_dockerfile(services):
    predictor = services[1]["spec"]["predictor"]
    (container,) = predictor["containers"]
    assert container["name"] == "kserve-container"
    dockerfile = (EXPORT / "Dockerfile").read_text("utf-8")
    assert json.loads(re.search(r"ENTRYPOINT (.*)", dockerfile)[1]) == ["tfmeta"]
    user = int(re.search(r"^USER (\d+)", dockerfile, re.MULTILINE)[1])
    assert predictor["securityContext"]["runAsUser"] == user
    name, model, *options = container["args"]
    known = {
        option for one in commands.get_command(None, name).params for option in one.opts
    }
    assert set(options[::2]) <= known and model == "/mnt/models"
    # Arguments are texts, also that of a number.
    assert all(isinstance(one, str) for one in container["args"])
    (port,) = container["ports"]
    assert options[options.index("--port") + 1] == str(port["containerPort"])
    for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
        asked = container[probe]["httpGet"]
        assert asked["path"] in access._OPEN and asked["port"] == port["containerPort"]
    key = next(one for one in container["env"] if one["name"] == "TFMETA_API_KEY")
    assert "secretKeyRef" in key["valueFrom"]
    # The time of a request, which a stop waits for, is at most half a minute.
    assert predictor["terminationGracePeriodSeconds"] > 30
