import dataclasses

import keras
import numpy as np
import pytest
from PIL import Image

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes
from tfmeta.learners import PrototypicalNetwork
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.pictures import draw_curve, draw_episodes

GREEN, RED = (26, 127, 55), (207, 34, 46)


def share(path, colour):
    """The share of a picture's pixels that have this very colour."""
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("RGB"))
    return float(np.mean(np.all(pixels == colour, axis=-1)))


def grey_table(channels=1):
    """Classes that any encoder tells apart: each is one grey, all over."""
    examples = np.repeat(np.arange(10, 250, 20), 8).astype(np.uint8)
    examples = np.broadcast_to(examples[:, None, None, None], (96, 4, 4, channels))
    return ClassTable.from_arrays(
        "greys", examples, [f"class{i:02d}" for i in range(12) for _ in range(8)]
    )


def learner_of(*layers, channels=1):
    encoder = keras.Sequential([keras.Input((4, 4, channels)), *layers])
    return PrototypicalNetwork(encoder)


@pytest.mark.parametrize("channels", [1, 3])
def test_right_predictions_are_green(tmp_path, channels):
    path = tmp_path / "episodes.png"
    episodes = Episodes(grey_table(channels), ways=3, shots=2, queries=4)
    learner = learner_of(keras.layers.Flatten(), channels=channels)
    draw_episodes(learner, episodes, path)
    assert share(path, GREEN) > 0.01
    assert share(path, RED) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["episodes.png"]


def test_wrong_predictions_are_red(tmp_path):
    # With the same embedding for every picture all queries go to one class.
    blind = [keras.layers.Flatten(), keras.layers.Rescaling(0.0)]
    path = tmp_path / "episodes.png"
    draw_episodes(learner_of(*blind), Episodes(grey_table(), ways=4, queries=5), path)
    red, green = share(path, RED), share(path, GREEN)
    assert red > 2 * green > 0


def test_classes_are_named_and_so_is_what_a_query_was_taken_for(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(
        "tfmeta.runs.pictures.save_figure", lambda figure, path: figures.append(figure)
    )
    table = grey_table()
    names = ("a", "$x$ [b]\n", *table.class_names[2:11], "alphabet/of a long name 123")
    table = dataclasses.replace(table, class_names=names)
    episodes = Episodes(table, ways=4, queries=5)
    blind = [keras.layers.Flatten(), keras.layers.Rescaling(0.0)]
    draw_episodes(learner_of(*blind), episodes, tmp_path / "episodes.png", count=2)
    (figure,) = figures
    for panel, classes in zip(figure.subfigs, episodes.class_ids(0), strict=False):
        grid = np.reshape(panel.axes, (4, -1))
        drawn = [axes.get_ylabel() for axes in grid[:, 0]]
        expected = [names[c].replace("\n", "\\n") for c in classes]
        for label, name in zip(drawn, expected, strict=True):
            assert label.replace("\n", "")[:9] == name[:9]
            assert len(label.splitlines()) <= 2
        # With one embedding for all, one class takes all queries.
        wrong = {a.get_xlabel() for row in grid for a in row if a.get_xlabel()}
        assert len(wrong) == 1
        assert wrong.pop().replace("\n", "")[:9] in {name[:9] for name in expected}
        assert not any(a.yaxis.label.get_parse_math() for a in grid[:, 0])
    # All of the figure can be drawn.
    figure.savefig(tmp_path / "drawn.png")


def test_more_classes_and_pictures_than_there_is_room_for(tmp_path):
    path = tmp_path / "episodes.png"
    episodes = Episodes(grey_table(), ways=11, shots=4, queries=3, tasks=2)
    draw_episodes(learner_of(keras.layers.Flatten()), episodes, path, count=1)
    with Image.open(path) as picture:
        assert picture.width < 1000 and picture.height < 1000


def test_the_curve_is_replaced(tmp_path):
    path = tmp_path / "curve.png"
    path.write_bytes(b"an older one")
    history = {
        "loss": [2.0, 1.0, 1.5],
        "accuracy": [0.2, 0.5, 0.4],
        "val_loss": [1.9, 1.1, 1.6],
        "val_accuracy": [0.3, 0.6, 0.5],
    }
    draw_curve(history, TrainConfig(), path)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 10
    assert [p.name for p in tmp_path.iterdir()] == ["curve.png"]


def test_the_curve_of_one_epoch_and_of_a_diverged_run(tmp_path):
    for values in ([1.0], [1.0, float("nan"), float("nan")]):
        history = dict.fromkeys(
            ("loss", "accuracy", "val_loss", "val_accuracy"), values
        )
        draw_curve(history, TrainConfig(), tmp_path / "curve.png")
        assert (tmp_path / "curve.png").stat().st_size > 1000
