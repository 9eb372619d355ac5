"""Texts of one's own: columns of other names, and folders, from end to end."""

import json

import pytest

SHORT = (
    *("--epochs", "1", "--steps-per-epoch", "2", "--validation-episodes", "8"),
    *("--test-episodes", "600"),
)
COLUMNS = ("--text-column", "utterance", "--label-column", "intent")


@pytest.fixture
def intents(tmp_path):
    """Twelve intents of four domains, eight texts each."""
    rows = [
        f"word{i} word{i} other{n};intent{i:02d};domain{i // 3}"
        for i in range(12)
        for n in range(8)
    ]
    path = tmp_path / "intents.csv"
    path.write_text("utterance;intent;domain\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture
def letters(tmp_path):
    """Two classes of two texts each, a file a text."""
    for label, words in (("billing", "pay the bill"), ("shipping", "ship the parcel")):
        (tmp_path / "letters" / label).mkdir(parents=True)
        for number in range(2):
            file = tmp_path / "letters" / label / f"{number}.txt"
            file.write_text(f"{words}\n{number}\n")
    return tmp_path / "letters"


@pytest.mark.slow
def test_a_run_keeps_its_columns(call, intents, tmp_path):
    run = tmp_path / "run"
    done = call(
        *("train", "--dataset", intents, "--run", run, *COLUMNS),
        *("--group-column", "domain", "--same-group", "--ways", 3, *SHORT),
    )
    assert done.code == 0, done.err
    config = json.loads((run / "config.json").read_text())["config"]
    assert (config["text_column"], config["group_column"]) == ("utterance", "domain")
    # A domain is in one split.
    assert sorted(map(len, config["splits"].values())) == [3, 3, 6]
    assert call("evaluate", run, "--episodes", 600).code == 0
    done = call("train", "--run", run, "--resume", "--label-column", "domain")
    assert "`--label-column` must stay" in done.error
    assert call("train", "--run", run, "--resume").code == 0
    assert call("compare", run, run).code == 0
    queries = tmp_path / "new.txt"
    queries.write_text("word3 word3\nword7\n")
    done = call("classify", run, "--support", intents, "--query", queries, *COLUMNS)
    assert done.code == 0, done.err
    assert [line.split("\t")[0] for line in done.out.splitlines()] == [
        *("word3 word3", "word7")
    ]
    done = call("classify", run, "--support", intents, "--query", intents, *COLUMNS)
    assert "of 96 texts)" in done.out


def test_they_are_described(call, intents):
    done = call(
        *("datasets", "describe", intents, *COLUMNS, "--group-column", "domain")
    )
    assert (done.code, done.err) == (0, "")
    assert "domains    4, of 3 classes" in done.out
    command = (
        f"tfmeta train --dataset {intents} --text-column utterance --label-column "
        "intent --group-column domain: trains"
    )
    assert command in done.out.replace("\n", "")
    error = call("datasets", "describe", intents).error
    assert "`--text-column` must be a column of" in error
    assert "'utterance', 'intent', 'domain'" in error
    error = call("datasets", "describe", "glyphs", "--text-column", "a").usage_error
    assert "Received: --text-column a" in error


def test_columns_that_are_not_there(call, intents, tmp_path):
    train = ("train", "--dataset", intents, "--run", tmp_path / "run")
    assert "none is given, and there is no 'text' and no 'path'" in call(*train).error
    error = call(*train, "--text-column", "utterance").error
    assert "`--label-column` must be a column of" in error
    error = call(*train, *COLUMNS, "--group-column", "area").error
    assert "`--group-column` must be a column of" in error and "'area'" in error
    error = call("train", "--text-column", "a", "--run", tmp_path / "run").error
    assert "`--text-column` must be left out for a data set of the list" in error
    assert not (tmp_path / "run").exists()


def test_texts_without_a_run(call, intents, letters, tmp_path, tiny_text_encoder):
    small = tmp_path / "small.csv"
    small.write_text("utterance,intent\npay bill,billing\nship parcel,shipping\n")

    def ask(support, query, *options):
        return call(
            *("classify", "--support", support, "--query", query, *options),
            *("--encoder", tiny_text_encoder),
        )

    done = ask(small, letters, *COLUMNS, "--format", "csv")
    rows = [line.split(",") for line in done.out.splitlines()]
    assert rows[0] == ["file", "class", "probability", "label"], done.err
    assert [row[0] for row in rows[1:]] == [
        *("billing/0.txt", "billing/1.txt", "shipping/0.txt", "shipping/1.txt")
    ]
    assert all(row[1] == row[3] for row in rows[1:])
    # One file is a text a line.
    done = ask(letters, letters / "billing" / "0.txt")
    assert [line.split("\t")[0] for line in done.out.splitlines()] == [
        *("pay the bill", "0")
    ]
    # Where one of both is a CSV file, its columns may be said.
    assert ask(letters, small, "--text-column", "utterance").code == 0
    done = ask(letters, letters, "--text-column", "utterance")
    assert "--text-column is for a CSV file" in done.usage_error
    assert "must name the columns 'text'" in ask(letters, small).error
    (letters / "billing" / "1.txt").write_bytes(b"\xff")
    assert "1.txt" in ask(letters, small, *COLUMNS).error
    done = ask(letters, letters, "--skip-bad")
    assert "accuracy 100.0 % (3 of 3 texts)" in done.out
    assert done.err.count("1 of 4 texts is left out") == 2


def test_a_gallery_of_them(call, letters, tmp_path, tiny_text_encoder):
    small, gallery = tmp_path / "small.csv", tmp_path / "gallery"
    small.write_text("utterance,intent\npay bill,billing\nship parcel,shipping\n")
    enrol = ("gallery", "enrol", gallery, "--encoder", tiny_text_encoder)
    error = call(*enrol, "--class", "a", small, *COLUMNS).usage_error
    assert "--text-column is for a CSV file after --support" in error
    assert call(*enrol, "--support", letters).code == 0
    done = call(*enrol, "--support", small, *COLUMNS)
    assert "Enrolled 2 texts of 2 classes" in done.out, done.err
    done = call(*enrol, "--class", "other", letters / "billing")
    assert "Enrolled 2 texts of 1 class" in done.out, done.err
    done = call("classify", gallery, "--query", small, *COLUMNS)
    assert "of 2 texts)" in done.out, done.err
    done = call("classify", gallery, "--query", letters)
    assert "of 4 texts)" in done.out, done.err
