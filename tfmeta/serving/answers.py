"""From what a request holds to what is answered, by the model."""

from __future__ import annotations

import itertools
from typing import Any

from tfmeta.serving.asked import (
    asked_change,
    asked_classification,
    asked_enrolment,
    asked_examples,
)
from tfmeta.serving.limits import Limits
from tfmeta.serving.model import EnrolledClasses, Model, Ranking, cannot


async def embed(
    model: Model, body: dict[str, Any], limits: Limits
) -> tuple[dict[str, Any], int]:
    """The answer of `POST /embed`, and of how many examples it is.

    Raises:
        Refusal, ValueError, OSError: When there is none.
    """
    examples = asked_examples(body, model, limits)
    embeddings = (await model.embed(examples)).tolist()
    return {"model": _about(model), "embeddings": embeddings}, len(examples)


async def classify(
    model: Model, body: dict[str, Any], limits: Limits
) -> tuple[dict[str, Any], int]:
    """The answer of `POST /classify`; as `embed`."""
    asked = asked_classification(body, model, limits)
    if asked.support is None:
        ranking = await model.classify(asked.examples, asked.top)
    else:
        ranking = await model.classify_task(
            asked.support, asked.examples, asked.top, open_set=asked.open_set
        )
    answer = {
        "model": _about(model),
        "answers": _answers(ranking),
        "warnings": list(ranking.warnings),
    }
    return answer, len(asked.examples)


async def change_classes(
    model: Model, body: dict[str, Any], limits: Limits
) -> tuple[dict[str, Any], int]:
    """The answer of `POST /classes`, when the change is on the disk; as `embed`."""
    what, asked = asked_change(body)
    enrolled = _enrolled(model)
    if what == "enrol":
        classes = asked_enrolment(asked, model.queries, limits)
        found = enrolled.enrol(classes)
        return found, sum(map(len, classes.values()))
    if what == "rename":
        return enrolled.rename(asked["name"], asked["to"]), 0
    return enrolled.forget(asked["name"], asked.get("examples")), 0


def list_classes(model: Model, offset: int, limit: int) -> dict[str, Any]:
    """The answer of `GET /classes`."""
    page = model.classes(offset, limit)
    return {
        "classes": [{"name": n, "examples": size} for n, size in page.sizes.items()],
        "total": page.total,
        "change": page.change,
    }


def list_examples(model: Model, name: str, offset: int, limit: int) -> dict[str, Any]:
    """The answer of `GET /classes?name=`.

    Raises:
        Refusal: 409, when the model keeps no examples.
        KeyError: When there is no such class.
    """
    found = _enrolled(model).examples_of(name)
    page = list(itertools.islice(found, offset, offset + limit))
    return {"name": name, "examples": page, "total": len(found)}


def describe(model: Model, limits: Limits) -> dict[str, Any]:
    """The answer of `GET /model`: what can be asked, and how much."""
    return {
        **_about(model),
        "examples": model.queries.to_json(),
        "support": None if model.support is None else model.support.to_json(),
        "can_enrol": model.enrolled is not None,
        "signatures": list(model.signatures),
        "limits": {
            "body_bytes": limits.body,
            "pixels": limits.pixels,
            "examples": limits.examples,
            "seconds": limits.seconds,
        },
    }


def _enrolled(model: Model) -> EnrolledClasses:
    if model.enrolled is None:
        raise cannot(
            "classes are enrolled in a gallery, as `tfmeta gallery enrol` makes it. "
            "Received: a request to a SavedModel, whose classes are those of `support`"
        )
    return model.enrolled


def _about(model: Model) -> dict[str, str]:
    return {"name": model.name, "version": model.version}


def _answers(ranking: Ranking) -> list[dict[str, Any]]:
    rows = zip(
        ranking.class_names, ranking.probabilities, ranking.accepted, strict=True
    )
    return [
        {
            "class": names[0] if accepted else None,
            "probability": probabilities[0] if accepted else None,
            "classes": [
                {"class": name, "probability": probability}
                for name, probability in zip(names, probabilities, strict=True)
            ],
        }
        for names, probabilities, accepted in rows
    ]
