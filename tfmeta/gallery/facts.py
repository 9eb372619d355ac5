"""What is known of a gallery beside its examples, as its database holds it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, TypedDict

from tfmeta.evaluation.threshold import Threshold
from tfmeta.gallery.rows import EMBEDDING_SHAPE
from tfmeta.json_files import json_text, parse_json
from tfmeta.json_types import check_type

CROSS_VALIDATION = "cross-validation"

# What else stands in its place is no file of the folder.
_LEARNER_FILE = re.compile(r"learner-[0-9a-f]{8}\.keras")
_DIGEST = re.compile(r"[0-9a-f]{32}")


@dataclasses.dataclass(frozen=True)
class CrossValidation:
    """A threshold of what is enrolled.

    Attributes:
        recall: Share of the queries of enrolled classes to accept.
    """

    recall: float


# `None` answers always with a class.
ThresholdRule: TypeAlias = CrossValidation | Threshold | None


class _KeptThreshold(TypedDict):
    score: Literal["logit", "probability"]
    value: float
    recall: float
    validation_auroc: dict[str, float]
    protocol: dict[str, Any]


class _KeptRule(TypedDict):
    by: Literal["cross-validation", "validation"]


class _KeptCrossValidation(_KeptRule):
    recall: float


class _KeptValidation(_KeptRule):
    threshold: _KeptThreshold


class _Kept(TypedDict):
    encoder: str
    embedding_shape: list[int]
    example_shape: list[int | None]
    example_dtype: str
    learner_file: str
    learner_class: str
    threshold: _KeptRule | None
    invert: bool
    light_ground: bool | None
    input_dtype: str | None
    keep_originals: bool


# These are texts as they are, all others JSON.
_TEXTS = ("encoder", "example_dtype", "learner_file", "learner_class")


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a gallery is.

    Attributes:
        encoder: Digest of the encoder that made the embeddings.
        embedding_shape: What it gives for an example.
        example_shape: What its examples are, `None` for a free size.
        example_dtype: Likewise, where `input_dtype` does not say it.
        learner_file: Name of the learner's file in the folder.
        learner_class: Where its class is, `"module:Class"`.
        threshold: From which score on a query is of an enrolled class.
        invert: Whether pictures from files are inverted.
        light_ground: Whether the learner was trained on dark ink on light ground;
            `None` where that is not known, or makes no sense.
        input_dtype: Dtype of the examples, `None` for that of the learner's encoder.
        keep_originals: Whether what is enrolled is kept beside its embedding.
    """

    encoder: str
    embedding_shape: tuple[int, ...]
    example_shape: tuple[int | None, ...]
    example_dtype: str
    learner_file: str
    learner_class: str
    threshold: ThresholdRule
    invert: bool = False
    light_ground: bool | None = None
    input_dtype: str | None = None
    keep_originals: bool = True

    def to_rows(self) -> dict[str, str]:
        """As they are kept, by name."""
        values = {
            **{one.name: getattr(self, one.name) for one in dataclasses.fields(self)},
            EMBEDDING_SHAPE: list(self.embedding_shape),
            "example_shape": list(self.example_shape),
            "threshold": _rule_to_json(self.threshold),
        }
        return {
            name: value if name in _TEXTS else json_text(value, f"`{name}`")
            for name, value in values.items()
        }

    def embedding_rows(self) -> dict[str, str]:
        """Those that embeddings depend on."""
        rows = self.to_rows()
        return {name: rows[name] for name in ("encoder", "invert", "input_dtype")}

    @classmethod
    def of_rows(cls, rows: Mapping[str, str], source: object) -> Facts:
        """The facts of a database.

        Args:
            rows: Values by name.
            source: The file, for the message.

        Raises:
            ValueError: When one is missing, or none that a gallery has.
        """
        kept: dict[str, Any] = {
            name: value if name in _TEXTS else parse_json(value, f"{name} in {source}")
            for name, value in rows.items()
            if name in _Kept.__annotations__
        }
        values: dict[str, Any] = check_type(kept, _Kept, source)
        for name, form in (("learner_file", _LEARNER_FILE), ("encoder", _DIGEST)):
            if not form.fullmatch(values[name]):
                raise ValueError(
                    f"`{name}` in {source} must be of the form {form.pattern}. "
                    f"Received: {values[name][:80]!r}"
                )
        if not all(0 < size < 2**31 for size in values[EMBEDDING_SHAPE]):
            raise ValueError(
                f"`{EMBEDDING_SHAPE}` in {source} must be of sizes above 0. Received: "
                f"{values[EMBEDDING_SHAPE]}"
            )
        if values["input_dtype"] not in (None, "uint8", "uint16"):
            raise ValueError(
                f"`input_dtype` in {source} must be uint8, uint16 or null. Received: "
                f"{values['input_dtype'][:80]!r}"
            )
        return cls(
            **{
                **values,
                EMBEDDING_SHAPE: tuple(values[EMBEDDING_SHAPE]),
                "example_shape": tuple(values["example_shape"]),
                "threshold": _rule_of_json(values["threshold"], source),
            }
        )


def threshold_rule(threshold: str | Threshold | None, recall: float) -> ThresholdRule:
    """The rule that is asked for.

    Args:
        threshold: `"cross-validation"`, a `Threshold` or `None`.
        recall: Of cross-validation.

    Raises:
        TypeError: When it is none of these.
        ValueError: When `recall` is out of range, or the value is not finite.
    """
    if threshold is None:
        return None
    if isinstance(threshold, Threshold):
        kept = json_text(_rule_to_json(threshold), "`threshold`")
        return _rule_of_json(parse_json(kept, "`threshold`"), "`threshold`")
    if threshold != CROSS_VALIDATION:
        raise TypeError(
            f"`threshold` must be {CROSS_VALIDATION!r}, a Threshold or None. Received: "
            f"{threshold!r}"
        )
    if not 0 < recall <= 1:
        raise ValueError(
            f"`recall` must be above 0 and at most 1. Received: recall={recall}"
        )
    return CrossValidation(float(recall))


def _rule_to_json(rule: ThresholdRule) -> dict[str, Any] | None:
    if rule is None:
        return None
    if isinstance(rule, CrossValidation):
        return {"by": CROSS_VALIDATION, "recall": rule.recall}
    return {"by": "validation", "threshold": rule.to_json()}


def _rule_of_json(value: dict[str, Any] | None, source: object) -> ThresholdRule:
    if value is None:
        return None
    if value["by"] == CROSS_VALIDATION:
        recall = check_type(value, _KeptCrossValidation, source)["recall"]
        return threshold_rule(CROSS_VALIDATION, recall)
    kept = check_type(value, _KeptValidation, source)["threshold"]
    return Threshold(**{name: kept[name] for name in _KeptThreshold.__annotations__})
