"""The Dockerfile: read, and what it says done in a fresh virtual environment."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from other_servers import EXPORT, free_ports, process

import tfmeta
from tfmeta.cli.main import tfmeta as commands
from tfmeta.serving import access

REPOSITORY = EXPORT.parent
KEY = "a key of the tests".replace(" ", "-")


@pytest.fixture(scope="module")
def steps():
    """Instructions and their arguments, in order."""
    text = (EXPORT / "Dockerfile").read_text("utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line]


def listed(steps, instruction):
    """The last list of an instruction, as it takes effect."""
    found = [arguments for name, arguments in steps if name == instruction][-1]
    return json.loads(found[found.index("[") :])


def test_it_runs_a_command_that_is_there(steps):
    assert listed(steps, "ENTRYPOINT") == ["tfmeta"]
    name, model, *options = listed(steps, "CMD")
    assert name == "serve" and not model.startswith("-")
    serve = commands.get_command(None, name)
    known = {option for one in serve.params for option in one.opts}
    assert set(options[::2]) <= known
    assert options[options.index("--host") + 1] == "0.0.0.0"


def test_nobody_is_root_and_the_signal_is_one_that_is_handled(steps):
    names = [name for name, _ in steps]
    users = [arguments for name, arguments in steps if name == "USER"]
    assert users and users[-1] not in ("root", "0")
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert dict(steps)["STOPSIGNAL"] == "SIGTERM"


def test_its_health_check_asks_what_needs_no_key(steps):
    (path,) = re.findall(r"http://127.0.0.1:8000(/[\w/]+)", dict(steps)["HEALTHCHECK"])
    assert path in access._OPEN
    assert listed(steps, "CMD")[-2:] == ["--port", dict(steps)["EXPOSE"]]


def test_what_it_copies_is_let_through(steps):
    ignored = (EXPORT / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    for name, arguments in steps:
        for source in arguments.split()[:-1] if name == "COPY" else ():
            assert (REPOSITORY / source).exists()
            assert f"!{source}" in ignored


@pytest.mark.image
def test_its_steps_make_a_server(steps, tmp_path):
    encoder = tfmeta.encoders.Conv4((8, 8, 1), filters=4, blocks=1, seed=0)
    learner = tfmeta.learners.PrototypicalNetwork(encoder)
    tfmeta.export.save(learner, tmp_path / "glyphs")
    source, venv = tmp_path / "src", tmp_path / "venv"
    source.mkdir()
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    path = f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}"
    clean = {name: v for name, v in os.environ.items() if name != "PYTHONPATH"}
    clean |= {"PATH": path, "HOME": str(tmp_path), "VIRTUAL_ENV": str(venv)}
    for name, arguments in steps:
        if name == "COPY":
            *given, target = arguments.split()
            for one in given:
                if (REPOSITORY / one).is_dir():
                    skip = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(REPOSITORY / one, source / target, ignore=skip)
                else:
                    shutil.copy(REPOSITORY / one, source / target)
        if name == "RUN" and "pip install" in arguments:
            subprocess.run(arguments, shell=True, cwd=source, env=clean, check=True)
    shutil.rmtree(source)  # The server is what was installed.
    arguments = [*listed(steps, "ENTRYPOINT"), *listed(steps, "CMD")]
    (port,) = free_ports(1)
    arguments[2] = str(tmp_path / "glyphs")
    # Of no container, it must not be reached by others; the key is asked for all the
    # same.
    arguments[arguments.index("0.0.0.0")] = "127.0.0.1"
    arguments[arguments.index("--port") + 1] = str(port)
    variables = dict(
        one.split("=", 1)
        for name, given in steps
        if name == "ENV"
        for one in shlex.split(given)
    )
    url = f"http://127.0.0.1:{port}"

    def ask(path, **headers):
        request = urllib.request.Request(url + path, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    arguments[0] = str(venv / "bin" / arguments[0])
    with process(
        arguments,
        log=tmp_path / "log",
        ready=lambda: ask("/health/ready")["ready"],
        cwd=tmp_path,
        env={**clean, **variables, "TFMETA_API_KEY": KEY},
    ) as started:
        check = [one.replace("8000", str(port)) for one in listed(steps, "HEALTHCHECK")]
        subprocess.run([venv / "bin" / check[0], *check[1:]], check=True)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            ask("/v2/models/glyphs")
        found = ask("/v2/models/glyphs", authorization=f"Bearer {KEY}")
        assert found["name"] == "glyphs"
    assert started.returncode == 0
