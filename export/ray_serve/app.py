"""A gallery from Ray Serve: replicas that read it, and one that writes it.

    serve run app:build gallery=/galleries/cups version=1

`GALLERY` is a folder that `tfmeta.Gallery.create` has made, on a disk that all replicas
have: of one machine. Routes are those of `README.md` in this folder.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle
from starlette.requests import Request
from starlette.responses import JSONResponse

import tfmeta
from tfmeta.serving.example_form import Example, ExampleForm
from tfmeta.serving.limits import Limits
from tfmeta.serving.refusals import Refusal, refused

_TOP = 5
# Examples of one request; with those it is joined with, of one call.
_MOST_EXAMPLES, _MOST_JOINED = 64, 32
_LIMITS = Limits(examples=_MOST_EXAMPLES)


@serve.deployment(
    num_replicas=2,
    max_ongoing_requests=64,
    max_queued_requests=256,
    # In a rolling update replicas answer until those of the new version do.
    max_surge_percent=100,
    health_check_period_s=2,
    graceful_shutdown_timeout_s=30,
)
class Readers:
    """Answer by what is on the disk now.

    Every answer begins with a look for what has changed since, so that a replica knows
    each enrolment that was acknowledged before it was asked, and a new replica all.

    Args:
        gallery: Folder of the gallery.
        writer: The deployment that enrols.
        version: What answers call the version that gave them.
    """

    def __init__(self, gallery: str, writer: DeploymentHandle, version: str) -> None:
        self._gallery = tfmeta.Gallery(gallery)
        self._encoder = self._gallery.encoder  # Loads it before anybody asks.
        self._writer, self._version = writer, version

    async def __call__(self, request: Request) -> JSONResponse:
        """Answers, or says why not."""
        route = request.method, request.url.path
        try:
            if route == ("GET", "/health"):
                return self._answer({"changes": self._gallery.version})
            body = await _json_of(request)
            if route == ("POST", "/classify"):
                found = _checked(await self._classify(self._read(body, "examples")))
                return self._answer({"queries": found})
            if route == ("POST", "/embed"):
                found = _checked(await self._embed(self._read(body, "examples")))
                return self._answer({"embeddings": found})
            if route == ("POST", "/classes"):
                return self._answer(await self._enrol(body))
        except Refusal as error:
            return JSONResponse({"error": error.message}, error.status)
        except (ValueError, OSError) as error:
            return JSONResponse({"error": str(error)}, 422)
        return JSONResponse({"error": "no such route"}, 404)

    @serve.batch(max_batch_size=_MOST_JOINED, batch_wait_timeout_s=0.005)
    async def _classify(self, requests: list[list[Example]]) -> list[Any]:
        return await asyncio.to_thread(_joined, self._classified, requests)

    @serve.batch(max_batch_size=_MOST_JOINED, batch_wait_timeout_s=0.005)
    async def _embed(self, requests: list[list[Example]]) -> list[Any]:
        return await asyncio.to_thread(_joined, self._embedded, requests)

    def _classified(self, examples: Sequence[Example]) -> list[dict[str, Any]]:
        found = self._gallery.search(list(examples), _TOP)
        rows = zip(
            found.class_names.tolist(),
            found.probabilities.tolist(),
            found.accepted.tolist(),
            strict=True,
        )
        return [
            {
                "class": names[0] if accepted else None,
                "classes": names,
                "probabilities": probabilities,
            }
            for names, probabilities, accepted in rows
        ]

    def _embedded(self, examples: Sequence[Example]) -> list[list[Any]]:
        return self._gallery.encoder.embed(list(examples)).tolist()

    async def _enrol(self, body: dict[str, Any]) -> dict[str, Any]:
        classes = body.get("classes")
        if not isinstance(classes, dict) or not classes:
            raise refused("`classes` must be an object, from names to examples")
        read = {name: self._read(classes, name) for name in classes}
        return await self._writer.enrol.remote(read)

    def _read(self, body: dict[str, Any], key: str) -> list[Example]:
        """Checked examples: one that cannot be read spoils none it is joined with."""
        values = body.get(key)
        if not isinstance(values, list) or not 0 < len(values) <= _MOST_EXAMPLES:
            raise refused(
                f"`{key[:80]}` must be a list of 1 to {_MOST_EXAMPLES} examples"
            )
        spec = self._encoder.spec
        form = ExampleForm(tuple(spec.shape), spec.dtype.name, floats=spec.float_too)
        found = form.read_all(values, key[:80], _LIMITS)
        if key != "examples":
            return found  # The writer keeps files as they are.
        return [self._encoder.read(one) for one in found]

    def _answer(self, content: dict[str, Any]) -> JSONResponse:
        # Which process, for who wants to see several.
        return JSONResponse({**content, "version": self._version, "pid": os.getpid()})


@serve.deployment(
    num_replicas=1,
    max_ongoing_requests=16,
    max_queued_requests=256,
    max_surge_percent=100,
    health_check_period_s=2,
    graceful_shutdown_timeout_s=30,
)
class Writer:
    """The one that enrols.

    It answers when the change is on the disk. What a class has already is passed over,
    so that a request whose answer was lost can be sent again. In a rolling update there
    are two for a moment: SQLite gives them turns.

    Args:
        gallery: Folder of the gallery.
    """

    def __init__(self, gallery: str) -> None:
        self._gallery = tfmeta.Gallery(gallery)
        self._gallery.encoder  # noqa: B018
        self._turn = asyncio.Lock()

    async def enrol(self, classes: dict[str, list[Example]]) -> dict[str, Any]:
        """Enrols examples by class."""
        async with self._turn:
            return await asyncio.to_thread(self._enrolled, classes)

    def _enrolled(self, classes: dict[str, list[Example]]) -> dict[str, Any]:
        new = self._gallery.not_enrolled(classes)
        new = {name: examples for name, examples in new.items() if examples}
        if new:
            self._gallery.enrol(new)
        return {
            "enrolled": sum(map(len, new.values())),
            "changes": self._gallery.version,
            "writer": os.getpid(),
        }


def build(arguments: dict[str, str]) -> serve.Application:
    """The application.

    Args:
        arguments: `gallery`, the folder, and `version`, by default `"1"`.
    """
    gallery, version = arguments["gallery"], str(arguments.get("version", "1"))
    return Readers.bind(gallery, Writer.bind(gallery), version)


def _joined(answer: Callable, requests: list[list[Example]]) -> list[Any]:
    """Answers requests together, or each alone where that fails."""
    try:
        found = iter(answer([one for request in requests for one in request]))
        return [[next(found) for _ in request] for request in requests]
    except Exception:
        if len(requests) == 1:
            raise
    return [_alone(answer, request) for request in requests]


def _alone(answer: Callable, request: list[Example]) -> Any:
    try:
        return answer(request)
    except Exception as error:
        return error


def _checked(found: Any) -> Any:
    if isinstance(found, Exception):
        raise found
    return found


async def _json_of(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError as error:
        raise refused("the body must be JSON. Received: something else") from error
    if not isinstance(body, dict):
        raise refused("the body must be an object. Received: something else")
    return body
