"""Classes that are enrolled from a few examples, kept in a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from tfmeta.classifying.answers import Answers
from tfmeta.evaluation.threshold import Threshold
from tfmeta.finite_checks import check_finite
from tfmeta.gallery.answering import (
    answers_of,
    check_finite_logits,
    checked_labels,
    query_names,
)
from tfmeta.gallery.examples import (
    ExampleEncoder,
    Examples,
    check_examples,
)
from tfmeta.gallery.facts import (
    CROSS_VALIDATION,
    Facts,
    threshold_rule,
)
from tfmeta.gallery.kept_learner import check_learner, facts_of, save_learner
from tfmeta.gallery.memory import GalleryMemory, Progress
from tfmeta.gallery.of_run import arguments_of_run
from tfmeta.gallery.records import FactsChangedError
from tfmeta.gallery.searchable import SearchableGallery
from tfmeta.gallery.served import FrozenGallery
from tfmeta.gallery.store import GalleryStore
from tfmeta.gallery.tables import DATABASE
from tfmeta.sqlite.new_folder import new_folder


class Gallery(SearchableGallery):
    """Classes that were enrolled from a few examples each, and are kept in a folder.

    An encoder is trained once, or comes from somebody else; whoever enrols a class
    trains nothing. The folder holds the learner, and in an SQLite file the embedding of
    every example; every change is on the disk when its method returns, can be undone
    (but for `re_embed` and `purge`), and is seen by whoever has the gallery open. A
    learner with `independent_classes`, as a Prototypical Network, learns the classes
    that have changed alone; others learn from the stored embeddings of all classes.

    Where the threshold is by cross-validation, `classify` answers "none of these" to
    what is not enrolled: an example whose class is left out is such a query, and one
    whose class is learned without it is a query of a known class. It follows what is
    enrolled. Without two examples of a class and two classes there is none yet, and
    answers have a warning.

    Methods may be called by several threads. The learner is loaded when it is first
    needed.

    Args:
        path: A folder that `Gallery.create` has made.
        wait: Seconds to wait for another writer.
        embed: How examples are embedded; see `EditableGallery`.

    Raises:
        FileNotFoundError: When it is no gallery.
        ValueError: When it is damaged, or of a newer version.

    Example:

    ```python
    encoder = keras.Sequential([keras.Input((2,)), keras.layers.Identity()])
    learner = tfmeta.learners.PrototypicalNetwork(encoder)
    with tfmeta.Gallery.create("points", learner) as gallery:
        gallery.enrol({"left": np.array([[-1.0, 0], [-1, 1], [-2, 0]])})
        gallery.enrol({"right": np.array([[1.0, 0], [1, 1], [2, 0]])})
        answers = gallery.classify(np.array([[1.2, 0.4], [0, 50]]))
        [answers.name_of(label) for label in answers.classes]
        # ['right', 'none of these']
        gallery.undo()
        gallery.class_sizes()  # {'left': 3}
    ```
    """

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        learner: Any,
        *,
        threshold: str | Threshold | None = CROSS_VALIDATION,
        recall: float = 0.95,
        invert: bool = False,
        light_ground: bool | None = None,
        input_dtype: str | None = None,
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
            light_ground: Whether the learner was trained on dark ink on light ground,
                where that is known; kept for who decides whether to invert.
            input_dtype: `"uint8"` or `"uint16"` for pixels that the learner was trained
                on, `None` for those that its encoder is served with.
            keep_originals: Whether what is enrolled is kept beside its embedding, so
                that another encoder can embed it.

        Raises:
            FileExistsError: When something is there.
            TypeError: When `learner` is no such learner, or `threshold` none of these.
            ValueError: When its weights are not finite, or an argument is out of range.
            OSError: When it cannot be written.
        """
        path = Path(path)
        check_learner(learner)
        facts = Facts(
            **facts_of(learner),
            threshold=threshold_rule(threshold, recall),
            invert=bool(invert),
            light_ground=light_ground,
            input_dtype=input_dtype,
            keep_originals=bool(keep_originals),
        )
        rows = facts.to_rows()
        Facts.of_rows(rows, "a gallery")
        # Refuses an encoder that no example can be given.
        ExampleEncoder(learner, input_dtype=input_dtype)
        with new_folder(path) as building:
            save_learner(learner, building / facts.learner_file)
            GalleryStore.create(building / DATABASE, rows).close()
        return cls(path)

    @classmethod
    def from_run(
        cls,
        path: str | os.PathLike[str],
        run: str | os.PathLike[str],
        *,
        threshold: str | Threshold | None = CROSS_VALIDATION,
        ways: int | None = None,
        shots: int | None = None,
        **arguments: Any,
    ) -> Gallery:
        """Makes a gallery of a training run's learner.

        Args:
            path: As of `create`.
            run: The folder of the run, with its SavedModel.
            threshold: As of `create`; or `"open-set"` for that of
                `tfmeta evaluate RUN --open-set`.
            ways: With `"open-set"`, of how many classes the threshold is to be fitted,
                or the nearest; by default as the run's test tasks.
            shots: Likewise, of how many examples each.
            **arguments: Further arguments of `create`.

        Raises:
            FileNotFoundError: When the run has no learner, no SavedModel, or no such
                threshold.
            FileExistsError, TypeError, ValueError, OSError: As `create`.
        """
        found = arguments_of_run(run, threshold, ways=ways, shots=shots)
        return cls.create(path, **{**found, **arguments})

    def threshold(self) -> Threshold | None:
        """The threshold of what is enrolled now, `None` where there is none."""
        with self._memory.now() as memory:
            return memory.threshold()[0]

    def classify(
        self,
        queries: Examples,
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
            labels: Their true classes where they are known, by the order of
                `class_sizes`; -1 for another.
            on_progress: Called with the number of queries embedded, and of all.

        Raises:
            TypeError: When queries are no sequence.
            ValueError: When nothing is enrolled, a query cannot be embedded, `labels`
                are not one class for each query, or an answer is not finite.
            OSError: When a file cannot be read.
        """
        check_examples("`queries`", queries)
        called = query_names(queries, names)
        return self._memory.with_embeddings(
            queries,
            lambda memory, embeddings: self._answers(
                memory, embeddings, called, labels
            ),
            on_progress=on_progress,
        )

    def classify_embeddings(
        self,
        embeddings: np.ndarray,
        *,
        names: Sequence[str] | None = None,
        labels: np.ndarray | None = None,
    ) -> Answers:
        """As `classify`, of queries `(queries, *embedding)` that `learner` embedded.

        Raises:
            FactsChangedError: When another encoder has taken its place since `learner`
                was asked for.
            ValueError: When nothing is enrolled, embeddings are of another shape or not
                finite, or an answer is not.
        """
        embeddings = np.asarray(embeddings, np.float32)
        check_finite("embeddings", embeddings)
        with self._memory.now() as memory:
            if memory.facts.embedding_rows() != self._known.embedding_rows():
                raise FactsChangedError(
                    f"{self.path} must have the encoder that made `embeddings`. "
                    "Received: another by now; embed them by `learner`"
                )
            shape = memory.facts.embedding_shape
            if embeddings.shape[1:] != shape or embeddings.ndim != len(shape) + 1:
                raise ValueError(
                    f"`embeddings` must be of shape (queries, {str(shape)[1:]}. "
                    f"Received: {embeddings.shape}"
                )
            called = query_names(embeddings, names)
            return self._answers(memory, embeddings, called, labels)

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
        encoder, the threshold, which score it is of, and whether pictures are inverted:
        then whoever asks is to invert them.

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
        with self._memory.now() as memory:
            frozen = FrozenGallery.of(memory)
        return frozen.write(path, version=version, top=top, description=description)

    def _answers(
        self,
        memory: GalleryMemory,
        embeddings: np.ndarray,
        names: tuple[str, ...],
        labels: np.ndarray | None,
    ) -> Answers:
        logits = memory.enrolled.logits(embeddings)
        check_finite_logits(logits, self.path)
        threshold, warnings = memory.threshold()
        return answers_of(
            logits,
            memory.enrolled.names,
            threshold,
            names=names,
            labels=checked_labels(labels, len(logits), logits.shape[1]),
            of="text" if memory.encoder.takes_texts else "picture",
            warnings=warnings,
        )

    def __enter__(self) -> Gallery:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
