"""A gallery that answers, and whose classes clients change."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfmeta.gallery.examples import (
    ExampleEncoder,
    Examples,
    check_finite_embeddings,
)
from tfmeta.gallery.gallery import Gallery
from tfmeta.serving.batching import MicroBatcher, Rows
from tfmeta.serving.deadline import check_deadline
from tfmeta.serving.example_form import Example, ExampleForm
from tfmeta.serving.gallery_classes import GalleryClasses
from tfmeta.serving.model import (
    ClassesPage,
    Ranking,
    Signature,
    TensorForm,
    cannot,
)
from tfmeta.serving.refusals import Refusal, of_example

_CLASSIFY, _EMBED = "classify_enrolled", "embed"
_TOP = 5
# Of a free size, in a trial.
_FREE = 32
# Seconds to wait for another process that writes: meanwhile nobody is answered.
_WAIT = 2.0


class GalleryModel:
    """A gallery that is open; a `Model`.

    What others enrol is seen by the next request, and so is an encoder that has taken
    the place of another.

    Args:
        path: Its folder.
        batcher: Joins the examples of requests.

    Raises:
        FileNotFoundError: When it is no gallery.
        ValueError: When it is damaged.
        OSError: When it cannot be opened.
    """

    platform = "tfmeta_gallery"
    blocks = True
    support = None
    default_signature = _CLASSIFY

    def __init__(self, path: Path, name: str, batcher: MicroBatcher) -> None:
        self.name = name
        self._batcher = batcher
        self._gallery = Gallery(path, wait=_WAIT, embed=self._embed)
        try:
            # Loads the learner: what is wrong with it shows before anybody asks.
            self._warm_up(self._gallery.encoder)
        except BaseException:
            self._gallery.close()
            raise
        self.enrolled = GalleryClasses(self._gallery)

    @property
    def version(self) -> str:
        """Number of the latest change of the gallery."""
        return str(self._gallery.version)

    @property
    def queries(self) -> ExampleForm:
        """What its encoder takes now."""
        return _form_of(self._gallery.encoder)

    @property
    def signatures(self) -> dict[str, Signature]:
        """As an export of the gallery has them, but for the scores."""
        encoder = self._gallery.encoder
        form = _form_of(encoder)
        given = {"examples": TensorForm((None, *form.shape), form.dtype)}
        files = {"examples": TensorForm((None,), "string")}
        embeddings = {
            "embeddings": TensorForm((None, *encoder.embedding_shape), "float32")
        }
        ranking = {
            "names": TensorForm((None, None), "string"),
            "probabilities": TensorForm((None, None), "float32"),
            "rejected": TensorForm((None,), "bool"),
        }
        found = {
            _CLASSIFY: Signature(given, ranking),
            _EMBED: Signature(given, embeddings),
        }
        if form.kind == "picture":
            of_files = frozenset(files)
            found[f"{_CLASSIFY}_encoded"] = Signature(files, ranking, files=of_files)
            found[f"{_EMBED}_encoded"] = Signature(files, embeddings, files=of_files)
        return found

    def check(self) -> None:
        """Reads a number of its file.

        Raises:
            OSError, ValueError: When that cannot be.
        """
        self._gallery.version  # noqa: B018

    def classes(self, offset: int, limit: int) -> ClassesPage:
        """As of `Model`."""
        change = self._gallery.version
        sizes = self._gallery.class_sizes()
        page = dict(itertools.islice(sizes.items(), offset, offset + limit))
        return ClassesPage(page, len(sizes), change)

    async def embed(self, examples: Sequence[Example]) -> np.ndarray:
        """As of `Model`."""
        return self._embed_all(examples)

    async def classify(self, examples: Sequence[Example], top: int) -> Ranking:
        """As of `Model`."""
        return self._search(examples, top)

    def _embed_all(self, examples: Sequence[Example]) -> np.ndarray:
        return self._embed(self._gallery.encoder, list(examples), None)

    def _search(self, examples: Sequence[Example], top: int) -> Ranking:
        try:
            found = self._gallery.search(list(examples), top)
        except ValueError as error:
            if self._gallery.class_sizes():
                raise
            raise cannot(
                "the gallery must have a class. Received: a request to one without; "
                "enrol some by `POST /classes`"
            ) from error
        return Ranking(
            found.class_names.tolist(),
            found.probabilities.tolist(),
            found.accepted.tolist(),
            found.warnings,
        )

    async def classify_task(
        self,
        support: Mapping[str, Sequence[Example]],
        examples: Sequence[Example],
        top: int,
        *,
        open_set: bool = False,
    ) -> Ranking:
        """Refused: a gallery has classes of its own.

        Raises:
            Refusal: 409, always.
        """
        raise cannot(
            "`support` must be left out: a gallery has classes of its own, to which "
            "`POST /classes` adds. Received: a request with it"
        )

    async def call(
        self, signature: str, tensors: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """As of `Model`."""
        examples: list[Example] = list(tensors["examples"])
        if self.queries.kind != "picture" and tensors["examples"].dtype == object:
            examples = [one.decode() for one in tensors["examples"]]
        if signature.startswith(_EMBED):
            return {"embeddings": await self.embed(examples)}
        found = await self.classify(examples, _TOP)
        names = [[name.encode() for name in row] for row in found.class_names]
        shape = (len(examples), -1 if examples else 0)
        return {
            "names": np.array(names, object).reshape(shape),
            "probabilities": np.array(found.probabilities, np.float32).reshape(shape),
            "rejected": ~np.array(found.accepted, bool),
        }

    def close(self) -> None:
        """Closes its files."""
        self._gallery.close()

    def _warm_up(self, encoder: ExampleEncoder) -> None:
        """Asks it once, which takes longer than later."""
        form = _form_of(encoder)
        trial: Example = "a"
        if form.kind != "text":
            shape = [size or _FREE for size in form.shape]
            trial = np.zeros(shape, form.dtype)
        # Of a free size nobody knows which examples it takes.
        with contextlib.suppress(ValueError, Refusal, tf.errors.OpError):
            self._embed_all([trial])
            self._search([trial], 1)

    def _embed(
        self, encoder: ExampleEncoder, examples: Examples, _on_progress: Any
    ) -> np.ndarray:
        """As `ExampleEncoder.embed`, in batches with other requests."""
        groups: dict[tuple, list[int]] = {}
        read: list[np.ndarray] = []
        for place, one in enumerate(examples):
            check_deadline()
            try:
                read.append(encoder.read(one))
            except ValueError as error:
                raise of_example(error, place, len(examples)) from error
            groups.setdefault((read[-1].shape, read[-1].dtype.str), []).append(place)

        def embed(rows: Rows) -> dict[str, np.ndarray]:
            return {"embeddings": encoder.embed_read(rows["examples"])}

        found = np.empty((len(examples), *encoder.embedding_shape), np.float32)
        for places in groups.values():
            rows = {"examples": np.stack([read[place] for place in places])}
            answer = self._batcher.call(encoder, embed, rows)
            found[places] = answer["embeddings"]
        check_finite_embeddings(found)
        return found


def _form_of(encoder: ExampleEncoder) -> ExampleForm:
    spec = encoder.spec
    return ExampleForm(tuple(spec.shape), spec.dtype.name, floats=spec.float_too)
