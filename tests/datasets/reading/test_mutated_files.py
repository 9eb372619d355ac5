import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="limits to memory are those of POSIX")


@pytest.mark.parametrize(
    ("kind", "count"), [("archives", 3000), ("pictures", 2000), ("pickles", 3000)]
)
def test_damaged_files_are_read_or_refused_by_name(kind, count, tmp_path):
    """None crashes, hangs, takes all memory or writes anything anywhere."""
    folder = tmp_path / "work"
    folder.mkdir()
    program = Path(__file__).with_name("mutated_files.py")
    done = subprocess.run(
        [sys.executable, program, kind, folder, str(count)],
        capture_output=True,
        encoding="utf-8",
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    *wrong, counts = map(json.loads, done.stdout.splitlines())
    assert wrong == []
    assert counts["read"] + counts["refused"] == count
    # Damage is neither so slight that it is not seen nor so great that nothing
    # behind it is.
    assert min(counts["read"], counts["refused"]) > count / 20
    assert list(tmp_path.rglob("*")) == [folder]


@pytest.mark.parametrize(
    ("reader", "shows"),
    [
        ("raise KeyError(path)", '"file"'),
        ("raise ValueError('somewhere')", '"file"'),
        ("bytearray(2**33)", "MemoryError"),
        ("import ctypes; ctypes.string_at(0)", None),
        pytest.param("while True: pass", None, marks=pytest.mark.slow),
    ],
)
def test_what_must_not_be_would_show(reader, shows, tmp_path):
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import mutated_files\n"
        "from pathlib import Path\n"
        f"def read(kind, path):\n    {reader}\n"
        "mutated_files.read = read\n"
        f"mutated_files.main('pickles', Path({str(tmp_path)!r}), 3)\n"
    )
    command = [sys.executable, "-c", program]
    if "while" in reader:
        with pytest.raises(subprocess.TimeoutExpired):
            subprocess.run(command, capture_output=True, timeout=3)
        return
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    if shows is None:
        assert done.returncode != 0
    else:
        assert len(done.stdout.splitlines()) == 4 and shows in done.stdout
