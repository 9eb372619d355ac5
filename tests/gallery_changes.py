"""Changes of a gallery's store: in plain Python, and in a process that can be killed.

As a program it reads changes as JSON, one a line, makes them, and says when each has
returned. It imports neither tests nor TensorFlow, so that it starts fast.
"""

import copy
import json
import sys

import numpy as np

from tfmeta.gallery.records import NewExample, Original
from tfmeta.gallery.store import GalleryStore

SIZE = 4


def facts(encoder=0):
    return {"embedding_shape": f"[{SIZE}]", "encoder": str(encoder)}


def content(key):
    """What example `key` is made of: bytes that tell the key, some over many pages."""
    rng = np.random.default_rng(key)
    length = 20_000 if key % 7 == 0 else 50
    return f"{key}:".encode() + rng.bytes(length)


def embedding(encoder, key):
    return np.random.default_rng([encoder, key]).normal(size=SIZE).astype(np.float32)


def key_of(original):
    key = int(original.content.split(b":")[0])
    assert original.content == content(key)
    return key


def examples(encoder, keys):
    return [
        NewExample(
            embedding(encoder, key), f"{key}.png", Original.of("text", content(key))
        )
        for key in keys
    ]


def make(store, change):
    """Makes a change of a store."""
    kind, *arguments = change
    if kind == "enrol":
        encoder = int(store.facts()["encoder"])
        new = {name: examples(encoder, keys) for name, keys in arguments[0].items()}
        return store.enrol(new, expected={"encoder": str(encoder)})
    if kind == "forget":
        name, places = arguments
        ids = [one.id for one in store.examples_of(name)]
        return store.forget(name, places and [ids[place] for place in places])
    if kind == "re_embed":
        (encoder,) = arguments
        return store.re_embed(
            lambda found: np.stack([embedding(encoder, key_of(o)) for o in found]),
            facts(encoder),
        )
    if kind == "undo":
        return store.undo(past=True)
    return getattr(store, kind)(*arguments)


class Model:
    """What changes mean: a state is a list of classes, and undo brings back the last.

    Attributes:
        classes: Name and keys of the examples of each class, in order of enrolment.
        encoder: By which they are embedded.
    """

    def __init__(self):
        self.classes = []
        self.encoder = 0
        self.before = []

    def names(self):
        return [name for name, _ in self.classes]

    def make(self, change):
        kind, *arguments = change
        former = copy.deepcopy(self.classes)
        if kind == "undo":
            self.classes = self.before.pop()
        elif kind == "purge":
            self.before = []
        elif kind == "re_embed":
            (self.encoder,) = arguments
        else:
            getattr(self, f"_{kind}")(*arguments)
            self.before.append(former)

    def _enrol(self, new):
        for name, keys in new.items():
            if name not in self.names():
                self.classes.append([name, []])
            self._keys(name).extend(keys)

    def _forget(self, name, places):
        kept = [
            key
            for place, key in enumerate(self._keys(name))
            if places and place not in places
        ]
        self._keys(name)[:] = kept
        self.classes = [one for one in self.classes if one[1]]

    def _rename(self, name, to):
        self.classes[self.names().index(name)][0] = to

    def _keys(self, name):
        return self.classes[self.names().index(name)][1]

    def state(self):
        """Name and embeddings of all classes, in order."""
        return [
            (name, [embedding(self.encoder, key).tolist() for key in keys])
            for name, keys in self.classes
        ]


def random_change(model, rng, *, new_key, lasting=True):
    """A change that can be made of what a model holds."""
    kinds = ["enrol"] * 4
    if model.classes:
        kinds += ["forget", "rename"]
    if model.before:
        kinds += ["undo"] * 2
    if lasting:
        kinds += ["purge", "re_embed"]
    kind = kinds[rng.integers(len(kinds))]
    some = model.names() + [f"new {rng.integers(6)}"]
    if kind == "enrol":
        chosen = rng.choice(
            some, size=min(len(some), rng.integers(1, 4)), replace=False
        )
        return [
            kind,
            {
                str(name): [new_key() for _ in range(rng.integers(1, 4))]
                for name in chosen
            },
        ]
    if kind == "forget":
        name, keys = model.classes[rng.integers(len(model.classes))]
        places = [place for place in range(len(keys)) if rng.integers(2)] or None
        return [kind, name, places]
    if kind == "rename":
        name = model.names()[rng.integers(len(model.classes))]
        return [kind, name, f"renamed {new_key()}"]
    if kind == "re_embed":
        return [kind, int(rng.integers(100))]
    return [kind]


def state_of(store):
    """What a store holds, as `Model.state`; each original is there, and whole."""
    _, classes = store.changed_since(0)
    assert store.class_sizes() == {one.name: len(one.embeddings) for one in classes}
    for one in classes:
        assert len(one.embeddings)
        listed = store.examples_of(one.name)
        assert [example.id for example in listed] == one.example_ids.tolist()
        assert all(example.has_original for example in listed)
    return [(one.name, one.embeddings.tolist()) for one in classes]


def main(path):
    with GalleryStore(path) as store:
        print("open", flush=True)
        for line in sys.stdin:
            make(store, json.loads(line))
            print("made", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
