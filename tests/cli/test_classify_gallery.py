"""`tfmeta classify GALLERY`."""

import csv
import io
import json
import shutil

import numpy as np
import pytest
from coloured_photos import COLOURS, paint
from PIL import Image, ImageOps

import tfmeta
from tfmeta.classifying.answers import Answers
from tfmeta.classifying.formats import MOST_CLASSES, TOP, json_lines
from tfmeta.classifying.query_files import QueryFiles


@pytest.fixture
def cups(call, photos, tiny_encoder):
    """A gallery of three colours; what is clearly another is none of these."""
    done = call(
        *("gallery", "enrol", photos / "cups", "--support", photos / "support"),
        *("--encoder", tiny_encoder),
    )
    assert done.code == 0, done.err
    return photos / "cups"


@pytest.fixture
def ask(call, cups, photos):
    def ask(*options, query=photos / "query", gallery=cups):
        return call("classify", gallery, "--query", query, *options)

    return ask


def test_answers_are_those_of_the_gallery(ask, cups, photos):
    paint(photos / "query" / "violet", (120, 20, 160), 2, seed=1)
    document = json.loads(ask("--format", "json").out)
    files = sorted((photos / "query").rglob("*.png"))
    with tfmeta.Gallery(cups) as gallery:
        expected = gallery.classify(files)
        value = gallery.threshold()
    assert document["classes"] == list(COLOURS)
    names = [path.relative_to(photos / "query").as_posix() for path in files]
    assert [one["file"] for one in document["answers"]] == names
    for row, one in enumerate(document["answers"]):
        label = int(expected.classes[row])
        assert one["class"] == (None if label < 0 else list(COLOURS)[label])
        found = list(one["probabilities"].values())
        np.testing.assert_allclose(found, expected.probabilities[row], rtol=1e-6)
        folder = one["file"].split("/")[0]
        # A folder of another name is of none of the classes.
        assert one["label"] == (folder if folder in COLOURS else None)
    assert [one["class"] for one in document["answers"]] == [
        *(name for name in COLOURS for _ in range(2)),
        *(None, None),
    ]
    assert (document["accuracy"], document["right"]) == (1.0, 8)
    assert value is not None


def test_the_other_forms_say_the_same(ask, photos):
    paint(photos / "query" / "violet", (120, 20, 160), 2, seed=1)
    done = ask("--picture", photos / "sheet.png", "--confusion", photos / "matrix.png")
    assert (done.code, done.err) == (0, "")
    answers, summary = done.out.split("\n\n")
    assert summary.startswith("accuracy 100.0 % (8 of 8 pictures)\n")
    assert "\n  none of these  100.0 %   2 of 2" in summary
    assert [line.split("\t")[1] for line in answers.splitlines()] == [
        *(name for name in COLOURS for _ in range(2)),
        *("none of these", "none of these"),
    ]
    for name in ("sheet.png", "matrix.png"):
        assert Image.open(photos / name).width > 200
    done = ask("--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert rows[-1] == {
        **{"file": "violet/1.png", "class": "none of these"},
        **{"probability": "", "label": ""},
    }
    assert done.err.startswith("accuracy 100.0 %")


def test_what_is_enrolled_removed_and_undone_counts_at_once(call, ask, cups, photos):
    paint(photos / "violet", (120, 20, 160), 4, seed=1)
    query = photos / "violet" / "3.png"
    assert ask(query=query).out == "3.png\tnone of these\t-\n"
    files = [photos / "violet" / f"{number}.png" for number in range(3)]
    call("gallery", "enrol", cups, "--class", "violet", *files)
    assert ask(query=query).out.startswith("3.png\tviolet\t")
    call("gallery", "rename", cups, "violet", "plum")
    assert ask(query=query).out.startswith("3.png\tplum\t")
    call("gallery", "undo", cups)
    call("gallery", "undo", cups)
    assert ask(query=query).out == "3.png\tnone of these\t-\n"
    for _ in COLOURS:
        call("gallery", "forget", cups, *COLOURS)
    done = ask(query=query)
    assert "must have at least one class" in done.error
    assert f"`tfmeta gallery enrol {cups} --support DIR`" in done.error


def test_without_a_threshold_every_query_has_a_class(call, ask, photos, tiny_encoder):
    paint(photos / "query" / "violet", (120, 20, 160), 1, seed=1)
    other = photos / "closed"
    done = call(
        *("gallery", "enrol", other, "--support", photos / "support"),
        *("--encoder", tiny_encoder, "--threshold", "none"),
    )
    assert done.code == 0
    error = ask(gallery=other).error
    assert f"must be named as the gallery {other}'s, amber, moss, sky" in error
    assert "RUN" not in error
    done = ask(gallery=other, query=photos / "query" / "violet")
    assert "none of these" not in done.out and done.err == ""
    call("gallery", "forget", other, "sky", "moss")
    done = ask(gallery=other, query=photos / "query" / "violet")
    assert done.out == "0.png\tamber\t1.000\n"
    assert "has one class and no threshold" in done.err


def test_a_threshold_that_cannot_be_found_yet_is_a_warning(call, ask, cups, photos):
    call("gallery", "forget", cups, "sky", "moss")
    done = ask(query=photos / "query" / "sky")
    assert "there is no threshold yet: enrol a second class" in done.err
    assert (done.code, done.err.count("\n")) == (0, 1)


def test_files_that_cannot_be_read(ask, photos):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(noise).save(photos / "whole.jpg")
    bad = {
        photos / "query" / "amber" / "empty.png": b"",
        photos / "query" / "sky" / "half.jpg": (photos / "whole.jpg").read_bytes()[
            :-400
        ],
    }
    for path, content in bad.items():
        path.write_bytes(content)
    error = ask().error
    assert all(repr(str(path)) in error for path in bad)
    done = ask("--skip-bad")
    assert "accuracy 100.0 % (6 of 6 pictures)" in done.out
    assert done.err.count("left out") == 2
    only = photos / "query" / "sky" / "half.jpg"
    assert "half.jpg' must be a whole" in ask(query=only).error
    assert "`--query` must have" in ask("--skip-bad", query=only).err


def test_options_that_a_gallery_has_decided(ask, cups, photos):
    for options in (
        ["--support", photos / "support"],
        ["--classes", "a,b"],
        ["--encoder", "efficientnet_lite0"],
        ["--size", "32"],
        ["--learner", "simple_shot"],
        ["--prior-shots", "1"],
        ["--invert", "auto"],
        ["--open-set"],
        ["--no-cache"],
    ):
        done = ask(*options)
        said = f"{options[0]} must be left out with GALLERY"
        assert said in done.usage_error and str(cups) in done.usage_error
    flat = photos / "query" / "sky"
    done = ask("--confusion", photos / "c.png", query=flat)
    assert "named as those of the classes of GALLERY" in done.usage_error


def test_texts(call, tmp_path, tiny_text_encoder):
    (tmp_path / "labelled.csv").write_text(
        'text,label\n"pay, the bill",billing\npay the bill money,billing\n'
        "ship parcel,shipping\nship the parcel,shipping\n"
    )
    faq = tmp_path / "faq"
    done = call(
        *("gallery", "enrol", faq, "--support", tmp_path / "labelled.csv"),
        *("--encoder", tiny_text_encoder, "--threshold", "none"),
    )
    assert done.code == 0, done.err
    (tmp_path / "new.csv").write_text("label;text\nbilling;my bill\nshipping;ship\n")
    (tmp_path / "lines").write_text("a big box parcel\n\n  pay now\r\n")

    def ask(name, *options):
        return call("classify", faq, "--query", tmp_path / name, *options)

    done = ask("lines", "--format", "csv")
    rows = list(csv.reader(io.StringIO(done.out)))
    assert rows[0] == ["text", "class", "probability"]
    assert [row[:2] for row in rows[1:]] == [
        ["a big box parcel", "shipping"],
        ["pay now", "billing"],
    ]
    assert "accuracy 100.0 % (2 of 2 texts)" in ask("new.csv").out
    assert "sub-folder" in ask(".").error
    assert (
        "--picture shows" in ask("lines", "--picture", tmp_path / "a.png").usage_error
    )
    (tmp_path / "other.csv").write_text("text,label\nship,returns\n")
    assert "Received: returns" in ask("other.csv").error


def test_texts_are_no_queries_of_pictures(ask, photos):
    (photos / "new.txt").write_text("a text\n")
    assert (
        "must be a picture or a folder of them" in ask(query=photos / "new.txt").error
    )


def test_a_gallery_of_arrays_is_for_python(call, ask, tmp_path):
    import keras

    encoder = keras.Sequential([keras.Input((2,)), keras.layers.Identity()])
    learner = tfmeta.learners.PrototypicalNetwork(encoder)
    with tfmeta.Gallery.create(tmp_path / "points", learner) as gallery:
        gallery.enrol({"left": np.array([[-1.0, 0]])})
    error = ask(gallery=tmp_path / "points").error
    assert "must hold pictures or texts" in error
    assert "tfmeta.Gallery classifies them in Python" in error
    assert call("gallery", "list", tmp_path / "points").out.startswith("left\t1\n")


def test_a_run_enrols_and_answers(call, ask, glyphs_run, task_folders, tmp_path):
    cups = tmp_path / "glyphs"
    done = call(
        *("gallery", "enrol", cups, "--support", task_folders / "support"),
        *("--run", glyphs_run),
    )
    assert (done.code, done.err) == (0, "")
    done = ask("--format", "json", gallery=cups, query=task_folders / "query")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    by_run = call(
        *("classify", glyphs_run, "--support", task_folders / "support"),
        *("--query", task_folders / "query", "--format", "json"),
    )
    for one, other in zip(
        found["answers"], json.loads(by_run.out)["answers"], strict=True
    ):
        assert one["file"] == other["file"]
        np.testing.assert_allclose(
            list(one["probabilities"].values()),
            list(other["probabilities"].values()),
            atol=1e-5,
        )
    again = call(
        *("gallery", "enrol", cups, "--support", task_folders / "support"),
        *("--run", glyphs_run),
    )
    assert again.out.startswith("Nothing to enrol")
    none = call(
        *("gallery", "enrol", tmp_path / "other", "--threshold", "validation"),
        *("--support", task_folders / "support", "--run", glyphs_run),
    )
    assert f"fit one with `tfmeta evaluate {glyphs_run} --open-set" in none.error
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_pictures_of_the_other_ground(
    call, ask, glyphs_run, task_folders, dark_on_light, tmp_path
):
    scanned = tmp_path / "scans"
    done = call(
        *("gallery", "enrol", scanned, "--support", dark_on_light / "support"),
        *("--run", glyphs_run),
    )
    assert "these pictures are the other way round. --support: inverted" in done.err
    assert "pictures are inverted" in call("gallery", "list", scanned).out
    drawn = tmp_path / "drawn"
    call(
        *("gallery", "enrol", drawn, "--support", task_folders / "support"),
        *("--run", glyphs_run),
    )
    # Scans of the same drawings are answered as the drawings are.
    forms = ("--format", "csv")
    ours = ask(*forms, gallery=drawn, query=task_folders / "query")
    same = ask(*forms, gallery=scanned, query=dark_on_light / "query")
    assert (ours.err, same.err) == ("", "")
    assert ours.out == same.out
    for gallery, query in ((drawn, dark_on_light), (scanned, task_folders)):
        done = ask(gallery=gallery, query=query / "query")
        assert "invert them" in done.err
    done = call("gallery", "enrol", drawn, "--support", dark_on_light / "support")
    assert "takes pictures that are light on dark, and these are dark on light" in (
        done.err
    )
    one = dark_on_light / "support" / "class0" / "class0-0.png"
    inverted = tmp_path / "one.png"
    ImageOps.invert(Image.open(one)).save(inverted)
    done = call("gallery", "enrol", scanned, "--class", "class0", inverted)
    assert "invert them" in done.err


def test_json_of_many_classes_has_the_largest_alone():
    ways = MOST_CLASSES + 1
    probabilities = np.random.default_rng(0).random((2, ways)).astype(np.float32)
    names = [f"class{number}" for number in range(ways)]

    def document(ways):
        answers = Answers(
            names=("a", "b"),
            class_names=names[:ways],
            probabilities=probabilities[:, :ways],
            classes=probabilities[:, :ways].argmax(axis=1),
            labels=np.array([3, -1]),
            open_set=True,
        )
        return json.loads("\n".join(json_lines(answers)))

    few = document(MOST_CLASSES)
    assert all(len(one["probabilities"]) == MOST_CLASSES for one in few["answers"])
    many = document(ways)
    for one, row in zip(many["answers"], probabilities, strict=True):
        order = np.argsort(-row)[:TOP]
        assert list(one["probabilities"]) == [names[column] for column in order]
        assert list(one["probabilities"])[0] == one["class"]
    # Of the classes those that occur have a recall.
    occur = {"class3", *(one["class"] for one in many["answers"]), "none of these"}
    assert set(many["recall"]) == occur
    assert many["accuracy"] == few["accuracy"] == 0


def test_messages_say_whose_classes_they_are(photos):
    with pytest.raises(ValueError, match="as the support's, a.*with a RUN --open-set"):
        QueryFiles.found(photos / "query", ["a"], unknown_classes=False)


def test_a_gallery_that_is_no_more(ask, cups):
    shutil.rmtree(cups)
    assert "does not exist" in ask().usage_error
