"""Errors on test tasks of a run of regression, and the picture of fits."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmeta.runs.config import TrainConfig
from tfmeta.runs.measuring.on_episodes import METRICS_FORMAT_VERSION, TASKS
from tfmeta.runs.measuring.protocol import Drawn, MeasuringProtocol
from tfmeta.runs.result_file import ResultFile
from tfmeta.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from tfmeta.datasets.task_table import Standardization
    from tfmeta.episodes import TaskEpisodes
    from tfmeta.evaluation import RegressionResult
    from tfmeta.learners import FewShotLearner

_MOST_NAMED = 5


@dataclasses.dataclass(frozen=True)
class TestTasks:
    """Tasks to measure on.

    Attributes:
        episodes: Episodes of them, in turn.
        standardization: Of the training tasks.
    """

    __test__ = False  # Its name is no test's.

    episodes: TaskEpisodes
    standardization: Standardization


@dataclasses.dataclass(frozen=True, kw_only=True)
class Regression(MeasuringProtocol["TestTasks", "RegressionResult"]):
    """The usual figures of a run of regression; what is left out is as in the run.

    Attributes:
        shots: Numbers of support rows; each is measured.
        queries: Queries per episode.
        num_episodes: Number of episodes of all tasks together.
        seed: Seed of the episodes.
    """

    name = "regression"
    measures = "regression"
    asked = "default"

    shots: tuple[int, ...] = ()
    queries: int | None = None
    num_episodes: int = 1000
    seed: int = 0

    def draw(
        self, config: TrainConfig, *, data_dir: str | os.PathLike[str] | None = None
    ) -> list[Drawn[TestTasks]]:
        """Episodes of the test tasks, of each number of shots."""
        from tfmeta.runs.regression.data import load_whole, split_tasks
        from tfmeta.runs.regression.plan import task_episodes

        tables = split_tasks(load_whole(config), config.splits)
        by = tables["train"].standardization()
        drawn = []
        for shots in self.shots or (None,):
            task = config.test.with_given(shots=shots, queries=self.queries)
            episodes = task_episodes(
                tables["test"], task, tasks=TASKS, seed=self.seed, in_turn=True
            )
            said = _left_out(episodes)
            drawn.append(Drawn({"": TestTasks(episodes, by)}, said=said))
        return drawn

    def run(
        self,
        folder: RunFolder,
        learner: FewShotLearner,
        part: TestTasks,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> RegressionResult:
        """Measures on test tasks that training has not seen."""
        from tfmeta.evaluation import evaluate_regression
        from tfmeta.registry import learner_entry

        return evaluate_regression(
            learner,
            part.episodes,
            standardization=part.standardization,
            num_episodes=self.num_episodes,
            seen_tasks=folder.seen_classes(),
            name=learner_entry(folder.read_config().learner).title,
            on_progress=on_progress,
        )

    def kept_in(self, folder: RunFolder) -> ResultFile[RegressionResult]:
        """`metrics.json`."""
        from tfmeta.evaluation import RegressionResult
        from tfmeta.evaluation.regression_result import KeptRegression

        return ResultFile(
            folder.metrics_file,
            RegressionResult.from_json,
            version=METRICS_FORMAT_VERSION,
            command="tfmeta evaluate",
            wanted=KeptRegression,
        )

    def pictures(self, folder: RunFolder, config: TrainConfig) -> list[Path]:
        """The picture of fits of each number of shots."""
        return [self._picture_in(folder, s) for s in self.shots or (config.test.shots,)]

    def illustrate(
        self, folder: RunFolder, learner: FewShotLearner, part: TestTasks
    ) -> None:
        """Draws some test tasks."""
        from tfmeta.runs.regression.picture import draw_fits

        picture = self._picture_in(folder, part.episodes.shots)
        draw_fits(learner, part.episodes, picture)

    def report(
        self,
        folder: RunFolder,
        drawn: Drawn[TestTasks],
        results: Mapping[str, RegressionResult],
        *,
        kept: bool,
    ) -> Iterator[Any]:
        """The result in words, and where some fits are drawn."""
        for name, result in results.items():
            yield str(result)
            if kept:
                shots = drawn.parts[name].episodes.shots
                yield f"  fits                      {self._picture_in(folder, shots)}"

    def report_spread(
        self, measured: Sequence[Sequence[RegressionResult]]
    ) -> Iterator[str]:
        """The spread over training seeds of each figure."""
        import numpy as np

        from tfmeta.evaluation.regression_result import TaskMean

        for results in zip(*measured, strict=True):
            for place, target in enumerate(results[0].targets):
                errors = np.array([result.rmse(place).mean for result in results])
                yield (
                    f"\n{results[0].protocol['shots']} rows, RMSE of {target}: "
                    f"{TaskMean.of(errors).text()}, mean of {len(errors)} trainings\n"
                    f"  standard deviation        {np.std(errors, ddof=1):.2g}"
                    "  (of one training; ± is 95 % of the mean, Student's t)"
                )

    def _picture_in(self, folder: RunFolder, shots: int) -> Path:
        """`fits.png`; of several numbers of shots each has a picture with its name."""
        usual = folder.fits_picture
        if len(self.shots) < 2:
            return usual
        return usual.with_stem(f"{usual.stem}-{shots}rows")


def _left_out(episodes: TaskEpisodes) -> tuple[str, ...]:
    names = episodes.left_out
    if not names:
        return ()
    more = ", ..." if len(names) > _MOST_NAMED else ""
    total = len(names) + episodes.table.num_tasks
    return (
        f"Note: {len(names):,} of {total:,} test tasks have "
        f"fewer than {episodes.shots} + {episodes.queries} rows and are left out: "
        f"{', '.join(names[:_MOST_NAMED])}{more}",
    )
