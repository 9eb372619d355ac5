"""Searching a gallery of very many classes, also by an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tfmeta.episodes.arguments import check_count
from tfmeta.gallery.answering import check_finite_logits, matches_of, query_names
from tfmeta.gallery.class_index import index_recall
from tfmeta.gallery.editable import EditableGallery
from tfmeta.gallery.examples import Examples, check_examples
from tfmeta.gallery.matches import Matches
from tfmeta.gallery.memory import GalleryMemory, Progress


class SearchableGallery(EditableGallery):
    """What a `Gallery` does where there are too many classes to list in an answer.

    Args:
        path: A folder that `Gallery.create` has made.
        wait: Seconds to wait for another writer.
        embed: As of `EditableGallery`.
    """

    def search(
        self,
        queries: Examples,
        top: int = 5,
        *,
        index: bool = False,
        names: Sequence[str] | None = None,
        on_progress: Progress = None,
    ) -> Matches:
        """The best classes of each query, for galleries of very many classes.

        As by `classify`, whose answers hold a probability of every class.

        Args:
            queries: As the examples of `enrol`.
            top: How many classes to name, at most all of them.
            index: Whether an index finds them, which is faster where there are more
                than some hundred thousand classes, and misses some: its recall is
                beside the answers. Where there is none it is made first, see
                `build_index`.
            names: What each is called in the answers; by default the file, or its
                number.
            on_progress: Called with the number of queries embedded, and of all.

        Raises:
            TypeError: When queries are no sequence.
            ValueError: When `top` is below 1, nothing is enrolled, a query cannot be
                embedded, an answer is not finite, or there is no index for such a
                learner.
            MissingExtraError: With an index, when usearch is not installed.
            OSError: When a file cannot be read.

        Example:

        ```python
        matches = gallery.search([Path("new.jpg")], top=3)
        matches.class_names[0]  # ['cup', 'mug', 'glass']
        matches.probabilities[0]  # [0.9, 0.08, 0.01]
        matches.accepted[0]  # True
        ```
        """
        check_examples("`queries`", queries)
        top = check_count("top", top, 1)
        called = query_names(queries, names)

        def found(memory: GalleryMemory, embeddings: np.ndarray) -> Matches:
            nearest, recall, missed = memory.nearest(embeddings, top, index=index)
            check_finite_logits(nearest.logits, self.path)
            threshold, warnings = memory.threshold()
            return matches_of(
                nearest,
                memory.enrolled.names_of(nearest.ids),
                threshold,
                names=called,
                warnings=warnings + missed,
                recall=recall,
            )

        return self._memory.with_embeddings(queries, found, on_progress=on_progress)

    def build_index(self, *, on_progress: Progress = None) -> Mapping[int, float]:
        """Makes the index of `search`, or brings it up to date, and keeps it on disk.

        Args:
            on_progress: Called with the number of classes added, and of all.

        Returns:
            Its recall, as of `index_recall`.

        Raises:
            MissingExtraError: When usearch is not installed.
            ValueError: When nothing is enrolled, or there is no index for such a
                learner.
        """
        with self._memory.now() as memory:
            return memory.current_index(on_progress=on_progress).recall

    @property
    def index_recall(self) -> dict[int, float] | None:
        """Share of the best 1 and of the best 10 classes that the index finds.

        By these numbers, as measured beside the exact search on a sample when the index
        was made; `None` where there is no index.
        """
        return index_recall(self.path)
