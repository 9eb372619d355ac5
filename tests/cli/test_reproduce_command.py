import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tfmeta.reproduction.table import load_table
from tfmeta.runs.measuring.on_episodes import read_results
from tfmeta.runs.run_folder import RunFolder

TINY = {
    **{"dataset": "glyphs", "filters": 4, "train_ways": 5, "train_queries": 2},
    **{"queries": 5, "validation_episodes": 8, "epochs": 8, "steps_per_epoch": 3},
}
QUICK = {**TINY, "epochs": 2, "steps_per_epoch": 2}
EPISODES = ("--test-episodes", 600)


def row(title, config, **column):
    return {
        "format_version": 1,
        "title": title,
        "paper": {"authors": "J. Snell and others", "year": 2017, "title": "Networks"},
        "config": config,
        "columns": [
            {
                **{"ways": 5, "shots": 1, "queries": 5, **column},
                "published": {"percent": 98.8, "source": "table 1"},
            }
        ],
    }


@pytest.fixture
def table(tmp_path):
    """A table of one's own; row `tiny` is what `glyphs_run` has trained."""
    folder = tmp_path / "own"
    folder.mkdir()
    rows = {
        "tiny": row("Tiny", TINY, goal=20),
        "oracle": row("Oracle", {**TINY, "learner": "oracle"}),
        "quick": row("Quick", QUICK, ways=3),
    }
    for name, values in rows.items():
        (folder / f"{name}.json").write_text(json.dumps(values))
    return folder


@pytest.fixture
def adopted(glyphs_run, tmp_path):
    """A folder of runs that holds one of row `tiny`, trained otherwise."""
    shutil.copytree(glyphs_run, tmp_path / "out" / "tiny-seed3")
    return tmp_path / "out"


def test_rows_are_listed_without_running(call, table):
    done = call("reproduce", table, "--list", "--budget", 2)
    assert done.code == 0
    assert done.out.splitlines()[:3] == [
        "oracle: Oracle (J. Snell and others, 2017)",
        "  one training of oracle on glyphs, 16 epochs of 3 steps, 48 in all",
        "  5-way 1-shot: published 98.8 %",
    ]
    done = call("reproduce", "mini-imagenet", "--list", "--row", "prototypical")
    assert "80 epochs of 100 steps, 8,000 in all" in done.out
    assert "5-way 5-shot: published 68.2 %, goal ≥ 62 %" in done.out
    of_all = call("reproduce", "--list").out
    assert done.out in of_all
    assert of_all.startswith("Table omniglot\nsiamese: ")
    assert "an alphabet, error: published 13.7 %, goal ≤ 14 %" in of_all
    usage = call("reproduce").usage_error
    assert "Missing argument 'TABLE': omniglot, mini-imagenet" in usage


def test_wrong_names_list_the_right_ones(call, table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "one of oracle, quick, tiny. Received: --row='protonet'" in (
        call("reproduce", table, "--row", "protonet").error
    )
    assert "one of omniglot, mini-imagenet" in call("reproduce", "imagenet").error
    assert "--from-result goes with --readme" in (
        call("reproduce", table, "--from-result", table / "tiny.json").usage_error
    )
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


def test_a_table_of_what_is_there(call, table, adopted, hash_tree, tmp_path):
    runs = hash_tree(adopted)
    (result,) = read_results(RunFolder(adopted / "tiny-seed3"))
    readme = tmp_path / "README.md"
    readme.write_text("<!-- own table -->\n<!-- end of own table -->\n")
    options = ("--output", adopted, *EPISODES)
    done = call("reproduce", table, *options, "--table-only", "--readme", readme)
    assert (done.code, done.err) == (0, "")
    text = (adopted / "own.md").read_text(encoding="utf-8")
    cells = [
        *("Tiny", "5-way 1-shot", "98.8 †", f"**{100 * result.accuracy:.2f}**"),
        f"± {100 * result.over_episode_draws:.2f}",
        *(result.over_test_classes.text(), "–", "inductive"),
    ]
    assert f"| {' | '.join(cells)} |" in text
    assert "| Oracle | 5-way 1-shot | 98.8 † | not run | – | – | – | – |" in text
    assert text in readme.read_text(encoding="utf-8")
    assert "--row tiny --seeds 4` | 5-way 1-shot | 24 |" in text
    with (adopted / "own.csv").open(encoding="utf-8") as file:
        lines = {line["row"]: line for line in csv.DictReader(file)}
    assert float(lines["tiny"]["percent"]) == 100 * result.accuracy
    assert (lines["quick"]["state"], lines["quick"]["percent"]) == ("not run", "")
    written = {"own.md", "own.csv", "own.json", "curves.png"}
    after = hash_tree(adopted)
    assert {name: after[name] for name in runs} == runs
    assert set(after) - set(runs) == written

    # The same table without the runs.
    elsewhere = tmp_path / "OTHER.md"
    elsewhere.write_text("<!-- own table -->\nold\n<!-- end of own table -->\n")
    copy = ("--from-result", adopted / "own.json", "--readme", elsewhere)
    assert call("reproduce", table, *copy).code == 0
    assert elsewhere.read_text(encoding="utf-8") == readme.read_text(encoding="utf-8")
    assert "must hold table 'omniglot'" in call("reproduce", "omniglot", *copy).error


def test_figures_outlive_their_run_folders(call, table, adopted, tmp_path):
    options = (*EPISODES, "--table-only", "--output")
    assert call("reproduce", table, *options, adopted).code == 0
    result = (adopted / "own.json").read_bytes()
    other = tmp_path / "other machine"
    other.mkdir()
    (other / "own.json").write_bytes(result)
    for _ in range(2):  # From what it has written itself, too.
        done = call("reproduce", table, *options, other)
        assert (done.code, done.err) == (0, "")
        before, after = (
            json.loads(result),
            json.loads((other / "own.json").read_text(encoding="utf-8")),
        )
        assert after["rows"] == before["rows"]
        for name in ("own.md", "own.csv"):
            written = (other / name).read_text(encoding="utf-8")
            assert written == (adopted / name).read_text(encoding="utf-8")


def test_a_run_with_other_settings_is_refused(call, table, adopted, hash_tree):
    changed = row("Tiny", {**TINY, "learning_rate": 0.5})
    (table / "tiny.json").write_text(json.dumps(changed))
    (adopted / "tiny-seed3").rename(adopted / "tiny-seed0")
    before = hash_tree(adopted / "tiny-seed0")
    options = ("--output", adopted, *EPISODES)
    done = call("reproduce", table, *options, "--row", "tiny")
    message = "tiny-seed0 must hold a run with seed=0 for this row. Received: seed=3"
    assert message in done.out
    assert message in done.error
    (adopted / "tiny-seed0").rename(adopted / "tiny-seed3")
    done = call("reproduce", table, *options, "--table-only")
    assert (
        "a run with learning_rate=0.5 for this row. Received: learning_rate=0.001"
        in (done.error)
    )
    assert hash_tree(adopted / "tiny-seed3") == before
    assert "| Tiny | 5-way 1-shot | 98.8 † | not run |" in (
        (adopted / "own.md").read_text(encoding="utf-8")
    )


def test_rows_are_trained_and_measured_once(call, table, tmp_path, hash_tree):
    out = tmp_path / "out"
    options = ("--output", out, *EPISODES)
    done = call("reproduce", table, *options, "--row", "quick", "--row", "oracle")
    # A row that cannot be built does not keep the next from being trained.
    assert done.error == "oracle: not reproduced, as said above"
    assert "Error in row oracle: `learner` must be one of" in done.out
    assert "Row quick, seed 0: Quick is trained for 4 steps" in done.out
    assert not (out / "oracle-seed0").exists()
    (result,) = read_results(RunFolder(out / "quick-seed0"))
    assert (result.protocol["ways"], result.protocol["queries"]) == (3, 5)
    assert str(result) in done.out
    assert (out / "quick-seed0" / "curve.png").is_file()

    run = hash_tree(out / "quick-seed0")
    table_text = (out / "own.csv").read_bytes()
    done = call("reproduce", table, *options, "--row", "quick")
    assert (done.code, done.err) == (0, "")
    assert "Row quick, seed 0: Quick is trained already" in done.out
    assert "epoch" not in done.out.partition("method")[0]
    assert hash_tree(out / "quick-seed0") == run
    assert (out / "own.csv").read_bytes() == table_text


def test_figures_of_other_test_episodes_are_told_apart(call, table, adopted):
    done = call("reproduce", table, "--output", adopted, "--table-only")
    assert done.code == 0
    assert "| Tiny | 5-way 1-shot | 98.8 † | not measured |" in (
        (adopted / "own.md").read_text(encoding="utf-8")
    )


@pytest.mark.slow
def test_killed_it_goes_on(call, table, tmp_path):
    out = tmp_path / "out"
    folder = RunFolder(out / "tiny-seed0")
    words = ("reproduce", table, "--output", out, "--row", "tiny", *EPISODES)
    process = subprocess.Popen(
        [sys.executable, "-m", "tfmeta.cli.main", *map(str, words)],
        env={k: v for k, v in os.environ.items() if not k.startswith("TF_")},
        stdout=subprocess.DEVNULL,
    )
    while process.poll() is None and not any(folder.checkpoints.glob("checkpoint-*1")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not folder.learner_file.exists()

    done = call("reproduce", table, "--output", out, *EPISODES, "--table-only")
    assert done.code == 0
    assert "in training, epoch" in (out / "own.md").read_text(encoding="utf-8")
    done = call(*words)
    assert (done.code, "Row tiny, seed 0: Tiny goes on" in done.out) == (0, True)
    assert "epoch 1/8" not in done.out
    assert "epoch 8/8" in done.out
    history = json.loads(folder.history_file.read_text())
    assert [len(values) for values in history.values()] == [8] * len(history)
    (tiny,) = load_table(table).select(["tiny"])
    assert folder.read_config() == tiny.train_config()
    assert len(read_results(folder)) == 1
