"""Who waits for a turn to write gets one."""

import threading
import time

from tfmeta.sqlite.writers_turn import writers_turn


def test_who_waits_gets_a_turn_although_another_writes_without_a_pause(tmp_path):
    """The other takes its next turn at once: only a queue lets somebody in between."""
    path = tmp_path / "some.sqlite"
    stop, turns = threading.Event(), []

    def write():
        while not stop.is_set():
            with writers_turn(path, wait=60):
                time.sleep(0.02)
                turns.append(1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(turns) < 3:
            time.sleep(0.001)
        for _ in range(5):
            before = len(turns)
            with writers_turn(path, wait=60):
                assert len(turns) <= before + 3
    finally:
        stop.set()
        writer.join()
