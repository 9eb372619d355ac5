"""The index of a gallery finds nearly what the exact search finds, come what may."""

import json

import numpy as np
import pytest
from full_disk import files_of_at_most
from hypothesis import given, settings
from hypothesis import strategies as st
from small_learners import identity
from usearch.index import Index

from tfmeta.extras import MissingExtraError
from tfmeta.gallery import Gallery, GalleryStore, class_index
from tfmeta.gallery.class_index import ClassIndex, read_description
from tfmeta.gallery.erasing import INDEX_DESCRIPTION
from tfmeta.gallery.tables import DATABASE
from tfmeta.learners import GaussianPrototypicalNetwork, PrototypicalNetwork, SimpleShot

CLASSES, FEATURES = 600, 12


def vectors(count=CLASSES, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(count // 10 + 1, FEATURES))
    found = centres[rng.integers(0, len(centres), count)]
    return (found + 0.4 * rng.normal(size=found.shape)).astype("f4")


def queries(count=40):
    rng = np.random.default_rng(7)
    return vectors()[:count] + 0.2 * rng.normal(size=(count, FEATURES)).astype("f4")


def make_gallery(path, learner=None, **options):
    learner = learner or SimpleShot(identity(FEATURES))
    gallery = Gallery.create(path, learner, threshold=None, **options)
    gallery.enrol_embeddings(
        {f"class {n}": one[None] for n, one in enumerate(vectors())}
    )
    return gallery


def check_same(gallery, least=0.95):
    """The index finds what is found without, with the same numbers."""
    exact = gallery.search(queries(), 5)
    found = gallery.search(queries(), 5, index=True)
    # By name: one class that is not found moves up all that come behind it.
    shared = 0
    for row, names in enumerate(exact.class_names):
        expected = dict(zip(names, exact.probabilities[row], strict=True))
        for name, probability in zip(
            found.class_names[row], found.probabilities[row], strict=True
        ):
            if name in expected:
                shared += 1
                np.testing.assert_allclose(probability, expected[name], rtol=1e-4)
    assert shared / exact.class_names.size >= least
    assert exact.recall is None and set(found.recall) == {1, 10}
    assert not found.warnings
    return found


@pytest.mark.parametrize(
    "learner",
    [
        lambda e: SimpleShot(e),
        lambda e: SimpleShot(e, distance="cosine"),
        lambda e: PrototypicalNetwork(e, "euclidean"),
    ],
    ids=["squares", "cosines", "distances"],
)
def test_an_index_finds_the_nearest(learner, tmp_path):
    with make_gallery(tmp_path / "g", learner(identity(FEATURES))) as gallery:
        assert gallery.index_recall is None
        found = check_same(gallery)
        assert gallery.index_recall == found.recall
        assert min(found.recall.values()) > 0.95
        one = gallery.search(queries()[:1], 3, index=True)
        np.testing.assert_array_equal(one.class_names[0], found.class_names[0, :3])


def test_the_sum_over_classes_that_were_not_found_is_sampled(tmp_path, monkeypatch):
    monkeypatch.setattr("tfmeta.gallery.index._SAMPLE", 150)
    learner = SimpleShot(identity(FEATURES), temperature=0.5)
    with make_gallery(tmp_path / "g", learner) as gallery:
        exact = gallery.search(queries(), 1)
        found = gallery.search(queries(), 1, index=True)
        # Most of the sum is of classes that were not found.
        assert exact.probabilities.mean() < 0.05
        np.testing.assert_allclose(found.probabilities, exact.probabilities, rtol=0.1)


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enrol"), st.integers(0, 2 * CLASSES)),
        st.tuples(st.just("forget"), st.integers(0, CLASSES - 1)),
        st.tuples(st.just("undo"), st.just(0)),
    ),
    min_size=1,
    max_size=6,
)


@settings(deadline=None, max_examples=6)
@given(steps=_STEPS, reopen=st.booleans())
def test_what_changes_is_taken_over(steps, reopen, tmp_path_factory):
    path = tmp_path_factory.mktemp("index") / "g"
    gallery = make_gallery(path)
    gallery.build_index()
    made = (path / INDEX_DESCRIPTION).read_bytes()
    rng = np.random.default_rng(0)
    for what, number in steps:
        if what == "enrol":
            rows = rng.normal(size=(1, FEATURES))
            gallery.enrol_embeddings({f"class {number}": rows})
        elif what == "undo" and any(
            not c.undone and c.kind in ("enrol", "forget")
            for c in gallery.changes()[1:]
        ):
            gallery.undo()
        elif what == "forget" and f"class {number}" in gallery.class_sizes():
            gallery.forget(f"class {number}")
    if reopen:
        gallery.close()
        gallery = Gallery(path)
    check_same(gallery)
    # A few changes do not make it anew.
    assert (path / INDEX_DESCRIPTION).read_bytes() == made
    gallery.close()


def index_file(path):
    return path / read_description(path)["file"]


def damage_file(path):
    content = bytearray(index_file(path).read_bytes())
    content[len(content) // 2] ^= 255
    index_file(path).write_bytes(content)


def cut_file(path):
    index_file(path).write_bytes(index_file(path).read_bytes()[:100])


def damage_description(path):
    (path / INDEX_DESCRIPTION).write_text('{"format_version": 1')


def name_another_file(path):
    known = json.loads((path / INDEX_DESCRIPTION).read_text())
    (path / INDEX_DESCRIPTION).write_text(
        json.dumps({**known, "file": "gallery.sqlite"})
    )


def another_learner(path):
    known = json.loads((path / INDEX_DESCRIPTION).read_text())
    known["of"]["learner_file"] = "learner-00000000.keras"
    (path / INDEX_DESCRIPTION).write_text(json.dumps(known))


def later_change(path):
    known = json.loads((path / INDEX_DESCRIPTION).read_text())
    (path / INDEX_DESCRIPTION).write_text(json.dumps({**known, "change": 1000}))


@pytest.mark.parametrize(
    "spoil",
    [
        damage_file,
        cut_file,
        damage_description,
        name_another_file,
        another_learner,
        later_change,
        lambda path: index_file(path).unlink(),
        lambda path: (path / INDEX_DESCRIPTION).unlink(),
    ],
    ids=[
        *("damaged", "cut", "description", "file", "learner", "change"),
        *("no file", "no description"),
    ],
)
def test_what_is_not_whole_is_made_anew(spoil, tmp_path):
    path = tmp_path / "g"
    with make_gallery(path) as gallery:
        gallery.build_index()
    former = index_file(path).name
    spoil(path)
    with Gallery(path) as gallery:
        check_same(gallery)
    assert index_file(path).name != former
    assert len(list(path.glob("index*"))) == 2


def test_one_that_is_whole_is_taken(tmp_path, monkeypatch):
    path = tmp_path / "g"
    with make_gallery(path) as gallery:
        recall = gallery.build_index()
    added = []
    put = ClassIndex.put
    monkeypatch.setattr(
        ClassIndex,
        "put",
        lambda self, ids, *a, **k: added.extend(ids) or put(self, ids, *a, **k),
    )
    with Gallery(path) as gallery:
        assert gallery.build_index() == recall == gallery.index_recall
        assert not added
        gallery.enrol_embeddings({"another": np.ones((1, FEATURES))})
        check_same(gallery)
        assert added == [CLASSES + 1]


def test_many_changes_make_it_anew(tmp_path):
    path = tmp_path / "g"
    with make_gallery(path) as gallery:
        gallery.build_index()
        former = index_file(path).name
        gallery.enrol_embeddings({f"{n}": one[None] for n, one in enumerate(vectors())})
        seen = []
        gallery.build_index(on_progress=lambda *count: seen.append(count))
        assert seen[-1] == (2 * CLASSES, 2 * CLASSES)
        assert index_file(path).name != former


def test_purging_leaves_no_vector_of_what_was_removed(tmp_path):
    path = tmp_path / "g"
    with make_gallery(path) as gallery, Gallery(path) as other:
        other.build_index()
        gallery.forget("class 3")
        gallery.purge()
        assert not list(path.glob("index*")) and gallery.index_recall is None
        other.build_index()
        # Removed from the former graph it would be marked so, and its numbers be there.
        held = Index.metadata(str(index_file(path)))
        assert held["count_present"] == CLASSES - 1 and held["count_deleted"] == 0
        check_same(other)


@pytest.mark.parametrize("offset, scale", [(1e4, 1.0), (0.0, 1e6), (0.0, 1e-6)])
def test_half_precision_holds_vectors_of_any_place_and_size(offset, scale, tmp_path):
    learner = PrototypicalNetwork(identity(FEATURES))
    rows = (scale * (vectors() + offset)).astype("f4")
    asked = (scale * (queries() + offset)).astype("f4")
    with Gallery.create(tmp_path / "g", learner, threshold=None) as gallery:
        gallery.enrol_embeddings({f"{n}": one[None] for n, one in enumerate(rows)})
        assert min(gallery.build_index().values()) > 0.98
        exact = gallery.search(asked, 3)
        found = gallery.search(asked, 3, index=True)
        assert (exact.class_names == found.class_names).mean() > 0.98


def test_another_encoder_has_another_index(tmp_path):
    path = tmp_path / "g"
    learner = PrototypicalNetwork(identity(FEATURES))
    with Gallery.create(path, learner, threshold=None) as gallery:
        gallery.enrol({f"class {n}": one[None] for n, one in enumerate(vectors(80))})
        gallery.build_index()
        gallery.re_embed(SimpleShot(identity(FEATURES), distance="cosine"))
        check_same(gallery)
        assert read_description(path)["of"]["by_cosines"]


def test_a_purge_leaves_no_vector_in_an_index(tmp_path):
    path = tmp_path / "g"
    with make_gallery(path) as gallery:
        gallery.build_index()
        assert list(path.glob("index*"))
        gallery.forget("class 3")
    with GalleryStore(path / DATABASE) as store:
        store.purge()
    assert not list(path.glob("index*"))
    with Gallery(path) as gallery:
        check_same(gallery)


def test_a_full_disk_costs_no_answer(tmp_path):
    path = tmp_path / "g"
    with make_gallery(path) as gallery:
        with files_of_at_most(20_000):
            found = gallery.search(queries(), 5, index=True)
        assert "made anew" in found.warnings[0] and "index-" in found.warnings[0]
        exact = gallery.search(queries(), 5)
        # It finds most; how many differs from one making to the next.
        assert (found.class_names[:, 0] == exact.class_names[:, 0]).mean() > 0.8
        assert not list(path.glob("index*"))
        again = gallery.search(queries(), 5, index=True)
        np.testing.assert_array_equal(again.class_names, found.class_names)


def test_a_learner_without_vectors_of_classes_is_refused(tmp_path):
    learner = GaussianPrototypicalNetwork(identity(FEATURES))
    with Gallery.create(tmp_path / "g", learner, threshold=None) as gallery:
        with pytest.raises(ValueError, match="at least one class"):
            gallery.build_index()
        gallery.enrol_embeddings({"a": np.ones((2, learner.encoder.output_shape[-1]))})
        with pytest.raises(ValueError, match="`index` must be False"):
            gallery.search(queries(), index=True)


def test_without_the_library_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(class_index, "is_installed", lambda package: False)
    with make_gallery(tmp_path / "g") as gallery:
        with pytest.raises(MissingExtraError, match=r"tfmeta\[index\]"):
            gallery.search(queries(), index=True)
        assert gallery.search(queries(), 1).recall is None
