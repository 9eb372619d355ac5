"""A loss of power: what is on a disk then follows from the order of writes and syncs.

The system calls of a process that makes changes are recorded, and the disk is built as
it could be after a loss of power at any of them: what was synced is there, of what was
not any part may be. Every such disk must hold all changes that were acknowledged.
"""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import gallery_changes
import numpy as np
import pytest
from gallery_changes import GalleryStore, Model, facts, random_change, state_of

# A disk writes sectors whole.
SECTOR = 512


class Disk:
    """Files as they are, and as they are kept by a loss of power.

    Attributes:
        files: By name, the content that was synced, and what was written since.
        unsynced_names: Files that were made, or removed, since the folder was synced.
    """

    def __init__(self, files):
        self.files = {name: (bytearray(content), []) for name, content in files.items()}
        self.unsynced_names = {}

    def make(self, name):
        self.unsynced_names.setdefault(name, self.files.get(name))
        self.files[name] = (bytearray(), [])

    def remove(self, name):
        self.unsynced_names.setdefault(name, self.files.get(name))
        self.files.pop(name)

    def write(self, name, start, content):
        self.files[name][1].append((start, content))

    def cut(self, name, size):
        self.files[name][1].append((size, None))

    def sync(self, name):
        content, written = self.files[name]
        for change in written:
            _apply(content, *change)
        written.clear()

    def sync_names(self):
        self.unsynced_names.clear()

    def after_loss(self, keep):
        """What is there after a loss of power.

        Args:
            keep: Says of each thing that was not synced whether it is there.
        """
        there = dict(self.files)
        for name, former in self.unsynced_names.items():
            if not keep():
                there.pop(name, None)
                if former is not None:
                    there[name] = former
        contents = {}
        for name, (synced, written) in there.items():
            content = bytearray(synced)
            for start, part in written:
                if part is None:
                    if keep():
                        _apply(content, start, None)
                    continue
                for place in range(0, len(part), SECTOR):
                    if keep():
                        _apply(content, start + place, part[place : place + SECTOR])
            contents[name] = content
        return contents


def _apply(content, start, part):
    if part is None:
        del content[start:]
        return
    content.extend(bytes(max(0, start - len(content))))
    content[start : start + len(part)] = part


CALL = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+)")
OPEN_FILE = r"\d+<([^>]*)>"
TEXT = r'"((?:\\x[0-9a-f]{2})*)"'


def _bytes(text):
    return bytes.fromhex(text.replace("\\x", ""))


def _path(text):
    return _bytes(text).decode() if text.startswith("\\x") else text


def recorded(path, changes, log):
    """Makes changes in another process, and returns its system calls."""
    calls = "openat,pwrite64,write,ftruncate,fsync,fdatasync,unlink,rename"
    program = [sys.executable, gallery_changes.__file__, str(path)]
    trace = ["strace", "-o", log, "-y", "-xx", "-s", "1000000", "-e", f"trace={calls}"]
    done = subprocess.run(
        [*trace, *program],
        input="".join(f"{json.dumps(one)}\n" for one in changes),
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["open"] + ["made"] * len(changes), done.stderr
    for line in log.read_text().splitlines():
        found = CALL.match(line)
        if found and int(found[3]) >= 0:
            yield found[1], found[2], int(found[3])


def replay(path, calls):
    """After every call: the disk, and how many changes are acknowledged."""
    disk, made = Disk({path.name: path.with_suffix(".before").read_bytes()}), 0
    kept = {path.name, f"{path.name}-wal"}
    for call, arguments, result in calls:
        if call in ("fsync", "fdatasync"):
            file = Path(_path(re.match(OPEN_FILE, arguments)[1]))
            if file == path.parent:
                disk.sync_names()
            elif file.name in disk.files:
                disk.sync(file.name)
        elif call == "openat":
            file = Path(_path(re.search(TEXT, arguments)[1]))
            if file.name in kept and file.name not in disk.files:
                assert "O_CREAT" in arguments
                disk.make(file.name)
        elif call == "unlink":
            file = Path(_path(re.match(TEXT, arguments)[1]))
            if file.name in disk.files:
                disk.remove(file.name)
        elif call == "pwrite64":
            found = re.fullmatch(rf"{OPEN_FILE}, {TEXT}, \d+, (\d+)", arguments)
            name = Path(_path(found[1])).name
            if name in disk.files:
                disk.write(name, int(found[3]), _bytes(found[2])[:result])
        elif call == "ftruncate":
            found = re.fullmatch(rf"{OPEN_FILE}, (\d+)", arguments)
            if Path(_path(found[1])).name in disk.files:
                disk.cut(Path(_path(found[1])).name, int(found[2]))
        elif call == "write":
            made += b"made" in _bytes(re.search(TEXT, arguments)[1])
        else:
            assert call == "rename"
        yield disk, made


def check_losses(folder, *, changes, seed, share):
    """Builds disks after losses of power, and asks for what was acknowledged."""
    path = folder / "gallery.sqlite"
    GalleryStore.create(path, facts()).close()
    shutil.copy(path, path.with_suffix(".before"))
    rng, keys, model = np.random.default_rng(seed), itertools.count(), Model()
    asked, states = [], [model.state()]
    for _ in range(changes):
        asked.append(random_change(model, rng, new_key=lambda: next(keys)))
        model.make(asked[-1])
        states.append(model.state())
    memory = Path("/dev/shm")
    lost, former = 0, 0
    calls = recorded(path, asked, folder / "calls")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as disks:
        for disk, made in replay(path, calls):
            # Whenever a change was acknowledged, and at some other calls.
            if made == former and rng.random() > share:
                continue
            former = made
            for keep in (lambda: False, lambda: True, lambda: rng.random() < 0.5):
                lost += 1
                there = Path(disks) / str(lost)
                there.mkdir()
                for name, content in disk.after_loss(keep).items():
                    (there / name).write_bytes(content)
                with GalleryStore(there / path.name) as store:
                    assert made <= store.version <= made + 1
                    assert state_of(store) == states[store.version]
                    store.verify()
                shutil.rmtree(there)
    assert former == changes
    # Nothing is there by chance: the last disk is the file as it is.
    assert bytes(disk.after_loss(lambda: True)[path.name]) == path.read_bytes()
    return lost


@pytest.fixture
def traced(tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("strace, which records system calls, is not installed")
    tried = subprocess.run(
        ["strace", "-o", os.devnull, "-y", "true"], capture_output=True, text=True
    )
    if tried.returncode:
        pytest.skip(f"system calls may not be recorded here: {tried.stderr.strip()}")
    return tmp_path


def test_a_loss_of_power_at_any_call_loses_nothing_acknowledged(traced):
    assert check_losses(traced, changes=8, seed=0, share=0.02) > 24


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 4))
def test_losses_of_power_in_many_changes(traced, seed):
    assert check_losses(traced, changes=60, seed=seed, share=0.2) > 500


def test_a_log_that_is_cut_anywhere_holds_a_whole_number_of_changes(tmp_path):
    """Needs no recording: a log is what a loss of power leaves of it."""
    path = tmp_path / "gallery.sqlite"
    GalleryStore.create(path, facts()).close()
    before = path.read_bytes()
    rng, keys, model = np.random.default_rng(0), itertools.count(), Model()
    states = [model.state()]
    with GalleryStore(path) as store:
        for _ in range(12):
            change = random_change(
                model, rng, new_key=lambda: next(keys), lasting=False
            )
            model.make(change)
            gallery_changes.make(store, change)
            states.append(model.state())
        # The file itself is not opened: that would take SQLite's locks away.
        content = path.with_name("gallery.sqlite-wal").read_bytes()
    head, frame = 32, 24 + 4096
    assert (len(content) - head) % frame == 0
    ends = [
        place + frame
        for place in range(head, len(content), frame)
        if any(content[place + 4 : place + 8])  # the mark of a commit
    ]
    assert len(ends) == 12
    cut = tmp_path / "cut" / "gallery.sqlite"
    cut.parent.mkdir()
    cuts = [*ends, *rng.integers(0, len(content), 16).tolist()]
    for size in cuts:
        cut.write_bytes(before)
        log = cut.with_name("gallery.sqlite-wal")
        log.write_bytes(content[:size] + rng.bytes(int(rng.integers(2)) * 5000))
        whole = sum(end <= size for end in ends)
        with GalleryStore(cut) as store:
            assert store.version == whole
            assert state_of(store) == states[whole]
        assert not log.exists()
