"""Learners that differ in how TensorFlow is best started, before it is."""

from __future__ import annotations

# Names of learners with an inner loop, as in `tfmeta.runs.learners.LEARNERS`.
WITH_INNER_LOOP = ("maml", "anil", "meta_sgd", "maml_plus_plus", "reptile", "lstm")


def family_of(learner: str | None) -> str:
    """`"optimization"` for a learner with an inner loop, else `"metric"`."""
    return "optimization" if learner in WITH_INNER_LOOP else "metric"
