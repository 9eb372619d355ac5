import copy
import csv
import json

import pytest
from broken_json import WHOLE, changed_values

from tfmeta.matrix.kept import read_matrix
from tfmeta.matrix.tables import CSV_FIELDS, FORMATS, grid


def cell(encoder, domain, shots, accuracy, **others):
    return {
        **{"encoder": encoder, "domain": domain, "shots": shots, "queries": 15},
        **{"accuracy": accuracy, "over_episode_draws": accuracy and 0.00512},
        "over_test_classes": accuracy
        and {
            **{"ends": [accuracy - 0.1, accuracy + 0.1], "clusters": 200},
            "reason": None,
        },
        **{"seen_in_pretraining": False, "trained_on_other_classes": False},
        **{"inverted": False, "reason": None, **others},
    }


def row(name, kind, **others):
    known = {"transductive": False, "pictures_known": True, "pretrained_on": None}
    return {"name": name, "kind": kind, "learner": "SimpleShot", **known, **others}


@pytest.fixture
def content():
    domain = {
        **{"chosen": "test classes", "classes": 200, "classes_of_all": 240},
        **{"examples": 4000, "most_of_a_class": 20},
    }
    return {
        **{"format_version": 1, "tfmeta": "0.1.0", "commit": "0123456789abcdef"},
        **{"command": "tfmeta evaluate --matrix", "seconds": 3.5, "ways": 5},
        **{"shots": [1, 5], "episodes": 1000, "seed": 0, "size": 128},
        **{"most_classes": 200, "images_per_class": 100, "not_here": ["omniglot"]},
        "encoders": [
            row("lite", "encoder", pretrained_on="imagenet"),
            row("=run|1", "run", pictures_known=False),
        ],
        "domains": [{"name": "a|b", **domain}, {"name": "net", **domain}],
        "cells": [
            cell("lite", "a|b", 1, 0.75),
            cell("lite", "a|b", 5, 0.8125),
            cell("lite", "net", 1, 0.9, seen_in_pretraining=True),
            cell("lite", "net", 5, None, queries=None, reason="too <few>"),
            cell("=run|1", "a|b", 1, 0.5, trained_on_other_classes=True),
            cell("=run|1", "a|b", 5, 0.6, inverted=True),
            cell("=run|1", "net", 1, None, queries=None, reason="no\nfit"),
            cell("=run|1", "net", 5, None, queries=None, reason="no\nfit"),
        ],
    }


def test_the_grid_has_intervals_marks_and_gaps(content):
    assert grid(content) == [
        ["encoder", "a|b 1-shot", "a|b 5-shot", "net 1-shot", "net 5-shot"],
        ["lite", "75.00 ± 0.51", "81.25 ± 0.51", "90.00 ± 0.51 s", "–"],
        ["=run|1", "50.00 ± 0.51 t", "60.00 ± 0.51", "–", "–"],
    ]


def test_text_is_in_columns_and_says_what_marks_and_gaps_are(content):
    header, first, second, empty, *said = FORMATS["text"](content)
    assert empty == ""
    ends = [
        line.index(word) + len(word)
        for line, word in (
            (header, "a|b 5-shot"),
            (first, "81.25 ± 0.51"),
            (second, "60.00 ± 0.51"),
        )
    ]
    assert len(set(ends)) == 1
    assert first.startswith("lite  ") and second.startswith("=run|1")
    text = "\n".join(said)
    for expected in (
        "5-way accuracy in percent, ± half of the 95 % interval",
        "1,000 episodes of seed 0",
        "by name bring pictures to 128 pixels.",
        "s: seen. ",
        "t: the run was trained on other classes",
        "a|b: 200 of 240 test classes, at most 20 examples of each, 4,000 in all, 15 q",
        "lite: SimpleShot, on an encoder pre-trained on imagenet.",
        "=run|1: SimpleShot, a trained run.",
        "its training data are not here",
        "=run|1 on a|b: pictures inverted",
        "– lite on net, 5-shot: too <few>",
        "– =run|1 on net, 1 or 5-shot: no",
        "Not imported, so left out: omniglot.",
        "tfmeta evaluate --matrix, commit 0123456789ab",
    ):
        assert expected in text, expected


def test_markdown_is_no_markup_of_names(content):
    lines = list(FORMATS["markdown"](content))
    assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|") == 6
    assert lines[3].startswith("| =run&#124;1 | 50.00 ± 0.51 t |")
    assert "- – lite on net, 5-shot: too &#60;few&#62;" in lines
    assert all("\n" not in line for line in lines)


def test_csv_has_every_cell_and_its_numbers(content):
    header, *lines = csv.reader("\n".join(FORMATS["csv"](content)).splitlines(True))
    assert tuple(header) == CSV_FIELDS
    found = [dict(zip(header, line, strict=True)) for line in lines]
    assert [one["percent"] for one in found][:4] == [
        *("75.0000", "81.2500", "90.0000", ""),
    ]
    first = found[0]
    assert (first["encoder"], first["domain"], first["shots"]) == ("lite", "a|b", "1")
    assert (first["ways"], first["queries"], first["episodes"]) == ("5", "15", "1000")
    assert first["over_episode_draws_half_width"] == "0.5120"
    assert first["over_test_classes_low"] == "65.0000"
    assert (found[2]["seen_in_pretraining"], found[3]["reason"]) == (
        "True",
        "too <few>",
    )
    assert (found[4]["encoder"], found[4]["kind"]) == ("=run|1", "run")
    assert found[4]["trained_on_other_classes"] == "True"


def test_the_file_is_read_as_it_was_written(content, tmp_path):
    path = tmp_path / "matrix.json"
    path.write_text(json.dumps(content))
    assert read_matrix(path) == content
    for missing in (content["cells"][:-1], [*content["cells"], content["cells"][0]]):
        path.write_text(json.dumps({**content, "cells": missing}))
        with pytest.raises(ValueError, match="one cell for each encoder, domain"):
            read_matrix(path)


def test_damaged_files_are_refused_or_give_tables(content, tmp_path):
    path = tmp_path / "matrix.json"
    for damaged in WHOLE.values():
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"matrix\.json"):
            read_matrix(path)
    refused = 0
    for changed in changed_values(copy.deepcopy(content), seed=1, count=150):
        text = json.dumps(changed).replace('"@deep@"', "[" * 9 + "]" * 9)
        path.write_text(text)
        try:
            read = read_matrix(path)
        except ValueError as error:
            assert "matrix.json" in str(error)
            refused += 1
            continue
        for lines in FORMATS.values():
            assert all("\n" not in line or lines for line in lines(read))
    assert refused > 50
