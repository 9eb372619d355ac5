"""The classes of a gallery and its settings: read, and changed on the disk."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.evaluation.threshold import Threshold
from tfmeta.gallery.examples import (
    Example,
    ExampleEncoder,
    Examples,
    check_classes,
    check_name,
    original_of,
)
from tfmeta.gallery.facts import CrossValidation, Facts, threshold_rule
from tfmeta.gallery.memory import Embed, GalleryMemory, Progress
from tfmeta.gallery.re_embedding import re_embed
from tfmeta.gallery.records import Change, FactsChangedError, NewExample, StoredExample
from tfmeta.gallery.store import GalleryStore
from tfmeta.gallery.tables import DATABASE, is_gallery


class EditableGallery:
    """What a `Gallery` does but answer.

    Args:
        path: A folder that `Gallery.create` has made.
        wait: Seconds to wait for another writer.
        embed: How examples are embedded, from the encoder of the gallery, examples and
            what reports progress to float32 `(examples, *embedding)`; `None` for by the
            encoder itself.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        wait: float = 30.0,
        embed: Embed | None = None,
    ) -> None:
        self.path = Path(path)
        if not is_gallery(self.path):
            raise FileNotFoundError(
                f"{self.path} must be the folder of a gallery. Received: one without "
                f"{DATABASE}; tfmeta.Gallery.create makes one"
            )
        self._store = GalleryStore(self.path / DATABASE, wait=wait)
        try:
            # As they were when `learner` was last asked for.
            self._known = self._facts()
        except BaseException:
            self._store.close()
            raise
        self._memory = GalleryMemory(self.path, self._store, embed)

    @property
    def learner(self) -> Any:
        """The learner.

        Raises:
            FileNotFoundError: When its file is not there.
            ValueError: When its file is damaged, or holds another encoder than the one
                that made the embeddings.
        """
        with self._memory.now() as memory:
            self._known = memory.facts
            return memory.learner

    @property
    def encoder(self) -> ExampleEncoder:
        """What embeds examples now; `spec` says which it takes.

        Raises:
            FileNotFoundError, ValueError: As `learner`.
        """
        with self._memory.now() as memory:
            return memory.encoder

    @property
    def version(self) -> int:
        """Number of the latest change, 0 for none."""
        return self._store.version

    @property
    def invert(self) -> bool:
        """Whether pictures from files are inverted."""
        return self._facts().invert

    @property
    def light_ground(self) -> bool | None:
        """Whether the learner was trained on dark ink on light ground, if known."""
        return self._facts().light_ground

    def enrol(
        self, classes: Mapping[str, Examples], *, on_progress: Progress = None
    ) -> Change:
        """Adds classes, or examples to classes that are there, in one change.

        Args:
            classes: By name, examples: files (`pathlib.Path`) or contents (`bytes`) of
                pictures, texts (`str`), or arrays as the encoder takes them.
            on_progress: Called with the number of examples embedded, and of all.

        Returns:
            The change, which is on the disk.

        Raises:
            TypeError: When examples are no sequence.
            ValueError: When a name is empty, or an example cannot be embedded; nothing
                is enrolled.
            OSError: When a file cannot be read or the disk is full; likewise.
        """
        check_classes(classes)
        flat = [one for examples in classes.values() for one in examples]
        sources = [str(one) if isinstance(one, Path) else "" for one in flat]
        while True:
            with self._memory.now() as memory:
                encoder, facts = memory.encoder, memory.facts
            keeps = facts.keep_originals
            # Before they are embedded: a file that is another by then is found out.
            originals = [original_of(one) if keeps else None for one in flat]
            embeddings = self._memory.embed(encoder, flat, on_progress)
            new = map(NewExample, embeddings, sources, originals)
            try:
                return self._store.enrol(
                    {n: [next(new) for _ in range(len(e))] for n, e in classes.items()},
                    expected=facts.embedding_rows(),
                )
            except FactsChangedError:
                continue  # Somebody has embedded anew meanwhile.

    def not_enrolled(self, classes: Mapping[str, Examples]) -> dict[str, list[Example]]:
        """Of examples by class those that their class does not have.

        Enrolled again, an example would weigh twice. Where originals are not kept,
        nobody knows; of the same example in one class twice, one is left.

        Args:
            classes: As of `enrol`.

        Returns:
            The same classes, of which some may have none.

        Raises:
            TypeError, ValueError, OSError: As `enrol`.
        """
        check_classes(classes)
        new: dict[str, list[Example]] = {}
        for name, examples in classes.items():
            seen = self._store.digests_of(name)
            new[name] = []
            for one in examples:
                digest = original_of(one).digest
                if digest not in seen:
                    seen.add(digest)
                    new[name].append(one)
        return new

    def enrol_embeddings(self, classes: Mapping[str, np.ndarray]) -> Change:
        """As `enrol`, of embeddings that were made elsewhere; no original is kept.

        Args:
            classes: By name, embeddings `(examples, *embedding)` by the encoder of
                `learner`.

        Returns:
            The change, which is on the disk.

        Raises:
            FactsChangedError: When another encoder has taken its place since `learner`
                was asked for.
            ValueError: When a name is empty, or embeddings are of another shape or not
                finite.
            OSError: When the disk is full; nothing is enrolled.
        """
        check_classes(classes)
        return self._store.enrol(
            {
                name: [NewExample(one) for one in np.asarray(embeddings, np.float32)]
                for name, embeddings in classes.items()
            },
            expected=self._known.embedding_rows(),
        )

    def forget(self, name: str, example_ids: Sequence[int] | None = None) -> Change:
        """Removes a class, or some of its examples; see `GalleryStore.forget`."""
        return self._store.forget(name, example_ids)

    def rename(self, name: str, to: str) -> Change:
        """Gives a class another name; see `GalleryStore.rename`."""
        check_name(to, "`to`")
        return self._store.rename(name, to)

    def undo(self, *, past: bool = False) -> Change:
        """Undoes the latest change; see `GalleryStore.undo`."""
        return self._store.undo(past=past)

    def purge(self) -> Change:
        """Erases what was removed for good; see `GalleryStore.purge`.

        The index of `search`, which holds vectors of classes, is removed with it.
        """
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

    def set_threshold(
        self, threshold: str | Threshold | None, *, recall: float = 0.95
    ) -> Change:
        """Finds the threshold another way from now on; arguments as of `create`."""
        facts = dataclasses.replace(
            self._facts(), threshold=threshold_rule(threshold, recall)
        )
        words = {CrossValidation: "by cross-validation", Threshold: "of validation"}
        return self._store.set_facts(
            {"threshold": facts.to_rows()["threshold"]},
            f"threshold {words.get(type(facts.threshold), 'none')}",
        )

    def re_embed(
        self,
        learner: Any = None,
        *,
        invert: bool | None = None,
        light_ground: bool | None = None,
        input_dtype: str | None = None,
        on_progress: Progress = None,
    ) -> Change:
        """Embeds all kept originals by another learner's encoder, and takes it over.

        The one call that repairs a gallery whose learner is damaged or another. Where
        the encoder is the same and pictures are read as before, embeddings stay, and
        no originals are needed. A threshold of validation episodes was that of the
        former encoder: by another, it is by cross-validation from then on.

        Args:
            learner: The new learner, `None` for the one that is there.
            invert: Whether pictures from files are inverted, `None` for as before.
            light_ground: Of the new learner, as of `create`.
            input_dtype: Likewise.
            on_progress: Called with the number of originals embedded, and of all.

        Raises:
            TypeError: When `learner` is no such learner.
            ValueError: When some originals were not kept; counts them. When it does not
                take one of them.
            OSError: When the disk is full; nothing is changed.
        """
        return re_embed(
            self.path,
            self._store,
            learner,
            invert=invert,
            light_ground=light_ground,
            input_dtype=input_dtype,
            on_progress=on_progress,
        )

    def close(self) -> None:
        """Closes the files; a closed gallery is of no use."""
        self._store.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def _facts(self) -> Facts:
        return Facts.of_rows(self._store.facts(), self._store.path)
