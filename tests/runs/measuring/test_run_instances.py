"""Accuracy by instance of a trained run: measured, kept, drawn, and in a table."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tfmeta.episodes import Episodes
from tfmeta.evaluation import InstancesResult, evaluate_instances
from tfmeta.reproduction.figures import find_figure
from tfmeta.reproduction.markdown import markdown
from tfmeta.reproduction.measure import measure_row
from tfmeta.reproduction.row import Column, Published, Row
from tfmeta.runs.instances_picture import draw_instances
from tfmeta.runs.measuring.instances import Instances
from tfmeta.runs.measuring.measure import measure
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner

pytestmark = pytest.mark.usefixtures("glyphs_drawn_once")


@pytest.fixture
def folder(run_copy):
    return RunFolder(run_copy)


def made_result(right, *, ways=2, guesses=True, table="toy"):
    """Of classes `a` to `d`, two in each episode."""
    pairs = [(a, b) for a in range(4) for b in range(4) if a != b]
    classes = np.array([pairs[n % 12] for n in range(len(right))], np.int32)
    protocol = {"table": table, "fingerprint": "0f", "ways": ways, "seed": 0}
    return InstancesResult(
        protocol={
            **protocol,
            "instances": right.shape[1],
            "episodes": len(right),
        },
        right=right,
        guesses=guesses,
        class_names=tuple("abcd"),
        class_clusters=tuple("abcd"),
        episode_classes=classes,
    )


@pytest.mark.slow
def test_a_run_is_measured_on_its_test_classes_and_kept(folder, glyphs):
    learner = load_learner(folder)
    protocol = Instances(ways=(3,), instances=4, num_episodes=600, seed=5)
    (found,) = measure(folder, learner, protocol)
    expected = evaluate_instances(
        learner,
        Episodes(glyphs, ways=3, shots=1, queries=3, tasks=10, seed=5),
        num_episodes=600,
        seen_classes=folder.seen_classes(),
    )
    assert found.to_json() == expected.to_json()
    (kept,) = protocol.read(folder)
    assert kept.to_json() == found.to_json()
    assert Image.open(folder.instances_picture).size[0] > 1000
    # Another stands beside it, and each is found by what it is of.
    file = protocol.kept_in(folder)
    file.keep(made_result(np.ones((600, 3), np.int32)))
    assert [r.protocol["ways"] for r in protocol.read(folder)] == [3, 2]
    assert protocol.find(folder).to_json() == found.to_json()
    others = ({"ways": (2,)}, {"instances": 5}, {"seed": 0}, {"num_episodes": 700})
    for other in others:
        assert dataclasses.replace(protocol, **other).find(folder) is None


def test_the_run_says_what_is_left_out(folder):
    (drawn,) = Instances().draw(folder.read_config())
    (episodes,) = drawn.parts.values()
    assert (episodes.ways, episodes.shots + episodes.queries) == (5, 10)
    assert Instances().pictures(folder, folder.read_config()) == [
        folder.instances_picture
    ]
    several = Instances(ways=(2, 3)).pictures(folder, folder.read_config())
    assert [path.name for path in several] == [
        *("instances-2way.png", "instances-3way.png")
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"instances": 21}, "`instances` must be at most 20, the examples of"),
        ({"ways": (5, 241)}, "`ways` must fit into the 240 test classes"),
    ],
)
def test_what_cannot_be_drawn_is_refused(folder, options, message):
    with pytest.raises(ValueError, match=message):
        Instances(**options).draw(folder.read_config())


def test_runs_that_are_shown_attributes_are_refused(folder):
    values = json.loads(folder.config_file.read_text())
    values["config"]["learner"] = "zero_shot_prototypical"
    folder.config_file.write_text(json.dumps(values))
    with pytest.raises(ValueError, match="which is shown their attributes"):
        Instances().draw(folder.read_config())


def test_ways_that_a_learner_does_not_take_are_refused_before_the_first(folder):
    learner = load_learner(folder)
    learner.fixed_ways = 3
    protocol = Instances(ways=(3, 4), instances=4, num_episodes=600)
    with pytest.raises(ValueError, match="`ways` must be 3.*Received: ways=4"):
        measure(folder, learner, protocol)
    assert not folder.instances_file.exists()


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_the_picture_shows_accuracies_at_their_height(tmp_path):
    heights = []
    for right in range(3):
        path = tmp_path / f"{right}.png"
        result = made_result(np.full((600, 3), right), table="a $x$ <b>[red]")
        draw_instances(result, path)
        drawn = np.abs(pixels(path) - (26, 127, 55)).sum(axis=-1) < 30
        # Left of the legend.
        rows, _ = np.nonzero(drawn[:, : drawn.shape[1] // 3])
        heights.append(np.median(rows))
    none, half, all_right = heights
    assert none - half == pytest.approx(half - all_right, abs=3)
    assert none - all_right > 300


def test_the_spread_over_trainings_stands_by_instance(tmp_path):
    first, second = (np.full((600, 3), n, np.int32) for n in (1, 2))
    first[:, 0] = second[:, 0] = 0
    results = [[made_result(first)], [made_result(second)]]
    (said,) = Instances().report_spread(results)
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert "2-way, 3 instances on toy, mean of 2 trainings" in lines
    assert "1st 0.00 ± 0.00 % 0.00" in lines
    # 50 and 100 %, Student's t of one degree of freedom.
    assert "2nd 75.00 ± 317.66 % 35.36" in lines


def test_instances_are_columns_of_a_table(folder, tmp_path):
    config = folder.read_config().to_json()
    del config["seed"]
    published = {"percent": 82.8, "source": "table 1"}
    columns = [
        {
            "kind": "instances",
            **{"ways": 5, "shots": shots, "queries": 6 - shots},
            **{"published": published, "goal": 20},
        }
        for shots in (1, 4)
    ]
    row = Row.from_json(
        "some",
        {
            "title": "A memory",
            "paper": {"authors": "A. Santoro", "year": 2016, "title": "Memory"},
            "format_version": 2,
            "config": config,
            "columns": columns,
        },
    )
    assert [column.label for column in row.columns] == [
        *("5-way, 2nd instance", "5-way, 5th instance")
    ]
    # One measurement is of both.
    (said,) = measure_row(row, folder, test_episodes=600)
    (kept,) = Instances().read(folder)
    assert said == str(kept) and kept.protocol["instances"] == 6
    figures = [find_figure(c, folder, test_episodes=600) for c in row.columns]
    for figure, instance in zip(figures, (2, 5), strict=True):
        accuracy = 100 * kept.accuracy(instance)
        assert figure["percent"] == accuracy
        low, high = figure["intervals"]["episode draws"]
        assert high - accuracy == pytest.approx(100 * kept.over_episode_draws(instance))
        ends = kept.over_test_classes(instance).ends
        expected = None if ends is None else [100 * end for end in ends]
        assert figure["intervals"]["test classes"] == expected
    other = Column(Published(1.0, "x"), kind="instances", ways=5, shots=1, queries=9)
    assert find_figure(other, folder, test_episodes=600) is None


def test_a_table_shows_them(folder, tmp_path):
    from tfmeta.reproduction.collect import collect
    from tfmeta.reproduction.table import ReproductionTable

    result = made_result(np.tile([[0, 1, 2]], (600, 1)).astype(np.int32))
    out = tmp_path / "out"
    shutil.copytree(folder.path, out / "some-seed3")
    config = folder.read_config().to_json()
    del config["seed"]
    published = Published(82.8, "table 1", checked="x")
    column = Column(published, kind="instances", ways=2, shots=1, queries=2)
    row = Row.from_json(
        "some",
        {
            "title": "A memory",
            "paper": {"authors": "A. Santoro", "year": 2016, "title": "Memory"},
            "format_version": 2,
            "config": config,
            "columns": [
                {
                    **{"kind": column.kind, "ways": 2, "shots": 1, "queries": 2},
                    "published": {"percent": 82.8, "source": "t", "checked": "x"},
                }
            ],
        },
    )
    described = {"same_group": False, "allow_same_origin": False, "augment": None}
    result.protocol.update(described, tasks=10)
    run = RunFolder(out / "some-seed3")
    Instances().kept_in(run).keep(result)
    table = ReproductionTable("own", (row,))
    content = collect(table, out, test_episodes=600, command="reproduce")
    text = markdown(content)
    assert "| A memory | 2-way, 2nd instance | 82.8 | **50.00** |" in text
    assert "3 examples of each class in random order" in text
