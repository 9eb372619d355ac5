"""CLINC150 against the authors' file, and files that are not it."""

import collections
import gzip
import json

import numpy as np
import pytest

from tfmeta.datasets import load
from tfmeta.datasets.text.clinc150 import (
    DOMAINS,
    import_clinc150,
    intents_of_domains,
    load_clinc150,
)


@pytest.fixture(scope="module")
def content(reference_data):
    path = reference_data / "text" / "clinc150" / "data_full.json.gz"
    return json.loads(gzip.decompress(path.read_bytes()))


def test_domains_are_the_authors(reference_data):
    theirs = json.loads(
        (reference_data / "text" / "clinc150" / "domains.json").read_text()
    )
    assert intents_of_domains() == {d: tuple(i) for d, i in theirs.items()}
    order = np.random.default_rng(0).permutation(sorted(theirs)).tolist()
    assert [list(names) for names in DOMAINS.values()] == [
        order[:5],
        order[5:7],
        order[7:],
    ]


def test_every_sentence_is_where_the_file_has_it(text_dir, content):
    tables = [load_clinc150(split, data_dir=text_dir) for split in DOMAINS]
    assert [t.num_classes for t in tables] == [75, 30, 45]
    found = {
        name: list(table.examples_of(c))
        for table in tables
        for c, name in enumerate(table.class_names)
    }
    expected = collections.defaultdict(list)
    for part in ("train", "val", "test"):
        for text, intent in content[part]:
            expected[intent].append(text)
    assert found == expected
    assert {len(texts) for texts in found.values()} == {150}
    for split, table in zip(DOMAINS, tables, strict=True):
        assert set(table.groups) == set(DOMAINS[split])
        assert table.group_level == "domain" and table.example_shape == ()
        for name, group in zip(table.class_names, table.groups, strict=True):
            assert name in intents_of_domains()[group]


def test_splits_share_neither_intent_nor_domain(text_dir):
    tables = [load("clinc150", split=s, data_dir=text_dir) for s in DOMAINS]
    origins = [set(t.origins) for t in tables]
    assert len(set.union(*origins)) == sum(map(len, origins)) == 150
    domains = [set(t.groups) for t in tables]
    assert len(set.union(*domains)) == sum(map(len, domains)) == 10


def test_out_of_scope_is_a_table_of_its_own(text_dir, content):
    table = load_clinc150("out_of_scope", data_dir=text_dir)
    assert table.class_names == ("out_of_scope",)
    expected = [
        text
        for part in ("oos_train", "oos_val", "oos_test")
        for text, _ in content[part]
    ]
    assert list(table.examples) == expected and len(expected) == 1200


def test_import_again_only_checks(reference_data, text_dir):
    source = reference_data / "text" / "clinc150"
    report = import_clinc150(source, text_dir)
    across, within, checked = report.notes
    assert across.startswith("4 of the texts occur in more than one class")
    assert "'what is on my to do list' (reminder and todo_list)" in across
    assert within.startswith("1 of the texts")
    assert "already held clinc150" in checked


def test_unpacked_file_and_progress(content, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "data_full.json").write_text(json.dumps(content), "utf-8")
    calls = []
    import_clinc150(source, tmp_path, on_progress=lambda *c: calls.append(c))
    assert calls[-1] == (23_700, 23_700) and calls == sorted(calls)
    # Another table under this name is not overwritten.
    first = content["train"][0]
    content["train"][0] = ["another sentence", first[1]]
    (source / "data_full.json").write_text(json.dumps(content), "utf-8")
    content["train"][0] = first
    with pytest.raises(ValueError, match="hold the same texts.*remove it"):
        import_clinc150(source, tmp_path)


def broken(content, change):
    copy = {part: list(pairs) for part, pairs in content.items()}
    change(copy)
    return copy


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("val"), "a list 'val' of pairs.*NoneType"),
        (lambda c: c["train"].pop(), "100 sentences of each intent.*Received: 99"),
        (lambda c: c["test"].append(["hm", "gossip"]), "the 150 .* of 'gossip'"),
        (lambda c: c["val"].append(["x"]), "a list 'val' of pairs"),
        (lambda c: c["val"].append([" ", "yes"]), "a list 'val' of pairs"),
        (lambda c: c["oos_test"].pop(), "1,000 sentences labelled 'oos'.*999"),
        (lambda c: c.update(train={}), "a list 'train' of pairs.*dict"),
    ],
)
def test_other_files_are_refused(content, tmp_path, change, message):
    (tmp_path / "data_full.json").write_text(json.dumps(broken(content, change)))
    with pytest.raises(ValueError, match=f"data_full.json must hold {message}"):
        import_clinc150(tmp_path, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_json_of_another_kind(tmp_path):
    (tmp_path / "data_full.json").write_text("[1, 2]")
    with pytest.raises(ValueError, match="must hold a list 'train'"):
        import_clinc150(tmp_path, tmp_path / "data")


def test_nothing_imported(tmp_path):
    with pytest.raises(
        FileNotFoundError,
        match=r"(?s)data_full.json.*`tfmeta datasets import clinc150 --from DIR`",
    ):
        load_clinc150(data_dir=tmp_path)
    with pytest.raises(ValueError, match="'out_of_scope'.*Received: 'oos'"):
        load_clinc150("oos", data_dir=tmp_path)
