"""What `tfmeta evaluate` does with each run, and what it prints."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from tfmeta.cli.progress import progress_bar
from tfmeta.cli.realistic_table import print_side_by_side
from tfmeta.evaluation import EvaluationResult, over_training_seeds
from tfmeta.learners import FewShotLearner
from tfmeta.runs.building import build_learner
from tfmeta.runs.config import HeldOutEpisodeConfig, TrainConfig
from tfmeta.runs.confusion_picture import draw_confusion
from tfmeta.runs.data import load_split
from tfmeta.runs.evaluate import (
    draw_realistic_episodes,
    draw_test_episodes,
    evaluate_run,
)
from tfmeta.runs.open_set import draw_open_set_episodes, evaluate_run_on_open_set
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner

_Result = TypeVar("_Result")


@dataclasses.dataclass(frozen=True)
class EvaluateJob:
    """What to measure; what is left out is as in the run.

    Attributes:
        ways: Numbers of ways.
        shots: Numbers of shots; every combination is measured.
        queries: Queries per class.
        num_episodes: Number of episodes.
        seed: Seed of the episodes.
        untrained: Whether to measure the run's network with its first weights,
            and keep nothing.
        data_dir: Where data sets are kept, `None` for the default.
    """

    ways: Sequence[int]
    shots: Sequence[int]
    queries: int | None
    num_episodes: int
    seed: int
    untrained: bool
    data_dir: Path | None

    def measure(self, folders: Sequence[RunFolder], *, confusion: bool) -> None:
        """The usual figures, of several runs their spread over training seeds."""
        console = _console()
        measured: list[list[EvaluationResult]] = []
        for folder in _announced(console, folders):
            config = folder.read_config()
            # All before the first is measured: what cannot be drawn is said at once.
            drawn = [
                draw_test_episodes(config, task, seed=self.seed, data_dir=self.data_dir)
                for task in self._tasks(config)
            ]
            learner = self._learner(folder)
            measured.append([])
            for episodes in drawn:
                result = self._with_bar(
                    console, evaluate_run, folder, learner, episodes
                )
                console.print(str(result))
                measured[-1].append(result)
                if confusion:
                    picture = _picture_of(folder, episodes.describe(), len(drawn))
                    draw_confusion(
                        result,
                        picture,
                        groups=episodes.table.groups,
                        group_level=episodes.table.group_level,
                    )
                    console.print(f"  confusion of classes      {picture}")
        if len(folders) > 1:
            for results in zip(*measured, strict=True):
                p = results[0].protocol
                console.print(
                    f"\n{p['ways']}-way {p['shots']}-shot on {p['table']}: "
                    f"{over_training_seeds(results)}"
                )

    def measure_realistic(self, folders: Sequence[RunFolder]) -> None:
        """Uniform, same-group and many-way episodes, side by side."""
        console = _console()
        for folder in _announced(console, folders):
            config = folder.read_config()
            drawn = [
                draw_realistic_episodes(
                    config, task, seed=self.seed, data_dir=self.data_dir
                )
                for task in self._tasks(config)
            ]
            learner = self._learner(folder)
            for kinds in drawn:
                results = {
                    name: self._with_bar(
                        console, evaluate_run, folder, learner, episodes
                    )
                    for name, episodes in kinds.columns.items()
                }
                print_side_by_side(console, results, kinds.notes)

    def measure_open_set(
        self, folders: Sequence[RunFolder], *, unknown_ways: int | None
    ) -> None:
        """Episodes with unknown classes."""
        console = _console()
        for folder in _announced(console, folders):
            config = folder.read_config()
            drawn = [
                draw_open_set_episodes(
                    config,
                    task,
                    unknown_ways=unknown_ways,
                    seed=self.seed,
                    data_dir=self.data_dir,
                )
                for task in self._tasks(config)
            ]
            learner = self._learner(folder)
            for task, both in zip(self._tasks(config), drawn, strict=True):
                result = self._with_bar(
                    console,
                    evaluate_run_on_open_set,
                    folder,
                    learner,
                    *both,
                    unknown_ways=both[0].ways - task.ways,
                )
                console.print(str(result))

    def _tasks(self, config: TrainConfig) -> list[HeldOutEpisodeConfig]:
        return [
            config.test.with_given(ways=ways, shots=shots, queries=self.queries)
            for ways in self.ways or (None,)
            for shots in self.shots or (None,)
        ]

    def _learner(self, folder: RunFolder) -> FewShotLearner:
        if not self.untrained:
            return load_learner(folder)
        config = folder.read_config()
        return build_learner(config, load_split(config, "train", self.data_dir))

    def _with_bar(
        self,
        console: Console,
        evaluate: Callable[..., _Result],
        *arguments: Any,
        **named: Any,
    ) -> _Result:
        with progress_bar(console, "evaluating") as report:
            return evaluate(
                *arguments,
                num_episodes=self.num_episodes,
                on_progress=report,
                keep=not self.untrained,
                **named,
            )


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)


def _announced(console: Console, folders: Sequence[RunFolder]) -> Iterator[RunFolder]:
    """The folders; of several, each by its name before its figures."""
    for folder in folders:
        if len(folders) > 1:
            seed = folder.read_config().seed
            console.print(f"{folder.path}, training seed {seed}")
        yield folder


def _picture_of(folder: RunFolder, described: dict[str, Any], count: int) -> Path:
    """`confusion.png`; of several figures each has a picture with its name."""
    usual = folder.confusion_picture
    if count == 1:
        return usual
    ways, shots = described["ways"], described["shots"]
    return usual.with_stem(f"{usual.stem}-{ways}way-{shots}shot")
