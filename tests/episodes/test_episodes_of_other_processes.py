"""The same seed gives the same episodes in every process, of every kind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# One process for all of them: most of its time it takes to start.
SCRIPT = """
import keras
from coded_tables import coded_table, digest
from tfmeta.episodes import Episodes, KerasAugmentation, Mixture, RandomAffine

table = coded_table([6, 9, 6, 7, 6, 8, 6, 6], groups="xyxyyyxx").with_rotations()
settings = dict(ways=(2, 3), shots=(1, 2), queries=2, tasks=4, seed=2**40 + 1)
plain = Episodes(table, same_group=True, augment=RandomAffine(), **settings)
print("plain", digest(plain))
rarer = Episodes(
    table, same_group=True, balanced=False, unlabelled=2, distractors=1, **settings
)
print("semi-supervised", digest(rarer))
layers = [keras.layers.RandomFlip(), keras.layers.RandomTranslation(0.3, 0.3)]
augment = KerasAugmentation(layers)
distorted = Episodes(table, query_augment=augment, **settings)
print("Keras", digest(distorted), augment)
print("mixture", digest(Mixture([plain, distorted], weights=[1, 3], seed=2**50)))
"""


@pytest.fixture(scope="module")
def there():
    """What the script prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_same_seed_same_episodes_in_another_process(there, capsys):
    exec(SCRIPT, {})
    here = capsys.readouterr().out.splitlines()
    assert here == there
    kinds = ["plain", "semi-supervised", "Keras", "mixture"]
    assert [line.split()[0] for line in here] == kinds
    assert len({line.split()[1] for line in here}) == 4
