"""What was made once is read, and nothing else is taken for it."""

import numpy as np
import pytest

from tfmeta.tasks.kept_parts import (
    KeptParts,
    number_of_parts,
    parts_beside,
    parts_folder,
)

MADE = [np.arange(6, dtype="float32").reshape(2, 3), np.array([True, False])]


def never():
    raise AssertionError


def check(found):
    for part, expected in zip(found, MADE, strict=True):
        np.testing.assert_array_equal(part, expected)
        assert part.dtype == expected.dtype


def test_a_part_is_made_once_for_what_it_is_made_of(tmp_path):
    basis = ["of a table", np.ones(3)]
    parts = KeptParts(tmp_path, basis)
    check(parts.of("part", {"steps": 3}, lambda: MADE))
    check(KeptParts(tmp_path, basis).of("part", {"steps": 3}, never))
    others = (
        (parts, "other", {"steps": 3}),
        (parts, "part", {"steps": 4}),
        (KeptParts(tmp_path, ["of a table", np.zeros(3)]), "part", {"steps": 3}),
        (KeptParts(tmp_path, ["of another", np.ones(3)]), "part", {"steps": 3}),
    )
    for other, name, made_of in others:
        with pytest.raises(AssertionError):
            other.of(name, made_of, never)
    check(KeptParts(None).of("part", {}, lambda: MADE))


def test_a_damaged_part_is_made_again(tmp_path, caplog):
    parts = KeptParts(tmp_path)
    parts.of("part", {}, lambda: MADE)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for content in (b"", whole[: len(whole) // 2], whole.replace(b"\x40", b"\x41")):
        caplog.clear()
        file.write_bytes(content)
        check(parts.of("part", {}, lambda: MADE))
        assert "damaged" in caplog.text
        check(parts.of("part", {}, never))


def test_they_stay_when_work_is_stopped_and_go_when_it_is_done(tmp_path):
    path = tmp_path / "library"
    for stop in (KeyboardInterrupt, SystemExit, OSError):
        with pytest.raises(stop), parts_beside(path) as folder:
            KeptParts(folder).of("part", {}, lambda: MADE)
            raise stop
        assert number_of_parts(path) == 1
    # What is refused will be so again.
    with pytest.raises(ValueError), parts_beside(path):  # noqa: PT011
        raise ValueError
    assert not list(tmp_path.iterdir())
    with parts_beside(path) as folder:
        assert folder == parts_folder(path)
        KeptParts(folder).of("part", {}, lambda: MADE)
    assert not list(tmp_path.iterdir())
