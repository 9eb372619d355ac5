import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image


@pytest.fixture
def photos(tmp_path):
    """Twelve classes of nine colour pictures, told apart by their colour."""
    random = np.random.default_rng(0)
    for number in range(12):
        colour = random.integers(0, 256, 3)
        for index in range(9):
            folder = tmp_path / "photos" / f"class{number:02d}"
            folder.mkdir(parents=True, exist_ok=True)
            noise = random.integers(-20, 20, (20, 24, 3))
            picture = np.clip(colour + noise, 0, 255).astype(np.uint8)
            Image.fromarray(picture).save(folder / f"{index}.png")
    return tmp_path / "photos"


SHORT = (
    *("--epochs", "1", "--steps-per-epoch", "2", "--filters", "4"),
    *("--validation-episodes", "8", "--test-episodes", "600"),
)


def test_a_folder_of_photos(call, photos, tmp_path):
    run = tmp_path / "run"
    for name in ("class03", "class07"):
        (photos / name / "bad.png").write_bytes(b"no picture")
    train = (
        *("train", "--dataset", photos, "--size", 16, "--augment"),
        *("--run", run, "--ways", 2, *SHORT),
    )
    error = call(*train).error
    assert "class03/bad.png" in error and "class07/bad.png" in error
    assert "`--skip-bad` leaves them out" in error and not run.exists()
    done = call(*train, "--skip-bad")
    assert (done.code, done.err) == (0, "")
    assert "Note: 2 of 110 pictures are left out: " in done.out
    # It would have needed no training.
    assert "have a Logistic Regression by default, which makes no use of " in done.out
    assert "--epochs" in done.out
    config = json.loads((run / "config.json").read_text())["config"]
    assert config["dataset"] == str(photos) and config["size"] == 16
    # Seven, two and three classes.
    assert config["training"]["ways"] == 7
    for part in ("validation", "test"):
        assert (config[part]["ways"], config[part]["queries"]) == (2, 8)
    assert (run / "episodes.png").exists()
    assert "2-way 1-shot on photos" in done.out


@pytest.mark.slow
def test_a_file_of_texts(call, tmp_path):
    from tfmeta.datasets import ClassTable
    from tfmeta.datasets.storage.table_folder import save_table

    words = [f"{a}{b}" for a in "abcd" for b in "efghi"]
    texts = [f"{word} {other}" for word in words for other in words[:7]]
    labels = [word for word in words for _ in range(7)]
    table = ClassTable.from_arrays("words", np.array(texts, object), labels)
    save_table(table, tmp_path / "words")
    run = tmp_path / "run"
    done = call("train", "--dataset", tmp_path / "words", "--run", run, *SHORT)
    assert done.code == 0, done.err
    assert not (run / "episodes.png").exists()
    assert f"classify {run} --support LABELLED.csv --query NEW.txt" in done.out
    classify = tf.saved_model.load(str(run / "saved_model" / "1"))
    answer = classify.signatures["classify"](
        support=tf.constant(["ae be", "zz yy"]),
        support_labels=tf.constant([0, 1]),
        query=tf.constant(["ae", "yy zz"]),
    )
    assert answer["probabilities"].numpy().argmax(axis=1).tolist() == [0, 1]


def test_what_is_not_there(call, tmp_path):
    done = call("train", "--dataset", tmp_path / "nothing", "--run", tmp_path / "run")
    assert done.code == 2 and "`--dataset` must be one of glyphs" in done.err
    assert not (tmp_path / "run").exists()
