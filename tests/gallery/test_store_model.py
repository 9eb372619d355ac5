"""Any changes, one after the other, mean what they mean in plain Python."""

import contextlib
import itertools
import shutil
import tempfile
from pathlib import Path

import numpy as np
from gallery_changes import GalleryStore, Model, facts, make, random_change, state_of
from hypothesis import given, settings
from hypothesis import strategies as st


@contextlib.contextmanager
def new_store():
    """In memory where there is such a folder: what is asked here is not of disks."""
    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(dir=memory if memory.is_dir() else None)
    try:
        with GalleryStore.create(Path(folder) / "gallery.sqlite", facts()) as store:
            yield store
    finally:
        shutil.rmtree(folder)


class Follower:
    """Somebody who reads what has changed since the last time."""

    def __init__(self):
        self.version = 0
        self.classes = {}

    def read(self, store):
        self.version, changed = store.changed_since(self.version)
        for one in changed:
            self.classes.pop(one.id, None)
            if len(one.embeddings):
                self.classes[one.id] = one.name, one.embeddings.tolist()

    def state(self):
        return [self.classes[number] for number in sorted(self.classes)]


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**32 - 1),
    reads=st.lists(st.booleans(), min_size=1, max_size=25),
)
def test_changes_are_as_in_plain_python_and_readers_follow(seed, reads):
    rng, keys = np.random.default_rng(seed), itertools.count()
    model, follower, late = Model(), Follower(), Follower()
    with new_store() as store:
        for now in reads:
            change = random_change(model, rng, new_key=lambda: next(keys))
            model.make(change)
            made = make(store, change)
            assert (made.kind, made.undone) == (
                (made.kind, True)
                if change[0] == "undo"
                else (change[0].replace("_", "-"), False)
            )
            if now:
                follower.read(store)
                assert follower.state() == model.state()
        late.read(store)
        follower.read(store)
        assert late.state() == follower.state() == state_of(store) == model.state()
        counted = store.verify()
        assert counted["classes"] == len(model.classes)
        assert counted["examples"] == sum(len(keys) for _, keys in model.classes)


def test_all_can_be_undone_one_after_the_other():
    rng, keys = np.random.default_rng(0), itertools.count()
    model = Model()
    with new_store() as store:
        for _ in range(60):
            change = random_change(
                model, rng, new_key=lambda: next(keys), lasting=False
            )
            model.make(change)
            make(store, change)
        while model.before:
            model.make(["undo"])
            store.undo()
            assert state_of(store) == model.state()
        assert state_of(store) == []
        try:
            store.undo()
        except ValueError as error:
            assert "a change that can be undone" in str(error)
        else:
            raise AssertionError("something was undone")
        assert all(one.undone for one in store.changes() if one.kind != "undo")
