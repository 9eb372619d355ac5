"""Requests and answers for OpenAPI, with examples."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "number"}
_FILE: Schema = {
    "type": "object",
    "properties": {"b64": {"type": "string", "format": "byte"}},
    "required": ["b64"],
    "additionalProperties": False,
}
_NUMBERS: Schema = {"type": "array", "items": {}}
_EXAMPLE: Schema = {
    "description": "A picture file in base64, a text, or numbers in nested lists; "
    "`GET /model` says which this model takes.",
    "anyOf": [_FILE, _TEXT, _NUMBERS, _NUMBER],
}
_EXAMPLES: Schema = {"type": "array", "items": _EXAMPLE, "minItems": 1}
_BY_CLASS: Schema = {
    "type": "object",
    "additionalProperties": _EXAMPLES,
    "minProperties": 1,
    "description": "Examples by the name of their class.",
}
_TOP: Schema = {"type": "integer", "minimum": 1, "maximum": 1000, "default": 5}
_FORM_FILES: Schema = {
    "type": "array",
    "items": {"type": "string", "format": "binary"},
    "minItems": 1,
}
# Of one pixel.
_PICTURE = {
    "b64": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEA"
    "sTj2FAAAAABJRU5ErkJggg=="
}


def obj(properties: Schema, *optional: str) -> Schema:
    """An object with these properties and no other, of which some may be left out."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def array(items: Schema) -> Schema:
    """A list of any length."""
    return {"type": "array", "items": items}


def body(schema: Schema, examples: Schema, **others: Schema) -> dict[str, Any]:
    """What a route says of its request, by media type; JSON with examples."""
    named = {name: {"value": value} for name, value in examples.items()}
    content = {"application/json": {"schema": schema, "examples": named}}
    content.update({kind: {"schema": other} for kind, other in others.items()})
    return {"requestBody": {"required": True, "content": content}}


def answers(schema: Schema, example: Any) -> dict[int | str, dict[str, Any]]:
    """What a route says of its answers."""
    content = {"application/json": {"schema": schema, "example": example}}
    return {200: {"description": "The answer", "content": content}}


_ERROR = obj({"error": _TEXT, "request_id": _TEXT})
_WORDS = {
    400: "The body did not come whole",
    401: "The key is missing or another",
    403: "Without a key, from elsewhere than this machine",
    404: "What is asked for is not there",
    408: "The body did not come in time",
    409: "This model does not do that",
    413: "The body is too long",
    415: "The body is of another media type",
    422: "The body is not what it must be; the error says where",
    429: "The server has as many requests as it takes; try again",
    503: "Not now, or not in time; try again",
}
# Of every route.
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": words,
        "content": {"application/json": {"schema": _ERROR}},
    }
    for status, words in _WORDS.items()
}

_MODEL = obj({"name": _TEXT, "version": _TEXT})
_MODEL_EXAMPLE = {"name": "animals", "version": "12"}
_RANKED = obj({"class": _TEXT, "probability": _NUMBER})
_FORM: Schema = {"type": "object", "properties": {"examples": _FORM_FILES}}
_LINES: Schema = {"type": "string", "description": "One text a line."}

EMBED = body(
    obj({"examples": _EXAMPLES}),
    {
        "pictures": {"examples": [_PICTURE]},
        "texts": {"examples": ["where is my parcel?", "I paid twice"]},
        "arrays": {"examples": [[0.1, 0.2], [0.3, 0.4]]},
    },
    **{"multipart/form-data": _FORM, "text/plain": _LINES},
)
EMBEDDED = answers(
    obj({"model": _MODEL, "embeddings": array(_NUMBERS)}),
    {"model": _MODEL_EXAMPLE, "embeddings": [[0.12, -0.5]]},
)

_OPEN_SET: Schema = {
    "type": "boolean",
    "default": False,
    "description": "Whether an example may be of no class of `support`, by the "
    "threshold of a run that `tfmeta evaluate --open-set` has measured.",
}
CLASSIFY = body(
    obj(
        {
            "examples": _EXAMPLES,
            "support": _BY_CLASS,
            "top": _TOP,
            "open_set": _OPEN_SET,
        },
        *("support", "top", "open_set"),
    ),
    {
        "of a gallery": {"examples": [_PICTURE], "top": 3},
        "texts": {"examples": ["where is my parcel?"]},
        "arrays": {"examples": [[0.9, 0.1]]},
        "of a run": {
            "support": {"left": [[-1.0, 0.0]], "right": [[1.0, 0.0]]},
            "examples": [[0.9, 0.1]],
        },
    },
    **{
        "multipart/form-data": {
            "type": "object",
            "properties": {
                "examples": _FORM_FILES,
                "support/NAME": _FORM_FILES,
                "top": _TOP,
                "open_set": _OPEN_SET,
            },
            "required": ["examples"],
        },
        "text/plain": _LINES,
    },
)
_ANSWER = obj(
    {
        "class": {"anyOf": [_TEXT, {"type": "null"}]},
        "probability": {"anyOf": [_NUMBER, {"type": "null"}]},
        "classes": array(_RANKED),
    }
)
CLASSIFIED = answers(
    obj({"model": _MODEL, "answers": array(_ANSWER), "warnings": array(_TEXT)}),
    {
        "model": _MODEL_EXAMPLE,
        "answers": [
            {
                "class": "cat",
                "probability": 0.9,
                "classes": [
                    {"class": "cat", "probability": 0.9},
                    {"class": "dog", "probability": 0.1},
                ],
            },
            {
                "class": None,
                "probability": None,
                "classes": [{"class": "dog", "probability": 0.6}],
            },
        ],
        "warnings": [],
    },
)

_IDS: Schema = {"type": "array", "items": {"type": "integer"}, "minItems": 1}
CHANGE = body(
    {
        "oneOf": [
            obj({"enrol": _BY_CLASS}),
            obj({"rename": obj({"name": _TEXT, "to": _TEXT})}),
            obj({"forget": obj({"name": _TEXT, "examples": _IDS}, "examples")}),
        ]
    },
    {
        "enrol, or add examples": {"enrol": {"cat": [_PICTURE], "dog": [_PICTURE]}},
        "rename": {"rename": {"name": "cat", "to": "tabby cat"}},
        "forget": {"forget": {"name": "cat"}},
        "forget examples": {"forget": {"name": "cat", "examples": [3, 4]}},
    },
    **{
        "multipart/form-data": {
            "type": "object",
            "properties": {"enrol/NAME": _FORM_FILES},
        }
    },
)
_CHANGE = obj({"number": _COUNT, "kind": _TEXT, "what": _TEXT, "made_at": _TEXT})
_SIZES: Schema = {"type": "object", "additionalProperties": _COUNT}
CHANGED = answers(
    obj(
        {
            "change": {"anyOf": [_CHANGE, {"type": "null"}]},
            "enrolled": _COUNT,
            "passed_over": _COUNT,
            "classes": _SIZES,
        },
        *("enrolled", "passed_over", "classes"),
    ),
    {
        "change": {
            "number": 12,
            "kind": "enrol",
            "what": "2 examples of 'cat'",
            "made_at": "2026-01-31T12:00:00+00:00",
        },
        "enrolled": 2,
        "passed_over": 0,
        "classes": {"cat": 2},
    },
)

_SIZE = obj({"name": _TEXT, "examples": _COUNT})
_STORED = obj({"id": _COUNT, "source": _TEXT})
LISTED = answers(
    {
        "anyOf": [
            obj(
                {
                    "classes": array(_SIZE),
                    "total": _COUNT,
                    "change": {"anyOf": [_COUNT, {"type": "null"}]},
                }
            ),
            obj({"name": _TEXT, "examples": array(_STORED), "total": _COUNT}),
        ]
    },
    {"classes": [{"name": "cat", "examples": 2}], "total": 1, "change": 12},
)
