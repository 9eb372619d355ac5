import io
import re

import keras
import numpy as np
import pytest
from rich.console import Console

from tfmeta.callbacks.progress import TrainingProgress

INPUTS, LABELS = np.zeros((12, 3), "float32"), np.zeros((12, 1), "float32")


class Watch(keras.callbacks.Callback):
    """Where the bar stands after each call, and its end."""

    def __init__(self, progress):
        super().__init__()
        self.progress = progress
        self.places = []

    def on_train_batch_end(self, batch, logs=None):
        (task,) = self.progress._progress.tasks
        self.places.append((task.completed, task.total))


class Fail(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise KeyboardInterrupt


def build(**options):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", **options)
    return model


def console(terminal):
    return Console(file=io.StringIO(), force_terminal=terminal, width=100)


def lines(console):
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())
    return re.findall(r"epoch +\d+/\d+: .*", text)


def fit(model, progress, **options):
    watch = Watch(progress)
    options = {"batch_size": 4, "epochs": 2, "verbose": 0, **options}
    model.fit(INPUTS, LABELS, callbacks=[progress, watch], **options)
    return watch.places


@pytest.mark.parametrize("terminal", [False, True])
def test_one_line_for_each_epoch(terminal):
    where = console(terminal)
    fit(build(), TrainingProgress(where), epochs=10)
    found = lines(where)
    assert [line[: line.index(":")] for line in found] == [
        f"epoch {epoch:2d}/10" for epoch in range(1, 11)
    ]
    assert re.fullmatch(r"epoch  1/10: training: loss \d\.\d{4}", found[0])
    written = where.file.getvalue()
    if terminal:
        assert "30/30" in written
        assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    else:
        assert "\x1b" not in written


@pytest.mark.parametrize(
    ("metric", "shown"),
    [("accuracy", r"accuracy \d+\.\d %"), ("mae", r"mae \d+\.\d{4}")],
)
def test_the_line_says_what_each_figure_is_of(metric, shown):
    where = console(False)
    progress = TrainingProgress(where, training="20-way", validation="5-way [red]\n")
    fit(
        build(metrics=[metric]),
        progress,
        epochs=1,
        validation_data=(INPUTS, LABELS),
    )
    loss = r"loss \d\.\d{4}"
    (line,) = where.file.getvalue().splitlines()
    assert re.fullmatch(
        rf"epoch 1/1: training on 20-way: {shown}, {loss}; "
        rf"validation on 5-way \[red\]\\n: {shown}, {loss}",
        line,
    )


def test_one_bar_for_all_epochs():
    places = fit(build(), TrainingProgress(console(True)))
    assert places == [(n, 6) for n in range(1, 7)]


def test_a_resumed_training_begins_where_it_stopped():
    where = console(True)
    places = fit(build(), TrainingProgress(where), initial_epoch=2, epochs=4)
    assert places == [(n, 12) for n in range(7, 13)]
    assert lines(where)[0].startswith("epoch 3/4")


def test_nothing_left_to_train():
    where = console(True)
    assert fit(build(), TrainingProgress(where), initial_epoch=2, epochs=2) == []
    assert lines(where) == []


def test_several_steps_in_one_execution():
    model = build(steps_per_execution=2)
    places = fit(model, TrainingProgress(console(True)))
    assert places == [(n, 6) for n in (2, 3, 5, 6)]


def test_a_second_training():
    progress = TrainingProgress(console(True))
    model = build()
    assert fit(model, progress) == fit(model, progress)


def test_a_number_of_steps_that_nobody_knows():
    def batches():
        for _ in range(3):
            yield INPUTS[:4], LABELS[:4]

    where = console(True)
    progress = TrainingProgress(where)
    watch = Watch(progress)
    build().fit(batches(), callbacks=[progress, watch], verbose=0)
    assert watch.places == [(n, None) for n in (1, 2, 3)]
    assert len(lines(where)) == 1


def test_stop_gives_the_cursor_back():
    where = console(True)
    progress = TrainingProgress(where)
    with pytest.raises(KeyboardInterrupt):
        build().fit(INPUTS, LABELS, callbacks=[progress, Fail()], verbose=0)
    progress.stop()
    written = where.file.getvalue()
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    progress.stop()
