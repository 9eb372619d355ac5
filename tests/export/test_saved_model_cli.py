"""What `saved_model_cli` shows of an export: the names that a client writes."""

import re
import subprocess
import sys

import pytest

TASK = {"support", "support_labels", "query", "one_task"}
ANSWER = {"probabilities", "logits", "ways"}
SHOWN = {
    "metric": {
        "serving_default": ({"examples"}, {"embeddings"}),
        "embed": ({"examples"}, {"embeddings"}),
        "embed_float": ({"examples"}, {"embeddings"}),
        "embed_encoded": ({"examples"}, {"embeddings"}),
        "classify": (TASK, ANSWER),
        "classify_encoded": (TASK, ANSWER),
    },
    "inner_loop": {
        "serving_default": (TASK, ANSWER),
        "classify": (TASK, ANSWER),
        "classify_encoded": (TASK, ANSWER),
        "adapt": (TASK - {"query"}, None),
        "adapt_encoded": (TASK - {"query"}, None),
        "classify_adapted": (None, ANSWER),
        "classify_adapted_encoded": (None, ANSWER),
    },
    "regression": {
        "serving_default": (TASK, {"predictions", "outputs"}),
        "predict": (TASK, {"predictions", "outputs"}),
        "adapt": (TASK - {"query"}, None),
        "predict_adapted": (None, {"predictions", "outputs"}),
    },
}


@pytest.fixture(scope="module")
def shown(families):
    """What the tool prints of each, at once."""
    tool = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli"]
    running = {
        family: subprocess.Popen(
            [*tool, "show", "--all", "--dir", families[family].folder],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for family in SHOWN
    }
    return {family: process.communicate()[0] for family, process in running.items()}


@pytest.mark.slow
@pytest.mark.parametrize("family", SHOWN)
def test_names_are_those_of_the_documents(shown, family):
    text = shown[family].partition("Concrete Functions:")[0]
    parts = re.split(r"signature_def\['(.+)'\]:", text)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    found.pop("__saved_model_init_op")
    assert found.keys() == SHOWN[family].keys()
    state = [set(), set()]
    for signature, sides in SHOWN[family].items():
        text = found[signature]
        kinds = ("inputs", "outputs")
        named = [set(re.findall(rf"{kind}\['(.+)'\]", text)) for kind in kinds]
        for side, (names, expected) in enumerate(zip(named, sides, strict=True)):
            if expected is None:
                state[side] = names - TASK
            else:
                assert names == expected
        assert not re.search(r"\['(keras_tensor|output_\d|Identity|args_)", text)
    # What one gives, the other takes, by the same names.
    assert state[0] == state[1]
    assert bool(state[0]) == (family != "metric")
    if family != "metric":
        assert {"present", "batch_statistics"} & state[0]
