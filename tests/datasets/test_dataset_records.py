import dataclasses
import inspect
import json
from pkgutil import resolve_name

import pytest

from tfmeta.datasets.dataset import Dataset
from tfmeta.datasets.registry import DATASETS, read_records
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.parameter import places

RECORDS = DATASETS.values()


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: r.name)
def test_a_record_names_what_there_is(record):
    loader = resolve_name(record.loader)
    assert loader.__name__ == f"load_{record.name}"
    assert next(iter(inspect.signature(loader).parameters)) == "split"
    assert bool(record.importer) == bool(record.needs) == (record.name != "glyphs")
    assert record.description and "\n" not in record.description + record.needs


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: r.name)
def test_training_defaults_are_settings_of_a_run(record):
    assert set(record.training) <= {place.name for place in places(TrainConfig)} - {
        "dataset"
    }
    TrainConfig().with_options(record.training)
    assert json.loads(json.dumps(dict(record.training))) == record.training


def test_what_is_cut_from_imagenet_says_so_in_every_table():
    cut = {record.name for record in RECORDS if record.cut_from == "imagenet"}
    assert cut == {"mini_imagenet", "tiered_imagenet"}
    declared = dataclasses.replace(DATASETS["glyphs"], cut_from="all_glyphs")
    assert declared.load("test").cut_from == "all_glyphs"


def test_licences_are_those_that_come_with_the_data():
    known = {record.name: record.licence for record in RECORDS}
    for name in ("mini_imagenet", "tiered_imagenet"):
        assert "non-commercial research and education only" in known.pop(name)
    assert known.pop("omniglot").startswith("MIT")
    assert known.pop("glyphs").startswith("Apache 2.0")
    assert (known.pop("clinc150"), known.pop("banking77")) == ("CC BY 3.0", "CC BY 4.0")
    # No licence comes with these, so that none is claimed.
    assert set(known.values()) == {"unknown"}


@pytest.mark.parametrize("given", [{"importer": "a:b"}, {"needs": "a.zip"}])
def test_an_import_says_what_it_needs(given):
    with pytest.raises(ValueError, match="`needs` of data set 'a' must say"):
        Dataset("a", "one", "a:load_a", **given)


@pytest.mark.parametrize("forms", ["", "- one.zip;\n- two.zip."])
@pytest.mark.parametrize("because", ["", "cannot be had"])
@pytest.mark.parametrize("option", ["", "--partial"])
def test_what_is_missing_says_how_to_import(tmp_path, forms, because, option):
    record = Dataset("a", "one", "a:load_a", "a:import_a", "one.zip", forms=forms)
    error = record.missing(tmp_path, because=because, option=option)
    message = str(error)
    assert isinstance(error, FileNotFoundError)
    start = f"a is not in {tmp_path}" + (" and cannot be had. " if because else ". ")
    assert message.startswith(start)
    command = "tfmeta datasets import a --from DIR" + (" --partial" if option else "")
    assert f"`{command}`" in message
    assert (forms or "comes from one.zip.") in message
    assert message.endswith(f"Received: data_dir {str(tmp_path)!r}")


def test_what_is_not_imported_is_said():
    with pytest.raises(ValueError, match="must be a data set that is imported.*'a'"):
        Dataset("a", "one", "a:load_a").import_from("nowhere")


def test_a_name_is_given_once():
    place = "tfmeta.datasets.glyphs.dataset:GLYPHS"
    assert list(read_records([place])) == ["glyphs"]
    with pytest.raises(ValueError, match="must differ.*Received: a second 'glyphs'"):
        read_records([place, place])
