import keras
import pytest
import tensorflow as tf
from scored_training import (
    Scores,
    best_file,
    build_eager,
    early_stopping,
    fit_eager,
    plateau,
    run_scores,
    variables,
)
from training_script import (
    STEPS,
    build_callbacks,
    build_model,
    training_data,
    validation_data,
)

from tfmeta.callbacks import Resume


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


def run(folder, stops, build, build_callbacks=build_callbacks):
    """Trains up to each of `stops` with everything built anew each time."""
    folder.mkdir()
    for index, epochs in enumerate(stops):
        # As in a new process, the names of layers start from the beginning.
        keras.utils.clear_session(free_memory=False)
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


@pytest.mark.slow
@pytest.mark.parametrize(
    "optimizer, options",
    [
        pytest.param(adam_with_schedule, {}, marks=pytest.mark.slow),
        pytest.param(averaged_sgd, {"jit_compile": True}, marks=pytest.mark.slow),
        (scaled_and_accumulated, {"steps_per_execution": 5}),
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
    assert parts[2].step == whole[2].step == 5 * 5
    best = [tmp_path / name / "best.weights.h5" for name in ("whole", "parts")]
    assert best[0].read_bytes() == best[1].read_bytes()


@pytest.mark.slow
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


# The states of callbacks, with given scores.


@pytest.mark.slow
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
        keras.utils.clear_session(free_memory=False)
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
        keras.utils.clear_session(free_memory=False)
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
