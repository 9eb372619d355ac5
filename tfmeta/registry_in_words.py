"""What can be chosen by name, in words: for `--help` and the README."""

from __future__ import annotations

from tfmeta.control_registry import POLICY_LEARNERS, SHORT_NAMES
from tfmeta.registry import (
    ENCODERS,
    LEARNERS,
    Family,
    Kind,
    LearnerEntry,
    usual_encoder,
)


def named_learners() -> str:
    """The names of all learners, for `--help`."""

    def of(family: Family) -> str:
        return ", ".join(n for n, entry in LEARNERS.items() if entry.family == family)

    full = {name: short for short, name in SHORT_NAMES.items()}
    policies = ", ".join(full.get(name, name) for name in POLICY_LEARNERS)
    return (
        f"{of('metric')}; with an inner loop: {of('optimization')}; with a memory: "
        f"{of('model')}; with --task: {policies}"
    )


def named_encoders() -> str:
    """The names of all encoders, for `--help`."""
    return ", ".join(
        name if entry.summary is None else f"{name} ({entry.summary})"
        for name, entry in ENCODERS.items()
    )


def usual_encoders() -> str:
    """Which encoder each learner has by default, for `--help`."""
    of_pictures: dict[str, list[str]] = {}
    of_texts: dict[str | None, list[str]] = {}
    for name, entry in LEARNERS.items():
        of_pictures.setdefault(entry.encoder, []).append(name)
        of_texts.setdefault(entry.text_encoder, []).append(name)
    usual = LearnerEntry.encoder
    said = [f"{usual} for pictures"]
    for encoder, names in of_pictures.items():
        if encoder != usual:
            said.append(f"{encoder} for {', '.join(names)}")
    of_arrays: tuple[Kind, ...] = ("vectors", "series", "arrays")
    said += [f"{usual_encoder('prototypical', k)} for {k}" for k in of_arrays]
    said.append("for texts a network of the words of the training classes")
    for text_encoder, names in of_texts.items():
        if text_encoder is not None:
            said.append(f"{text_encoder} for texts of {', '.join(names)}")
    return "; ".join(said)


def learner_table(family: Family) -> str:
    """The learners of a family as a table in Markdown; those that act have none."""
    last = {
        "metric": "how a query is classified",
        "optimization": "what is learned",
        "model": "what is remembered of a task",
        "control": "what is learned",
    }
    lines = [f"| class | `--learner` | {last[family]} |", "|---|---|---|"]
    lines += [
        f"| `{entry.class_name}` | `{name}` | {entry.summary} |"
        for name, entry in LEARNERS.items()
        if entry.family == family
    ]
    return "\n".join(lines) + "\n"
