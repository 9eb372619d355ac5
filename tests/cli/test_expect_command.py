import csv
import json
import shlex
import shutil

import numpy as np
import pytest
from coloured_photos import paint


@pytest.fixture
def expect(call, photos, tiny_encoder, tmp_path):
    """Calls `tfmeta expect` with the encoder of coloured pictures."""

    def expect(*arguments, source=photos / "support"):
        return call(
            *("expect", source, "--encoder", tiny_encoder),
            *("--data-dir", tmp_path / "data", *arguments),
        )

    return expect


def write_csv(path, rows, columns=("text", "label")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


TEXTS = [
    *[(f"pay my bill {n}", "billing") for n in range(4)],
    *[(f"ship the parcel {n}", "delivery") for n in range(4)],
]


def test_folders_in_what_to_expect_out(expect, call, photos):
    done = expect("--head", "simple_shot")
    assert (done.code, done.err) == (0, "")
    first, *_ = done.out.splitlines()
    assert first.startswith("Expect 100 % of new pictures right (")
    assert first.endswith(" %): 3 classes, learned from 4 examples each.")
    for said in (
        "Head: simple_shot (as given)",
        "Would more examples help?",
        "Class by class, the worst first:",
        "'amber', 4 examples",
        "the estimate is of this encoder on these pictures",
        "Next:",
    ):
        assert said in done.out
    assert "Confused" not in done.out


def test_what_is_said_to_be_typed_next_can_be(expect, call, photos, tmp_path):
    folder = tmp_path / "my 'own' photos"
    shutil.copytree(photos / "support", folder)
    lines = expect("--head", "logistic_regression", source=folder).out.splitlines()
    typed = [shlex.split(line) for line in lines if line.startswith("  tfmeta ")]
    classify, enrol = typed
    assert classify[:2] == ["tfmeta", "classify"]
    new = {"NEW_PICTURES": photos / "query", "NEW_GALLERY": tmp_path / "gallery"}
    for words in (classify, enrol):
        done = call(*(new.get(word, word) for word in words[1:]))
        assert done.code == 0, done.err
    assert done.out.startswith("Enrolled 12 pictures of 3 classes")


def test_a_head_is_chosen_and_it_says_so(expect):
    done = expect()
    assert done.code == 0
    (head,) = [one for one in done.out.splitlines() if one.startswith("Head: ")]
    assert ", chosen among " in head
    assert done.out.count("  chosen\n") == 1
    assert expect().out == done.out


def test_json_agrees_with_itself(expect, photos):
    done = expect("--format", "json", "--head", "simple_shot", "--seed", 3)
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert found["class_names"] == ["amber", "moss", "sky"]
    assert (found["kind"], found["seed"]) == ("pictures", 3)
    files = [one["file"] for one in found["examples"]]
    assert files == [f"{n}/{i}.png" for n in found["class_names"] for i in range(4)]
    assert all((photos / "support" / file).is_file() for file in files)
    confusion = np.zeros((3, 3), int)
    for one in found["examples"]:
        assert one["file"].startswith(one["label"])
        assert sum(one["probabilities"]) == pytest.approx(1, abs=1e-5)
        answer = int(np.argmax(one["probabilities"]))
        assert found["class_names"][answer] == one["answer"]
        confusion[found["class_names"].index(one["label"]), answer] += 1
    assert confusion.tolist() == found["confusion"]
    assert found["accuracy"]["count"] == 12


def test_the_page_is_written_and_nothing_overwritten(expect, tmp_path):
    page = tmp_path / "page.html"
    done = expect("--page", page, "--format", "json", "--head", "simple_shot")
    assert (done.code, done.err) == (0, f"Wrote {page}\n")
    json.loads(done.out)
    text = page.read_text("utf-8")
    assert "<h1>Expect 100 % of new pictures right</h1>" in text
    assert text.count("<img ") >= 12
    again = expect("--page", page)
    assert "nothing is overwritten" in again.usage_error
    assert page.read_text("utf-8") == text


def test_texts_with_columns_of_other_names(call, tmp_path, tiny_text_encoder):
    source = write_csv(tmp_path / "mails.csv", TEXTS, ("Mail", "Team"))
    new = tmp_path / "new.txt"
    new.write_text("pay the parcel\npay my bill 1\nship my box\n")
    done = call(
        *("expect", source, "--encoder", tiny_text_encoder, "--head", "simple_shot"),
        *("--text-column", "Mail", "--label-column", "Team", "--unlabelled", new),
        *("--data-dir", tmp_path / "data"),
    )
    assert done.code == 0
    assert done.out.startswith("Expect 100 % of new texts right")
    assert "--text-column Mail --label-column Team" in done.out
    assert "pay the parcel: " in done.out[done.out.index("Label these next:") :]
    assert done.err == (
        "Warning: 1 of 3 unlabelled examples is passed over: the same has a label, or "
        "is there before\n"
    )


def test_arrays_are_features(call, tmp_path):
    rng = np.random.default_rng(0)
    centres = np.eye(3, 6) * 4
    y = np.repeat(["a", "b", "c"], 5)
    x = (centres.repeat(5, axis=0) + rng.normal(size=(15, 6))).astype(np.float32)
    np.savez(tmp_path / "x.npz", X=x, y=y)
    np.save(tmp_path / "new.npy", rng.normal(size=(4, 6)).astype(np.float32))
    options = ("--head", "simple_shot", "--format", "json")
    unlabelled = ("--unlabelled", tmp_path / "new.npy")
    done = call("expect", tmp_path / "x.npz", *options, *unlabelled)
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert (found["kind"], found["encoder"]) == ("arrays", None)
    assert found["examples"][14]["name"] == "x.npz[14]"
    assert {one["example"] for one in found["to_label"]} <= {
        f"new.npy[{row}]" for row in range(4)
    }
    # The same features, from somewhere else.
    from tfmeta.estimation import expect

    same = expect(x, y.tolist(), head="simple_shot")
    assert found["accuracy"]["value"] == pytest.approx(same.accuracy.value)
    probabilities = [one["probabilities"] for one in found["examples"]]
    np.testing.assert_allclose(probabilities, same.probabilities, atol=1e-6)


def test_there_must_be_classes_to_tell_apart(expect, call, photos, tmp_path):
    (one,) = [tmp_path / "one"]
    paint(one / "cup", (9, 9, 9), 3, seed=0)
    assert expect(source=one).error == (
        f"{one} must hold at least 2 classes, one sub-folder each. Received: 1, 'cup'"
    )
    single = tmp_path / "single"
    for name, shade in (("cup", 9), ("fork", 99)):
        paint(single / name, (shade,) * 3, 1, seed=0)
    assert expect(source=single).error == (
        f"{single} must hold a class with at least 2 examples: one is left out and "
        "answered by the others. Received: 1 example of each of 2 classes"
    )
    twice = tmp_path / "twice"
    for name in ("a", "b"):
        shutil.copytree(photos / "support" / "moss", twice / name)
    said = expect(source=twice).error
    assert "`FOLDER` must be of classes with other examples each" in said
    assert "'a' and 'b' with the same examples" in said
    (tmp_path / "empty").mkdir()
    assert "Received: 0" in expect(source=tmp_path / "empty").error


def test_pictures_that_cannot_be_read_are_all_named_or_left_out(expect, photos):
    files = [
        photos / "support" / "sky" / "1.png",
        photos / "support" / "moss" / "2.png",
    ]
    files[0].write_bytes(b"no picture")
    whole = files[1].read_bytes()
    files[1].write_bytes(whole[: len(whole) // 2])
    said = expect().error
    assert "sky/1.png" in said
    assert "moss/2.png" in said
    done = expect("--skip-bad", "--head", "simple_shot")
    assert done.code == 0
    assert ": 3 classes, learned from 3 to 4 examples each." in done.out
    assert done.err.count("Warning: ") == 2
    for file in (photos / "support").rglob("*.png"):
        file.write_bytes(whole[: len(whole) // 2])
    *_, said = expect("--skip-bad").err.splitlines()
    assert said.startswith("Error: every class must have an example that can be read.")


def test_unlabelled_pictures_that_have_a_label_are_none(expect, photos):
    done = expect("--unlabelled", photos / "support", "--head", "simple_shot")
    assert done.code == 0
    assert "12 of 12 unlabelled examples are passed over" in done.err
    assert "Label these next" not in done.out
    done = expect("--unlabelled", photos / "query", "--head", "simple_shot")
    assert (done.code, done.err) == (0, "")
    assert "amber/0.png: " in done.out[done.out.index("Label these next") :]


def test_an_encoder_of_another_kind_is_refused(
    call, photos, tmp_path, tiny_encoder, tiny_text_encoder
):
    texts = write_csv(tmp_path / "x.csv", TEXTS)
    wrong = {"texts": (texts, tiny_encoder), "pictures": (photos / "support", None)}
    for kind, (source, encoder) in wrong.items():
        done = call("expect", source, "--encoder", encoder or tiny_text_encoder)
        assert f"--encoder` must be one of {kind}, which {source} holds" in done.error
    np.savez(tmp_path / "x.npz", X=np.eye(4), y=[0, 0, 1, 1])
    done = call("expect", tmp_path / "x.npz", "--size", 64)
    assert done.error.startswith("`--size` is for pictures. Received: --size=64")


def test_unlabelled_of_another_kind_are_refused(expect, photos, tmp_path):
    (tmp_path / "new.txt").write_text("text\n")
    done = expect("--unlabelled", tmp_path / "new.txt")
    assert "new.txt" in done.error
    np.savez(tmp_path / "x.npz", X=np.eye(4), y=[0, 0, 1, 1])
    np.save(tmp_path / "new.npy", np.eye(3))
    done = expect("--unlabelled", tmp_path / "new.npy", source=tmp_path / "x.npz")
    assert "new.npy must hold an array of shape (4,)" in done.error
    assert "--support" not in done.error


def test_names_cannot_forge_lines_or_markup(expect, photos, tmp_path):
    names = ("<script>x", "a\nExpect 1 %", "\x1b[31mred")
    for name, old in zip(names, ("amber", "moss", "sky"), strict=True):
        (photos / "support" / old).rename(photos / "support" / name)
    page = tmp_path / "page.html"
    done = expect("--page", page, "--head", "simple_shot")
    assert done.code == 0
    assert "\x1b" not in done.out
    assert not [line for line in done.out.splitlines()[1:] if line.startswith("Expect")]
    assert "'a\\nExpect 1 %'" in done.out
    assert "<script>" not in page.read_text("utf-8")
