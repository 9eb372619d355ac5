"""Ray Serve with a gallery: what the benchmark has written, and a short one."""

import json
import os
import subprocess

import pytest
from other_servers import EXPORT, environment

REPOSITORY = EXPORT.parent


def check(measured):
    """Nothing that was acknowledged is lost, and everybody was answered."""
    acknowledged = measured["enrolments acknowledged"]
    assert acknowledged > 0
    assert measured["of these present"] == acknowledged
    assert measured["acknowledged and lost"] == measured["enrolled twice"] == []
    for kind in ("classify", "enrol", "read back"):
        assert measured[f"{kind}: answered"] == measured[f"{kind}: requests"]
        assert not measured.get(f"{kind}: given up")
    assert measured["classify: right class"] == measured["classify: answered"]
    read_back = measured["read back: the class enrolled before"]
    assert read_back == measured["read back: answered"]
    # One writer before its kill and another after; two versions of two readers or more.
    assert len(measured["enrolments by the writer's process"]) >= 2
    versions = {
        one.partition("/")[0] for one in measured["answers by version and process"]
    }
    assert versions == {"1", "2"}
    assert len(measured["answers by version and process"]) >= 5


def test_nothing_was_lost_in_the_result_that_is_kept():
    path = REPOSITORY / "benchmarks" / "results" / "ray_serve.json"
    check(json.loads(path.read_text("utf-8"))["measured"])


@pytest.mark.ray
def test_nothing_is_lost_when_replicas_are_killed(tmp_path):
    venv = environment("TFMETA_RAY_VENV", '-e ".[ray]"')
    output = tmp_path / "ray_serve.json"
    subprocess.run(
        [
            *(venv / "bin" / "python", REPOSITORY / "benchmarks" / "ray_serve.py"),
            *("--seconds", "3", "--output", output),
        ],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        check=True,
        timeout=1200,
    )
    check(json.loads(output.read_text("utf-8"))["measured"])
