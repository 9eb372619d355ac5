"""An MLServer runtime for SavedModels of tfmeta, by TensorFlow alone.

`parameters.signature` of a request says which signature answers, by default the one
that the model has for that. MLServer joins requests without looking at them: it takes
shape, dtype and parameters of one for those of all. So each request is checked before
it comes to the queue, and only those to one signature that is batchable do.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlserver
import numpy as np
import prometheus_client
import tensorflow as tf
from mlserver.batching import load_batching
from mlserver.errors import InferenceError
from mlserver.types import (
    InferenceRequest,
    InferenceResponse,
    MetadataTensor,
    RequestInput,
    ResponseOutput,
)
from mlserver.utils import get_model_uri
from tensors import DATATYPES, read_array, read_strings

# What MLServer keeps its queue under.
_QUEUE = "__adaptive_batching__"
_EXTRA = {"joined_signature": None, "max_examples": 256, "picture_files": False}
_ROWS = "tfmeta_rows"


class SavedModelRuntime(mlserver.MLModel):
    """Answers by one version of a SavedModel.

    `parameters.uri` is its folder, or that of all versions, of which the newest is
    taken. In `parameters.extra`, `joined_signature` is the signature whose requests are
    joined (by default the default signature, where that is batchable), `max_examples`
    the most examples of a request, and `picture_files` whether signatures that decode
    files are served: nothing bounds the pixels of a file.
    """

    async def load(self) -> bool:
        """Loads the model.

        Raises:
            FileNotFoundError: When there is none.
            ValueError: When settings are none of a runtime, or would join what is not
                batchable.
        """
        given = self._settings.parameters.extra or {}
        if set(given) - set(_EXTRA):
            raise ValueError(
                f"`extra` must hold {', '.join(_EXTRA)} alone. Received: "
                f"{', '.join(sorted(given))}"
            )
        self._extra = {**_EXTRA, **given}
        folder = newest_version(Path(await get_model_uri(self._settings)))
        described = json.loads((folder / "tfmeta.json").read_text("utf-8"))
        self._folder_name = folder.name
        self._signatures = {
            name: one
            for name, one in described["signatures"].items()
            if self._extra["picture_files"] or not name.endswith("_encoded")
        }
        self._default = described["default_signature"]
        # Its functions need the variables that it holds.
        self._loaded = await asyncio.to_thread(tf.saved_model.load, str(folder))
        self._threads = ThreadPoolExecutor(os.cpu_count())
        default = self._signatures[self._default]
        self.inputs = described_tensors(default["inputs"])
        self.outputs = described_tensors(default["outputs"])
        rows = mlserver.register(_ROWS, "rows that the model was given at once")
        with contextlib.suppress(ValueError):  # It is there.
            # MLServer has a registry of its own, which it shows of workers alone.
            prometheus_client.REGISTRY.register(rows)
        self._joined = self._joined_signature()
        if self._joined is not None and not hasattr(self, _QUEUE):
            await load_batching(self)  # MLServer forgets it where it loads anew.
        self._queue: Callable[[InferenceRequest], Awaitable[InferenceResponse]]
        self._queue = self.predict
        self.predict = self._answer
        return True

    def _joined_signature(self) -> str | None:
        """The signature whose requests are joined, `None` where none are."""
        settings = self._settings
        if settings.max_batch_size <= 1 or settings.max_batch_time <= 0:
            return None
        if multiprocessing.parent_process() is not None:
            raise ValueError(
                "`parallel_workers` must be 0 with `max_batch_size`: requests are "
                "checked before they are joined, in the same process. Received: more"
            )
        asked = self._extra["joined_signature"]
        name = asked or self._default
        signature = self._signatures.get(name)
        joins = signature is not None and may_join(signature)
        if asked and not joins:
            names = [n for n, one in self._signatures.items() if may_join(one)]
            raise ValueError(
                f"`joined_signature` must be one that is batchable, of a fixed shape: "
                f"{', '.join(names) or 'there is none'}. Received: {asked!r}"
            )
        return name if joins else None

    async def _answer(self, payload: InferenceRequest) -> InferenceResponse:
        """What a request gets: checked, then joined or alone."""
        name = getattr(payload.parameters, "signature", None) or self._default
        if name not in self._signatures:
            raise InferenceError(
                f"`signature` must be one of {', '.join(self._signatures)}. Received: "
                f"{str(name)[:80]!r}"
            )
        signature = self._signatures[name]
        asked = [one.name for one in payload.outputs or ()]
        if not set(asked) <= set(signature["outputs"]):
            raise InferenceError(
                f"`outputs` must be among {', '.join(signature['outputs'])}. Received: "
                f"{', '.join(asked)[:80]}"
            )
        inputs = self._read(payload.inputs, name)
        if name == self._joined:
            try:
                response = await self._queue(as_request(inputs))
            except Exception:
                # Perhaps it is the fault of one that it was joined with.
                response = await self._call(name, inputs)
        else:
            response = await self._call(name, inputs)
        if asked:
            response.outputs = [one for one in response.outputs if one.name in asked]
        return response

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """What the queue calls with joined requests, which were checked before."""
        inputs = {one.name: as_array(one) for one in payload.inputs}
        assert self._joined is not None
        return await self._call(self._joined, inputs)

    def _read(self, given: list[RequestInput], name: str) -> dict[str, np.ndarray]:
        """The inputs of a signature.

        Raises:
            InferenceError: When one is missing, unknown, or of another form.
        """
        wanted = self._signatures[name]["inputs"]
        names = [one.name for one in given]
        if sorted(names) != sorted(wanted):
            raise InferenceError(
                f"`inputs` must be {', '.join(sorted(wanted)) or 'none'}. Received: "
                f"{', '.join(sorted(names))[:200] or 'none'}"
            )
        most, found = self._extra["max_examples"], {}
        for one in given:
            form = wanted[one.name]
            try:
                if form["dtype"] == "string":
                    is_file = name.endswith("_encoded")
                    found[one.name] = read_strings(one, form, most, in_base64=is_file)
                else:
                    found[one.name] = read_array(one, form, most)
            except ValueError as error:
                raise InferenceError(str(error)) from error
        return found

    async def _call(
        self, name: str, inputs: Mapping[str, np.ndarray]
    ) -> InferenceResponse:
        """What a signature gives, without holding up who else asks."""
        rows = len(next(iter(inputs.values()))) if inputs else 1
        mlserver.log(**{_ROWS: rows})
        function = self._loaded.signatures[name]

        def call() -> list[ResponseOutput]:
            tensors = {key: tf.constant(array) for key, array in inputs.items()}
            return [
                as_output(key, tensor.numpy())
                for key, tensor in function(**tensors).items()
            ]

        loop = asyncio.get_running_loop()
        try:
            outputs = await loop.run_in_executor(self._threads, call)
        except (tf.errors.InvalidArgumentError, ValueError) as error:
            raise InferenceError(in_words(error)) from error
        return InferenceResponse(
            model_name=self.name, model_version=self._folder_name, outputs=outputs
        )

    async def unload(self) -> bool:
        """Lets requests in flight end."""
        if hasattr(self, "_threads"):
            await asyncio.to_thread(self._threads.shutdown)
        return True


def newest_version(model: Path) -> Path:
    """`model` itself when it is a SavedModel, else its version of highest number."""
    if (model / "saved_model.pb").is_file():
        return model
    versions = [one.name for one in model.iterdir() if one.name.isdecimal()]
    if not versions:
        raise FileNotFoundError(
            f"{model} must be a SavedModel or hold version folders with integer "
            "names. Received: neither"
        )
    return model / max(versions, key=int)


def may_join(signature: Mapping[str, Any]) -> bool:
    """Whether rows of several requests may be one request to a signature."""
    shapes = [one["shape"] for one in signature["inputs"].values()]
    return signature["batchable"] and all(None not in s[1:] for s in shapes)


def described_tensors(tensors: Mapping[str, Any]) -> list[MetadataTensor]:
    """Tensors for the metadata of a model; -1 stands for a free size."""
    return [
        MetadataTensor(
            name=name,
            datatype=DATATYPES[one["dtype"]],
            shape=[-1 if size is None else size for size in one["shape"]],
        )
        for name, one in tensors.items()
    ]


def as_request(inputs: Mapping[str, np.ndarray]) -> InferenceRequest:
    """Inputs in a form that MLServer joins at their ends: bytes, or lists of them."""
    return InferenceRequest(
        inputs=[
            RequestInput(
                name=name,
                shape=list(array.shape),
                datatype=DATATYPES[
                    "string" if array.dtype == object else array.dtype.name
                ],
                data=array.tolist() if array.dtype == object else array.tobytes(),
            )
            for name, array in inputs.items()
        ]
    )


def as_array(tensor: RequestInput) -> np.ndarray:
    """What `as_request` has made, joined."""
    dtypes = {datatype: name for name, datatype in DATATYPES.items()}
    data = tensor.data.root
    if isinstance(data, bytes):
        array = np.frombuffer(data, dtypes[tensor.datatype])
    else:
        array = np.array(data, object)
    return array.reshape(tensor.shape)


def as_output(name: str, array: np.ndarray) -> ResponseOutput:
    """An output of a signature, flat."""
    dtype = "string" if array.dtype == object else array.dtype.name
    data = array.reshape(-1).tolist()
    return ResponseOutput(
        name=name,
        shape=list(array.shape),
        datatype=DATATYPES[dtype],
        data=[one.decode() for one in data] if dtype == "string" else data,
    )


def in_words(error: Exception) -> str:
    """What is wrong, without where in the graph."""
    words = str(error).partition("\n\t")[0].splitlines() or [type(error).__name__]
    return words[-1].removeprefix("assertion failed: ")[:500]
