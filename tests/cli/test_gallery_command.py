"""`tfmeta gallery`, each time as a user would type it."""

import contextlib
import csv
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys

import keras
import numpy as np
import pytest
from coloured_photos import COLOURS, paint
from PIL import Image

import tfmeta
from tfmeta.cli.gallery_words import some
from tfmeta.encoders import pretrained
from tfmeta.features import encoder_digest
from tfmeta.gallery import GalleryStore


@pytest.fixture
def cups(photos):
    return photos / "cups"


@pytest.fixture
def enrol(call, photos, cups, tiny_encoder):
    """Calls `tfmeta gallery enrol`."""

    def enrol(*options, support=photos / "support", encoder=tiny_encoder, to=cups):
        given = [] if support is None else ["--support", support]
        given += [] if encoder is None else ["--encoder", encoder]
        return call("gallery", "enrol", to, *given, *options)

    return enrol


@pytest.fixture
def enrolled(enrol, cups):
    """A gallery of three classes with four examples each."""
    assert enrol().code == 0
    return cups


@pytest.fixture
def other_encoder(photos):
    """From 4 x 4 pictures to their mean colour."""
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.GlobalAveragePooling2D()]
    keras.Sequential([keras.Input((4, 4, 3)), *layers]).save(photos / "other.keras")
    return photos / "other.keras"


def sizes_of(path):
    with contextlib.closing(GalleryStore(path / "gallery.sqlite")) as store:
        return store.class_sizes()


def digest_of(file):
    return encoder_digest(pretrained(str(file)))


def hidden(folder):
    return [path for path in folder.iterdir() if path.name.startswith(".")]


def test_the_first_enrolment_makes_it_and_says_what_to_type(enrol, cups, tiny_encoder):
    done = enrol()
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"Enrolled 12 pictures of 3 classes in {cups}: 'amber' (4), 'moss' (4), "
        "'sky' (4)",
        "It holds 3 classes with 12 examples",
        f"Next: tfmeta classify {cups} --query NEW_PICTURES",
        f"Take it back: tfmeta gallery undo {cups}",
    ]
    assert sizes_of(cups) == dict.fromkeys(COLOURS, 4)
    assert not hidden(cups.parent)
    with tfmeta.Gallery(cups) as gallery:
        assert type(gallery.learner).__name__ == "SimpleShot"
        assert encoder_digest(gallery.learner.encoder) == digest_of(tiny_encoder)
        assert len(gallery.changes()) == 1
        assert gallery.threshold().recall == 0.95


def test_a_class_and_examples_of_one_are_added(enrol, enrolled, photos):
    paint(photos / "new", (200, 40, 40), 2, seed=3)
    files = sorted((photos / "new").iterdir())
    add = {"support": None, "encoder": None}
    done = enrol("--class", "rust", files[0], **add)
    assert "Enrolled 1 picture of 1 class" in done.out
    # A folder stands for its pictures; what is there already is passed over.
    done = enrol("--class", "rust", photos / "new", **add)
    assert "1 picture of 2 is passed over" in done.err
    assert sizes_of(enrolled)["rust"] == 2
    done = enrol("--class", "rust", *files, **add)
    assert done.out == f"Nothing to enrol: all of it is enrolled in {enrolled}\n"
    assert (done.code, done.err) == (0, "")
    done = enrol("--class", "brick", files[0], **add)
    assert done.code == 0  # in another class
    with tfmeta.Gallery(enrolled) as gallery:
        sources = [one.source for one in gallery.examples_of("rust")]
        assert sources == [str(path) for path in files]
        assert len(gallery.changes()) == 4


def test_one_picture_in_two_classes_is_pointed_out(enrol, photos):
    first = photos / "support" / "amber" / "0.png"
    shutil.copy(first, photos / "support" / "sky" / "also.png")
    done = enrol()
    assert done.code == 0
    assert (
        "1 picture is enrolled in several classes, the first in 'amber', 'sky'"
        in done.err
    )


def test_names_are_text_wherever_they_stand(call, enrol, enrolled, photos):
    paint(photos / "new", (200, 40, 40), 1, seed=3)
    names = ["[red]:smile:", "-x", "a\tb\nc", "café", "ネコ 🐈", "\x1b[2J"]
    for name in names:
        done = enrol(f"--class={name}", photos / "new", support=None, encoder=None)
        assert done.code == 0 and "\x1b" not in done.out + done.err
        assert len(done.out.splitlines()) == 4
    listed = call("gallery", "list", enrolled).out.split("\n\n")[0].splitlines()
    assert listed[3:] == [
        *("[red]:smile:\t1", "-x\t1", "a\\tb\\nc\t1", "café\t1", "ネコ 🐈\t1"),
        "\\x1b[2J\t1",
    ]
    found = json.loads(call("gallery", "list", enrolled, "--format", "json").out)
    assert [one["class"] for one in found["classes"]][3:] == names
    rows = csv.DictReader(
        io.StringIO(call("gallery", "list", enrolled, "--format", "csv").out)
    )
    assert [row["class"] for row in rows][3:] == names
    # One name, however its accent is written.
    assert call("gallery", "forget", enrolled, "cafe\u0301").code == 0
    done = call("gallery", "forget", enrolled, "--", *(n for n in names if n != "café"))
    assert done.code == 0 and len(done.out.splitlines()) == 6
    assert set(sizes_of(enrolled)) == set(COLOURS)


def test_folders_of_any_name(call, enrol, photos):
    for name in ("my [bold] cups", "q\nr\t", "ü" * 100):
        folder = photos / "galleries" / name
        done = enrol(to=folder)
        assert done.code == 0, done.err
        assert len(done.out.splitlines()) == 4
        assert call("gallery", "undo", folder).code == 0
        assert sizes_of(folder) == {}
    assert not hidden(photos / "galleries")


def test_texts(call, enrol, tmp_path, tiny_text_encoder):
    (tmp_path / "labelled.csv").write_text(
        'text,label\n"pay, the bill",billing\nsend money,billing\nship it,shipping\n'
        "the parcel,shipping\n"
    )
    (tmp_path / "more.txt").write_text("my bill\n\nsend money\n")
    faq = tmp_path / "faq"
    done = enrol(support=tmp_path / "labelled.csv", encoder=tiny_text_encoder, to=faq)
    assert "Enrolled 4 texts of 2 classes" in done.out
    assert f"tfmeta classify {faq} --query NEW_TEXTS" in done.out
    done = call("gallery", "enrol", faq, "--class", "billing", tmp_path / "more.txt")
    assert "1 text of 2 is passed over" in done.err
    assert sizes_of(faq) == {"billing": 3, "shipping": 2}
    paint(tmp_path / "a" / "b", (1, 2, 3), 1, seed=0)
    done = call("gallery", "enrol", faq, "--support", tmp_path / "a")
    assert "holds texts, and others cannot be mixed in" in done.error
    mixed = (tmp_path / "more.txt", tmp_path / "a" / "b" / "0.png")
    done = call("gallery", "enrol", faq, "--class", "billing", *mixed)
    assert "FILE must be pictures alone, or files of texts alone" in done.error
    assert sizes_of(faq) == {"billing": 3, "shipping": 2}


def test_what_the_first_enrolment_has_decided_is_refused_by_name(
    enrol, enrolled, other_encoder, tiny_text_encoder, hash_tree
):
    before = hash_tree(enrolled)
    other = other_encoder
    for options, said in (
        (
            ["--threshold", "none"],
            "--threshold must be left out, or be as at the first",
        ),
        (["--recall", "0.5"], "0.95. Received: --recall 0.5"),
        (["--invert", "yes"], "Received: --invert yes"),
        (["--learner", "logistic_regression"], "SimpleShot. Received: --learner"),
        (["--no-originals"], "--no-originals must be left out"),
    ):
        assert said in enrol(*options).usage_error, options
    done = enrol(encoder=other)
    assert "with which others cannot be mixed" in done.error
    assert f"tfmeta gallery re-embed {enrolled} --encoder {other}" in done.error
    assert (
        "--encoder must be one for pictures" in enrol(encoder=tiny_text_encoder).error
    )
    assert hash_tree(enrolled) == before
    same = ("--threshold", "cross-validation", "--recall", "0.95", "--invert", "auto")
    done = enrol(*same, "--learner", "simple_shot")
    assert done.out.startswith("Nothing to enrol") and done.code == 0


def test_options_of_the_first_enrolment(call, enrol, cups, other_encoder):
    done = enrol("--threshold", "none", "--no-originals", "--learner", "simple_shot")
    assert done.code == 0
    found = json.loads(call("gallery", "list", cups, "--format", "json").out)
    assert (found["threshold"], found["keep_originals"]) == (None, False)
    assert "none; every query is answered" in call("gallery", "list", cups).out
    done = call("gallery", "re-embed", cups, "--encoder", other_encoder)
    assert "Received: 12 without" in done.error


def test_options_that_do_not_go_together(call, enrol, cups, photos, glyphs_run):
    picture = photos / "query" / "sky" / "0.png"
    add = {"support": None, "encoder": None}
    for given, options, said in (
        ({"support": None}, [], "Missing option '--support' (or '--class')."),
        (add, [picture], "FILE needs --class NAME"),
        (add, ["--class", "sky"], "--class needs a FILE"),
        ({}, ["--class", "sky", picture], "--support and --class exclude"),
        ({}, ["--run", glyphs_run], "--encoder is for a pre-trained encoder"),
        ({}, ["--threshold", "validation"], "--threshold validation needs --run"),
        ({}, ["--invert", "yes"], "--invert yes needs --run"),
        (
            {},
            ["--threshold", "none", "--recall", "0.9"],
            "--recall is for --threshold cross-validation",
        ),
    ):
        assert said in enrol(*options, **given).usage_error
    assert not cups.exists() and not hidden(photos)
    done = call("gallery", "enrol", glyphs_run, "--support", photos / "support")
    assert "or a path where nothing is. Received" in done.usage_error
    assert "the folder of a run" in done.usage_error


def test_pictures_that_cannot_be_read_are_named_together(enrol, cups, photos):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(noise).save(photos / "whole.jpg")
    bad = {
        photos / "support" / "moss" / "text.jpg": b"a text",
        photos / "support" / "sky" / "half.jpg": (photos / "whole.jpg").read_bytes()[
            :-400
        ],
    }
    for path, content in bad.items():
        path.write_bytes(content)
    done = enrol()
    assert "Received: 2 that are not" in done.error
    assert all(repr(str(path)) in done.error for path in bad)
    # One that is cut short shows when it is read.
    content = (photos / "support" / "moss" / "text.jpg").read_bytes()
    (photos / "support" / "moss" / "text.jpg").unlink()
    assert "half.jpg' must be a whole" in enrol().error
    assert not cups.exists() and not hidden(photos)
    (photos / "support" / "moss" / "text.jpg").write_bytes(content)
    done = enrol("--skip-bad")
    assert done.code == 0
    assert "1 of 14 pictures is left out" in done.err
    assert "1 of 13 pictures is left out" in done.err
    assert sizes_of(cups) == dict.fromkeys(COLOURS, 4)
    (photos / "lost").mkdir()
    (photos / "lost" / "a.png").write_bytes(b"")
    done = enrol("--skip-bad", "--class", "lost", photos / "lost", support=None)
    assert "Error: every class must have an example that can be read" in done.err
    assert done.code == 2


def test_forget_rename_and_undo(call, enrolled):
    done = call("gallery", "forget", enrolled, "sky", "amber")
    assert done.out.splitlines() == [
        "Removed 4 of 4 examples of 'sky'",
        "Removed 4 of 4 examples of 'amber'",
        f"Take it back: tfmeta gallery undo {enrolled}, 2 times for all of them",
    ]
    assert sizes_of(enrolled) == {"moss": 4}
    assert "4 of 4 examples of 'amber'" in call("gallery", "undo", enrolled).out
    assert call("gallery", "undo", enrolled).out.endswith(
        f"{enrolled} holds 3 classes with 12 examples\n"
    )
    assert sizes_of(enrolled) == dict.fromkeys(COLOURS, 4)
    assert call("gallery", "rename", enrolled, "sky", "Himmel").code == 0
    assert list(sizes_of(enrolled)) == ["amber", "moss", "Himmel"]
    call("gallery", "undo", enrolled)
    call("gallery", "undo", enrolled)
    assert sizes_of(enrolled) == {}
    assert "a change that can be undone" in call("gallery", "undo", enrolled).error
    assert "must have at least one class" in call("gallery", "export", enrolled).error


def test_single_examples(call, enrolled):
    listed = call("gallery", "list", enrolled, "--examples", "moss").out.splitlines()
    ids = [int(line.split("\t")[0]) for line in listed]
    assert len(ids) == 4
    done = call("gallery", "forget", enrolled, "moss", "--example", ids[1])
    assert "1 of 4 examples of 'moss'" in done.out
    done = call("gallery", "forget", enrolled, "moss", "--example", ids[1])
    left = ", ".join(str(one) for one in ids if one != ids[1])
    assert f"example of 'moss', {left}. Received: {ids[1]}" in done.error
    done = call("gallery", "forget", enrolled, "moss", "sky", "--example", ids[0])
    assert "--example takes one NAME" in done.usage_error
    assert sizes_of(enrolled)["moss"] == 3


def test_names_that_are_not_there(call, enrolled, hash_tree):
    before = sizes_of(enrolled)
    done = call("gallery", "forget", enrolled, "sky", "mos")
    assert (
        "which has 'amber', 'moss', 'sky'. Received: 'mos'; did you mean 'moss'?"
        in (done.error)
    )
    assert "did you mean" not in call("gallery", "forget", enrolled, "kettle").error
    for command in (
        ("rename", enrolled, "kettle", "x"),
        ("forget", enrolled, "kettle"),
    ):
        assert "NAME must be a class of" in call("gallery", *command).error
    done = call("gallery", "list", enrolled, "--examples", "kettle")
    assert "NAME must be a class of" in done.error
    done = call("gallery", "rename", enrolled, "sky", "moss")
    assert "NEW must be a name that no class of" in done.error
    assert "the same" in call("gallery", "rename", enrolled, "sky", "sky").error
    assert sizes_of(enrolled) == before
    assert some(map(str, range(12))).endswith("'9' and 2 more")


def test_purging_asks(call, enrolled, monkeypatch):
    call("gallery", "forget", enrolled, "sky")
    assert "or takes --yes" in call("gallery", "purge", enrolled).usage_error
    answers = iter("ny")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda text: next(answers) == "y")
    assert "Nothing was erased" in call("gallery", "purge", enrolled).out
    assert call("gallery", "purge", enrolled).out.endswith(
        "Erased 4 removed examples\n2 changes can no longer be undone\n"
    )
    assert "that can be undone" in call("gallery", "undo", enrolled).error
    assert call("gallery", "purge", enrolled, "--yes").code == 0
    assert sizes_of(enrolled) == {"amber": 4, "moss": 4}


def test_lists(call, enrolled, tiny_encoder):
    digest = digest_of(tiny_encoder)
    classes, facts = call("gallery", "list", enrolled).out.split("\n\n")
    assert classes.splitlines() == ["amber\t4", "moss\t4", "sky\t4"]
    assert f"learner: SimpleShot, encoder {digest}\n" in facts
    assert "threshold: by cross-validation of what is enrolled; accepts 95 %" in facts
    assert "format version: 1\n" in facts
    done = call("gallery", "list", enrolled, "--format", "csv")
    assert done.err == facts
    assert done.out.replace("\r", "") == "class,examples\namber,4\nmoss,4\nsky,4\n"
    document = json.loads(call("gallery", "list", enrolled, "--format", "json").out)
    assert document["classes"][0] == {"class": "amber", "examples": 4}
    assert (document["encoder"], document["examples"]) == (digest, 12)
    assert document["threshold"] == {"by": "cross-validation", "recall": 0.95}
    call("gallery", "forget", enrolled, "sky")
    call("gallery", "undo", enrolled)
    changes = call("gallery", "list", enrolled, "--changes", "--format", "json").out
    found = json.loads(changes)["changes"]
    assert [(one["kind"], one["undone"]) for one in found] == [
        ("enrol", False),
        ("forget", True),
        ("undo", False),
    ]
    both = call("gallery", "list", enrolled, "--changes", "--examples", "sky")
    assert "exclude each other" in both.usage_error


def test_another_encoder_takes_over(call, enrolled, other_encoder, photos):
    assert "Missing option '--run'" in call("gallery", "re-embed", enrolled).usage_error
    shutil.rmtree(photos / "support")  # The gallery keeps what it needs.
    done = call(
        *("gallery", "re-embed", enrolled, "--encoder", other_encoder),
        *("--learner", "logistic_regression"),
    )
    assert (done.code, done.err) == (0, "")
    assert "12 originals" in done.out
    found = json.loads(call("gallery", "list", enrolled, "--format", "json").out)
    assert found["encoder"] == digest_of(other_encoder)
    assert found["learner"] == "LogisticRegression"
    with tfmeta.Gallery(enrolled) as gallery:
        assert gallery.class_sizes() == dict.fromkeys(COLOURS, 4)


def no_gallery(path):
    (path / "gallery.sqlite").unlink()
    return "a folder without gallery.sqlite"


def no_database(path):
    (path / "gallery.sqlite").write_bytes(b"no database" * 1000)
    return "gallery.sqlite must be"


def cut(path):
    file = path / "gallery.sqlite"
    file.write_bytes(file.read_bytes()[:5000])
    return "gallery.sqlite"


def newer(path):
    with sqlite3.connect(path / "gallery.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    return "a newer tfmeta wrote it"


def without_facts(path):
    with sqlite3.connect(path / "gallery.sqlite") as connection:
        connection.execute("DELETE FROM facts WHERE name = 'threshold'")
    return "must say all that is known of a gallery"


@pytest.mark.parametrize(
    "spoil",
    [no_gallery, no_database, cut, newer, without_facts],
    ids=lambda spoil: spoil.__name__,
)
def test_damaged_galleries_end_in_one_line(call, enrolled, photos, spoil):
    message = spoil(enrolled)
    done = call("gallery", "list", enrolled)
    assert (done.code, done.out) == (2, "")
    assert message in done.err.splitlines()[-1]
    done = call("gallery", "enrol", enrolled, "--support", photos / "query")
    assert done.code == 2 and "Error: " in done.err.splitlines()[-1]
    assert not hidden(photos)


def test_a_lost_learner_is_repaired_by_embedding_anew(call, enrolled, tiny_encoder):
    for file in enrolled.glob("learner-*.keras"):
        file.unlink()
    query = enrolled.parent / "query"
    done = call("classify", enrolled, "--query", query)
    assert "must be the learner of the gallery" in done.error
    assert call("gallery", "list", enrolled).code == 0
    done = call("gallery", "re-embed", enrolled, "--encoder", tiny_encoder)
    assert done.code == 0
    assert "accuracy" in call("classify", enrolled, "--query", query).out


def test_another_writer_is_waited_for_and_then_named(call, enrolled, monkeypatch):
    monkeypatch.setattr("tfmeta.cli.gallery_command.WAIT", 0.1)
    other = sqlite3.connect(enrolled / "gallery.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    done = call("gallery", "forget", enrolled, "sky")
    assert "must be written by one process at a time" in done.error
    assert call("gallery", "list", enrolled).out.startswith("amber\t4\n")
    other.execute("ROLLBACK")
    assert call("gallery", "forget", enrolled, "sky").code == 0


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_interrupted_nothing_is_enrolled(photos, tiny_encoder):
    """In a process of its own, while pictures are embedded."""
    program = """
import os, signal, sys
import tfmeta.gallery.examples as examples
read = examples.ExampleEncoder.read
def stopped(self, example):
    os.kill(os.getpid(), signal.SIGINT)
    return read(self, example)
examples.ExampleEncoder.read = stopped
from tfmeta.cli.main import main
main()
"""
    arguments = ("gallery", "enrol", "cups", "--support", "support")
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments, "--encoder", tiny_encoder],
        cwd=photos,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 130, done.stderr
    said = "Nothing was enrolled.\nInterrupted. What was saved is kept.\n"
    assert done.stderr.replace("\n\n", "\n").endswith(said)
    assert not (photos / "cups").exists() and not hidden(photos)


WITHOUT = """
import sys
from tfmeta.cli.main import main
for line in sys.stdin.read().split("\\n"):
    sys.argv = ["tfmeta", "gallery", *line.split()]
    main()
print([name for name in ("tensorflow", "keras", "rich") if name in sys.modules])
"""


def test_what_needs_no_learner_does_not_wait_for_tensorflow(enrolled):
    commands = ["list {}", "forget {} sky", "rename {} moss fern", "undo {}"]
    commands += ["list {} --changes", "purge {} --yes"]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        input="\n".join(line.format(enrolled.name) for line in commands),
        cwd=enrolled.parent,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "[]"
