import numpy as np
import pytest
from PIL import Image

from tfmeta.classifying import answers_picture as module
from tfmeta.classifying.answers import Answers
from tfmeta.classifying.answers_picture import draw_answers

GREEN, RED = (26, 127, 55), (207, 34, 46)


def shares(path, *colours):
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return [(np.abs(pixels - c).max(axis=2) < 12).mean() for c in colours]


@pytest.fixture
def files(tmp_path):
    paths = []
    for number in range(60):
        paths.append(tmp_path / f"{number}.png")
        size = (30 + number, 90 - number)
        Image.new("RGB", size, (40, 40, 200 + number % 50)).save(paths[-1])
    return paths


def of(files, labels):
    probabilities = np.tile(np.array([[0.75, 0.25]], np.float32), (len(files), 1))
    return Answers(
        names=[p.name for p in files],
        class_names=("a very long name of a class", "$\\frac$ \x1b字"),
        probabilities=probabilities,
        classes=np.zeros(len(files), int),
        labels=labels,
    )


def test_right_and_wrong_are_told_apart(files, tmp_path):
    wrong = np.array([0, 0, 0, 1])
    draw_answers(of(files[:4], wrong), files[:4], tmp_path / "some.png")
    green, red = shares(tmp_path / "some.png", GREEN, RED)
    assert green > 2 * red > 0
    draw_answers(of(files[:4], None), files[:4], tmp_path / "none.png")
    assert shares(tmp_path / "none.png", GREEN, RED) == [0, 0]


def test_of_many_some_are_shown(files, tmp_path, monkeypatch):
    titles = []
    suptitle = module.Figure.suptitle

    def noted(self, text, **options):
        titles.append(text)
        return suptitle(self, text, **options)

    monkeypatch.setattr(module.Figure, "suptitle", noted)
    monkeypatch.setattr(module, "MOST", 3)
    draw_answers(of(files, np.zeros(60, int)), files, tmp_path / "many.png")
    assert titles == ["3 of 60 pictures; accuracy 100.0 % (60 of 60 pictures)"]
    draw_answers(of(files[:1], None), files[:1], tmp_path / "one.png")
    assert titles[1] == "1 pictures"
