import pytest

from tfmeta.datasets import load
from tfmeta.datasets.registry import DATASETS


def test_list_names_them_all(call):
    lines = call("datasets", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == list(DATASETS)


def test_describe_counts_what_is_there(call):
    done = call("datasets", "describe", "glyphs", "--seed", 1)
    assert (done.code, done.err) == (0, "")
    *splits, description = done.out.splitlines()
    for line, split in zip(splits, ("train", "validation", "test"), strict=True):
        table = load("glyphs", split=split, seed=1)
        assert line.split()[:2] == [split, str(table.num_classes)]
        assert f"in {len(set(table.groups))} alphabets" in line
        assert line.endswith("20 examples each, 28 x 28 x 1 uint8")
    assert "seed=1" in description


@pytest.mark.slow
def test_describe_folds_rotations(call, omniglot_dir):
    done = call("datasets", "describe", "omniglot", "--data-dir", omniglot_dir)
    train, validation, test, *_ = done.out.splitlines()
    assert "4,112 classes" in train and "1,028 without their rotations" in train
    assert "688 classes" in validation and "172 without" in validation
    assert "1,692 classes" in test and "423 without" in test
    lake = call(
        *("datasets", "describe", "omniglot", "--protocol", "lake"),
        *("--data-dir", omniglot_dir),
    )
    assert "659 classes in 20 alphabets, 20 examples each" in lake.out


def test_unknown_names(call, tmp_path):
    done = call("datasets", "import", "imagenet", "--from", tmp_path)
    assert "'imagenet' is not one of 'omniglot', 'mini_imagenet'" in done.usage_error
    done = call("datasets", "describe", "imagenet")
    assert "'imagenet' must be the name of a data set (glyphs, omniglot" in done.error
    done = call("datasets", "describe", "glyphs", "--protocol", "lake")
    assert "`--protocol` is no option of data set 'glyphs'" in done.error
    assert "No such command 'fly'" in call("datasets", "fly").usage_error


@pytest.mark.parametrize("arguments", [(), ("import", "omniglot")])
def test_what_is_missing_is_named(call, arguments):
    done = call("datasets", *arguments)
    assert done.code == 2
    assert "import" in done.err if not arguments else "'--from'" in done.err
