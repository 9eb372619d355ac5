"""The body of a request: read up to a bound, and what it holds."""

from __future__ import annotations

import asyncio
import io
import re
import threading
from collections.abc import Mapping
from email.message import Message
from itertools import chain
from typing import Any

import pydantic_core
import python_multipart
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File
from starlette.requests import ClientDisconnect, Request

from tfmeta.serving.deadline import check_deadline
from tfmeta.serving.limits import Limits
from tfmeta.serving.refusals import Refusal, refused

_JSON, _FORM, _LINES = "application/json", "multipart/form-data", "text/plain"
# One at a time: as Python's values a body takes some twenty times its size.
_LARGE = 2**20
_one_large = threading.Lock()
# Of a multipart body, which may have as many as bytes.
_MOST_PARTS = 2000


async def read_body(request: Request, limits: Limits) -> bytes:
    """The body of a request.

    Args:
        request: The request.
        limits: Bytes and seconds of it.

    Raises:
        Refusal: 413 for a body that is too long, before all of it is read; 408 for one
            that does not come; 415 for a compressed one.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(
            415,
            "a body must not be compressed. Received: content-encoding "
            f"{request.headers['content-encoding'][:40]!r}",
            close=True,
        )
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > limits.body:
        raise _too_long(limits)
    try:
        return await asyncio.wait_for(_read(request, limits), limits.seconds)
    except asyncio.TimeoutError as error:
        raise Refusal(
            408,
            f"a body must come within {limits.seconds:g} seconds. Received: a part",
            close=True,
        ) from error
    except ClientDisconnect as error:
        raise Refusal(400, "a body must come whole. Received: a part") from error


async def _read(request: Request, limits: Limits) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limits.body:
            raise _too_long(limits)
        parts.append(part)
    return b"".join(parts)


def _too_long(limits: Limits) -> Refusal:
    return Refusal(
        413,
        f"a body must have at most {limits.body:,} bytes. Received: more",
        close=True,
    )


def parsed(
    body: bytes, content_type: str, *, accepted: tuple[str, ...] = (_JSON,)
) -> dict[str, Any]:
    """What a body holds, by name.

    Args:
        body: Its bytes.
        content_type: The header of that name.
        accepted: Which media types are.

    Returns:
        The mapping that JSON holds; of a form its fields, as `examples`, and as
        `support` and `enrol` by the name after the slash; of lines `examples`.

    Raises:
        Refusal: 415 for another media type, 422 for a body that is none of it.
    """
    header = Message()
    header["content-type"] = content_type or "none"
    kind = header.get_content_type() if content_type else "none"
    if kind not in accepted:
        raise Refusal(
            415,
            f"`content-type` must be {' or '.join(accepted)}. Received: "
            f"{content_type[:80]!r}",
        )
    if len(body) < _LARGE:
        return _parsed(body, kind, content_type)
    with _one_large:
        check_deadline()
        return _parsed(body, kind, content_type)


def _parsed(body: bytes, kind: str, content_type: str) -> dict[str, Any]:
    if kind == _FORM:
        return _form(body, content_type)
    if kind == _LINES:
        return {"examples": _lines(body)}
    try:
        # Refuses NaN, infinity, and what is nested deep.
        value = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise refused(f"a body must be JSON. Received: other text ({error})") from error
    if not isinstance(value, dict):
        raise refused(
            "a body must be a JSON object. Received: "
            + ("a list" if isinstance(value, list) else "a single value")
        )
    written = _written_keys(body)
    if _keys_of(value, written) < written:
        # The reader keeps the last of them, and what the others hold would be lost.
        raise refused(
            "each key of a JSON object must be there once. Received: one twice"
        )
    return value


def _written_keys(body: bytes) -> int:
    """How many keys JSON holds as it is written: its colons outside of texts."""
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    return sum(part.count(b":") for part in plain.split(b'"')[::2])


def _keys_of(value: Any, most: int) -> int:
    """How many keys a value of JSON holds; it is not looked further than `most`."""
    level, found = [value], 0
    while level and found < most:
        found += sum(len(one) for one in level if isinstance(one, dict))
        parts = (one.values() if isinstance(one, dict) else one for one in level)
        level = [x for x in chain.from_iterable(parts) if isinstance(x, dict | list)]
    return found


def _lines(body: bytes) -> list[str]:
    try:
        lines = body.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise refused("a text must be UTF-8. Received: other bytes") from error
    return [line for line in lines if line.strip()]


def _form(body: bytes, content_type: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    parts = 0

    def add(name: bytes | None, value: Any) -> None:
        nonlocal parts
        parts += 1
        if parts > _MOST_PARTS:
            raise refused(f"a form must have at most {_MOST_PARTS:,} parts")
        _add(found, (name or b"").decode("utf-8"), value)

    def on_field(field: Field) -> None:
        add(field.field_name, (field.value or b"").decode("utf-8"))

    def on_file(file: File) -> None:
        file.file_object.seek(0)
        add(file.field_name, file.file_object.read())
        file.close()

    header = Message()
    header["content-type"] = content_type
    end = f"--{header.get_param('boundary')}--".encode("latin-1", "replace")
    # The parser takes a form that was cut off for one that is shorter.
    if not body.rstrip(b"\r\n").endswith(end):
        raise refused("a form must be whole, to its closing boundary. Received: a part")
    headers = {"Content-Type": content_type.encode("latin-1", "replace")}
    try:
        python_multipart.parse_form(headers, io.BytesIO(body), on_field, on_file)
    except UnicodeDecodeError as error:
        raise refused("names and texts of a form must be UTF-8") from error
    except FormParserError as error:
        raise refused(f"a body must be a form. Received: another ({error})") from error
    return found


def _add(found: dict[str, Any], name: str, value: Any) -> None:
    """Adds a part: `examples`, `support/NAME`, `enrol/NAME`, or an option."""
    outer, slash, inner = name.partition("/")
    if slash and outer in ("support", "enrol"):
        of_class: dict[str, list[Any]] = found.setdefault(outer, {})
        of_class.setdefault(inner, []).append(value)
    elif name == "examples":
        found.setdefault(name, []).append(value)
    elif name == "top":
        digits = value if isinstance(value, str) else ""
        if not re.fullmatch(r"-?[0-9]{1,9}", digits):
            raise refused(
                f"`top` must be a whole number. Received: {digits[:20] or 'a file'!r}"
            )
        found[name] = int(digits)
    elif name == "open_set" and value in ("true", "false"):
        found[name] = value == "true"
    else:
        raise refused(
            "a form must have parts named examples, support/NAME, enrol/NAME, top, or "
            f"open_set (true or false). Received: {name[:80]!r}"
        )


ACCEPTED: Mapping[str, tuple[str, ...]] = {
    "queries": (_JSON, _FORM, _LINES),
    "classes": (_JSON, _FORM),
    "json": (_JSON,),
}
