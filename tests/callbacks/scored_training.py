"""Quick runs with given scores, so that what callbacks do is known."""

import keras
from training_script import training_data

from tfmeta.callbacks import Resume


def variables(model) -> list[bytes]:
    all_variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(v).tobytes() for v in all_variables]


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
        keras.utils.clear_session(free_memory=False)
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
