"""Training stops where the loss or the weights are no numbers, and says why."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfmeta
from tfmeta.callbacks import NonFiniteTrainingError, Resume, StopAtNonFinite
from tfmeta.callbacks.checkpoint_folder import list_checkpoints, load_checkpoint
from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes, as_supervised
from tfmeta.learners import MAML, Baseline, PrototypicalNetwork, Reptile

STEPS, EPOCHS = 6, 4


def model(policy="float32", **compiled):
    layer = keras.layers.Dense(
        1, kernel_initializer="ones", dtype=keras.DTypePolicy(policy)
    )
    built = keras.Sequential([keras.Input((2,), dtype="float32"), layer])
    built.compile(
        **{"optimizer": keras.optimizers.SGD(0.01), "loss": "mse", **compiled}
    )
    return built


def batches(bad_step=None, bad=math.nan, where="x"):
    """Endless batches; the one of `bad_step` holds one bad number."""

    def make(step):
        rng = np.random.default_rng(step)
        x, y = rng.normal(size=(4, 2)), rng.normal(size=(4, 1))
        if step == bad_step:
            (x if where == "x" else y)[1, 0] = bad
        return x.astype(np.float32), y.astype(np.float32)

    def from_step(start):
        steps = tf.data.Dataset.range(start, 10**6)
        spec = [tf.float32, tf.float32]

        def one(step):
            x, y = tf.numpy_function(make, [step], spec)
            return tf.ensure_shape(x, [4, 2]), tf.ensure_shape(y, [4, 1])

        return steps.map(one)

    return from_step


def fit(built, data, callbacks, **options):
    settings = {"epochs": EPOCHS, "steps_per_epoch": STEPS, "verbose": 0, **options}
    return built.fit(data, callbacks=callbacks, shuffle=False, **settings)


class Seen(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append((epoch, dict(logs)))


@pytest.mark.slow
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("step", [0, 3, STEPS - 1, STEPS, 2 * STEPS + 4])
def test_the_very_step_is_named(step, bad):
    data, seen = batches(step, bad), Seen()
    with pytest.raises(NonFiniteTrainingError) as raised:
        fit(model(), data(0), [StopAtNonFinite(), seen])
    message = str(raised.value)
    assert f"in step {step + 1} (epoch {step // STEPS + 1} of {EPOCHS}" in message
    assert "training loss of Sequential must be finite" in message
    assert len(seen.epochs) == step // STEPS  # no failed epoch is shown to others
    first = "no step was taken before" in message
    assert first == (step == 0)
    assert ("the learning rate, 0.01 when the epoch began: lower it" in message) == (
        step > 0
    )


@pytest.mark.parametrize("step", [0, 4, STEPS + 1])
def test_the_steps_of_one_execution_are_named(step):
    data = batches(step)
    with pytest.raises(NonFiniteTrainingError) as raised:
        fit(model(steps_per_execution=3), data(0), [StopAtNonFinite(data)])
    first = step // 3 * 3 + 1
    assert f"in one of the steps {first} to {first + 2} (epoch" in str(raised.value)
    # The data say which of them it was.
    assert f"1 numbers of its batch in step {step + 1} are NaN" in str(raised.value)


@pytest.mark.parametrize("where", ["x", "y"])
def test_data_are_the_cause_where_they_are(where):
    data = batches(STEPS + 2, math.inf, where)
    with pytest.raises(NonFiniteTrainingError) as raised:
        fit(model("mixed_float16"), data(0), [StopAtNonFinite(data)])
    assert "The cause is in the data: 1 numbers" in str(raised.value)
    assert f"in step {STEPS + 3} are NaN or infinite" in str(raised.value)
    assert "learning rate" not in str(raised.value)


def test_a_skipped_step_of_float16_is_no_failure():
    # A scale that makes gradients overflow is lowered step by step.
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.01), initial_scale=2.0**60, dynamic_growth_steps=1000
    )
    built = model("mixed_float16", optimizer=optimizer)
    before = built.get_weights()[0].copy()
    fit(built, batches()(0), [StopAtNonFinite()], epochs=1, steps_per_epoch=3)
    assert float(optimizer.dynamic_scale) < 2.0**60  # steps were skipped
    np.testing.assert_array_equal(built.get_weights()[0], before)


def test_the_learning_rate_of_a_schedule_is_that_of_the_epoch():
    falls = keras.optimizers.schedules.CosineDecay(1e30, 2)
    built = model(optimizer=keras.optimizers.SGD(falls))
    with pytest.raises(NonFiniteTrainingError, match=r"rate, 1e\+30 when the epoch"):
        fit(built, batches()(0), [StopAtNonFinite(batches())])


def test_float16_that_overflows_is_named():
    built = model("mixed_float16")
    built.layers[0].kernel.assign([[1e5], [1.0]])
    with pytest.raises(NonFiniteTrainingError) as raised:
        fit(built, batches()(0), [StopAtNonFinite(batches())])
    assert "Likely one of: float16, which holds no number above 65,504" in str(
        raised.value
    )
    assert "learning rate" not in str(raised.value)  # no step was taken


@keras.saving.register_keras_serializable(package="test_stop")
class Hides(keras.layers.Layer):
    """Finite whatever its weight is, as a rectifier on a CPU is for NaN."""

    def build(self, shape):
        self.hidden = self.add_weight(shape=(), initializer="ones", name="hidden")

    def call(self, inputs):
        kept = tf.where(tf.math.is_finite(self.hidden), self.hidden, 0.0)
        return inputs + 0.0 * kept


class SpoilsAWeight(keras.callbacks.Callback):
    """Stands for an update whose gradient was NaN, at one step."""

    def __init__(self, step):
        super().__init__()
        self.step, self.done = step, 0

    def on_train_batch_end(self, batch, logs=None):
        if self.done == self.step:
            self.model.layers[0].hidden.assign(math.nan)
        self.done += 1


@pytest.mark.parametrize("step", [0, 2, STEPS])
def test_weights_that_the_loss_hides(step):
    built = keras.Sequential([keras.Input((2,)), Hides(), keras.layers.Dense(1)])
    built.compile(keras.optimizers.SGD(0.01), loss="mse")
    with pytest.raises(NonFiniteTrainingError) as raised:
        fit(built, batches()(0), [SpoilsAWeight(step), StopAtNonFinite()])
    message = str(raised.value)
    assert "1 tensors with NaN or infinity" in message and "hidden" in message
    assert f"after step {step + 1} (epoch {step // STEPS + 1} of" in message


def test_an_optimizer_that_is_not_finite_is_seen_at_the_end_of_the_epoch():
    built = model(optimizer=keras.optimizers.Adam(0.01))
    built.optimizer.build(built.trainable_variables)
    # Divides every later update by infinity: nothing is trained, without a word.
    slot = next(v for v in built.optimizer.variables if "velocity" in v.path)

    class Spoils(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == STEPS - 1:
                slot.assign(np.full(slot.shape, np.inf))

    with pytest.raises(NonFiniteTrainingError, match="after epoch 1.*velocity"):
        fit(built, batches()(0), [StopAtNonFinite(), Spoils()])


def test_no_training_goes_on_from_weights_that_are_not_finite():
    built = model()
    built.layers[0].bias.assign([math.nan])
    with pytest.raises(NonFiniteTrainingError, match="before the first step.*bias"):
        fit(built, batches()(0), [StopAtNonFinite()])


def test_a_validation_that_is_not_finite_never_counts_as_best(tmp_path):
    built = model(metrics=["mae"])
    sources = {0: math.nan, 1: 0.0, 2: math.inf, 3: 0.0}
    bad = tf.Variable(0.0)

    class ChoosesValidation(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            bad.assign(sources[epoch])

    x, y = next(iter(batches()(99)))
    validation = tf.data.Dataset.from_tensors((x, y)).map(lambda x, y: (x + bad, y))
    best = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "best.weights.h5"),
        monitor="val_mae",
        mode="min",
        save_best_only=True,
        save_weights_only=True,
        initial_value_threshold=math.inf,
    )
    seen = Seen()
    fit(
        built,
        batches()(0),
        [ChoosesValidation(), StopAtNonFinite(), best, seen],
        validation_data=validation,
    )
    finite = [math.isfinite(logs["val_mae"]) for _, logs in seen.epochs]
    assert finite == [False, True, False, True]
    assert all(math.isfinite(logs["mae"]) for _, logs in seen.epochs)
    assert best.best == min(seen.epochs[1][1]["val_mae"], seen.epochs[3][1]["val_mae"])


def learners():
    def encoder():
        kernel = keras.initializers.GlorotUniform(seed=1)
        return keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(8, "relu", kernel_initializer=kernel),
                keras.layers.Dense(4, kernel_initializer=kernel),
            ]
        )

    return {
        "PrototypicalNetwork": lambda: PrototypicalNetwork(encoder()),
        "MAML": lambda: MAML(encoder(), ways=3, seed=0),
        "Reptile": lambda: Reptile(encoder(), ways=3, seed=0),
        "Baseline": lambda: Baseline(encoder(), 12, seed=0),
    }


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(96, 4)).astype(np.float32)
    return ClassTable.from_arrays("t", points, [f"c{i // 8:02d}" for i in range(96)])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "PrototypicalNetwork",
        "MAML",
        "Baseline",
        pytest.param("Reptile", marks=pytest.mark.slow),
    ],
)
def test_learners_of_every_family_stop(name, table):
    learner = learners()[name]()
    learner.compile(keras.optimizers.SGD(1e30))
    episodes = Episodes(table, ways=3, shots=1, queries=2, tasks=2)

    def data(step):
        if name == "Baseline":
            return as_supervised(table, batch_size=8, seed=0, epochs=None)
        return episodes.as_dataset(start=step)

    with pytest.raises(NonFiniteTrainingError) as raised:
        fit(learner, data(0), [StopAtNonFinite(data)])
    assert f" of {name} must be finite" in str(raised.value)
    assert "Likely: the learning rate, 1e+30 when the epoch began: lower it" in str(
        raised.value
    )


@pytest.mark.slow
@pytest.mark.parametrize("with_stop", [True, False])
def test_no_checkpoint_holds_what_is_not_finite(tmp_path, with_stop):
    data = batches(2 * STEPS - 1, math.inf)
    keep = Resume(tmp_path)
    built = model()
    keep.restore(built)
    callbacks = [StopAtNonFinite(data), keep] if with_stop else [keep]
    with pytest.raises(NonFiniteTrainingError):
        fit(built, data(0), callbacks)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["checkpoint-00000001"]
    arrays = load_checkpoint(tmp_path).arrays
    assert all(np.isfinite(array).all() for array in arrays.values())

    # With the data mended, the run goes on from there as if nothing had been.
    again, straight = model(), model()
    keep = Resume(tmp_path)
    assert keep.restore(again) and keep.step == STEPS
    fit(again, batches()(keep.step), [keep], initial_epoch=keep.initial_epoch)
    fit(straight, batches()(0), [])
    for ours, theirs in zip(again.get_weights(), straight.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_checkpoint_of_a_failed_run_is_not_restored(tmp_path, monkeypatch):
    # As a former version wrote them.
    monkeypatch.setattr(tfmeta.callbacks.resume, "_check_finite", lambda *_: None)
    built = model()
    keep = Resume(tmp_path)
    keep.restore(built)
    fit(built, batches(1)(0), [keep], epochs=1)
    monkeypatch.undo()
    fresh = model()
    before = fresh.get_weights()
    with pytest.raises(NonFiniteTrainingError, match="2 of .* the first model.0"):
        Resume(tmp_path).restore(fresh)
    for ours, theirs in zip(fresh.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_callbacks_that_wait_for_a_first_value_come_back(tmp_path):
    def best():
        return keras.callbacks.ModelCheckpoint(
            str(tmp_path / "best.weights.h5"),
            monitor="loss",
            mode="min",
            save_best_only=True,
            save_weights_only=True,
            initial_value_threshold=-math.inf,
        )

    first = best()
    keep = Resume(tmp_path / "checkpoints", callbacks=[first])
    built = model()
    keep.restore(built)
    fit(built, batches()(0), [first, keep], epochs=1)
    state = next((tmp_path / "checkpoints").iterdir()) / "state.json"
    assert "Infinity" not in state.read_text("utf-8")
    again = best()
    again.best = None
    keep = Resume(tmp_path / "checkpoints", callbacks=[again])
    keep.restore(built)
    fit(built, batches()(keep.step), [again, keep], initial_epoch=1, epochs=2)
    assert again.best == -math.inf
