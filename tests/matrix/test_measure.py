import dataclasses

import keras
import numpy as np
import pytest
from coloured_photos import COLOURS, paint
from PIL import Image

from tfmeta.datasets import ClassTable
from tfmeta.encoders.pretrained.features import PretrainedFeatures
from tfmeta.episodes import Episodes
from tfmeta.evaluation import evaluate
from tfmeta.matrix.domain import Domain, open_domain
from tfmeta.matrix.measure import measure_matrix
from tfmeta.matrix.plan import MatrixTasks, plan_matrix
from tfmeta.matrix.row import encoder_row, run_row
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner

TASKS = MatrixTasks(ways=2, shots=(1, 3), num_episodes=600, seed=4)
FACTS = {
    **{"command": "tfmeta evaluate --matrix", "size": None},
    **{"most_classes": 9, "images_per_class": 9},
}


def mean_colours(data=None):
    """From 8 x 8 pictures to the mean colours of their quarters."""
    pictures = keras.Input((8, 8, 3))
    x = keras.layers.AveragePooling2D(4)(pictures)
    features = PretrainedFeatures(data)(keras.layers.Flatten()(x))
    return keras.Model(pictures, features, name="mean_colours")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three colours that are hard to tell apart, and files that tell which."""
    folder = tmp_path_factory.mktemp("own") / "photos"
    for name, (red, green, blue) in COLOURS.items():
        middle = (120 + red // 16, 120 + green // 16, 120 + blue // 16)
        paint(folder / name, middle, 7, seed=3)
    return folder


def opened(folder):
    return open_domain(str(folder), folder.name, most_classes=9, images_per_class=9)


def nearest_mean_accuracy(files, seed, shots, queries):
    """SimpleShot of mean colours, from the files, in NumPy and float64."""
    pictures = np.stack([np.asarray(Image.open(file)) for file in files.files])
    quarters = pictures.astype(np.float64).reshape(-1, 2, 4, 2, 4, 3).mean(axis=(2, 4))
    features = quarters.reshape(len(pictures), -1)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    table = files.to_table(np.arange(len(pictures))[:, None], "rows")
    drawn = Episodes(table, ways=2, shots=shots, queries=queries, tasks=10, seed=seed)
    right = []
    for step in range(60):
        inputs, y = drawn.batch(step)[:2]
        rows = [np.asarray(inputs[part])[..., 0] for part in ("support", "query")]
        labels = np.asarray(inputs["support_labels"])
        for task in range(10):
            weights = labels[task] / labels[task].sum(axis=0)
            means = weights.T @ features[rows[0][task]]
            gaps = features[rows[1][task]][:, None] - means
            answers = (gaps**2).sum(axis=2).argmin(axis=1)
            right.append(np.mean(answers == np.asarray(y)[task]))
    return np.array(right)


def test_cells_are_the_accuracy_of_nearest_means(photos, tmp_path):
    domain = dataclasses.replace(opened(photos), cut_from="imagenet")
    rows = [encoder_row("mean", mean_colours("imagenet"), "simple_shot")]
    plan = plan_matrix(rows, [domain], TASKS)
    reported = []
    content = measure_matrix(
        plan,
        **FACTS,
        cache_dir=tmp_path,
        on_progress=lambda *done: reported.append(done),
    )
    for cell, shots in zip(content["cells"], TASKS.shots, strict=True):
        queries = 7 - shots
        wanted = nearest_mean_accuracy(domain.source, 4, shots, queries)
        assert (cell["shots"], cell["queries"]) == (shots, queries)
        # Of thousands of answers some are nearly even.
        assert cell["accuracy"] == pytest.approx(wanted.mean(), abs=2e-3)
        half = 1.96 * wanted.std(ddof=1) / np.sqrt(600)
        assert cell["over_episode_draws"] == pytest.approx(half, rel=0.03)
        assert 0.55 < cell["accuracy"] < 0.999
        assert (cell["seen_in_pretraining"], cell["reason"]) == (True, None)
    done, of_all = zip(*reported, strict=True)
    assert set(of_all) == {plan.work} == {21 + 2 * 600}
    assert list(done) == sorted(done) and done[-1] == plan.work
    assert len(list(tmp_path.rglob("*.npy"))) == 1


def test_a_run_has_the_figure_that_it_has_alone(glyphs_run, glyphs, tmp_path):
    folder = RunFolder(glyphs_run)
    row = run_row("run", folder)
    few = glyphs.take_classes(range(12))
    domain = Domain("glyphs", few, "test classes", 12)
    tasks = MatrixTasks(ways=5, shots=(1,), queries=5, num_episodes=600)
    plan = plan_matrix([row], [domain], tasks)
    (cell,) = measure_matrix(plan, **FACTS, cache_dir=tmp_path)["cells"]
    alone = evaluate(
        load_learner(folder),
        Episodes(few, ways=5, shots=1, queries=5, tasks=10),
        num_episodes=600,
        seen_classes=folder.seen_classes(),
    )
    assert cell["accuracy"] == pytest.approx(alone.accuracy, abs=1e-6)
    assert cell["over_test_classes"]["ends"] == pytest.approx(
        alone.over_test_classes.ends
    )
    assert cell["trained_on_other_classes"] and not cell["seen_in_pretraining"]
    assert row.seen == set(folder.seen_classes())
    assert row.trained_on.light_ground is False and row.pictures_known
    # Classes that it was trained on are no test of it.
    name, _, class_name = folder.seen_classes()[0].partition("/")
    mixed = ClassTable.from_arrays(
        name, few.examples[:2], np.array([class_name, "other"])
    )
    with pytest.raises(ValueError, match="the run has seen 1 of these classes"):
        plan_matrix([row], [Domain("mixed", mixed, "", 2)], TASKS)


def test_a_file_that_cannot_be_decoded_costs_its_own_cells(photos, tmp_path):
    torn = tmp_path / "torn"
    for name in "abc":
        paint(torn / name, (9, 99, 200), 7, seed=1)
    # Its head says that it is a picture.
    Image.open(torn / "b" / "3.png").resize((99, 99)).save(torn / "b" / "3.jpg")
    whole = (torn / "b" / "3.jpg").read_bytes()
    (torn / "b" / "3.jpg").write_bytes(whole[:-400])
    rows = [encoder_row("mean", mean_colours(), "simple_shot")]
    tasks = dataclasses.replace(TASKS, shots=(1,))
    plan = plan_matrix(rows, [opened(torn), opened(photos)], tasks)
    content = measure_matrix(plan, **FACTS)
    lost, found = content["cells"]
    assert found["accuracy"] > 0.5 and not found["seen_in_pretraining"]
    assert lost["accuracy"] is None
    assert "3.jpg" in lost["reason"]
    with pytest.raises(ValueError, match="a cell with a figure.*3.jpg"):
        measure_matrix(plan_matrix(rows, [opened(torn)], tasks), **FACTS)
