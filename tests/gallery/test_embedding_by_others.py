"""A gallery whose examples somebody else embeds, as a server does."""

import contextlib

import numpy as np
import pytest
from small_learners import identity, points

from tfmeta.gallery import Gallery
from tfmeta.learners import PrototypicalNetwork


@pytest.fixture
def path(tmp_path):
    Gallery.create(tmp_path / "points", PrototypicalNetwork(identity())).close()
    return tmp_path / "points"


def test_enrolment_and_queries_go_through_it(path):
    asked = []

    def embed(encoder, examples, on_progress):
        asked.append(len(examples))
        rows = np.stack([encoder.read(one) for one in examples])
        return encoder.embed_read(rows)

    with contextlib.closing(Gallery(path, embed=embed)) as gallery:
        gallery.enrol(points([3, 2]))
        gallery.classify(points([4])["class 0"])
        gallery.search(points([1])["class 0"], 1)
    assert asked == [5, 4, 1]
    with contextlib.closing(Gallery(path)) as gallery:
        assert gallery.class_sizes() == {"class 0": 3, "class 1": 2}


def test_what_is_embedded_at_once_is_not_checked(path):
    with contextlib.closing(Gallery(path)) as gallery:
        encoder = gallery.encoder
    assert encoder.embedding_shape == (4,) and tuple(encoder.spec.shape) == (4,)
    rows = np.array([[1, 2, 3, 4], [np.nan] * 4], np.float32)
    found = encoder.embed_read(rows)
    assert found[0].tolist() == [1, 2, 3, 4] and np.isnan(found[1]).all()


def test_what_a_class_has_is_not_new(path):
    classes = points([3, 2])
    with contextlib.closing(Gallery(path)) as gallery:
        assert gallery.version == 0
        gallery.enrol(classes)
        assert gallery.version == 1
        again = {"class 0": [*classes["class 0"], np.zeros(4, np.float32)] * 2}
        again["class 2"] = classes["class 1"]
        new = gallery.not_enrolled(again)
        assert [one.tolist() for one in new["class 0"]] == [[0, 0, 0, 0]]
        assert len(new["class 2"]) == 2
        with pytest.raises(ValueError, match="at least one example"):
            gallery.not_enrolled({"class 0": []})
