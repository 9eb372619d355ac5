"""Answers of a run: of drawings and of photographs."""

import numpy as np
import pytest
from PIL import Image
from sketches import CHARACTERS, by_hand, canvas

from tfmeta.demo.by_run import RunAnswers
from tfmeta.demo.drawings import ink_of
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.run_folder import RunFolder


@pytest.fixture(scope="module")
def answers(characters):
    return RunAnswers(characters)


def inks(seed):
    return {
        name: ink_of(canvas(by_hand(strokes, seed)))
        for name, strokes in CHARACTERS.items()
    }


def test_a_character_that_is_drawn_again_is_found(answers):
    assert answers.draws
    support, again = inks(0), inks(1)
    for name, ink in again.items():
        found = answers.of_drawings(support, ink).probabilities
        assert list(found) == list(support)
        assert sum(found.values()) == pytest.approx(1, abs=1e-5)
        assert max(found, key=found.get) == name
        assert found[name] > 0.5


def test_files_of_paper_are_inverted_and_it_is_said(answers, tmp_path):
    def on_paper(name, seed):
        path = tmp_path / f"{name}{seed}.png"
        ink = ink_of(canvas(by_hand(CHARACTERS[name], seed)))
        Image.fromarray(255 - ink).save(path)
        return path

    support = {name: [on_paper(name, n) for n in (0, 1)] for name in CHARACTERS}
    answer = answers.of_photographs(support, on_paper("fork", 2))
    best = max(answer.probabilities, key=answer.probabilities.get)
    assert best == "fork"
    assert "exchanged: the run was trained on light on dark" in answer.note
    truncated = tmp_path / "cut.png"
    truncated.write_bytes(on_paper("kite", 3).read_bytes()[:60])
    with pytest.raises(ValueError, match="'cut.png'") as caught:
        answers.of_photographs(support, truncated)
    assert str(tmp_path) not in str(caught.value)


def test_it_says_what_answers(answers):
    assert answers.about == (
        "A PrototypicalNetwork, trained on <b>coarse</b> (28 x 28, grey). No accuracy "
        "of it is known."
    )


@pytest.mark.slow
def test_what_knows_colours_is_not_asked_for_drawings(saved_model):
    assert not RunAnswers(saved_model((8, 8, 3))).draws


def test_what_is_no_run_of_pictures_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be a run folder"):
        RunAnswers(tmp_path)
    config = TrainConfig(
        dataset="a.csv", task_column="a", target_column="b", learner="maml"
    )
    RunFolder(tmp_path / "rows").create(config, {})
    with pytest.raises(ValueError, match="must be a run of classification"):
        RunAnswers(tmp_path / "rows")


@pytest.mark.slow
def test_grey_pictures_without_an_axis_of_channels(tmp_path_factory):
    import keras

    import tfmeta

    flat = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten()])
    learner = tfmeta.learners.PrototypicalNetwork(flat)
    model = tfmeta.export.save(
        learner, tmp_path_factory.mktemp("flat"), input_dtype="uint8"
    )
    support = inks(0)
    found = RunAnswers(model).of_drawings(support, support["kite"]).probabilities
    assert found["kite"] == pytest.approx(1) and np.isfinite([*found.values()]).all()
