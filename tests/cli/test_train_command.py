import pytest

import tfmeta
from tfmeta.evaluation import compare
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.measuring.on_episodes import read_results
from tfmeta.runs.run_folder import RunFolder

FILES = {
    "config.json",
    "classes.json",
    "checkpoints",
    "best.weights.h5",
    "learner.keras",
    "timing.json",
    "history.json",
    "curve.png",
    "metrics.json",
    "episodes.png",
    "saved_model",
}


def test_a_training_says_what_it_does_and_what_to_type_next(glyphs_training):
    folder, done = glyphs_training
    # Nothing of TensorFlow's chatter, and no bar where there is no terminal.
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert lines[0] == (
        "Training a Prototypical Network on glyphs: 5-way 1-shot, 24 steps, into "
        f"{folder}"
    )
    assert [line[:9] for line in lines[1:9]] == [f"epoch {i}/8" for i in range(1, 9)]
    assert "training on 5-way 1-shot: accuracy " in lines[1]
    assert "; validation on 5-way 1-shot: accuracy " in lines[1]
    (result,) = read_results(RunFolder(folder))
    assert str(result) in done.stdout
    assert f"tfmeta classify {folder} --support FOLDER --query FOLDER" in done.stdout


def test_a_training_leaves_a_whole_run(glyphs_run):
    assert {path.name for path in glyphs_run.iterdir()} == FILES
    assert (glyphs_run / "saved_model" / "1" / "saved_model.pb").is_file()
    config = RunFolder(glyphs_run).read_config()
    assert config == TrainConfig().with_options(
        dict(
            seed=3,
            epochs=8,
            steps_per_epoch=3,
            filters=4,
            train_ways=5,
            train_queries=2,
            queries=5,
            validation_episodes=8,
        )
    )
    environment = RunFolder(glyphs_run).read_environment()
    assert environment["TF_NUM_INTEROP_THREADS"] == "2"
    assert int(environment["TF_NUM_INTRAOP_THREADS"]) > 0
    assert environment["tfmeta"] == tfmeta.__version__


def test_a_finished_run_is_measured_again_and_kept(call, run_copy, tiny_options):
    folder = RunFolder(run_copy)
    (before,) = read_results(folder)
    kept = [folder.learner_file, folder.history_file, folder.best_weights]
    bytes_before = [path.read_bytes() for path in kept]
    folder.episodes_picture.unlink()
    done = call("train", "--run", run_copy, *tiny_options, "--resume")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Going on with a Prototypical Network")
    assert "epoch 1/8" not in done.out
    assert [path.read_bytes() for path in kept] == bytes_before
    (after,) = read_results(folder)
    assert compare(before, after).difference == pytest.approx(0, abs=1e-6)
    assert folder.episodes_picture.is_file()
    assert [path.name for path in folder.saved_model.glob("[0-9]*")] == ["1"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--train-ways", 5000),
            "`--train-ways`.*the 600 train classes.*Received: --train-ways=5000",
        ),
        (
            ("--ways", 5000),
            "`--ways`.*the 160 validation classes.*Received: --ways=5000",
        ),
        (("--train-shots", 16), "20 examples.*5 of `--train-queries` by default.*=16"),
        (("--protocol", "lake"), "`--protocol` is no option of data set 'glyphs'"),
        (("--dataset", "imagenet"), "`--dataset` must be one of glyphs.*'imagenet'"),
    ],
)
def test_what_cannot_be_trained_leaves_nothing(call, tmp_path, options, message):
    done = call("train", "--run", tmp_path / "run", *options)
    for part in message.split(".*"):
        assert part in done.error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--ways", 1), "'--ways': must be a whole number, 2 to "),
        (("--train-ways", 1), "'--train-ways': must be a whole number, 2 to "),
        (("--test-episodes", 10), "'--test-episodes': must be a whole number, 600 to "),
        (("--shots", 0), "'--shots': must be a whole number, 1 to "),
        (
            ("--train-shots", "5-1"),
            "'5-1' is not a number from 1 to 1,000,000 or a range like 1-5",
        ),
        (
            ("--train-shots", "few"),
            "'few' is not a number from 1 to 1,000,000 or a range like 1-5",
        ),
        (("--seed", -1), "'--seed': must be a whole number, 0 to "),
        (("--filters", "many"), "'--filters': must be a whole number, "),
        (("--dtype-policy", "far"), "'--dtype-policy': 'far' is not one of"),
        (("--seed", 2**64), "'--seed'"),
        *((("--learning-rate", x), "'--learning-rate'") for x in (0, "nan", "inf")),
        (("--data-dir", __file__), "'--data-dir'"),
    ],
)
def test_options_out_of_range_are_named(call, tmp_path, options, message):
    done = call("train", "--run", tmp_path / "run", *options)
    assert message in done.usage_error
    assert not list(tmp_path.iterdir())


def test_a_data_set_that_is_not_there(run_tfmeta, tmp_path):
    # A proxy that refuses stands for a machine without a connection.
    nowhere = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    data_dir = tmp_path / "data"
    done = run_tfmeta(
        *("train", "--dataset", "omniglot"),
        *("--run", tmp_path / "run", "--data-dir", data_dir),
        **nowhere,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: omniglot is not in {data_dir} and cannot be down")
    assert "tfmeta datasets import omniglot --from DIR" in line
    assert not list(tmp_path.iterdir())


def test_an_existing_run_is_not_overwritten(call, run_copy, tiny_options, hash_tree):
    before = hash_tree(run_copy)
    done = call("train", "--run", run_copy, *tiny_options)
    assert f"{run_copy} holds a run already" in done.error
    assert "--resume" in done.error
    done = call("train", "--run", run_copy, *tiny_options, "--resume", "--filters", 5)
    assert "`--filters` must stay" in done.error
    assert "--filters=5" in done.error
    assert hash_tree(run_copy) == before


def test_the_default_folder_names_data_set_and_seed(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "glyphs-seed5").mkdir(parents=True)
    (tmp_path / "runs" / "glyphs-seed5" / "notes.txt").write_text("mine")
    assert "runs/glyphs-seed5 must be empty" in call("train", "--seed", 5).error
    assert (
        "runs/glyphs-seed5 must be a run"
        in call("train", "--seed", 5, "--resume").error
    )


def test_a_file_is_no_run_folder(call, tmp_path):
    path = tmp_path / "file"
    path.write_text("precious")
    assert f"'--run': Directory '{path}' is a file" in (
        call("train", "--run", path).usage_error
    )
    below = call("train", "--run", path / "run", "--train-ways", 5)
    assert "file must be a folder. Received: a file" in below.usage_error
    assert path.read_text() == "precious"


@pytest.mark.parametrize("resume", [(), ("--resume",)])
def test_a_run_of_a_newer_version_is_left_alone(call, run_copy, hash_tree, resume):
    config = run_copy / "config.json"
    config.write_text(
        config.read_text().replace('"format_version": 2', '"format_version": 3')
    )
    before = hash_tree(run_copy)
    error = call("train", "--run", run_copy, *resume).error
    assert ("from a newer tfmeta" if resume else "holds a run already") in error
    assert hash_tree(run_copy) == before


def test_a_half_written_checkpoint_is_named(call, run_copy, tiny_options, hash_tree):
    (run_copy / "learner.keras").unlink()
    (arrays,) = run_copy.glob("checkpoints/*/arrays.npz")
    arrays.write_bytes(arrays.read_bytes()[:1000])
    before = hash_tree(run_copy)
    done = call("train", "--run", run_copy, *tiny_options, "--resume")
    assert f"{arrays} of the latest checkpoint is damaged" in done.error
    assert hash_tree(run_copy) == before


@pytest.mark.slow
def test_a_training_on_batches_says_how_many_classes_they_are_of(call, tmp_path):
    done = call(
        *("train", "--learner", "baseline", "--run", tmp_path / "run"),
        *("--epochs", "1", "--steps-per-epoch", "2", "--batch-size", "16"),
        *("--filters", "4", "--queries", "2", "--validation-episodes", "2"),
        *("--test-episodes", "600", "--argument", "head_steps=3"),
    )
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(
        "Training a Baseline on glyphs: 600 classes, batches of 16, 2 steps, into "
    )
    assert "5-way 1-shot on glyphs-seed0" in done.out
