import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from tfmeta.registry import (
    ENCODERS,
    HEADS,
    LEARNERS,
    Family,
    LearnerEntry,
    family_of,
    is_pretrained,
    learner_entry,
    resolve,
)
from tfmeta.registry_in_words import learner_table

README = Path(__file__).resolve().parent.parent / "README.md"


def test_every_learner_is_what_its_entry_says():
    from tfmeta.learners import FewShotLearner, GradientBasedLearner
    from tfmeta.learners.model_based.memory_learner import MemoryLearner

    for name, entry in LEARNERS.items():
        learner = resolve(entry.path)
        assert issubclass(learner, FewShotLearner), name
        has_inner_loop = issubclass(learner, GradientBasedLearner)
        assert (entry.family == "optimization") == has_inner_loop, name
        assert (entry.family == "model") == issubclass(learner, MemoryLearner), name
        arguments = inspect.signature(learner).parameters
        assert (entry.trains_on == "examples") == ("base_classes" in arguments), name
        assert entry.encoder in ENCODERS
        assert callable(resolve(entry.optimizer))
        assert entry.title and entry.summary


def test_every_public_learner_is_registered():
    import tfmeta.learners as learners

    public = {
        name
        for name in learners.__all__
        if inspect.isclass(getattr(learners, name)) and not name.endswith("Learner")
    } | {"LSTMMetaLearner"}
    assert {entry.class_name for entry in LEARNERS.values()} == public


def test_every_encoder_is_there():
    for name, entry in ENCODERS.items():
        make = resolve(entry.path)
        if entry.pretrained:
            # Its weights are of an extra, and its own tests build it.
            assert "name" in inspect.signature(make).parameters, name
            continue
        shapes = {"pictures": (84, 84, 1), "vectors": (84,), "series": (84, 3)}
        shape = shapes[entry.examples[0]]
        model = make(shape, filters=2, seed=0, **entry.arguments)
        assert model.input_shape == (None, *shape)


def test_names_that_are_nowhere_are_of_pretrained_encoders():
    assert is_pretrained("efficientnet_lite0") and is_pretrained("own.keras")
    assert not is_pretrained("conv4") and not is_pretrained(None)


@pytest.mark.slow
def test_heads_are_those_of_the_inner_loop():
    import tfmeta

    encoder = tfmeta.encoders.Conv4((28, 28, 1), filters=2)
    for name, head in HEADS.items():
        ways = None if head.any_ways else 5
        assert tfmeta.learners.MAML(encoder, ways=ways, head=name).head == name
    with pytest.raises(ValueError, match="`ways`"):
        tfmeta.learners.MAML(encoder, ways=None, head="linear")


def test_it_needs_no_tensorflow():
    program = (
        "import sys\n"
        "import tfmeta.registry, tfmeta.runs.config, tfmeta.cli.train_command\n"
        "import tfmeta.cli.reproduce_command, tfmeta.cli.evaluate_command\n"
        "slow = {'tensorflow', 'keras'} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("name", ["oracle", "", ":Learner", "module:", "module:a b"])
def test_what_is_no_learner_is_named(name):
    with pytest.raises(ValueError, match="`learner` must be one of prototypical, "):
        learner_entry(name)
    assert family_of(name) == "metric"


def test_a_learner_of_ones_own_by_its_path():
    assert learner_entry("mine.toy:Toy") == LearnerEntry("mine.toy:Toy", "Toy")


@pytest.mark.parametrize("path", ["nowhere.at_all:Toy", "tfmeta.registry:Toy"])
def test_what_cannot_be_imported_is_named(path):
    with pytest.raises(ValueError, match=f"{path} must be the module.*: {path}"):
        resolve(path)


def test_the_table_names_every_learner_of_the_family():
    for family in get_args(Family):
        _, _, *lines = learner_table(family).splitlines()
        named = [re.match(r"\| `(\w+)` \| `(\w+)` \| \S", line) for line in lines]
        assert [(m[1], m[2]) for m in named] == [
            (entry.class_name, name)
            for name, entry in LEARNERS.items()
            if entry.family == family
        ]


def test_the_readme_says_of_each_learner_what_the_table_says():
    text = README.read_text(encoding="utf-8")
    for family in get_args(Family):
        for line in learner_table(family).splitlines()[2:]:
            if "baseline" not in line:  # The two share a line there.
                assert line in text
