"""A SavedModel that answers: of a run, of an exported gallery, or of any learner."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.classifying.open_set import exported_thresholds
from tfmeta.datasets.reading.ground import invert_pictures
from tfmeta.datasets.reading.pictures import read_picture
from tfmeta.evaluation.threshold import nearest_threshold
from tfmeta.finite_checks import check_finite_weights
from tfmeta.model_files import load_saved_model, loading
from tfmeta.serving.batching import MicroBatcher, Rows
from tfmeta.serving.deadline import check_deadline, out_of_time, seconds_left
from tfmeta.serving.described_model import as_signatures, read_described
from tfmeta.serving.example_form import Example, ExampleForm
from tfmeta.serving.model import (
    ClassesPage,
    Ranking,
    Signature,
    cannot,
)
from tfmeta.serving.picture_files import plain_files
from tfmeta.serving.refusals import of_example, refused
from tfmeta.serving.threads import blocking

_ENROLLED, _CLASSIFY, _EMBED = "classify_enrolled", "classify", "embed"


class SavedModel:
    """A version of a SavedModel that tfmeta wrote; a `Model`.

    Args:
        path: Its version folder.
        name: What the model is called.
        batcher: Joins requests of signatures that are batchable.

    Raises:
        FileNotFoundError: When it is none of tfmeta's.
        ValueError: When it is damaged, of a version before 2 of the format, or has
            weights that are not finite.
    """

    platform = "tensorflow_savedmodel"
    blocks = False
    enrolled = None

    def __init__(self, path: Path, name: str, batcher: MicroBatcher) -> None:
        self.name, self.version = name, path.name
        self._batcher = batcher
        # Tasks at once: an inner loop takes memory for all of its steps.
        self._one_of_few = threading.BoundedSemaphore(os.cpu_count() or 1)
        described = read_described(path)
        self.signatures = as_signatures(described["signatures"])
        self.default_signature = described["default_signature"]
        with loading("a whole SavedModel", path, "write another with `tfmeta export`"):
            # Functions need its variables: it is kept, too.
            self._loaded = load_saved_model(path)
            self._functions = {n: self._loaded.signatures[n] for n in self.signatures}
        variables = {
            one.name: one for f in self._functions.values() for one in f.variables
        }
        check_finite_weights(str(path), variables.values())
        example = described["example"]
        self.queries = _form(example["shape"], example["dtype"], self.signatures)
        self._gallery = described.get("gallery")
        self.support = None
        self._most_ways = described.get("most_ways")
        self._thresholds = exported_thresholds(path)
        if _CLASSIFY in self.signatures:
            support = self.signatures[_CLASSIFY].inputs["support"]
            self.support = _form(support.shape[1:], support.dtype, self.signatures)

    def check(self) -> None:
        """It is in memory."""

    def classes(self, offset: int, limit: int) -> ClassesPage:
        """Those of an exported gallery, none of others."""
        sizes = self._gallery["classes"] if self._gallery else {}
        page = dict(list(sizes.items())[offset : offset + limit])
        return ClassesPage(page, len(sizes), None)

    async def embed(self, examples: Sequence[Example]) -> np.ndarray:
        """As of `Model`."""
        if _EMBED not in self.signatures:
            raise cannot(
                "`/embed` is for models with embeddings. Received: a request to one "
                f"with {', '.join(self.signatures)}"
            )
        found = (await self._by_rows(_EMBED, examples))["embeddings"]
        _check_finite(found, "embedding")
        return found

    async def classify(self, examples: Sequence[Example], top: int) -> Ranking:
        """As of `Model`; of an exported gallery at most the classes it names."""
        if _ENROLLED not in self.signatures:
            self._check_classifies()
            raise cannot(
                "`support` must hold the examples of each class: this model has no "
                "classes of its own, as a gallery has. A form has them in parts named "
                "support/NAME. Received: a request without `support`"
            )
        found = await self._by_rows(_ENROLLED, examples)
        _check_finite(found["probabilities"], "probability")
        return Ranking(
            [[n.decode() for n in row[:top]] for row in found["names"]],
            found["probabilities"][:, :top].tolist(),
            (~found["rejected"]).tolist(),
        )

    async def classify_task(
        self,
        support: Mapping[str, Sequence[Example]],
        examples: Sequence[Example],
        top: int,
        *,
        open_set: bool = False,
    ) -> Ranking:
        """As of `Model`, by the signature `classify`."""
        if self.support is None:
            self._check_classifies()
            raise cannot(
                "`support` must be left out: this model has classes of its own. "
                "Received: a request with it"
            )
        names = list(support)
        if self._most_ways is not None and len(names) > self._most_ways:
            raise refused(
                f"`support` must hold at most {self._most_ways:,} classes, as this "
                f"model takes. Received: {len(names):,}"
            )
        labels = np.repeat(
            np.arange(len(names)), [len(one) for one in support.values()]
        )
        flat = [one for of_class in support.values() for one in of_class]
        forms = (self.support, self.queries)
        given = await blocking(
            lambda: [
                self._arrays(some, form)
                for some, form in zip((flat, examples), forms, strict=True)
            ]
        )
        # Descriptions of classes are texts, but no files.
        encoded = [
            array.dtype == object
            for array, form in zip(given, forms, strict=True)
            if form.kind == "picture"
        ]
        signature = _CLASSIFY
        if any(encoded):
            if not all(encoded):
                raise refused(
                    "`support` and `examples` must both hold picture files, or both "
                    "pixels, for a model of pictures of any size. Received: one of each"
                )
            signature = f"{_CLASSIFY}_encoded"
        check_deadline()
        tensors = {"support": given[0], "query": given[1]}
        tensors["support_labels"] = labels.astype(np.int32)
        found = await self.call(signature, tensors)
        probabilities = found["probabilities"][:, : len(names)]
        _check_finite(probabilities, "probability")
        accepted = np.ones(len(examples), bool)
        warnings: tuple[str, ...] = ()
        if open_set:
            accepted, warnings = self._accepted(found, support)
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
        return Ranking(
            [[names[label] for label in row] for row in order],
            np.take_along_axis(probabilities, order, 1).tolist(),
            accepted.tolist(),
            warnings,
        )

    async def call(
        self, signature: str, tensors: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """As of `Model`; requests of batchable signatures are joined."""
        function, form = self._functions[signature], self.signatures[signature]
        tensors = {
            name: _objects(await blocking(plain_files, list(array)))
            if name in form.files
            else array
            for name, array in tensors.items()
        }

        def answer(rows: Rows) -> dict[str, np.ndarray]:
            found = function(**{n: tf.constant(array) for n, array in rows.items()})
            return {name: tensor.numpy() for name, tensor in found.items()}

        def answer_alone() -> dict[str, np.ndarray]:
            if not self._one_of_few.acquire(timeout=seconds_left()):
                raise out_of_time()
            try:
                return answer(tensors)
            finally:
                self._one_of_few.release()

        if not form.batchable:
            return await blocking(answer_alone)
        return await self._batcher.ask((self, signature), answer, tensors)

    def close(self) -> None:
        """TensorFlow frees it when nobody has it any more."""

    def _accepted(
        self, found: Mapping[str, np.ndarray], support: Mapping[str, Sequence[Example]]
    ) -> tuple[np.ndarray, tuple[str, ...]]:
        """Which queries reach the threshold of the tasks most like this one."""
        if not self._thresholds:
            raise cannot(
                "`open_set` must be false: this model has no threshold, as `tfmeta "
                "evaluate RUN --open-set` fits it and `tfmeta export RUN` writes it. "
                "Received: true"
            )
        ways, shots = len(support), min(map(len, support.values()))
        threshold = nearest_threshold(self._thresholds, ways=ways, shots=shots)
        scores = found["logits" if threshold.score == "logit" else "probabilities"]
        accepted = threshold.accepts(scores[:, :ways].max(axis=1))
        p = threshold.protocol
        if (p["ways"], p["shots"]) == (ways, shots):
            return accepted, ()
        warning = (
            f"the threshold was fitted on {p['ways']}-way {p['shots']}-shot episodes, "
            f"and this task has {ways} classes with {shots} shots"
        )
        return accepted, (warning,)

    def _check_classifies(self) -> None:
        if not {_ENROLLED, _CLASSIFY} & set(self.signatures):
            raise cannot(
                "`/classify` is for models that classify. Received: a request to one "
                f"with {', '.join(self.signatures)}, which "
                f"`POST /v2/models/{self.name}/infer` asks"
            )

    async def _by_rows(
        self, signature: str, examples: Sequence[Example]
    ) -> dict[str, np.ndarray]:
        """What a batchable signature gives, for examples of one shape or of many."""
        groups: dict[tuple, list[int]] = {}
        if any(isinstance(one, bytes) for one in examples):
            rows = await blocking(self._rows, examples)
        else:
            rows = self._rows(examples)
        for place, row in enumerate(rows):
            groups.setdefault((row.shape, row.dtype.str), []).append(place)
        found: dict[str, np.ndarray] = {}
        for places in groups.values():
            batch = np.concatenate([rows[place] for place in places])
            name = signature
            if batch.dtype == object and self.queries.dtype != "string":
                name = f"{signature}_encoded"
            elif batch.dtype.name != self.queries.dtype and batch.dtype != object:
                name = f"{signature}_float"
            if name not in self.signatures:
                raise refused(
                    f"`examples` must be {self.queries.in_words}, for this model. "
                    f"Received: one of {batch.dtype.name}"
                )
            part = await self.call(name, {"examples": batch})
            for output, values in part.items():
                if output not in found:
                    shape = (len(examples), *values.shape[1:])
                    found[output] = np.empty(shape, values.dtype)
                found[output][places] = values
        return found

    def _rows(self, examples: Sequence[Example]) -> list[np.ndarray]:
        """Each example alone, `(1, *example)`, of its own shape."""
        if self.queries.kind == "text" or _goes_as_file(examples, self.queries):
            together = self._arrays(examples, self.queries)
            return [together[place : place + 1] for place in range(len(examples))]
        return [
            self._arrays([one], self.queries, place, len(examples))
            for place, one in enumerate(examples)
        ]

    def _arrays(
        self,
        examples: Sequence[Example],
        form: ExampleForm,
        first: int = 0,
        number: int | None = None,
    ) -> np.ndarray:
        """Examples of one shape `(examples, *example)`; files as `bytes` objects.

        They are those from `first` on of the `number` of a request.
        """
        number = len(examples) if number is None else number
        if form.kind == "text":
            return _objects([str(one).encode() for one in examples])
        if _goes_as_file(examples, form):
            files = [one for one in examples if isinstance(one, bytes)]
            if len(files) < len(examples):
                raise refused(
                    "`examples` must all be picture files, or all pixels, for a model "
                    "of pictures of any size. Received: both"
                )
            if self._inverts:
                # Only galleries of grey pictures, which have one size, are inverted.
                raise cannot(
                    "`examples` must be pixels, for a gallery of inverted pictures of "
                    "any size. Received: picture files"
                )
            return _objects(files)
        arrays: list[Any] = []
        for place, one in enumerate(examples, first):
            try:
                x = self._pixels(one, form) if isinstance(one, bytes) else one
            except ValueError as error:
                raise of_example(error, place, number) from error
            arrays.append(x)
        if len({array.shape for array in map(np.asarray, arrays)}) > 1:
            raise refused(
                "the examples of one task must be of one shape. Received: of several"
            )
        return np.stack([np.asarray(array) for array in arrays])

    def _pixels(self, content: bytes, form: ExampleForm) -> np.ndarray:
        check_deadline()
        height, width = form.shape[0], form.shape[1]
        assert height is not None and width is not None
        grey = form.shape[2:] in ((), (1,))
        picture = read_picture(
            content,
            size=(height, width),
            channels=1 if grey else 3,
            dtype="uint16" if form.dtype == "uint16" else "uint8",
        )
        if self._inverts:
            invert_pictures(picture, out=picture)
        return picture.reshape(picture.shape[: len(form.shape)])

    @property
    def _inverts(self) -> bool:
        """Whether an exported gallery leaves it to the client to invert pictures."""
        return bool(self._gallery and self._gallery["invert"])


def _goes_as_file(examples: Sequence[Example], form: ExampleForm) -> bool:
    """Whether pictures are decoded in the graph, which knows their size alone."""
    decoded_there = None in form.shape[:2] or form.shape[2:] == (4,)
    return decoded_there and any(isinstance(one, bytes) for one in examples)


def _form(
    shape: Sequence[int | None], dtype: str, signatures: Mapping[str, Signature]
) -> ExampleForm:
    return ExampleForm(tuple(shape), dtype, floats=f"{_EMBED}_float" in signatures)


def _objects(values: list[bytes]) -> np.ndarray:
    found = np.empty(len(values), object)
    found[:] = values
    return found


def _check_finite(values: np.ndarray, what: str) -> None:
    wrong = np.count_nonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
    if wrong:
        raise ValueError(
            f"`examples` must be such that their {what} is finite. Received: {wrong} "
            f"of {len(values)} without"
        )
