import json
import warnings

import keras
import pytest
import tensorflow as tf
from scored_training import (
    Scores,
    build_eager,
    early_stopping,
    fit_eager,
    plateau,
    run_scores,
    variables,
)
from training_script import training_data

from tfmeta.callbacks import Resume


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
    keras.utils.clear_session(free_memory=False)
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
