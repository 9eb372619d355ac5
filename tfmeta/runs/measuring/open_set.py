"""Unknown classes: figures of a trained run, and the threshold that it keeps."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from tfmeta.runs.config import HeldOutEpisodeConfig, TrainConfig
from tfmeta.runs.measuring.on_episodes import TASKS, OnEpisodes
from tfmeta.runs.measuring.protocol import Drawn
from tfmeta.runs.parameter import parameter
from tfmeta.runs.result_file import ResultFile
from tfmeta.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from tfmeta.episodes import Episodes
    from tfmeta.evaluation import OpenSetResult, Threshold
    from tfmeta.learners import FewShotLearner

# 2 has the classes of each episode, 3 what an encoder was pre-trained on; results of
# before are read without.
OPEN_SET_FORMAT_VERSION = 3


@dataclasses.dataclass(frozen=True)
class OpenSetEpisodes:
    """Episodes with unknown classes.

    Attributes:
        test: Those that are measured.
        validation: Those that the threshold is fitted on.
        unknown_ways: How many of their ways are unknown.
    """

    test: Episodes
    validation: Episodes
    unknown_ways: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class OpenSet(OnEpisodes["OpenSetEpisodes", "OpenSetResult"]):
    """Queries of unknown classes, to be answered by "none of these".

    Attributes:
        unknown_ways: Unknown classes per task, by default as many as the known ones,
            or as are left of the classes.
    """

    name = "open-set"
    asked = "flag"
    help = (
        'Episodes with queries of unknown classes, to be answered by "none of '
        'these". Writes open_set.json into RUN, for `tfmeta classify --open-set`.'
    )

    unknown_ways: int | None = parameter(
        None,
        "With --open-set: unknown classes per task. [default: as many as --ways, or as "
        "are left]",
        unit="classes",
        at_least=1,
        at_most=1_000_000,
    )

    def draw(
        self, config: TrainConfig, *, data_dir: str | os.PathLike[str] | None = None
    ) -> list[Drawn[OpenSetEpisodes]]:
        """Test and validation episodes of each combination of ways and shots."""
        drawn = [self._draw(config, task, data_dir) for task in self.tasks(config)]
        return [Drawn({"": both}) for both in drawn]

    def _draw(
        self,
        config: TrainConfig,
        task: HeldOutEpisodeConfig,
        data_dir: str | os.PathLike[str] | None,
    ) -> OpenSetEpisodes:
        """Without unlabelled examples, whatever the run has."""
        from tfmeta.episodes import Episodes
        from tfmeta.runs.data import load_split

        tables = {s: load_split(config, s, data_dir) for s in ("test", "validation")}
        classes = {split: len(set(table.origins)) for split, table in tables.items()}
        ways, most = task.ways, min(classes.values())
        # As many as the known ones, or all that are left.
        unknown_ways = self.unknown_ways or max(1, min(ways, most - ways))
        drawn = []
        for split, table in tables.items():
            if ways + unknown_ways > classes[split]:
                fewer = (
                    "choose fewer by --ways and --unknown-ways"
                    if classes[split] > 2
                    else "2 known and 1 unknown are the least"
                )
                raise ValueError(
                    f"the {split} classes of different origin must be enough for "
                    f"{ways} known and {unknown_ways} unknown ones; {fewer}. "
                    f"Received: {classes[split]} classes"
                )
            drawn.append(
                Episodes(
                    table,
                    **dataclasses.replace(
                        task, ways=ways + unknown_ways, unlabelled=0, distractors=0
                    ),
                    tasks=TASKS,
                    seed=self.seed,
                    support=config.support,
                )
            )
        test, validation = drawn
        return OpenSetEpisodes(test, validation, unknown_ways)

    def run(
        self,
        folder: RunFolder,
        learner: FewShotLearner,
        part: OpenSetEpisodes,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> OpenSetResult:
        """Fits the threshold on validation classes, and measures on test classes."""
        from tfmeta.evaluation import evaluate_open_set
        from tfmeta.features import features_dir

        return evaluate_open_set(
            learner,
            part.test,
            part.validation,
            unknown_ways=part.unknown_ways,
            num_episodes=self.num_episodes,
            seen_classes=folder.seen_classes(),
            cache_dir=features_dir(data_dir),
            on_progress=on_progress,
        )

    def kept_in(self, folder: RunFolder) -> ResultFile[OpenSetResult]:
        """`open_set.json`."""
        from tfmeta.evaluation import OpenSetResult
        from tfmeta.evaluation.kept import KeptOpenSet

        return ResultFile(
            folder.open_set_file,
            OpenSetResult.from_json,
            version=OPEN_SET_FORMAT_VERSION,
            command="tfmeta evaluate --open-set",
            wanted=KeptOpenSet,
        )


def read_thresholds(folder: RunFolder) -> list[Threshold]:
    """The thresholds that a run keeps, the latest last.

    Raises:
        ValueError: When its file is damaged or from a newer version.
    """
    return [result.threshold for result in OpenSet().read(folder)]
