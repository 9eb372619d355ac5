"""Classes that are enrolled from a few examples, kept in a folder."""

from __future__ import annotations

import json
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfmeta.classifying.answers import Answers
from tfmeta.classifying.saved_model import check_probabilities
from tfmeta.classifying.task import UNKNOWN
from tfmeta.durable import flush, naming, put_in_place
from tfmeta.evaluation.threshold import Threshold
from tfmeta.features.digests import encoder_digest
from tfmeta.finite_checks import check_finite_weights
from tfmeta.gallery.calibration import cross_validated
from tfmeta.gallery.database import DATABASE, is_gallery
from tfmeta.gallery.enrolled import Enrolled
from tfmeta.gallery.examples import Example, ExampleEncoder, example_of, original_of
from tfmeta.gallery.records import Change, NewExample, Original, StoredExample
from tfmeta.gallery.rows import EMBEDDING_SHAPE
from tfmeta.gallery.served import FrozenGallery
from tfmeta.gallery.store import GalleryStore
from tfmeta.model_files import check_model_file, loading

CROSS_VALIDATION = "cross-validation"
Progress = Callable[[int, int], None] | None


class Gallery:
    """Classes that were enrolled from a few examples each, and are kept in a folder.

    An encoder is trained once, or comes from somebody else; whoever enrols a class
    trains nothing. The folder holds the learner, and in an SQLite file the embedding of
    every example; every change is on the disk when its method returns, can be undone,
    and is seen by whoever has the gallery open. A learner with `independent_classes`,
    as a Prototypical Network, keeps its part of the state for each class; others learn
    from the stored embeddings of all classes.

    Where the threshold is by cross-validation, `classify` answers "none of these" to
    what is not enrolled: an example whose class is left out is such a query, and one
    whose class is learned without it is a query of a known class. It follows what is
    enrolled. Without two examples of a class and two classes there is none yet.

    Args:
        path: A folder that `Gallery.create` has made.
        wait: Seconds to wait for another writer.

    Raises:
        FileNotFoundError: When it is no gallery.
        ValueError: When it is damaged, or of a newer version, or holds the embeddings
            of another encoder than that of its learner.

    Example:

    ```python
    encoder = tfmeta.encoders.pretrained("efficientnet_lite0")
    learner = tfmeta.learners.SimpleShot(encoder)
    gallery = tfmeta.Gallery.create("cups", learner)
    gallery.enrol({"cup": [Path("1.jpg"), Path("2.jpg")], "mug": [Path("3.jpg")]})
    answers = gallery.classify([Path("new.jpg")])
    answers.class_names[answers.classes[0]]  # 'cup'
    gallery.undo()
    ```
    """

    def __init__(self, path: str | os.PathLike[str], *, wait: float = 30.0) -> None:
        self.path = Path(path)
        if not is_gallery(self.path):
            raise FileNotFoundError(
                f"{self.path} must be the folder of a gallery. Received: one without "
                f"{DATABASE}; tfmeta.Gallery.create makes one"
            )
        self._store = GalleryStore(self.path / DATABASE, wait=wait)
        self._lock = threading.RLock()
        self._load()

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        learner: Any,
        *,
        threshold: str | Threshold | None = CROSS_VALIDATION,
        recall: float = 0.95,
        invert: bool = False,
        keep_originals: bool = True,
    ) -> Gallery:
        """Makes a gallery without a class.

        Args:
            path: Its folder, which is not there.
            learner: A learner whose embeddings do not depend on the episode
                (`independent_embeddings`).
            threshold: From which score on a query is of an enrolled class:
                `"cross-validation"` of what is enrolled, a `Threshold` of validation
                episodes, or `None` to answer always with a class.
            recall: With cross-validation, the share of queries of enrolled classes to
                accept.
            invert: Whether pictures from files are inverted, enrolled ones and queries.
            keep_originals: Whether what is enrolled is kept beside its embedding, so
                that another encoder can embed it.

        Raises:
            FileExistsError: When something is there.
            TypeError: When `learner` is no such learner.
            ValueError: When its weights are not finite, or an argument is out of range.
            OSError: When it cannot be written.
        """
        path = Path(path)
        _check_learner(learner)
        facts = {
            **_facts_of(learner),
            "threshold": json.dumps(_threshold_fact(threshold, recall)),
            "invert": json.dumps(bool(invert)),
            "keep_originals": json.dumps(bool(keep_originals)),
        }
        if os.path.lexists(path):
            raise FileExistsError(
                f"`path` must be a folder that is not there. Received: {path}"
            )
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        building = path.absolute().parent / f".{path.name}.{uuid.uuid4().hex}.tmp"
        try:
            with naming(path):
                building.mkdir()
                learner.save(building / facts["learner_file"])
                flush(building / facts["learner_file"])
                GalleryStore.create(building / DATABASE, facts).close()
                flush(building / DATABASE)
                put_in_place(building, path)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return cls(path)

    def _load(self) -> None:
        """Takes the learner that the facts name, with nothing enrolled yet."""
        facts = self._store.facts()
        file = self.path / facts["learner_file"]
        with loading("the learner of a gallery", file):
            check_model_file(file)
            learner = keras.saving.load_model(file)
        _check_learner(learner)
        digest = encoder_digest(learner.encoder)
        if digest != facts["encoder"]:
            raise ValueError(
                f"{file} must hold the encoder {facts['encoder']}, which made the "
                f"embeddings of the gallery. Received: encoder {digest}; embed the "
                "originals anew by `re_embed`"
            )
        self.learner = learner
        self._facts = facts
        self._encoder = ExampleEncoder(learner, invert=json.loads(facts["invert"]))
        self._enrolled = Enrolled(learner)
        self._version = 0
        self._thresholds: dict[int, Threshold | None] = {}

    def enrol(
        self,
        classes: Mapping[str, Sequence[Example] | np.ndarray],
        *,
        on_progress: Progress = None,
    ) -> Change:
        """Adds classes, or examples to classes that are there, in one change.

        Args:
            classes: By name, examples: files (`pathlib.Path`) or contents (`bytes`) of
                pictures, texts (`str`), or arrays as the encoder takes them.
            on_progress: Called with the number of examples embedded, and of all.

        Returns:
            The change, which is on the disk.

        Raises:
            ValueError: When a name is empty, or an example cannot be embedded; nothing
                is enrolled.
            OSError: When a file cannot be read or the disk is full; likewise.
        """
        keeps = json.loads(self._facts["keep_originals"])
        names = list(classes)
        flat = [one for examples in classes.values() for one in examples]
        originals = [original_of(one) if keeps else None for one in flat]
        embeddings = self._encoder.embed(flat, on_progress=on_progress)
        new = iter(
            [
                NewExample(embedding, str(one) if isinstance(one, Path) else "", kept)
                for one, embedding, kept in zip(
                    flat, embeddings, originals, strict=True
                )
            ]
        )
        return self._store.enrol(
            {name: [next(new) for _ in classes[name]] for name in names}
        )

    def forget(self, name: str, example_ids: Sequence[int] | None = None) -> Change:
        """Removes a class, or some of its examples; see `GalleryStore.forget`."""
        return self._store.forget(name, example_ids)

    def rename(self, name: str, to: str) -> Change:
        """Gives a class another name; see `GalleryStore.rename`."""
        return self._store.rename(name, to)

    def undo(self) -> Change:
        """Undoes the latest change; see `GalleryStore.undo`."""
        return self._store.undo()

    def purge(self) -> Change:
        """Erases what was removed for good; see `GalleryStore.purge`."""
        return self._store.purge()

    def changes(self) -> list[Change]:
        """All changes, the first one first."""
        return self._store.changes()

    def class_sizes(self) -> dict[str, int]:
        """Number of examples by the names of all classes, in order of enrolment."""
        return self._store.class_sizes()

    def examples_of(self, name: str) -> list[StoredExample]:
        """The examples of a class; see `GalleryStore.examples_of`."""
        return self._store.examples_of(name)

    def threshold(self) -> Threshold | None:
        """The threshold of what is enrolled now, `None` where there is none."""
        with self._lock:
            self._refresh()
            return self._threshold()

    def classify(
        self,
        queries: Sequence[Example] | np.ndarray,
        *,
        names: Sequence[str] | None = None,
        labels: np.ndarray | None = None,
        on_progress: Progress = None,
    ) -> Answers:
        """Classifies queries among the classes that are enrolled now.

        Args:
            queries: As the examples of `enrol`.
            names: What each is called in the answers; by default the file, or its
                number.
            labels: Their true classes, by the labels of `class_sizes`, where known.
            on_progress: Called with the number of queries embedded, and of all.

        Raises:
            ValueError: When nothing is enrolled, a query cannot be embedded, or an
                answer is not finite.
        """
        embeddings = self._encoder.embed(queries, on_progress=on_progress)
        with self._lock:
            self._refresh()
            logits = self._enrolled.logits(embeddings)
            class_names = self._enrolled.names
            threshold = self._threshold()
        check_probabilities(logits, str(self.path))
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = shifted / shifted.sum(axis=1, keepdims=True)
        classes = logits.argmax(axis=1)
        if threshold is not None:
            scores = {"logit": logits, "probability": probabilities}[threshold.score]
            classes = np.where(threshold.accepts(scores.max(axis=1)), classes, UNKNOWN)
        if names is None:
            names = [
                str(q) if isinstance(q, Path | str) else str(number)
                for number, q in enumerate(queries, start=1)
            ]
        return Answers(
            names=tuple(names),
            class_names=class_names,
            probabilities=probabilities,
            classes=classes,
            labels=labels,
            open_set=threshold is not None,
        )

    def re_embed(self, learner: Any, *, on_progress: Progress = None) -> Change:
        """Embeds all kept originals by another learner's encoder, and takes it over.

        Args:
            learner: The new learner.
            on_progress: Called with the number of originals embedded, and of all.

        Raises:
            ValueError: When some originals were not kept; counts them.
        """
        _check_learner(learner)
        facts = _facts_of(learner)
        encoder = ExampleEncoder(learner, invert=json.loads(self._facts["invert"]))
        file = self.path / facts["learner_file"]
        with naming(file):
            learner.save(file)
            flush(file)

        def embed(originals: list[Original]) -> np.ndarray:
            return encoder.embed([example_of(one) for one in originals])

        change = self._store.re_embed(embed, facts)
        with self._lock:
            self._load()
        return change

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        version: int | None = None,
        top: int = 5,
        description: Mapping[str, Any] | None = None,
    ) -> Path:
        """Writes what is enrolled now as a SavedModel that needs TensorFlow alone.

        As `tfmeta.export.save` writes a learner: `path/<version>/`, by one rename, and
        no version is overwritten. Later changes of the gallery do not reach it.

        | signature | takes | gives |
        |---|---|---|
        | `classify_enrolled`, also `serving_default` | `examples` `(batch, *example)` | `names` `(batch, top)` strings and their `probabilities` `(batch, top)`, the most probable first; `rejected` `(batch,)` bool and the `scores` `(batch,)` that the threshold is of |
        | `classify_enrolled_encoded` | the same, pictures as files: strings of bytes `(batch,)` | the same |
        | `embed`, `embed_float`, `embed_encoded` | as of `tfmeta.export.save` | the same |

        The dimension `batch` is free, may be 0, and is the first one of all inputs and
        outputs: a server may join requests. No query has a part in the answer to
        another, also where the learner is transductive. `rejected` says "none of
        these"; without a threshold it is False, and `scores` are the largest logits.
        Where an example, or what becomes of it, is not finite, its names are empty,
        its numbers NaN, and it is rejected.

        `tfmeta.json` has, beside what it has of a learner, `gallery`: the classes with
        their numbers of examples, the number of the latest change, the digest of the
        encoder, the threshold, and which score it is of. With `invert` pictures are to
        be inverted by whoever asks.

        Args:
            path: Folder of all versions of this model; made when absent.
            version: Number from 1, or `None` for one above the highest there is.
            top: How many classes to name for each query; all where there are fewer.
            description: What a reader should know; anything that JSON holds.

        Returns:
            `path/<version>`.

        Raises:
            FileExistsError: When the version exists; it is left as it is.
            TypeError: When `top` or `version` is no integer, or `description` nothing
                that JSON holds.
            ValueError: When nothing is enrolled, `top` or `version` is below 1, or
                answers are not finite.
            OSError: When it cannot be written, as on a full disk; names the version.
        """  # noqa: E501
        with self._lock:
            self._refresh()
            frozen = FrozenGallery(
                learner=self.learner,
                encoder=self._facts["encoder"],
                change=self._version,
                sizes={c.name: len(c.embeddings) for c in self._enrolled.classes},
                state=self._enrolled.state(),
                threshold=self._threshold(),
            )
        return frozen.write(path, version=version, top=top, description=description)

    def close(self) -> None:
        """Closes the files."""
        self._store.close()

    def _refresh(self) -> None:
        """Takes over what has changed, by whomever."""
        version, changed = self._store.changed_since(self._version)
        if version == self._version:
            return
        if self._store.facts()["encoder"] != self._facts["encoder"]:
            self._load()
            version, changed = self._store.changed_since(0)
        self._enrolled.update(changed)
        self._version = version
        self._thresholds.clear()

    def _threshold(self) -> Threshold | None:
        if self._version not in self._thresholds:
            self._thresholds[self._version] = self._found_threshold()
        return self._thresholds[self._version]

    def _found_threshold(self) -> Threshold | None:
        fact = json.loads(self._facts["threshold"])
        if fact is None:
            return None
        if fact["by"] == CROSS_VALIDATION:
            return cross_validated(
                self._enrolled,
                independent=self.learner.independent_classes,
                recall=fact["recall"],
            )
        return Threshold.from_json(fact["threshold"])


def _facts_of(learner: Any) -> dict[str, str]:
    digest = encoder_digest(learner.encoder)
    return {
        "encoder": digest,
        "learner_file": f"learner-{uuid.uuid4().hex[:8]}.keras",
        EMBEDDING_SHAPE: json.dumps(list(learner.encoder.output_shape[1:])),
    }


def _check_learner(learner: Any) -> None:
    if not getattr(learner, "independent_embeddings", False):
        raise TypeError(
            "`learner` must be a learner of tfmeta whose embeddings do not depend on "
            "the episode, as metric-based ones. Received: a "
            f"{type(learner).__name__}"
        )
    check_finite_weights("`learner`", learner.variables)


def _threshold_fact(threshold: str | Threshold | None, recall: float) -> Any:
    if threshold is None:
        return None
    if isinstance(threshold, Threshold):
        return {"by": "validation", "threshold": threshold.to_json()}
    if threshold != CROSS_VALIDATION:
        raise ValueError(
            f"`threshold` must be {CROSS_VALIDATION!r}, a Threshold or None. Received: "
            f"{threshold!r}"
        )
    if not 0 < recall < 1:
        raise ValueError(f"`recall` must be above 0 and below 1. Received: {recall}")
    return {"by": CROSS_VALIDATION, "recall": recall}
