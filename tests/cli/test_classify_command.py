import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfmeta.classifying.by_run import classify_by_run
from tfmeta.classifying.open_set import find_threshold
from tfmeta.classifying.picture_task import find_picture_task
from tfmeta.classifying.run_pictures import read_for_run


@pytest.fixture
def classify(call, glyphs_run):
    """Calls `tfmeta classify` with a task."""

    def classify(task, *options, run=glyphs_run):
        return call(
            *("classify", run, "--support", task / "support"),
            *("--query", task / "query", *options),
        )

    return classify


def test_folders_in_answers_out(run_tfmeta, glyphs_run, task_folders):
    done = run_tfmeta(
        *("classify", glyphs_run, "--support", task_folders / "support"),
        *("--query", task_folders / "query"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    model = glyphs_run / "saved_model" / "1"
    task = find_picture_task(task_folders / "support", task_folders / "query")
    probabilities = classify_by_run(model, read_for_run(model, task)).probabilities
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [name for name, *_ in lines] == [path.name for path in task.query]
    for (_, label, text), row in zip(lines, probabilities, strict=True):
        assert label == f"class{row.argmax()}"
        assert float(text) == pytest.approx(row.max(), abs=0.0006)
        assert len(text) == 5


def test_a_version_folder_will_do(classify, glyphs_run, task_folders):
    by_run = classify(task_folders)
    by_version = classify(task_folders, run=glyphs_run / "saved_model" / "1")
    assert by_version == by_run
    assert by_run.code == 0
    assert len(by_run.out.splitlines()) == 10


def test_scans_are_inverted(classify, task_folders, dark_on_light):
    expected, scanned = classify(task_folders), classify(dark_on_light)
    assert scanned.code == 0
    assert scanned.out == expected.out
    assert expected.err == ""
    (line,) = scanned.err.splitlines()
    assert line.startswith("Warning: the run was trained on light on dark")
    left = classify(dark_on_light, "--invert", "no")
    assert (left.code, left.err) == (0, "")
    assert left.out != expected.out
    forced = classify(dark_on_light, "--invert", "yes")
    assert forced.out == expected.out
    assert forced.err == (
        "--support: inverted; --query: inverted, as --invert yes says\n"
    )
    assert "--support: inverted (15 dark on light); --query: inverted (10" in line


@pytest.mark.slow
def test_sides_of_two_grounds_are_left_as_they_are(
    call, glyphs_run, task_folders, dark_on_light
):
    for support, query in (
        (task_folders, dark_on_light),
        (dark_on_light, task_folders),
    ):
        sides = ("--support", support / "support", "--query", query / "query")
        done = call("classify", glyphs_run, *sides)
        assert done.code == 0
        assert done.out == call("classify", glyphs_run, *sides, "--invert", "no").out
        (line,) = done.err.splitlines()
        assert "--support: not inverted (15 " in line
        assert "--query: not inverted (10 " in line
        assert "Bring all to one ground" in line


def write_two_levels(task):
    """As bright as these, support and queries lie on both sides of 127."""
    rng = np.random.default_rng(0)
    for part, share in (("support", 0.425), ("query", 0.537)):
        for path in sorted((task / part).rglob("*.png")):
            levels = np.where(np.arange(784) < share * 784, 225, 30)
            levels = rng.permutation(levels).reshape(28, 28)
            Image.fromarray(levels.astype(np.uint8)).save(path)


def test_two_levels_without_a_ground_are_left_as_they_are(classify, task_folders):
    write_two_levels(task_folders)
    done = classify(task_folders)
    assert (done.code, done.out) == (0, classify(task_folders, "--invert", "no").out)
    (line,) = done.err.splitlines()
    assert "the ground of these pictures is not clear" in line
    assert "--support: not inverted (15 not clear)" in line
    assert "--query: not inverted (10 not clear)" in line


@pytest.mark.slow
def test_the_same_among_unknown_classes(
    classify, call, run_copy, task_folders, dark_on_light
):
    options = ("--open-set", "--ways", 5, "--shots", 3, "--episodes", 600)
    assert call("evaluate", run_copy, *options).code == 0
    expected = classify(task_folders, "--open-set", run=run_copy)
    scanned = classify(dark_on_light, "--open-set", run=run_copy)
    assert (scanned.code, scanned.out) == (0, expected.out)
    assert "--query: inverted (10 dark on light)" in scanned.err
    write_two_levels(task_folders)
    done = classify(task_folders, "--open-set", run=run_copy)
    left = classify(task_folders, "--open-set", "--invert", "no", run=run_copy)
    assert (done.code, done.out) == (0, left.out)
    assert "--query: not inverted (10 not clear)" in done.err


def test_other_sizes_kinds_and_names_work_with_warnings(classify, task_folders):
    query = task_folders / "query"
    expected = dict(
        line.split("\t", 1) for line in classify(task_folders).out.splitlines()
    )
    picture = Image.open(query / "class0-10.png")
    picture.convert("RGBA").save(query / "x rgba.png")
    picture.convert("P").save(query / "x palette.png")
    wide = np.asarray(picture).astype(np.uint16) * 257
    Image.fromarray(wide).save(query / "x 字 ß.png")
    picture.resize((40, 56)).save(query / "y large.png")
    (task_folders / "support" / "class4").rename(task_folders / "support" / "ب é")
    done = classify(task_folders)
    assert done.code == 0
    found = dict(line.split("\t", 1) for line in done.out.splitlines())
    assert found.keys() == expected.keys() | {
        *("x rgba.png", "x palette.png", "x 字 ß.png", "y large.png")
    }
    for name in ("class0-10.png", "x rgba.png", "x palette.png", "x 字 ß.png"):
        assert found[name] == expected["class0-10.png"].replace("class4", "ب é")
    sizes, kinds = done.err.splitlines()
    assert sizes.startswith("Warning: ") and "56 x 40 are resized" in sizes
    assert kinds.startswith("Warning: ") and "P, RGBA are converted" in kinds


@pytest.fixture
def labelled_folders(task_folders):
    """The same task with the queries in folders named after their classes."""
    for path in sorted((task_folders / "query").iterdir()):
        folder = task_folders / "query" / path.name.split("-")[0]
        folder.mkdir(exist_ok=True)
        path.rename(folder / path.name)
    return task_folders


def test_answers_are_checked_where_the_classes_are_known(
    classify, labelled_folders, tmp_path
):
    done = classify(labelled_folders, "--confusion", tmp_path / "own.png")
    assert (done.code, done.err) == (0, "")
    answers, summary = done.out.split("\n\n")
    lines = [line.split("\t") for line in answers.splitlines()]
    right = [name.split("/")[0] == answer for name, answer, _ in lines]
    assert len(lines) == 10
    assert summary.startswith(
        f"accuracy {10 * sum(right):.1f} % ({sum(right)} of 10 pictures)\n"
    )
    for number in range(5):
        of_class = right[2 * number : 2 * number + 2]
        assert f"class{number}  {50 * sum(of_class):5.1f} %" in summary
    assert Image.open(tmp_path / "own.png").size[0] > 400


def test_none_of_these(call, classify, labelled_folders, run_copy):
    done = classify(labelled_folders, "--open-set", run=run_copy)
    assert f"`tfmeta evaluate {run_copy} --open-set --ways 5 --shots 3`" in done.error
    options = ("--ways", 4, "--shots", 3, "--episodes", 600)
    assert call("evaluate", run_copy, "--open-set", *options).code == 0
    shutil.rmtree(labelled_folders / "support" / "class4")
    assert "Received: class4" in classify(labelled_folders, run=run_copy).error
    done = classify(labelled_folders, "--open-set", run=run_copy)
    assert (done.code, done.err) == (0, "")
    threshold = find_threshold(
        run_copy, run_copy / "saved_model" / "1", ways=4, shots=3
    )
    assert (threshold.protocol["ways"], threshold.protocol["shots"]) == (4, 3)
    answers, summary = done.out.split("\n\n")
    lines = [line.split("\t") for line in answers.splitlines()]
    assert all((a == "none of these") == (p == "-") for _, a, p in lines)
    right = [
        name.split("/")[0] == answer
        or (answer, name[:6]) == ("none of these", "class4")
        for name, answer, _ in lines
    ]
    assert summary.startswith(f"accuracy {10 * sum(right):.1f} %")
    assert "\n  none of these" in summary
    # A threshold that nothing reaches, and one that everything does.
    for value, all_rejected in ((1e9, True), (-1e9, False)):
        values = json.loads((run_copy / "open_set.json").read_text())
        values["results"][0]["threshold"]["value"] = value
        (run_copy / "open_set.json").write_text(json.dumps(values))
        answers = classify(labelled_folders, "--open-set", run=run_copy).out
        rejected = ["none of these\t-" in line for line in answers.splitlines()[:10]]
        assert all(rejected) if all_rejected else not any(rejected)
    shutil.rmtree(labelled_folders / "support" / "class3")
    warning = classify(labelled_folders, "--open-set", run=run_copy).err
    assert "fitted on 4-way 3-shot episodes, and this task has 3 classes" in warning
    first = run_copy / "saved_model" / "1"
    version = classify(labelled_folders, "--open-set", run=first)
    assert f"{first / 'tfmeta.json'} must hold a threshold" in version.error
    assert "export it again with `tfmeta export RUN`" in version.error


@pytest.mark.slow
def test_a_threshold_travels_in_the_export(
    call, classify, labelled_folders, run_copy, tmp_path
):
    options = ("--ways", 5, "--shots", 3, "--episodes", 600)
    assert call("evaluate", run_copy, "--open-set", *options).code == 0
    by_run = classify(labelled_folders, "--open-set", run=run_copy)
    assert call("export", run_copy, "--to", tmp_path / "served").code == 0
    version = tmp_path / "served" / "1"
    kept = json.loads((run_copy / "open_set.json").read_text())["results"]
    about = json.loads((version / "tfmeta.json").read_text())
    assert about["open_set_thresholds"] == [result["threshold"] for result in kept]
    # Nothing is left of the run, whose learner nobody looks at.
    (run_copy / "learner.keras").write_text("")
    assert classify(labelled_folders, "--open-set", run=run_copy) == by_run
    shutil.rmtree(run_copy)
    assert classify(labelled_folders, "--open-set", run=version) == by_run
    about["open_set_thresholds"][0]["value"] = 1e9
    (version / "tfmeta.json").write_text(json.dumps(about))
    answers = classify(labelled_folders, "--open-set", run=version).out
    assert all("none of these" in line for line in answers.splitlines()[:10])
    for name, value in (("value", "much"), ("score", 3), ("score", "energy")):
        spoilt = {**about["open_set_thresholds"][0], name: value}
        text = json.dumps({**about, "open_set_thresholds": [spoilt]})
        (version / "tfmeta.json").write_text(text)
        message = classify(labelled_folders, "--open-set", run=version).error
        assert "`open_set_thresholds" in message and str(version) in message


def test_an_export_of_before_is_to_be_written_again(
    classify, labelled_folders, glyphs_run, tmp_path
):
    """As it was: a form of 1, `classify` with probabilities alone."""
    loaded = tf.saved_model.load(glyphs_run / "saved_model" / "1")

    def classify_as_before(support, support_labels, query):
        answer = loaded.signatures["classify"](
            support=support, support_labels=support_labels, query=query
        )
        return {"probabilities": answer["probabilities"]}

    rows = tf.TensorSpec([None, 28, 28, 1], tf.uint8)
    before = tf.function(
        classify_as_before,
        input_signature=[rows, tf.TensorSpec([None], tf.int32), rows],
    )
    former = tmp_path / "1"
    tf.saved_model.save(loaded, former, signatures={"classify": before})
    about = json.loads((glyphs_run / "saved_model" / "1" / "tfmeta.json").read_text())
    del about["most_ways"], about["open_set_thresholds"]
    about["format_version"] = 1
    (former / "tfmeta.json").write_text(json.dumps(about))
    assert classify(labelled_folders, run=former) == classify(labelled_folders)
    assert "must hold a threshold" in (
        classify(labelled_folders, "--open-set", run=former).error
    )
    protocol = {"ways": 5, "shots": 3, "queries": 1, "episodes": 1}
    protocol |= {"table": "glyphs", "fingerprint": "0"}
    threshold = {"score": "logit", "value": 0.0, "recall": 0.9, "protocol": protocol}
    about["open_set_thresholds"] = [{**threshold, "validation_auroc": {"logit": 0.9}}]
    (former / "tfmeta.json").write_text(json.dumps(about))
    message = classify(labelled_folders, "--open-set", run=former).error
    assert f"{former} must give probabilities and logits, for --open-set" in message
    assert "export again with `tfmeta export`" in message


def cut(task, run):
    path = task / "query" / "class2-10.png"
    path.write_bytes(path.read_bytes()[:70])
    return "query/class2-10.png' must be a whole, readable file"


def junk(task, run):
    (task / "support" / "class1" / "notes.png").write_text("notes")
    return "support/class1/notes.png' must be a whole, readable file"


def one_class(task, run):
    for number in range(1, 5):
        shutil.rmtree(task / "support" / f"class{number}")
    return "support must hold at least 2 classes"


def missing_support(task, run):
    shutil.rmtree(task / "support")
    return "'--support'"


def empty_query(task, run):
    for path in (task / "query").iterdir():
        path.unlink()
    return "query' must hold at least one picture"


def newer_run(task, run):
    path = run / "config.json"
    path.write_text(path.read_text().replace('version": 2', 'version": 3'))
    return "from a newer tfmeta"


def no_model(task, run):
    shutil.rmtree(run / "saved_model")
    return f"write one with `tfmeta export {run}`"


def no_learner(task, run):
    shutil.rmtree(run / "saved_model")
    (run / "learner.keras").unlink()
    return f"go on with `tfmeta train --run {run} --resume`"


def half_a_model(task, run):
    path = run / "saved_model" / "1" / "variables" / "variables.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:100])
    return "saved_model/1 must be a whole SavedModel"


@pytest.mark.parametrize(
    "spoil",
    [cut, junk, one_class, missing_support, empty_query]
    + [newer_run, no_model, no_learner, half_a_model],
    ids=lambda spoil: spoil.__name__,
)
def test_bad_input_is_named(classify, run_copy, task_folders, hash_tree, spoil):
    message = spoil(task_folders, run_copy)
    before = hash_tree(run_copy), hash_tree(task_folders)
    done = classify(task_folders, run=run_copy)
    assert message in done.err.splitlines()[-1] and done.code == 2
    assert done.out == ""
    assert (hash_tree(run_copy), hash_tree(task_folders)) == before


def test_what_lies_beside_the_classes_is_passed_over(classify, task_folders):
    asked = classify(task_folders)
    (task_folders / "support" / "class5").mkdir()
    (task_folders / "support" / "readme.txt").write_text("x")
    done = classify(task_folders)
    assert (done.code, done.out) == (0, asked.out)
    warnings = "\n".join({*done.err.splitlines()} - {*asked.err.splitlines()})
    assert "(nothing is in it): class5" in warnings
    assert "(no example in a class folder): readme.txt" in warnings


def test_wrong_arguments_are_named(call, classify, glyphs_run, task_folders):
    done = classify(task_folders, "--invert", "maybe")
    assert "'--invert': 'maybe' is not one of" in done.usage_error
    assert "Missing option '--query'" in call("classify", glyphs_run).usage_error
    done = call("classify", glyphs_run, "--query", task_folders / "query")
    assert "Missing option '--support'" in done.usage_error
    done = classify(task_folders, "--confusion", task_folders / "a.txt")
    assert "'--confusion': must name a .png file" in done.usage_error
    done = classify(task_folders, "--confusion", task_folders / "a.png")
    assert "--confusion needs sub-folders in --query" in done.usage_error
    nowhere = task_folders / "nowhere"
    assert f"'{nowhere}' does not exist" in (
        classify(task_folders, run=nowhere).usage_error
    )
