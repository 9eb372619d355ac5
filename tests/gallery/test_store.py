"""What a store refuses, how it names things, and what is left after erasing."""

import os
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from gallery_changes import SIZE, GalleryStore, embedding, examples, facts, state_of

from tfmeta.gallery.records import NewExample, Original


@pytest.fixture
def store(tmp_path):
    with GalleryStore.create(tmp_path / "gallery.sqlite", facts()) as store:
        yield store


def one(values=None, **kind):
    return [NewExample(np.zeros(SIZE) if values is None else values, **kind)]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "not blank"),
        (" \t\n", "not blank"),
        ("a" * 1001, "at most 1,000 characters"),
        ("a" * 10**7, "at most 1,000 characters"),
        ("caf\udce9", "in Unicode"),
    ],
    ids=["empty", "blank", "long", "longest", "surrogate"],
)
def test_names_that_are_none(store, name, said):
    for change in (
        lambda: store.enrol({name: one()}),
        lambda: store.rename("cup", name),
        lambda: store.forget(name),
        lambda: store.examples_of(name),
    ):
        with pytest.raises(ValueError, match=said) as refused:
            change()
        message = str(refused.value)
        message.encode()
        assert message.isprintable() and len(message) < 300
    with pytest.raises(TypeError, match="`classes` must be a name"):
        store.enrol({3: one()})
    assert store.version == 0


def test_a_name_is_one_however_it_was_typed(store):
    composed = "Café Ω"
    taken_apart = unicodedata.normalize("NFD", composed)
    assert composed != taken_apart
    store.enrol({taken_apart: one()})
    store.enrol({composed: one()})
    assert store.class_sizes() == {composed: 2}
    assert store.rename(taken_apart, "cup").what == f"'{composed}' is now 'cup'"
    with pytest.raises(ValueError, match="names that differ"):
        store.enrol({composed: one(), taken_apart: one()})
    assert store.class_sizes() == {"cup": 2}


def test_names_of_any_characters_are_kept_and_said_on_one_line(store):
    names = [
        "a\nb\tc",
        "\x1b[31mred",
        "\u202etxt.exe",
        "'; DROP TABLE x",
        "𝄞",
    ]
    store.enrol({name: one() for name in names})
    assert list(store.class_sizes()) == names
    for name in names:
        assert [example.class_name for example in store.examples_of(name)] == [name]
    store.rename(names[0], "new\r\nline")
    store.forget(names[1])
    for change in store.changes():
        assert change.what.isprintable()
    with pytest.raises(KeyError) as refused:
        store.forget("\x1b[31m")
    assert refused.value.args[0].isprintable()


def test_a_name_that_holds_nul_is_refused(store):
    # An array of texts ends at it, as do many readers: two names would be one.
    store.enrol({"a": one()})
    with pytest.raises(ValueError, match="without NUL") as refused:
        store.enrol({"a\x00b": one()})
    assert refused.value.args[0].isprintable()
    with pytest.raises(ValueError, match="without NUL"):
        store.rename("a", "a\x00b")
    assert store.class_sizes() == {"a": 1}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.zeros(SIZE + 1), "shape"),
        (np.zeros((1, SIZE)), "shape"),
        (np.array(["a"] * SIZE), "numbers"),
        (np.zeros(SIZE, complex), "numbers"),
        (np.full(SIZE, np.nan), "finite"),
        (np.array([0, 0, 0, 1e300]), "finite"),
    ],
    ids=["long", "row", "text", "complex", "nan", "overflow"],
)
def test_embeddings_that_are_none_change_nothing(store, values, said):
    store.enrol({"cup": one()})
    with pytest.raises(ValueError, match=said):
        store.enrol({"mug": one(), "cup": one() + one(values)})
    assert store.class_sizes() == {"cup": 1}
    assert store.version == 1


def test_nothing_to_enrol_or_to_forget(store):
    for nothing in ({}, {"cup": []}, {"cup": one(), "mug": []}):
        with pytest.raises(ValueError, match="at least one example of each class"):
            store.enrol(nothing)
    store.enrol({"cup": one()})
    with pytest.raises(ValueError, match="`example_ids` must hold at least one"):
        store.forget("cup", [])
    with pytest.raises(KeyError, match="must be among 1. Received: 2, 7"):
        store.forget("cup", [7, 1, 2])
    with pytest.raises(KeyError, match="`name` must be a class of the gallery"):
        store.forget("mug")
    with pytest.raises(ValueError, match="'cup', which it has"):
        store.rename("cup", "cup")
    assert store.version == 1


def test_ids_come_as_arrays_and_more_than_once(store):
    store.enrol({"cup": one() * 3})
    _, classes = store.changed_since(0)
    change = store.forget("cup", np.repeat(classes[0].example_ids[:2], 2))
    assert change.what == "2 of 3 examples of 'cup'"
    assert store.class_sizes() == {"cup": 1}


def test_a_file_whose_name_is_no_unicode(store):
    store.enrol({"cup": one(source=os.fsdecode(b"caf\xe9.png"))})
    (example,) = store.examples_of("cup")
    assert example.source == "caf\\udce9.png"


def test_a_setting_is_seen_by_who_follows(store):
    store.enrol({"cup": one()})
    store.set_facts({"encoder": "b"}, "another encoder")
    assert store.version == 2
    assert store.facts()["encoder"] == "b"
    with pytest.raises(ValueError, match="`past` be true.*settings, another encoder"):
        store.undo()
    store.undo(past=True)  # of the enrolment: what cannot be undone stays
    assert store.facts()["encoder"] == "b"
    assert store.class_sizes() == {}


def test_an_embedding_whose_squares_are_infinite_is_refused(store):
    with pytest.raises(ValueError, match="at most 1e\\+15. Received: 3e\\+38"):
        store.enrol({"cup": one(np.full(SIZE, 3e38))})
    assert store.version == 0


def test_a_threshold_is_undone(store):
    store.set_facts({"threshold": "0.5"}, "a first threshold")
    assert store.facts()["threshold"] == "0.5"
    store.enrol({"cup": one()})
    store.set_facts({"threshold": "0.7"}, "another threshold")
    assert store.undo().kind == "settings"
    assert store.facts()["threshold"] == "0.5"
    assert store.class_sizes() == {"cup": 1}


def test_a_file_that_was_replaced_takes_no_change(tmp_path):
    folder, moved = tmp_path / "g", tmp_path / "moved"
    folder.mkdir()
    with GalleryStore.create(folder / "gallery.sqlite", facts()) as store:
        folder.rename(moved)
        for do in (lambda: store.enrol({"cup": one()}), store.purge, store.facts):
            with pytest.raises(OSError, match="must be the file that was opened"):
                do()
        folder.mkdir()
        with (
            GalleryStore.create(folder / "gallery.sqlite", facts()),
            pytest.raises(OSError, match="must be the file that was opened"),
        ):
            store.enrol({"cup": one()})
    with GalleryStore(moved / "gallery.sqlite") as store:
        assert store.class_sizes() == {}


def test_a_purge_leaves_no_byte_and_makes_the_files_smaller(tmp_path):
    path = tmp_path / "gallery.sqlite"
    secrets = [f"secret {number}".encode() * 2000 for number in range(40)]
    with GalleryStore.create(path, facts()) as store:
        for number, secret in enumerate(secrets):
            new = [
                NewExample(
                    embedding(0, number),
                    source=f"hidden {number}.png",
                    original=Original.of("picture", secret),
                )
            ]
            store.enrol({f"person {number}": new, "kept": examples(0, [number])})
        for number in range(40):
            store.forget(f"person {number}")
        kept = state_of(store)
        store.purge()
        assert state_of(store) == kept
        assert [one.kind for one in store.changes()] == ["purge"]
        # By another program: closing the file here would take SQLite's locks away.
        for word in ("secret", "hidden", "person"):
            found = subprocess.run(["grep", "-rlae", word, tmp_path])
            assert found.returncode == 1
        held = sum(file.stat().st_size for file in tmp_path.glob("*.sqlite*"))
        assert held - (tmp_path / "gallery.sqlite-shm").stat().st_size < 400_000
        store.verify()
    blob = embedding(0, 3).tobytes()
    assert path.read_bytes().count(blob) == 1  # that of the kept class


def test_whoever_has_read_before_a_purge_learns_what_is_gone(store):
    store.enrol({"cup": one(), "mug": one(), "jug": one()})
    version, classes = store.changed_since(0)
    store.forget("mug")
    store.enrol({"mug": one()})
    store.purge()
    _, changed = store.changed_since(version)
    assert [(one.id, len(one.embeddings)) for one in changed] == [(2, 0), (4, 1)]
    assert store.changed_since(0)[1].ids.tolist() == [1, 3, 4]
    assert store.changed_since(version + 10)[1].ids.tolist() == []


def test_an_original_is_kept_once_and_as_long_as_somebody_needs_it(store):
    store.enrol({"cup": examples(0, [1]), "mug": examples(0, [1, 2])})
    assert store.verify()["originals"] == 2
    store.forget("mug")
    store.purge()
    assert store.verify() == {
        "classes": 1,
        "examples": 1,
        "removed": 0,
        "originals": 1,
    }


def test_embedding_anew_refuses_what_is_no_embedding(store):
    store.enrol({"cup": examples(0, [1, 2])})
    kept = state_of(store)
    for made, said in (
        (np.zeros((2, SIZE + 1)), "shape"),
        (np.zeros((1, SIZE)), "each of 2 originals. Received: 1"),
        (np.full((2, SIZE), np.inf), "finite"),
    ):
        with pytest.raises(ValueError, match=said):
            store.re_embed(lambda _, made=made: made, facts(1))
    with pytest.raises(ValueError, match="embedding_shape"):
        store.re_embed(lambda _: np.zeros((2, 1)), {"embedding_shape": "[0]"})
    assert state_of(store) == kept
    assert store.facts() == facts()
    store.re_embed(
        lambda found: np.ones((len(found), 2, 3)), {"embedding_shape": "[2, 3]"}
    )
    (cup,) = store.changed_since(0)[1]
    np.testing.assert_array_equal(cup.embeddings, np.ones((2, 2, 3)))
    store.enrol({"mug": one()[:0] + [NewExample(np.zeros((2, 3)))]})
    with pytest.raises(ValueError, match="must have their original.* Received: 1"):
        store.re_embed(lambda found: np.ones((len(found), 2, 3)), {})
    store.verify()


def test_classes_are_a_sequence_of_views(store):
    store.enrol({"cup": examples(0, [1, 2]), "mug": examples(0, [3])})
    store.enrol({"cup": examples(0, [4])})  # not where the other two lie
    _, classes = store.changed_since(0)
    assert len(classes) == 2
    assert [len(one.embeddings) for one in classes] == [3, 1]
    assert classes[-1].name == classes[1:][0].name == "mug"
    assert np.shares_memory(classes[0].embeddings, classes.embeddings)
    np.testing.assert_array_equal(
        classes[0].embeddings, [embedding(0, key) for key in (1, 2, 4)]
    )
    assert classes.starts.tolist() == [0, 3, 4]
    assert classes[0].example_ids.tolist() == [1, 2, 4]
    with pytest.raises(ValueError, match="read-only"):
        classes.embeddings[0] = 0
    with pytest.raises(IndexError):
        classes[2]


def test_a_closed_store_and_a_wait_that_is_none(tmp_path):
    path = tmp_path / "gallery.sqlite"
    store = GalleryStore.create(path, facts())
    store.close()
    store.close()
    with pytest.raises(ValueError, match="must be open. Received: a closed one"):
        store.class_sizes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gallery.sqlite"]
    for wait in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="`wait` must be seconds from 0"):
            GalleryStore(path, wait=wait)
    with pytest.raises(FileExistsError, match="must be a file that is not there"):
        GalleryStore.create(path, facts())
    with pytest.raises(ValueError, match="`embedding_shape` must be a list of sizes"):
        GalleryStore.create(tmp_path / "other", {})


def test_an_interrupted_change_is_not_made(store, monkeypatch):
    """Ctrl-C in the middle of a change, and the next one goes as always."""

    class Interrupting(list):
        def __iter__(self):
            yield from one()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.enrol({"cup": Interrupting(one())})
    assert store.class_sizes() == {}
    store.enrol({"cup": one()})
    assert store.class_sizes() == {"cup": 1}


def test_python_without_tensorflow_reads_a_gallery(store):
    store.enrol({"cup": one()})
    code = (
        "import sys, tfmeta.gallery as gallery\n"
        "with gallery.GalleryStore(sys.argv[1]) as store: print(store.class_sizes())\n"
        "assert not {'tensorflow', 'keras'} & sys.modules.keys()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, store.path], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("{'cup': 1}\n", "")
