"""What a request asks, checked before the model sees it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, TypedDict

from tfmeta.gallery.class_names import class_name
from tfmeta.json_types import check_type
from tfmeta.serving.example_form import Example, ExampleForm, check_count
from tfmeta.serving.limits import MOST_TOP, Limits
from tfmeta.serving.model import Model, cannot
from tfmeta.serving.refusals import refused

_TOP = 5


class _Queries(TypedDict):
    examples: list[Any]


class _Classify(_Queries, total=False):
    top: int
    support: dict[str, list[Any]]
    open_set: bool


class _Rename(TypedDict):
    name: str
    to: str


class _ForgetName(TypedDict):
    name: str


class _Forget(_ForgetName, total=False):
    examples: list[int]


class _Change(TypedDict, total=False):
    enrol: dict[str, list[Any]]
    rename: _Rename
    forget: _Forget


@dataclasses.dataclass(frozen=True)
class AskedClassification:
    """What `/classify` is asked.

    Attributes:
        examples: The queries.
        support: Examples by class, `None` for the classes of the model.
        top: How many classes to name for each query.
        open_set: Whether a query may be of none of the classes of `support`.
    """

    examples: list[Example]
    support: Mapping[str, list[Example]] | None
    top: int
    open_set: bool


def asked_examples(body: dict[str, Any], model: Model, limits: Limits) -> list[Example]:
    """The examples of `/embed`.

    Raises:
        Refusal: 422, for what is no such request.
    """
    _check(body, _Queries)
    return _read(body["examples"], model.queries, limits)


def asked_classification(
    body: dict[str, Any], model: Model, limits: Limits
) -> AskedClassification:
    """What `/classify` is asked.

    Raises:
        Refusal: 422, for what is no such request; 409, for a support that the model
            does not take.
    """
    _check(body, _Classify)
    top = body.get("top", _TOP)
    if not 1 <= top <= MOST_TOP:
        raise refused(f"`top` must be from 1 to {MOST_TOP:,}. Received: {top}")
    support = None
    if "support" in body:
        if model.support is None:
            raise cannot(
                "`support` must be left out, as this model does not learn from one. "
                "Received: a request with it"
            )
        given = body["support"]
        check_count(sum(map(len, given.values())) + len(body["examples"]), limits)
        support = _read_classes(given, "support", model.support, limits)
    elif "open_set" in body:
        raise refused(
            "`open_set` must be left out without `support`: a gallery has a threshold "
            "of its own. Received: a request with it"
        )
    examples = _read(body["examples"], model.queries, limits)
    return AskedClassification(examples, support, top, body.get("open_set", False))


def asked_enrolment(
    classes: dict[str, list[Any]], form: ExampleForm, limits: Limits
) -> dict[str, list[Example]]:
    """Examples to enrol, by class.

    Raises:
        Refusal: 422, for what cannot be enrolled.
    """
    check_count(sum(map(len, classes.values())), limits)
    return _read_classes(classes, "enrol", form, limits)


def asked_change(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Which one change of classes `POST /classes` is asked, and what of it.

    Raises:
        Refusal: 422, for what is no such request.
    """
    _check(body, _Change)
    if len(body) != 1:
        raise refused(
            "a body must hold one of `enrol`, `rename` and `forget`. Received: "
            + (", ".join(f"`{name}`" for name in body) or "none")
        )
    ((what, value),) = body.items()
    if what != "enrol":
        _check(value, {"rename": _Rename, "forget": _Forget}[what], what)
    return what, value


def _read(values: list[Any], form: ExampleForm, limits: Limits) -> list[Example]:
    if not values:
        raise refused("`examples` must hold at least one. Received: none")
    check_count(len(values), limits)
    return form.read_all(values, "examples", limits)


def _read_classes(
    given: dict[str, list[Any]], what: str, form: ExampleForm, limits: Limits
) -> dict[str, list[Example]]:
    if not given:
        raise refused(f"`{what}` must hold at least one class. Received: none")
    found: dict[str, list[Example]] = {}
    for name, values in given.items():
        try:
            composed = class_name(what, name)
        except ValueError as error:
            raise refused(str(error)) from error
        if composed in found:
            raise refused(
                f"`{what}` must hold each class once, in the composed form of Unicode. "
                f"Received: {composed[:60]!r} twice"
            )
        if not values:
            raise refused(
                f"`{what}` must hold at least one example of each class. Received: "
                f"none of {composed[:60]!r}"
            )
        found[composed] = form.read_all(values, f"{what}.{composed[:60]}", limits)
    return found


def _check(value: Any, wanted: Any, within: str = "") -> None:
    """Checks the form of a request: its keys, and the types of what they hold."""
    where = f"`{within}`" if within else "the body"
    try:
        check_type(value, wanted, where)
    except ValueError as error:
        raise refused(str(error)) from error
    known: Collection[str] = wanted.__required_keys__ | wanted.__optional_keys__
    others = [name for name in value if name not in known]
    if others:
        raise refused(
            f"{where} must hold {', '.join(f'`{name}`' for name in sorted(known))} "
            f"alone. Received: {others[0][:60]!r}"
        )
