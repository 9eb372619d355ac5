import csv
import io

import pytest

from tfmeta.reproduction.csv_table import FIELDS, csv_text
from tfmeta.reproduction.markdown import describe_time, markdown

FIGURES = """\
| method | task | published | accuracy here, % | over episode draws \
| over test classes | over training seeds | setting |
|---|---|---|---|---|---|---|---|
| Ended | 5-way 1-shot | 98.8 | **98.75** | ± 0.16 | 97.50 to 99.25 | – | inductive |
|  | 5-way 5-shot | 99.70 ± 0.12 | **99.60** | ± 0.16 | 97.50 to 99.25 \
| 98.70 ± 0.90 (2 seeds, deviation 0.10) | inductive |
| Going, 2 times the epochs | 5-way 1-shot | 96.0 | in training, epoch 2 of 20 \
| – | – | – | – |

| method | task | published | error here, % | over trials | over alphabets \
| over training seeds | setting |
|---|---|---|---|---|---|---|---|
| Planned | within an alphabet | 13.7 † | not run | – | – | – | – |
| Lake | within an alphabet | 8.0 | **13.25** | 10.30 to 16.90 | 10.00 to 17.50 \
| – | inductive |
"""
TRAININGS = """\
| training | on | steps | wall time | machine | commit |
|---|---|---|---|---|---|
| Ended: `tfmeta reproduce own --row ended` | 60-way 1-shot; one training for all 2 \
figures | 10,000 | 52 min, 60 s | 2 cores (AMD EPYC) | c74aa07bb7ec with changes |
| Going, 2 times the epochs: `tfmeta reproduce own --row going` | 60-way 1-shot \
| 10,000 | in training, epoch 2 of 20 | 2 cores (AMD EPYC) | c74aa07bb7ec with changes |
| Planned: `tfmeta reproduce own --row planned` | 60-way 1-shot | 10,000 | not run \
| – | – |
"""


def test_the_table_in_markdown(content):
    text = markdown(content)
    assert text.startswith(f"{FIGURES}\n{TRAININGS}")
    notes = text[len(FIGURES) + len(TRAININGS) :]
    assert "Published:\n\n- A. Author, 2017, *On ended*: table 1\n" in notes
    assert "† The published figure is recalled, not verified" in notes
    assert "Ended: with a note." in notes
    assert "(jackknife over 423 classes)" in notes
    assert "1,000 test episodes of seed 0 with 15 queries per class" in notes
    assert "commit 0123456789ab." in notes


def test_an_interval_that_there_is_not_is_said_in_words(content):
    figure = content["rows"][0]["runs"][0]["figures"][0]
    figure["intervals"]["test classes"] = None
    figure["no_interval"] = "every episode holds 'a'"
    text = markdown(content)
    assert "| 98.8 | **98.75** | ± 0.16 | – | – | inductive |" in text
    assert "– is no interval: every episode holds 'a'." in text
    first = next(csv.DictReader(io.StringIO(csv_text(content))))
    assert first["over_test_classes_low"] == first["over_test_classes_high"] == ""
    assert first["over_episode_draws_low"] != ""


def test_what_is_not_there_is_not_explained(content):
    content["rows"] = content["rows"][:1]
    text = markdown(content)
    assert "†" not in text
    assert "alphabet" not in text


def test_without_git_the_version_stands_for_the_commit(content):
    content["commit"] = None
    for row in content["rows"]:
        for run in row["runs"]:
            run["environment"]["commit"] = None
    text = markdown(content)
    assert "| 2 cores (AMD EPYC) | tfmeta 0.1.0 |" in text
    assert "commit tfmeta 0.1.0." in text


def test_the_table_as_csv(content):
    lines = list(csv.DictReader(io.StringIO(csv_text(content))))
    assert tuple(lines[0]) == FIELDS
    assert [(x["row"], x["task"], x["seed"], x["state"]) for x in lines] == [
        ("ended", "5-way 1-shot", "0", "trained"),
        ("ended", "5-way 1-shot", "1", "trained"),
        ("ended", "5-way 5-shot", "0", "trained"),
        ("ended", "5-way 5-shot", "1", "trained"),
        ("going", "5-way 1-shot", "0", "in training, epoch 2 of 20"),
        ("planned", "within an alphabet", "", "not run"),
        ("lake", "within an alphabet", "0", "trained"),
    ]
    first = lines[0]
    assert float(first["percent"]) == 98.75
    assert float(first["over_test_classes_low"]) == 97.5
    assert first["commit"] == "c74aa07bb7ec0123456789-dirty"
    assert first["over_trials_low"] == ""
    assert float(lines[2]["over_training_seeds_mean"]) == 98.7
    assert [x["percent"] for x in lines[4:6]] == ["", ""]
    assert lines[5]["goal_percent"] == "14.0"
    assert float(lines[6]["over_trials_high"]) == 16.9


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "unknown"),
        (0.4, "0 s"),
        (89.0, "89 s"),
        (120.0, "2 min"),
        (5369.0, "89 min"),
        (5400.0, "1 h 30 min"),
        (7230.0, "2 h 0 min"),
    ],
)
def test_durations(seconds, text):
    assert describe_time(seconds) == text


def test_a_transductive_figure_has_the_inductive_one_beside_it(content):
    figure = content["rows"][0]["runs"][0]["figures"][0]
    figure["transductive"] = True
    assert "| transductive |" in markdown(content)
    figure["beside_transductive"] = {"alone": 97.5, "unequal_classes": None}
    assert "| transductive; 97.50 inductive |" in markdown(content)
    figure["beside_transductive"]["unequal_classes"] = 96.25
    assert (
        "| transductive; 97.50 inductive, 96.25 with Dirichlet(2) query classes |"
        in markdown(content)
    )
    first = next(csv.DictReader(io.StringIO(csv_text(content))))
    assert first["transductive"] == "True"
    assert (first["inductive_percent"], first["dirichlet_percent"]) == ("97.5", "96.25")


def test_a_figure_says_when_test_classes_were_seen_in_pre_training(content):
    figure = content["rows"][0]["runs"][0]["figures"][0]
    figure["pretraining"] = {"data": "imagenet", "test_classes_seen": True}
    assert "| inductive; seen in pre-training (imagenet) |" in markdown(content)
    first = next(csv.DictReader(io.StringIO(csv_text(content))))
    assert first["pretraining_data"] == "imagenet"
    assert first["test_classes_seen_in_pretraining"] == "True"
    figure["pretraining"]["test_classes_seen"] = None
    assert "| inductive; pre-trained on imagenet |" in markdown(content)
    first = next(csv.DictReader(io.StringIO(csv_text(content))))
    assert first["test_classes_seen_in_pretraining"] == ""
    figure["pretraining"] = None
    assert "| inductive |" in markdown(content)


def test_a_paper_is_named_once_with_all_its_sources(content):
    ended, going, planned, lake = content["rows"]
    for row, source in zip((going, lake), ("table 3", "a report, page 2"), strict=True):
        row["paper"] = ended["paper"]
        row["columns"][0]["published"]["source"] = source
    lines = markdown(content).splitlines()
    first = lines.index("Published:")
    assert lines[first + 1 : first + 5] == [
        "",
        "- A. Author, 2017, *On ended*: table 1; table 3; a report, page 2",
        "- A. Author, 2017, *On planned*: a report",
        "",
    ]
