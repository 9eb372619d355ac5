"""A gallery as a SavedModel: what is enrolled at one moment, frozen into a graph."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfmeta.episodes.arguments import check_count
from tfmeta.evaluation.threshold import SCORES, Threshold
from tfmeta.export.saved_model import write_saved_model
from tfmeta.finite import finite_rows, nan_unless
from tfmeta.finite_checks import check_finite
from tfmeta.gallery.enrolled import SCANNED_FROM
from tfmeta.gallery.facts import Facts
from tfmeta.gallery.memory import GalleryMemory
from tfmeta.gallery.served_scan import ServedScan
from tfmeta.signatures.encoded_pictures import EncodedPictures
from tfmeta.signatures.endpoint import Endpoint
from tfmeta.signatures.example_spec import ExampleSpec

CLASSIFY_ENROLLED = "classify_enrolled"


@dataclasses.dataclass(frozen=True)
class FrozenGallery:
    """What an export writes of a gallery, all of one moment.

    Attributes:
        learner: Its learner.
        facts: What the gallery is.
        change: Number of the latest change.
        sizes: Number of examples by the names of all classes, by label.
        state: What the learner makes of them, of one task.
        threshold: From which score on a query is of an enrolled class, `None` where
            every query is answered with one.
    """

    learner: Any
    facts: Facts
    change: int
    sizes: Mapping[str, int]
    state: Mapping[str, tf.Tensor]
    threshold: Threshold | None

    @classmethod
    def of(cls, memory: GalleryMemory) -> FrozenGallery:
        """What is in memory, as of `GalleryMemory.now`."""
        enrolled = memory.enrolled
        return cls(
            learner=memory.learner,
            facts=memory.facts,
            change=memory.version,
            sizes={one.name: len(one.embeddings) for one in enrolled.classes},
            state=enrolled.state(),
            threshold=memory.threshold()[0],
        )

    def write(
        self,
        path: str | os.PathLike[str],
        *,
        version: int | None,
        top: int,
        description: Mapping[str, Any] | None,
    ) -> Path:
        """Writes the SavedModel; see `Gallery.export`."""
        top = min(check_count("top", top, 1), len(self.sizes))
        for name, part in self.state.items():
            check_finite(f"{name} of the enrolled classes", part.numpy())
        examples = self.learner.example_spec(self.facts.input_dtype)
        classifier = EnrolledClassifier(
            self.learner, self.state, list(self.sizes), self.threshold, top
        )
        facts = {
            "classes": dict(self.sizes),
            "change": self.change,
            "encoder": self.facts.encoder,
            "invert": self.facts.invert,
            "threshold": self.threshold and self.threshold.to_json(),
            "score": classifier.score,
            "top": top,
        }
        return write_saved_model(
            self.learner,
            path,
            version=version,
            examples=examples,
            endpoints=classifier.endpoints(examples),
            description=description,
            tracked=[classifier],
            facts={"gallery": facts},
        )


class EnrolledClassifier(tf.Module):
    """The signatures that ask for the enrolled classes, and what they hold of them.

    State and names are variables: as constants they would be part of the graph, which
    is one message of at most 2 GB.

    Args:
        learner: A learner with `independent_embeddings`.
        state: Of one task, by the names of its parts.
        names: Of the classes, by label.
        threshold: As of `FrozenGallery`.
        top: How many classes to name, at most all.
        scanned_from: From how many classes on they are scanned in float32 before
            they are compared, where the learner's form allows it.
    """

    def __init__(
        self,
        learner: Any,
        state: Mapping[str, tf.Tensor],
        names: Sequence[str],
        threshold: Threshold | None,
        top: int,
        *,
        scanned_from: int = SCANNED_FROM,
    ) -> None:
        super().__init__(name="enrolled")
        self._learner = learner
        self._state = {
            name: tf.Variable(value[0], trainable=False, name=name)
            for name, value in state.items()
        }
        form = learner.class_vectors() if learner.independent_classes else None
        self._scan = None
        if form and form.distance.function_of and len(names) >= scanned_from:
            self._scan = ServedScan(learner, self._state, top)
        self._names = tf.Variable(list(names), trainable=False, name="names")
        self._threshold = threshold
        self._top = top

    @property
    def score(self) -> str:
        """Which of `SCORES` is given beside the answers."""
        return SCORES[0] if self._threshold is None else self._threshold.score

    def endpoints(self, examples: ExampleSpec) -> list[Endpoint]:
        """`classify_enrolled`, of files too, and those of the learner that embed.

        Args:
            examples: What the learner is served with.
        """
        files = EncodedPictures.of(self._learner.encoder, examples)
        spec = tf.TensorSpec([None, *examples.shape], examples.dtype, "examples")
        return [
            Endpoint(CLASSIFY_ENROLLED, self._classify, (spec,), batchable=True),
            *([] if files is None else [self._of_files(files)]),
            *(
                endpoint
                for endpoint in self._learner.endpoints(examples)
                if [one.name for one in endpoint.inputs] == ["examples"]
            ),
        ]

    def _of_files(self, files: EncodedPictures) -> Endpoint:
        def classify(examples: tf.Tensor) -> dict[str, tf.Tensor]:
            return self._classify(files.decode(examples))

        return Endpoint(
            f"{CLASSIFY_ENROLLED}_encoded",
            classify,
            (tf.TensorSpec([None], tf.string, "examples"),),
            takes_files=True,
            batchable=True,
        )

    def _classify(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        embeddings = self._learner.embed(examples[tf.newaxis], training=False)[0]
        logits = self._logits(tf.cast(embeddings, tf.float32))
        # A client's request may be one of several that a server has joined: what is
        # not finite is no answer to it, and no error for the others.
        sound = finite_rows(logits)
        logits = tf.where(sound[:, tf.newaxis], logits, 0.0)
        # Not those of the probabilities, of which many may be 0.
        top = tf.math.top_k(logits, self._top)
        probabilities = tf.gather(tf.nn.softmax(logits), top.indices, batch_dims=1)
        scores = {"logit": top.values, "probability": probabilities}[self.score][:, 0]
        rejected = tf.logical_not(sound)
        if self._threshold is not None:
            rejected |= scores < tf.constant(self._threshold.value, scores.dtype)
        names = tf.gather(self._names, top.indices)
        return {
            "names": tf.where(sound[:, tf.newaxis], names, ""),
            "probabilities": nan_unless(sound, probabilities),
            "rejected": rejected,
            "scores": nan_unless(sound, scores),
        }

    def _logits(self, embeddings: tf.Tensor) -> tf.Tensor:
        """`(queries, ways)`, float32, of `(queries, *embedding)`."""
        if self._scan is not None:
            return self._scan.logits(embeddings)
        state = {name: part[tf.newaxis] for name, part in self._state.items()}
        query = embeddings[tf.newaxis]
        if self._learner.transductive:
            logits = self._learner.predict_each_embedded(state, query)
        else:
            logits = self._learner.compare_embeddings(state, query)
        return tf.cast(logits[0], tf.float32)
