"""`tfmeta demo`: what it refuses before it serves; tests/demo has the rest."""

import socket
import subprocess
import sys

import pytest

from tfmeta.cli.demo_job import DemoJob
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.run_folder import RunFolder

WITHOUT = """
import importlib.metadata, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("gradio", "fastapi", "uvicorn", "tensorflow"):
            raise ModuleNotFoundError(name)

found = importlib.metadata.distribution
def distribution(name):
    if name == "gradio":
        raise importlib.metadata.PackageNotFoundError(name)
    return found(name)

sys.meta_path.insert(0, Missing())
importlib.metadata.distribution = distribution
from tfmeta.cli.main import main
sys.argv = ["tfmeta", *sys.argv[1:]]
main()
"""


def test_without_the_extra_it_names_the_command():
    for words, code, said in (
        (("demo",), 2, 'pip install "tfmeta[demo]"'),
        (("demo", "--help"), 0, ""),
    ):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT, *words], capture_output=True, text=True
        )
        assert done.returncode == code, done.stderr
        lines = done.stderr.splitlines()
        assert len(lines) == (1 if said else 0) and said in done.stderr


@pytest.fixture
def with_gradio(monkeypatch):
    """What is refused before the page is made needs no Gradio."""
    monkeypatch.setattr("tfmeta.cli.demo_command.is_installed", lambda package: True)


@pytest.mark.usefixtures("with_gradio")
def test_a_port_that_is_taken_is_said_at_once(call, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = call("demo", "--port", port, "--data-dir", tmp_path / "data")
    assert f"`--port` must be one that nobody uses. Received: {port}" in done.error
    assert not (tmp_path / "data").exists()


@pytest.mark.usefixtures("with_gradio")
def test_what_is_no_run_of_pictures_is_said(call, tmp_path):
    done = call("demo", tmp_path, "--port", 0)
    assert "must be a run folder" in done.error
    RunFolder(tmp_path / "run").create(TrainConfig(), {})
    done = call("demo", tmp_path / "run", "--port", 0)
    assert "training has not ended" in done.error
    rows = TrainConfig(
        dataset="a.csv", task_column="a", target_column="b", learner="maml"
    )
    RunFolder(tmp_path / "rows").create(rows, {})
    done = call("demo", tmp_path / "rows", "--port", 0)
    assert "must be a run of classification" in done.error


@pytest.mark.slow
@pytest.mark.usefixtures("with_gradio")
def test_galleries_and_runs_of_texts_are_refused_in_a_line(call, tmp_path):
    import keras

    import tfmeta

    texts = keras.Sequential(
        [
            keras.Input((), dtype="string"),
            tfmeta.layers.TermCounts(
                ["\tpay", "\tship"],
                [1.0, 1.0],
                unknown_weight=1e-3,
                character_ngrams=None,
            ),
        ]
    )
    learner = tfmeta.learners.PrototypicalNetwork(texts)
    model = tfmeta.export.save(learner, tmp_path / "texts")
    done = call("demo", model, "--port", 0)
    assert "must take uint8 pictures" in done.error
    assert "Received: one for string examples" in done.error
    with tfmeta.Gallery.create(tmp_path / "gallery", learner):
        pass
    done = call("demo", tmp_path / "gallery", "--port", 0)
    assert "must be a run folder" in done.error


@pytest.mark.slow
def test_a_first_start_that_was_stopped_goes_on(tmp_path, monkeypatch, capsys):
    from tfmeta.demo.glyph_run import glyph_run, is_ready

    shortest = {"epochs": 2, "steps_per_epoch": 3, "filters": 4}
    monkeypatch.setattr("tfmeta.demo.glyph_run._CHOSEN", shortest)

    def stopped(*_, **__):
        raise KeyboardInterrupt

    job, folder = DemoJob(None, 0, False, tmp_path), glyph_run(tmp_path)
    with monkeypatch.context() as then, pytest.raises(KeyboardInterrupt):
        then.setattr("tfmeta.cli.train_job.evaluate_run", stopped)
        job._glyph_run()
    assert folder.is_trained and not is_ready(folder)
    # Another tfmeta may train something else from the start.
    monkeypatch.setattr("tfmeta.demo.glyph_run._CHOSEN", {**shortest, "epochs": 5})
    assert job._glyph_run() == folder.path and is_ready(folder)
    assert folder.metrics_file.is_file() and folder.read_config().epochs == 2
    assert "The first start trains" in capsys.readouterr().out
    job._glyph_run()
    assert capsys.readouterr().out == ""
