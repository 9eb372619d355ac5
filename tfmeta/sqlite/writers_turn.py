"""Writers of a file come one after the other, in a queue that nobody is left in.

SQLite lets one writer in at a time by itself, but who waits looks from time to time
whether the file is free: one that writes without a pause leaves it free for
microseconds, and others could wait for ever. Here the next one holds a second lock,
before which the writer of now has to wait for its next turn.

All that writes into the database file, SQLite's checkpoints too, happens in a turn. So
does no checkpoint while another connection begins the log anew, where SQLite before
3.51.3 (and 3.50.7, 3.44.6) could lose pages: "The WAL-Reset Bug" of its documentation.
The checkpoint when the last connection is closed is made by SQLite alone with the file.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from tfmeta.locks import LockTaken, locked_file
from tfmeta.sqlite.errors import in_use

_NEXT, _TURN = ".next.lock", ".turn.lock"
# How often one who waits looks again, in seconds.
_LOOK = 0.005


@contextlib.contextmanager
def writers_turn(path: Path, *, wait: float) -> Iterator[None]:
    """Waits for the turn to write; where a system has no locks, SQLite's own are left.

    Args:
        path: The database.
        wait: Seconds to wait.

    Raises:
        FolderInUseError: When others write for longer.
        OSError: When nothing can be written there.
    """
    until = time.monotonic() + wait
    with contextlib.ExitStack() as writing:
        with contextlib.ExitStack() as waiting:
            _lock(waiting, path, _NEXT, until)
            _lock(writing, path, _TURN, until)
        yield


def _lock(held: contextlib.ExitStack, path: Path, name: str, until: float) -> None:
    while True:
        try:
            held.enter_context(locked_file(path.with_name(name), wait=False))
            return
        except LockTaken as error:
            if time.monotonic() >= until:
                raise in_use(path) from error
        time.sleep(_LOOK)
