"""Tox21 and SIDER against their files and against the counts in the literature."""

import csv
import gzip
import io

import pytest

from tfmeta.datasets import load
from tfmeta.datasets.molecules.sider import ASSAYS as SIDER
from tfmeta.datasets.molecules.sider import load_sider
from tfmeta.datasets.molecules.tox21 import ASSAYS as TOX21
from tfmeta.datasets.molecules.tox21 import import_tox21, load_tox21
from tfmeta.datasets.registry import import_dataset
from tfmeta.episodes import Episodes

COLLECTIONS = (TOX21, SIDER)
# Inactive and active molecules per assay, in the order of the assays, from the code
# of Guo et al. (2021), github.com/zhichunguo/Meta-MGNN, samples.py.
PUBLISHED = {
    "tox21": (
        *((6956, 309), (6521, 237), (5781, 768), (5521, 300), (5400, 793)),
        *((6605, 350), (6264, 186), (4890, 942), (6808, 264), (6095, 372)),
        *((4892, 918), (6351, 423)),
    ),
    "sider": (
        *((684, 743), (431, 996), (1405, 22), (551, 876), (276, 1151), (430, 997)),
        *((129, 1298), (1176, 251), (403, 1024), (700, 727), (1051, 376)),
        *((135, 1292), (1104, 323), (1214, 213), (319, 1108), (542, 885)),
        *((109, 1318), (1174, 253), (421, 1006), (367, 1060), (411, 1016)),
        *((516, 911), (1302, 125), (768, 659), (439, 988), (123, 1304), (481, 946)),
    ),
}
TEST_ASSAYS = {"tox21": 3, "sider": 6}


@pytest.fixture(scope="module")
def molecule_dir(reference_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("molecules")
    for collection in COLLECTIONS:
        import_dataset(
            collection.record.name, reference_data / "molecules", data_dir=folder
        )
    return folder


def rows_of(reference_data, name):
    path = reference_data / "molecules" / f"{name}.csv.gz"
    text = gzip.decompress(path.read_bytes()).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda c: c.record.name)
def test_classes_are_the_outcomes_of_the_file(collection, reference_data, molecule_dir):
    name = collection.record.name
    rows = rows_of(reference_data, name)
    tables = [
        load(name, split=s, data_dir=molecule_dir)
        for s in ("train", "validation", "test")
    ]
    found = {
        class_name: list(table.examples_of(c))
        for table in tables
        for c, class_name in enumerate(table.class_names)
    }
    expected = {
        f"{assay}/{outcome}": [r["smiles"] for r in rows if r[assay] == label]
        for assay in collection.assays
        for label, outcome in (("0", "inactive"), ("1", "active"))
    }
    assert found == expected
    assert PUBLISHED[name] == tuple(
        (len(found[f"{a}/inactive"]), len(found[f"{a}/active"]))
        for a in collection.assays
    )
    for table in tables:
        assert table.group_level == "assay"
        assert table.groups == tuple(n.rsplit("/", 1)[0] for n in table.class_names)


@pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda c: c.record.name)
def test_splits(collection, molecule_dir):
    splits = {
        s: set(load(collection.record.name, split=s, data_dir=molecule_dir).groups)
        for s in ("train", "validation", "test", "trainval")
    }
    # The last assays of the file, as in Meta-MGNN.
    last = collection.assays[-TEST_ASSAYS[collection.record.name] :]
    assert splits["test"] == set(last)
    assert splits["trainval"] == splits["train"] | splits["validation"]
    assert not splits["train"] & splits["validation"]
    assert splits["trainval"] == set(collection.assays) - set(last)


def test_tasks_are_assays(molecule_dir):
    table = load_tox21("test", data_dir=molecule_dir)
    episodes = Episodes(
        table, ways=2, shots=5, queries=16, tasks=4, same_group=True, seed=3
    )
    inputs, y = episodes.batch(0)
    assert inputs["support"].shape == (4, 10) and y.shape == (4, 32)
    for pair in episodes.class_ids(0):
        names = {table.class_names[c] for c in pair}
        (assay,) = {n.split("/")[0] for n in names}
        assert names == {f"{assay}/active", f"{assay}/inactive"}


def test_missing_outcomes_are_told(reference_data, molecule_dir):
    rows = rows_of(reference_data, "tox21")
    empty = sum(r[a] == "" for r in rows for a in TOX21.assays)
    notes = import_tox21(reference_data / "molecules", molecule_dir).notes
    assert f"{empty:,} of the {12 * 7831:,} outcomes are missing" in notes[-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace(",TOX3021,", ",TOX3021,C ", 1), "must be a SMILES"),
        (lambda t: t.replace("\n0,", "\n2,", 1), "'NR-AR' must be 0, 1 or empty.*'2'"),
        (lambda t: t.replace("NR-AR,", "AR,", 1), "columns .*NR-AR missing"),
        (lambda t: t[: t.rindex("\n", 0, -1) + 1], "7,831 molecules. Received: 7,830"),
    ],
)
def test_other_files_are_refused(reference_data, tmp_path, change, message):
    packed = reference_data / "molecules" / "tox21.csv.gz"
    text = gzip.decompress(packed.read_bytes()).decode()
    (tmp_path / "tox21.csv").write_text(change(text), newline="")
    with pytest.raises(ValueError, match=f"(?s)tox21.csv in .*{message}"):
        import_tox21(tmp_path, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_nothing_imported(tmp_path):
    with pytest.raises(FileNotFoundError, match="sider.csv.*import sider --from DIR"):
        load_sider(data_dir=tmp_path)
    with pytest.raises(ValueError, match="'trainval'.*Received: 'all'"):
        load_tox21("all", data_dir=tmp_path)
