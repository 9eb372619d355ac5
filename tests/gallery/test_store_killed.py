"""No change that was acknowledged is lost by a kill, and none is half there."""

import contextlib
import copy
import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import gallery_changes
import numpy as np
import pytest
from gallery_changes import GalleryStore, Model, facts, random_change, state_of


class Program:
    """Another process that makes changes, and may be killed."""

    def __init__(self, path):
        self._process = subprocess.Popen(
            [sys.executable, gallery_changes.__file__, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        assert self._process.stdout.readline() == "open\n"

    def ask(self, changes):
        self._process.stdin.write("".join(f"{json.dumps(one)}\n" for one in changes))
        self._process.stdin.flush()

    def is_made(self):
        """Waits for the next change; False where the process has ended before."""
        return self._process.stdout.readline() == "made\n"

    def kill(self):
        self._process.send_signal(signal.SIGKILL)

    def end(self):
        """Waits for its end, and counts what it has acknowledged until then."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        made = self._process.stdout.readlines().count("made\n")
        self._process.stdout.close()
        self._process.wait()
        return made


def enrol_under_kills(path, *, enrolments, kills):
    """Enrols classes with kills between and within, and checks them at every one."""
    GalleryStore.create(path, facts()).close()
    rng = np.random.default_rng(0)
    # Classes of one to three examples; their numbers are those of their examples.
    classes = {
        f"class {number}": [4 * number + one for one in range(1 + number % 3)]
        for number in range(enrolments)
    }
    names = list(classes)
    ends = np.sort(rng.choice(np.arange(1, enrolments), kills, replace=False))
    acknowledged, unasked = set(), 0
    for place in [*ends, enrolments]:
        with GalleryStore(path) as store:
            there = store.class_sizes()
            # What was acknowledged is there, in its order; what was not may be there.
            assert acknowledged <= there.keys()
            assert list(there) == names[: len(there)]
            assert unasked >= len(there) >= len(acknowledged)
            for name, size in there.items():
                assert size == len(classes[name])
            store.verify()
        asked = names[len(there) : max(place, len(there) + 1)]
        program = Program(path)
        # All at once: it is killed anywhere in the next, not only between two.
        program.ask([["enrol", {name: classes[name]}] for name in asked])
        unasked = len(there) + len(asked)
        acknowledged = set(there)
        made = 0
        while made < len(asked) and program.is_made():
            made += 1
            if place != enrolments and made == max(1, len(asked) - rng.integers(3)):
                program.kill()
                break
        made += program.end()
        acknowledged |= set(asked[:made])
    with GalleryStore(path) as store:
        assert acknowledged == classes.keys()
        assert state_of(store) == [
            (name, [gallery_changes.embedding(0, key).tolist() for key in keys])
            for name, keys in classes.items()
        ]
        count = sum(map(len, classes.values()))
        assert store.verify() == {
            "classes": enrolments,
            "examples": count,
            "removed": 0,
            "originals": count,
        }


def change_under_kills(path, *, changes, kills, seed):
    """As above with changes of all kinds: each is made, or as if it was not asked."""
    GalleryStore.create(path, facts()).close()
    rng, keys = np.random.default_rng(seed), itertools.count()
    model, program, version, refused = Model(), Program(path), 0, 0
    chosen = set(rng.choice(changes, kills, replace=False).tolist())
    for number in range(changes):
        change = random_change(model, rng, new_key=lambda: next(keys))
        before = copy.deepcopy(model)
        model.make(change)
        program.ask([change])
        version += 1
        if number not in chosen:
            assert program.is_made()
            continue
        time.sleep(rng.uniform(0, 0.02))
        program.kill()
        made = program.end()
        with GalleryStore(path) as store:
            if not made and store.version == version - 1:
                model, version, refused = before, version - 1, refused + 1
            assert store.version == version
            assert store.facts() == facts(model.encoder)
            assert state_of(store) == model.state()
            store.verify()
        program = Program(path)
    program.end()
    with GalleryStore(path) as store:
        assert state_of(store) == model.state()
    return refused


def test_enrolments_are_whole_and_stay_under_kills(tmp_path):
    enrol_under_kills(tmp_path / "gallery.sqlite", enrolments=24, kills=2)


@pytest.mark.slow
def test_a_thousand_enrolments_under_twenty_kills(tmp_path):
    enrol_under_kills(tmp_path / "gallery.sqlite", enrolments=1000, kills=20)


def test_changes_of_all_kinds_under_kills(tmp_path):
    change_under_kills(tmp_path / "gallery.sqlite", changes=12, kills=3, seed=0)


@pytest.mark.slow
def test_many_changes_of_all_kinds_under_kills(tmp_path):
    refused = change_under_kills(
        tmp_path / "gallery.sqlite", changes=400, kills=80, seed=1
    )
    assert 0 < refused < 80


def test_the_store_needs_no_tensorflow():
    code = (
        "import sys, tfmeta.gallery.store, tfmeta.sqlite.new_folder\n"
        "sys.exit(bool({'tensorflow', 'keras'} & sys.modules.keys()))"
    )
    root = str(Path(gallery_changes.__file__).parent.parent)
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0
