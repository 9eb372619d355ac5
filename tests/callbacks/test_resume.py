import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfmeta.callbacks import Resume

sys.path.insert(0, str(Path(__file__).parent))
from training_script import (  # noqa: E402
    STEPS,
    build_callbacks,
    build_model,
    training_data,
    validation_data,
)

SCRIPT = Path(__file__).with_name("training_script.py")
EPOCHS = 30


# A run in processes of its own, killed and resumed.


def start(folder: Path, *options: str) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), *options],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen, returncode: int = 0) -> None:
    _, errors = process.communicate()
    assert process.returncode == returncode, errors


def epochs_saved(folder: Path) -> int:
    names = [path.name for path in folder.glob("checkpoints/checkpoint-*")]
    return max((int(name.rpartition("-")[2]) for name in names), default=0)


def kill_at_random(folder: Path, generator: random.Random) -> None:
    """SIGKILL from outside, up to two epochs after the first save."""
    before = epochs_saved(folder)
    process = start(folder, "--epochs", str(EPOCHS), "--pause")
    while epochs_saved(folder) == before and process.poll() is None:
        time.sleep(0.005)
    time.sleep(generator.uniform(0, 0.25))
    process.kill()
    finish(process, -signal.SIGKILL)


def kill_in_save(folder: Path, generator: random.Random, operations: range) -> None:
    """SIGKILL at one of the file operations of the second save from here."""
    before = epochs_saved(folder)
    operation = generator.choice(operations)
    process = start(
        *(folder, "--epochs", str(EPOCHS)),
        *("--kill-in-save", "2", str(operation)),
    )
    finish(process, -signal.SIGKILL)
    # The save was begun, so no more than its own epoch is lost.
    assert epochs_saved(folder) in (before + 1, before + 2)


def assert_same_result(folder: Path, expected: Path) -> None:
    assert (folder / "result.json").read_text() == (
        expected / "result.json"
    ).read_text()
    with (
        np.load(folder / "result.npz") as found,
        np.load(expected / "result.npz") as wanted,
    ):
        assert found.files == wanted.files
        for name in wanted.files:
            assert found[name].dtype == wanted[name].dtype
            assert found[name].tobytes() == wanted[name].tobytes(), name
    # Keras writes the same bytes for the same weights.
    best = "best.weights.h5"
    assert (folder / best).read_bytes() == (expected / best).read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_again_and_again_ends_as_if_never_stopped(tmp_path):
    expected, folder = tmp_path / "expected", tmp_path / "killed"
    whole = start(expected, "--epochs", str(EPOCHS))
    generator = random.Random(2024)
    kill_at_random(folder, generator)
    finish(whole)
    result = json.loads((expected / "result.json").read_text())
    assert result["step"] == EPOCHS * STEPS
    # The run is one in which every part of the state matters.
    assert len(set(result["history"]["learning_rate"])) > 2
    assert result["callbacks"][2]["best_epoch"] < EPOCHS - 1

    kill_in_save(folder, generator, range(1, 15))
    kill_at_random(folder, generator)
    kill_in_save(folder, generator, range(15, 30))
    kill_at_random(folder, generator)
    assert 4 < epochs_saved(folder) < EPOCHS
    finish(start(folder, "--epochs", str(EPOCHS)))
    assert_same_result(folder, expected)


# Runs in this process.


def fit(model, callbacks, resume, epochs, **options):
    return model.fit(
        training_data(resume.step),
        validation_data=validation_data(),
        initial_epoch=resume.initial_epoch,
        epochs=epochs,
        steps_per_epoch=STEPS,
        callbacks=[*callbacks, resume],
        shuffle=False,
        verbose=0,
        **options,
    )


def variables(model) -> list[bytes]:
    all_variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(v).tobytes() for v in all_variables]


def run(folder, stops, build, build_callbacks=build_callbacks):
    """Trains up to each of `stops` with everything built anew each time."""
    folder.mkdir()
    for index, epochs in enumerate(stops):
        # As in a new process, the names of layers start from the beginning.
        keras.utils.clear_session()
        model, callbacks = build(index), build_callbacks(folder)
        resume = Resume(folder / "checkpoints", callbacks)
        assert resume.restore(model) == (index > 0)
        history = fit(model, callbacks, resume, epochs)
    return model, callbacks, resume, history


def adam_with_schedule():
    schedule = keras.optimizers.schedules.CosineDecay(0.05, 25)
    return keras.optimizers.AdamW(schedule, weight_decay=1e-3, clipnorm=1.0)


def averaged_sgd():
    return keras.optimizers.SGD(
        0.05, momentum=0.9, use_ema=True, ema_overwrite_frequency=7
    )


def scaled_and_accumulated():
    inner = keras.optimizers.Adam(0.05, gradient_accumulation_steps=3)
    return keras.optimizers.LossScaleOptimizer(inner, dynamic_growth_steps=4)


@pytest.mark.parametrize(
    "optimizer, options",
    [
        (adam_with_schedule, {}),
        (averaged_sgd, {"jit_compile": True}),
        (scaled_and_accumulated, {"steps_per_execution": 2}),
    ],
)
def test_the_whole_optimizer_is_resumed(tmp_path, optimizer, options):
    def build(seed):
        return build_model(seed, optimizer(), **options)

    def without_plateau(folder):
        # It refuses learning-rate schedules.
        return [build_callbacks(folder)[i] for i in (0, 2)]

    whole = run(tmp_path / "whole", [5], build, without_plateau)
    parts = run(tmp_path / "parts", [2, 5], build, without_plateau)
    assert variables(parts[0]) == variables(whole[0])
    assert parts[3].history == whole[3].history
    assert parts[3].epoch == whole[3].epoch
    batches = 5 * 6 if "steps_per_execution" in options else 5 * 5
    assert parts[2].step == whole[2].step == batches
    best = [tmp_path / name / "best.weights.h5" for name in ("whole", "parts")]
    assert best[0].read_bytes() == best[1].read_bytes()


def test_bfloat16(tmp_path):
    def build(seed):
        keras.utils.set_random_seed(seed)
        model = keras.Sequential(
            [keras.Input((6,)), keras.layers.Dense(2, dtype="bfloat16")]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, run_eagerly=True)
        return model

    def early(folder):
        return [keras.callbacks.EarlyStopping("val_loss", restore_best_weights=True)]

    whole = run(tmp_path / "whole", [2], build, early)
    parts = run(tmp_path / "parts", [1, 2], build, early)
    assert parts[0].weights[0].dtype == "bfloat16"
    assert variables(parts[0]) == variables(whole[0])


# The states of callbacks. The metric is given, so that the outcome is known.


class Scores(keras.callbacks.Callback):
    def __init__(self, scores):
        super().__init__()
        self.scores = scores

    def on_epoch_end(self, epoch, logs=None):
        logs["score"] = self.scores[epoch]


def build_eager(seed=0):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1, 0.9), loss, run_eagerly=True)
    return model


def best_file(folder):
    return keras.callbacks.ModelCheckpoint(
        str(folder / "best.weights.h5"),
        monitor="score",
        mode="max",
        save_best_only=True,
        save_weights_only=True,
    )


def plateau():
    return keras.callbacks.ReduceLROnPlateau(
        "score", mode="max", factor=0.5, patience=2, cooldown=2
    )


def early_stopping(patience=3, **options):
    return keras.callbacks.EarlyStopping(
        "score", mode="max", patience=patience, restore_best_weights=True, **options
    )


def fit_eager(model, callbacks, resume, epochs, scores):
    return model.fit(
        training_data(resume.step),
        initial_epoch=resume.initial_epoch,
        epochs=epochs,
        steps_per_epoch=2,
        callbacks=[Scores(scores), *callbacks, resume],
        shuffle=False,
        verbose=0,
    )


def run_scores(folder, stops, scores, build_callback, kept=True):
    folder.mkdir()
    for epochs in stops:
        keras.utils.clear_session()
        model, callbacks = build_eager(), [build_callback(folder)]
        resume = Resume(folder / "checkpoints", callbacks if kept else [])
        resume.restore(model)
        history = fit_eager(model, callbacks, resume, epochs, scores)
    best = folder / "best.weights.h5"
    return {
        "variables": variables(model),
        "history": history.history,
        "epochs": history.epoch,
        "best": best.read_bytes() if best.exists() else None,
        "finished": resume.finished,
    }


@pytest.mark.parametrize(
    "build_callback, scores, stop",
    [
        # Stops after the fifth epoch and takes the weights of the second.
        (lambda folder: early_stopping(), [1, 5, 2, 3, 4, 4.5, 4.8], 3),
        # The rate falls in the fourth epoch, rests for two, and falls again.
        (lambda folder: plateau(), [5, 6, 1, 2, 3, 4, 5], 4),
        # The second epoch is never surpassed.
        (best_file, [1, 5, 2, 3, 4, 4, 4], 3),
    ],
    ids=["EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint"],
)
def test_state_of_callbacks(tmp_path, build_callback, scores, stop):
    whole = run_scores(tmp_path / "whole", [7], scores, build_callback)
    parts = run_scores(tmp_path / "parts", [stop, 7], scores, build_callback)
    assert parts == whole
    # The test is one that can fail.
    folder = tmp_path / "forgetful"
    parts = run_scores(folder, [stop, 7], scores, build_callback, kept=False)
    assert parts != whole


def test_stopped_early_stays_stopped(tmp_path):
    scores = [1, 5, 2, 3, 4, 4, 4, 4]
    first = run_scores(
        tmp_path / "run", [8], scores, lambda folder: early_stopping(patience=2)
    )
    assert first["epochs"] == [0, 1, 2, 3]
    assert first["finished"]

    for _ in range(2):
        keras.utils.clear_session()
        model, early = build_eager(7), early_stopping(patience=2)
        resume = Resume(tmp_path / "run" / "checkpoints", [early])
        assert resume.restore(model)
        assert resume.finished
        assert (resume.epoch, resume.step) == (4, 8)
        assert resume.history["score"] == [1, 5, 2, 3]
        history = fit_eager(model, [early], resume, 8, scores)
        # No epoch is trained, and the best weights are back.
        assert variables(model) == first["variables"]
        assert history.history == first["history"]
        assert history.epoch == [0, 1, 2, 3]
        assert (early.best, early.best_epoch, early.stopped_epoch) == (5, 1, 3)

    model, early = build_eager(7), early_stopping(patience=2)
    resume = Resume(tmp_path / "run" / "checkpoints", [early])
    resume.restore(model)
    before = variables(model)
    with pytest.raises(ValueError, match="initial_epoch=resume.initial_epoch"):
        model.fit(
            training_data(resume.step),
            initial_epoch=resume.epoch,
            epochs=8,
            steps_per_epoch=2,
            callbacks=[early, resume],
            shuffle=False,
            verbose=0,
        )
    assert variables(model) == before


def test_a_complete_run_may_be_prolonged(tmp_path):
    scores = [1, 5, 2, 3, 4, 6, 4, 4]

    def build_callback(folder):
        return early_stopping(patience=100)

    whole = run_scores(tmp_path / "whole", [6], scores, build_callback)
    parts = run_scores(tmp_path / "parts", [4, 4, 6, 6], scores, build_callback)
    assert parts == whole
    assert not parts["finished"]


def test_best_file_goes_back_to_the_checkpoint(tmp_path):
    best = best_file(tmp_path)
    model, resume = build_eager(), Resume(tmp_path / "checkpoints", [best])
    resume.restore(model)
    fit_eager(model, [best], resume, 2, [1, 2])
    file = tmp_path / "best.weights.h5"
    kept = file.read_bytes()
    for change in (lambda: file.write_bytes(b"of a lost epoch"), file.unlink):
        change()
        model, best = build_eager(), best_file(tmp_path)
        assert Resume(tmp_path / "checkpoints", [best]).restore(model)
        assert file.read_bytes() == kept


def test_one_fit_after_another(tmp_path):
    """Within a process a second `fit` goes on, and Keras resets callbacks."""

    def train_twice(folder, interrupted):
        folder.mkdir()
        scores = [1, 5, 2, 3, 4, 6, 4, 4]
        keras.utils.clear_session()
        model, early = build_eager(), early_stopping(patience=2)
        resume = Resume(folder, [early])
        resume.restore(model)
        fit_eager(model, [early], resume, 8, scores)
        assert resume.finished
        options = {
            "initial_epoch": resume.epoch,
            "steps_per_epoch": 2,
            "shuffle": False,
            "verbose": 0,
        }
        callbacks = [Scores(scores), early, resume]
        if not interrupted:
            data = training_data(resume.step)
            model.fit(data, epochs=6, callbacks=callbacks, **options)
            return model, resume
        data = training_data(resume.step)
        model.fit(data, epochs=5, callbacks=callbacks, **options)
        model, early = build_eager(9), early_stopping(patience=2)
        resume = Resume(folder, [early])
        resume.restore(model)
        fit_eager(model, [early], resume, 6, scores)
        return model, resume

    whole, resume = train_twice(tmp_path / "whole", False)
    parts, other = train_twice(tmp_path / "parts", True)
    assert variables(parts) == variables(whole)
    assert other.history == resume.history
    assert other.step == resume.step == 12


class NoOptimizerStep(keras.Model):
    """An outer rule that is no step of an optimizer, as in Reptile."""

    def __init__(self):
        super().__init__()
        self.position = self.add_weight(shape=(), initializer="zeros")
        self.built = True

    def train_step(self, data):
        self.position.assign(0.9 * self.position + tf.reduce_mean(data[0]))
        return {"position": self.position}


def test_steps_are_counted_without_an_optimizer(tmp_path):
    def build(seed):
        model = NoOptimizerStep()
        model.compile()
        return model

    def train_parts(folder, stops):
        for epochs in stops:
            model, resume = build(0), Resume(folder)
            resume.restore(model)
            history = model.fit(
                training_data(resume.step),
                initial_epoch=resume.initial_epoch,
                epochs=epochs,
                steps_per_epoch=2,
                callbacks=[resume],
                shuffle=False,
                verbose=0,
            )
        return model, resume, history.history

    whole = train_parts(tmp_path / "whole", [3])
    parts = train_parts(tmp_path / "parts", [1, 3])
    assert int(parts[0].optimizer.iterations) == 0
    assert parts[1].step == 6
    assert variables(parts[0]) == variables(whole[0])
    assert parts[2] == whole[2]


# What is refused.


@pytest.fixture
def saved(tmp_path):
    """A folder of checkpoints after one epoch with EarlyStopping."""
    model, early = build_eager(), early_stopping()
    resume = Resume(tmp_path / "checkpoints", [early])
    resume.restore(model)
    fit_eager(model, [early], resume, 1, [1])
    return tmp_path / "checkpoints"


def test_order_of_callbacks(tmp_path):
    early, rate = early_stopping(), plateau()
    resume = Resume(tmp_path, [rate, early])
    model = build_eager()
    options = {"epochs": 1, "steps_per_epoch": 1, "shuffle": False, "verbose": 0}
    before = variables(model)
    for callbacks, missing in (
        ([rate, resume, early], "no EarlyStopping before"),
        ([resume, rate, early], "no ReduceLROnPlateau and no EarlyStopping before"),
        ([resume], "no ReduceLROnPlateau and no EarlyStopping before"),
    ):
        with pytest.raises(ValueError, match=missing):
            model.fit(training_data(0), callbacks=callbacks, **options)
    assert variables(model) == before
    callbacks = [Scores([1]), early, rate, resume]
    model.fit(training_data(0), callbacks=callbacks, **options)
    # Noticed although the callbacks belong to this model already.
    with pytest.raises(ValueError, match="no EarlyStopping before"):
        model.fit(training_data(0), callbacks=[rate, resume, early], **options)


def test_unknown_callbacks(tmp_path):
    class MyStopping(keras.callbacks.EarlyStopping):
        pass

    for callback in (keras.callbacks.TerminateOnNaN(), MyStopping()):
        name = type(callback).__name__
        with pytest.raises(TypeError, match=f"EarlyStopping.*Received: {name}"):
            Resume(tmp_path, [callback])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"filepath": "{epoch}.keras"}, "placeholders"),
        ({"filepath": "last.keras", "save_freq": 10}, "save_freq=10"),
    ],
)
def test_unsuitable_model_checkpoints(tmp_path, options, message):
    callback = keras.callbacks.ModelCheckpoint(**options)
    with pytest.raises(ValueError, match=message):
        Resume(tmp_path, [callback])


def test_model_must_be_compiled_and_built(tmp_path):
    model = keras.Sequential([keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="must be compiled"):
        Resume(tmp_path).restore(model)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="must be built"):
        Resume(tmp_path).restore(model)


def test_restore_is_not_forgotten(saved):
    early = early_stopping()
    with pytest.raises(ValueError, match=r"`resume.restore\(model\)` must be called"):
        fit_eager(build_eager(), [early], Resume(saved, [early]), 2, [1, 2])


def test_compile_after_restore(saved):
    model, early = build_eager(), early_stopping()
    resume = Resume(saved, [early])
    resume.restore(model)
    model.compile("adam", model.loss, run_eagerly=True)
    with pytest.raises(ValueError, match="after `compile`"):
        fit_eager(model, [early], resume, 2, [1, 2])


def test_initial_epoch_is_not_forgotten(saved):
    model, early = build_eager(), early_stopping()
    resume = Resume(saved, [early])
    resume.restore(model)
    with pytest.raises(ValueError, match="Received: initial_epoch=0"):
        model.fit(
            training_data(resume.step),
            epochs=2,
            steps_per_epoch=2,
            callbacks=[early, resume],
            shuffle=False,
            verbose=0,
        )


def test_broken_off_in_this_process(tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 3:
                raise KeyboardInterrupt

    scores = [1, 2, 3]
    whole = run_scores(tmp_path / "whole", [3], scores, lambda _: early_stopping())
    keras.utils.clear_session()
    model, early = build_eager(), early_stopping()
    resume = Resume(tmp_path / "parts", [early])
    resume.restore(model)
    with pytest.raises(KeyboardInterrupt):
        fit_eager(model, [early, Interrupt()], resume, 3, scores)
    with pytest.raises(ValueError, match="broke off within an epoch"):
        fit_eager(model, [early], resume, 3, scores)
    assert resume.restore(model)
    fit_eager(model, [early], resume, 3, scores)
    assert variables(model) == whole["variables"]
    assert resume.history == whole["history"]


@pytest.mark.parametrize(
    "callbacks",
    [
        [],
        [plateau()],
        [keras.callbacks.EarlyStopping("loss")],
        [early_stopping(), plateau()],
    ],
)
def test_other_callbacks_than_before(saved, callbacks):
    model = build_eager()
    before = variables(model)
    with pytest.raises(ValueError, match="`callbacks` must hold the callbacks of"):
        Resume(saved, callbacks).restore(model)
    assert variables(model)[: len(before)] == before


def test_another_model_than_before(saved):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    with pytest.raises(ValueError, match=r"float32 of shape \(6, 2\)"):
        Resume(saved, [early_stopping()]).restore(model)
    model = build_eager()
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
    # Keras itself would skip the optimizer with a warning.
    with pytest.raises(ValueError, match="Received: a model with nothing there"):
        Resume(saved, [early_stopping()]).restore(model)


def test_damaged_checkpoint(saved):
    file = next(saved.glob("checkpoint-*/arrays.npz"))
    file.write_bytes(file.read_bytes()[:-1])
    model = build_eager()
    with pytest.raises(ValueError, match="arrays.npz.* is damaged"):
        Resume(saved, [early_stopping()]).restore(model)


def test_other_conditions_are_named(saved):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Resume(saved, [early_stopping()]).restore(build_eager())
    manifest = next(saved.glob("checkpoint-*/manifest.json"))
    content = json.loads(manifest.read_text())
    content["environment"].update(
        tensorflow="2.0.0", intra_op_parallelism_threads=64, TF_ENABLE_ONEDNN_OPTS="no"
    )
    manifest.write_text(json.dumps(content))
    with pytest.warns(UserWarning, match="bit-identical results are not") as caught:
        assert Resume(saved, [early_stopping()]).restore(build_eager())
    (message,) = [str(warning.message) for warning in caught]
    assert f"tensorflow was '2.0.0' and is '{tf.__version__}'" in message
    assert "intra_op_parallelism_threads was 64 and is" in message
    assert "TF_ENABLE_ONEDNN_OPTS was 'no' and is" in message
    assert "numpy" not in message
