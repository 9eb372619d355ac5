"""Returns on test tasks that are environments, before and after updates."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmeta.control_registry import PREFIX
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.measuring.on_episodes import METRICS_FORMAT_VERSION
from tfmeta.runs.measuring.protocol import Drawn, MeasuringProtocol
from tfmeta.runs.parameter import parameter
from tfmeta.runs.result_file import ResultFile
from tfmeta.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from tfmeta.control.returns_result import ReturnsResult
    from tfmeta.learners import FewShotLearner

_UPDATES, _TRAJECTORIES, _TASKS = 3, 20, 40
# Tasks that are acted in at once.
_TOGETHER = 40


@dataclasses.dataclass(frozen=True, kw_only=True)
class Returns(MeasuringProtocol[tuple[int, ...], "ReturnsResult"]):
    """The usual figures of a run whose tasks are environments.

    Attributes:
        updates: How many are measured.
        trajectories: Of each task, for each update and each figure.
        test_tasks: How many; their numbers are 0, 1, ...
        seed: Of what is drawn.
    """

    name = "returns"
    measures = "control"
    asked = "default"
    of_usual_runs = {
        "updates": "is for runs with --task",
        "trajectories": "is for runs with --task",
        "test_tasks": "is for runs with --task",
    }
    progress = "acting"

    updates: int | None = parameter(
        None,
        "Of a run with --task: updates after which returns are measured. [default: 3]",
        unit="updates",
        at_least=0,
        at_most=100,
    )
    trajectories: int | None = parameter(
        None,
        "Of a run with --task: trajectories of each task for each update. [default: "
        "20]",
        unit="trajectories",
        at_least=1,
        at_most=10_000,
    )
    test_tasks: int | None = parameter(
        None,
        "Of a run with --task: number of test tasks. [default: 40]",
        unit="tasks",
        at_least=1,
        at_most=100_000,
    )
    seed: int = 0

    def draw(
        self, config: TrainConfig, *, data_dir: str | os.PathLike[str] | None = None
    ) -> list[Drawn[tuple[int, ...]]]:
        """The numbers of the test tasks, which no training has."""
        tasks = self.test_tasks or _TASKS
        return [Drawn({"": tuple(range(tasks))})]

    def run(
        self,
        folder: RunFolder,
        learner: FewShotLearner,
        part: tuple[int, ...],
        *,
        data_dir: str | os.PathLike[str] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> ReturnsResult:
        """Acts in test tasks, and adapts to each."""
        import numpy as np

        from tfmeta.control import returns_by_update
        from tfmeta.control.returns_result import ReturnsResult
        from tfmeta.registry import learner_entry

        config = folder.read_config()
        updates = _UPDATES if self.updates is None else self.updates
        trajectories = self.trajectories or _TRAJECTORIES
        found = []
        for start in range(0, len(part), _TOGETHER):
            some = part[start : start + _TOGETHER]
            found.append(
                returns_by_update(
                    learner,
                    some,
                    updates=updates,
                    trajectories=trajectories,
                    seed=self.seed,
                )
            )
            if on_progress is not None:
                on_progress(start + len(some), len(part))
        protocol = {
            "family": config.dataset.removeprefix(PREFIX),
            "task_arguments": config.task_arguments or {},
            "tasks": len(part),
            "updates": updates,
            "trajectories": trajectories,
            "seed": self.seed,
        }
        title = learner_entry(config.learner).title
        return ReturnsResult(protocol, title, np.concatenate(found, axis=1))

    def kept_in(self, folder: RunFolder) -> ResultFile[ReturnsResult]:
        """`metrics.json`."""
        from tfmeta.control.returns_result import KeptReturns, ReturnsResult

        return ResultFile(
            folder.metrics_file,
            ReturnsResult.from_json,
            version=METRICS_FORMAT_VERSION,
            command="tfmeta evaluate",
            wanted=KeptReturns,
        )

    def pictures(self, folder: RunFolder, config: TrainConfig) -> list[Path]:
        """What was done before and after an update."""
        return [folder.trajectories_picture]

    def illustrate(
        self, folder: RunFolder, learner: FewShotLearner, part: tuple[int, ...]
    ) -> None:
        """Draws some test tasks."""
        from tfmeta.runs.control.picture import draw_trajectories

        draw_trajectories(
            learner, part, folder.trajectories_picture, updates=self.updates or 1
        )

    def report(
        self,
        folder: RunFolder,
        drawn: Drawn[tuple[int, ...]],
        results: Mapping[str, ReturnsResult],
        *,
        kept: bool,
    ) -> Iterator[Any]:
        """The result in words, and where some trajectories are drawn."""
        for result in results.values():
            yield str(result)
            if kept:
                yield f"  trajectories          {folder.trajectories_picture}"

    def report_spread(
        self, measured: Sequence[Sequence[ReturnsResult]]
    ) -> Iterator[str]:
        """The spread over training seeds of each figure."""
        import numpy as np

        from tfmeta.evaluation.regression_result import TaskMean

        for results in zip(*measured, strict=True):
            for number in range(len(results[0].returns)):
                means = np.array([one.returns[number].mean() for one in results])
                yield (
                    f"after {number} update{'' if number == 1 else 's'}: "
                    f"{TaskMean.of(means).text()}, mean of {len(means)} trainings\n"
                    f"  standard deviation  {np.std(means, ddof=1):.2g}"
                    "  (of one training; ± is 95 % of the mean, Student's t)"
                )
