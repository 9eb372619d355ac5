"""How the examples of episodes reach a learner: as they are, or encoded ahead."""

from __future__ import annotations

import dataclasses
import os

import keras
import numpy as np

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes
from tfmeta.episodes.task_sequence import TaskSequence
from tfmeta.evaluation.encoding import (
    choose_encode_once,
    encode_table,
    encoding_work,
)
from tfmeta.evaluation.prediction import EpisodePredictor
from tfmeta.evaluation.progress import Progress
from tfmeta.features import features_of, frozen_part
from tfmeta.learners import FewShotLearner

# Examples in a piece of progress: a network for pictures may take seconds for them.
_PIECE = 32


@dataclasses.dataclass(frozen=True)
class Encoded:
    """What stands in place of the examples of a table, `(examples, ...)`.

    Attributes:
        features: Of the frozen encoder, which the learner behind it takes; `None`
            where it takes the examples.
        embeddings: Of the learner itself; `None` where it makes its own.
    """

    features: np.ndarray | None = None
    embeddings: np.ndarray | None = None

    @property
    def examples(self) -> np.ndarray | None:
        """What episodes are to hold, `None` for the examples of the table."""
        return self.features if self.embeddings is None else self.embeddings


@dataclasses.dataclass(frozen=True)
class EncodingPlan:
    """What is encoded before the first episode, and which learner then answers.

    Attributes:
        learner: The learner, or the part of it that takes a frozen encoder's features.
        table: The table of the episodes, where some part is encoded ahead.
        frozen: The frozen encoder, `None` where nothing is computed by it ahead.
        once: Whether the learner's own embeddings are computed ahead, too.
        cache_dir: Where features are kept.
    """

    learner: FewShotLearner
    table: ClassTable | None = None
    frozen: keras.Model | None = None
    once: bool = False
    cache_dir: str | os.PathLike[str] | None = None

    @classmethod
    def of(
        cls,
        learner: FewShotLearner,
        episodes: TaskSequence,
        *,
        num_episodes: int,
        encode_once: bool | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> EncodingPlan:
        """The plan for an evaluation.

        Args:
            learner: The learner.
            episodes: Its episodes.
            num_episodes: Their number.
            encode_once: As of `choose_encode_once`.
            cache_dir: Where features of a frozen encoder are kept; `None` to compute
                none of them ahead for their own sake.

        Raises:
            ValueError: As `choose_encode_once`.
        """
        once = choose_encode_once(
            learner, episodes, num_episodes=num_episodes, encode_once=encode_once
        )
        if not isinstance(episodes, Episodes) or episodes.augmented:
            return cls(learner)
        plan = cls(learner, episodes.table if once else None, once=once)
        drawn = num_episodes * episodes.ways * (episodes.shots + episodes.queries)
        worth = once or episodes.table.num_examples <= drawn
        if cache_dir is None or encode_once is False or not worth:
            return plan
        part = frozen_part(learner)
        if part is None:
            return plan
        return cls(part.learner, episodes.table, part.encoder, once, cache_dir)

    @property
    def work(self) -> int:
        """Number of pieces of work that it takes."""
        if self.table is None:
            return 0
        features = -(-self.table.num_examples // _PIECE) if self.frozen else 0
        return features + (encoding_work(self.table) if self.once else 0)

    def encoded(self, progress: Progress) -> Encoded:
        """Encodes what is to be encoded ahead.

        Raises:
            ValueError: When something is not finite; says how much.
        """
        table = self.table
        if table is None:
            return Encoded()
        features = None
        if self.frozen is not None:
            features = self._features(table, self.frozen, progress)
            table = dataclasses.replace(table, examples=features)
        embeddings = encode_table(self.learner, table, progress) if self.once else None
        return Encoded(features, embeddings)

    def predictor(self, progress: Progress) -> EpisodePredictor:
        """Who answers, when all is encoded.

        Raises:
            ValueError: As `encoded`.
        """
        found = self.encoded(progress)
        return EpisodePredictor(self.learner, found.embeddings, examples=found.features)

    def _features(
        self, table: ClassTable, frozen: keras.Model, progress: Progress
    ) -> np.ndarray:
        reported = 0

        def report(done: int, of_all: int) -> None:
            nonlocal reported
            while reported < (
                -(-of_all // _PIECE) if done == of_all else done // _PIECE
            ):
                reported += 1
                progress.step()

        return features_of(
            frozen, table.examples, cache_dir=self.cache_dir, progress=report
        )
