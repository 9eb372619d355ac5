"""No task that was acknowledged is lost by a kill."""

import signal
import subprocess
import sys
import time

import adding_tasks
import keras
import numpy as np
import pytest
from many_tasks import tasks

from tfmeta.tasks import FeatureStatistics, TaskLibrary, TaskMetric, TaskNetwork
from tfmeta.tasks.warm_start import WarmStart


@pytest.mark.slow
def test_what_was_added_survives(tmp_path):
    inputs = keras.Input((4,))
    encoder = keras.Model(inputs, keras.layers.Identity()(inputs))
    describer = FeatureStatistics()
    metric = TaskMetric.of(describer(*tasks(9, features=4)), size=4, units=8, seed=0)
    learner = WarmStart(encoder, TaskNetwork(4, 3, (4,)), describer, metric)
    place = tmp_path / "library"
    TaskLibrary.create(place, learner, steps=1).close()
    rng = np.random.default_rng(0)
    acknowledged = []
    for _ in range(3):
        with TaskLibrary.load(place) as library:
            # The one that was being added may be there, unasked.
            assert set(acknowledged) <= set(library.names)
            assert len(library) <= len(acknowledged) + 1 and not library.damaged
            acknowledged = list(library.names)
        program = subprocess.Popen(
            [sys.executable, adding_tasks.__file__, place, str(len(acknowledged))],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert program.stdout.readline() == "open\n"
        acknowledged.append(program.stdout.readline().strip())
        time.sleep(rng.uniform(0, 1))
        program.send_signal(signal.SIGKILL)
        lines = program.stdout.read().splitlines(keepends=True)
        acknowledged += [line.strip() for line in lines if line.endswith("\n")]
        program.stdout.close()
        program.wait()
    with TaskLibrary.load(place) as library:
        assert set(acknowledged) <= set(library.names) and not library.damaged
        assert len(acknowledged) >= 3
