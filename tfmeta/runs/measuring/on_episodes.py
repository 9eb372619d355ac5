"""What protocols that measure on episodes share."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

from tfmeta.runs.config import HeldOutEpisodeConfig, TrainConfig
from tfmeta.runs.measuring.protocol import MeasuringProtocol, PartT, ResultT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tfmeta.episodes import Episodes
    from tfmeta.evaluation import EvaluationResult
    from tfmeta.learners import FewShotLearner
    from tfmeta.runs.result_file import ResultFile
    from tfmeta.runs.run_folder import RunFolder

# 2 has calibration, wrong answers by class, and what belongs beside a transductive
# figure; 3 the classes of each episode; 4 what an encoder was pre-trained on. Results
# of before are read without.
METRICS_FORMAT_VERSION = 4

# Ten tasks a step divide every round number of episodes.
TASKS = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnEpisodes(MeasuringProtocol[PartT, ResultT]):
    """A protocol on test episodes; what is left out is as in the run.

    Attributes:
        ways: Numbers of ways.
        shots: Numbers of shots; every combination is measured.
        queries: Queries per class.
        num_episodes: Number of episodes.
        seed: Seed of the episodes.
    """

    ways: tuple[int, ...] = ()
    shots: tuple[int, ...] = ()
    queries: int | None = None
    num_episodes: int = 1000
    seed: int = 0

    def tasks(self, config: TrainConfig) -> list[HeldOutEpisodeConfig]:
        """The tasks of each figure of a run."""
        return [
            config.test.with_given(ways=ways, shots=shots, queries=self.queries)
            for ways in self.ways or (None,)
            for shots in self.shots or (None,)
        ]


@dataclasses.dataclass(frozen=True, kw_only=True)
class AccuracyOnEpisodes(OnEpisodes["Episodes", "EvaluationResult"]):
    """One that gives the usual figures, kept in `metrics.json`."""

    def run(
        self,
        folder: RunFolder,
        learner: FewShotLearner,
        part: Episodes,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> EvaluationResult:
        """Measures on episodes of test classes that training has not seen."""
        from tfmeta.evaluation import evaluate
        from tfmeta.features import features_dir

        return evaluate(
            learner,
            part,
            num_episodes=self.num_episodes,
            seen_classes=folder.seen_classes(),
            cache_dir=features_dir(data_dir),
            on_progress=on_progress,
        )

    def kept_in(self, folder: RunFolder) -> ResultFile[EvaluationResult]:
        """`metrics.json`."""
        return metrics(folder)


def metrics(folder: RunFolder) -> ResultFile[EvaluationResult]:
    """The run's `metrics.json`."""
    from tfmeta.evaluation import EvaluationResult
    from tfmeta.evaluation.kept import KeptEvaluation
    from tfmeta.runs.result_file import ResultFile

    return ResultFile(
        folder.metrics_file,
        EvaluationResult.from_json,
        version=METRICS_FORMAT_VERSION,
        command="tfmeta evaluate",
        wanted=KeptEvaluation,
    )


def read_results(folder: RunFolder) -> list[EvaluationResult]:
    """All results in the run's `metrics.json`, none when there is no such file.

    Raises:
        ValueError: When the file is damaged or from a newer version.
    """
    return metrics(folder).read()


def find_result(
    folder: RunFolder, episodes: Episodes, *, num_episodes: int
) -> EvaluationResult | None:
    """The figure of these episodes that the run holds already, or `None`.

    Raises:
        ValueError: As `read_results`.
    """
    from tfmeta.evaluation import evaluation_protocol

    wanted = evaluation_protocol(episodes, num_episodes)
    for result in read_results(folder):
        if result.protocol == wanted:
            return result
    return None
