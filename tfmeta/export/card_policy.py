"""The sections of a model card that are others for a policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict

import numpy as np

from tfmeta.evaluation.regression_result import TaskMean
from tfmeta.export.card_text import as_code, fenced, free_text
from tfmeta.json_types import check_type
from tfmeta.printable import markdown_text

_EXAMPLE = """```python
model = tf.saved_model.load("FOLDER")
state = model.signatures["begin"]()
seen, seed = tf.constant([OBSERVATION]), tf.constant([0, 1])
answer = model.signatures["act"](**state, observations=seen, seed=seed)
```"""


class Figures(TypedDict):
    """Returns of test tasks, before and after each update."""

    protocol: dict[str, Any]
    returns: list[list[float]]


class DescribedPolicy(TypedDict):
    """What the run of a policy says of itself."""

    tasks: str
    task_arguments: dict[str, Any]
    training: str
    command: str | None
    returns: list[Figures]


def as_described_policy(description: Any) -> DescribedPolicy | None:
    """The description, where it is one of a policy."""
    try:
        return check_type(description, DescribedPolicy, "`description`")
    except ValueError:
        return None


def policy_sections(
    policy: DescribedPolicy, signatures: Mapping[str, Any]
) -> dict[str, Iterator[str]]:
    """Paragraphs by the title of their section.

    Args:
        policy: What its run says.
        signatures: Of the export, as `tfmeta.json` has them.
    """
    return {
        "How to call it": _call(signatures),
        "Intended use": _use(policy),
        "Factors": iter(["How it does in single tasks stands in `tfmeta.json`."]),
        "Metrics": _metrics(policy["returns"]),
        "Evaluation data": _evaluation_data(policy["returns"]),
        "Training data": _training(policy),
        "Quantitative analyses": _analyses(policy["returns"]),
        "Ethical considerations": iter(
            ["- What it does in a world that is not simulated was not examined"]
        ),
        "Caveats and recommendations": iter(
            [
                "- An update learns from trajectories that the policy of the same "
                "state has drawn, and from no others",
                "- Figures are of one training: others with another seed differ",
            ]
        ),
    }


def _call(signatures: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "`begin` gives a state, which is kept by the client: one named tensor for each "
        "part of it. `act` takes the state, observations in rows, and a seed of two "
        "numbers, another at every step; it gives actions that are drawn, the likely "
        "ones, and the numbers of the distributions. `adapt` takes the state and whole "
        "trajectories that were drawn with it, padded to one length, and gives the "
        "state after an update; `mask` is false behind the end of a trajectory, and "
        "`terminated` says that it ended by itself."
    )
    for name, signature in signatures.items():
        inputs = [n for n in signature["inputs"] if n not in _state(signatures)]
        takes = ", ".join(map(as_code, inputs)) or "nothing"
        state = "" if name == "begin" else "the state, "
        yield f"- {as_code(name)} takes {state}{takes}"
    yield "With TensorFlow alone:"
    yield _EXAMPLE


def _state(signatures: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = signatures.get("begin", {}).get("outputs", {})
    return found


def _use(policy: DescribedPolicy) -> Iterator[str]:
    yield (
        f"To act in tasks of one family ({free_text(policy['tasks'])}), and to become "
        "better in one of them by a few trajectories."
    )
    yield "Out of scope:"
    yield "- environments of another family, or beyond the range of its tasks"
    yield "- machines that can hurt somebody"


def _metrics(figures: Sequence[Figures]) -> Iterator[str]:
    if not figures:
        yield "None was measured."
        return
    yield (
        "A return is the sum of the rewards of a trajectory, without a discount. A "
        "figure is the mean over test tasks, each by several trajectories that no "
        "update has learned from; ± is its interval of 95 % over tasks, by Student's t."
    )


def _evaluation_data(figures: Sequence[Figures]) -> Iterator[str]:
    if not figures:
        yield "None yet."
        return
    most = max(figure["protocol"]["tasks"] for figure in figures)
    yield f"{most:,} test tasks, none of which is one of training or validation."


def _training(policy: DescribedPolicy) -> Iterator[str]:
    yield free_text(policy["training"])
    if policy["task_arguments"]:
        said = ", ".join(f"{k}={v}" for k, v in policy["task_arguments"].items())
        yield f"The family's arguments: {markdown_text(said)}."
    if policy["command"] is not None:
        yield "This command trains it:"
        yield fenced(policy["command"])


def _analyses(figures: Sequence[Figures]) -> Iterator[str]:
    if not figures:
        yield "No figures were given that tfmeta measured."
        return
    lines = ["| tasks | trajectories | updates | return |", "|---|---|---|---|"]
    for figure in figures:
        p = figure["protocol"]
        for number, values in enumerate(figure["returns"]):
            mean = TaskMean.of(np.array(values)).text()
            drawn = f"{p['tasks']:,} | {p['trajectories']}"
            lines.append(f"| {drawn} | {number} | {mean} |")
    yield "\n".join(lines)
