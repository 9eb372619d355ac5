"""The usual figures: accuracy on test episodes of a run."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmeta.printable import one_line
from tfmeta.runs.config import EpisodeConfig, TrainConfig
from tfmeta.runs.measuring.in_tables import InTables, percent
from tfmeta.runs.measuring.measure import measure_part
from tfmeta.runs.measuring.on_episodes import TASKS, AccuracyOnEpisodes
from tfmeta.runs.measuring.protocol import Drawn
from tfmeta.runs.parameter import parameter
from tfmeta.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from tfmeta.episodes import Episodes
    from tfmeta.evaluation import EvaluationResult
    from tfmeta.learners import FewShotLearner


@dataclasses.dataclass(frozen=True, kw_only=True)
class Standard(AccuracyOnEpisodes, InTables["Episodes", "EvaluationResult"]):
    """The usual figures, of several runs their spread over training seeds.

    Attributes:
        confusion: Whether to draw which class was taken for which.
    """

    name = "standard"
    asked = "default"
    of_usual_runs = {"confusion": "draws the usual figures of a trained run"}

    kind = "episodes"
    unit = "accuracy"
    intervals = ("episode draws", "test classes")
    bound = "≥"

    confusion: bool = parameter(
        False, "Draw which class was taken for which into RUN/confusion.png."
    )

    def draw(
        self, config: TrainConfig, *, data_dir: str | os.PathLike[str] | None = None
    ) -> list[Drawn[Episodes]]:
        """Episodes of each combination of ways and shots."""
        drawn = [
            draw_test_episodes(config, task, seed=self.seed, data_dir=data_dir)
            for task in self.tasks(config)
        ]
        return [Drawn({"": episodes}) for episodes in drawn]

    def report(
        self,
        folder: RunFolder,
        drawn: Drawn[Episodes],
        results: Mapping[str, EvaluationResult],
        *,
        kept: bool,
    ) -> Iterator[Any]:
        """The result in words, and where its confusion is drawn."""
        from tfmeta.runs.confusion_picture import draw_confusion

        for name, result in results.items():
            yield str(result)
            if self.confusion:
                episodes = drawn.parts[name]
                described = episodes.describe()
                picture = self._picture_in(
                    folder, described["ways"], described["shots"]
                )
                draw_confusion(
                    result,
                    picture,
                    groups=episodes.table.groups,
                    group_level=episodes.table.group_level,
                )
                yield f"  confusion of classes      {picture}"

    def pictures(self, folder: RunFolder, config: TrainConfig) -> list[Path]:
        """Those of each combination of ways and shots, with `confusion`."""
        tasks = self.tasks(config) if self.confusion else []
        return [self._picture_in(folder, task.ways, task.shots) for task in tasks]

    def _picture_in(self, folder: RunFolder, ways: int, shots: int) -> Path:
        """`confusion.png`; of several figures each has a picture with its name."""
        usual = folder.confusion_picture
        if max(1, len(self.ways)) * max(1, len(self.shots)) == 1:
            return usual
        return usual.with_stem(f"{usual.stem}-{ways}way-{shots}shot")

    def report_spread(
        self, measured: Sequence[Sequence[EvaluationResult]]
    ) -> Iterator[str]:
        """The spread over training seeds of each figure."""
        from tfmeta.evaluation import over_training_seeds

        for results in zip(*measured, strict=True):
            p = results[0].protocol
            yield (
                f"\n{p['ways']}-way {p['shots']}-shot on {one_line(p['table'])}: "
                f"{over_training_seeds(results)}"
            )

    @classmethod
    def of_column(
        cls, *, ways: int, shots: int, queries: int, num_episodes: int
    ) -> Standard:
        """The usual figure of these tasks; those of a table are of one seed."""
        return cls(
            ways=(ways,),
            shots=(shots,),
            queries=queries,
            num_episodes=num_episodes,
            seed=0,
        )

    @classmethod
    def label(cls, *, ways: int, shots: int) -> str:
        """Ways and shots."""
        return f"{ways}-way {shots}-shot"

    def find(self, folder: RunFolder) -> EvaluationResult | None:
        """The one figure that `metrics.json` has of such episodes, of any table."""
        (task,) = self.tasks(folder.read_config())
        wanted: dict[str, Any] = {
            **task,
            "seed": self.seed,
            "allow_same_origin": False,
            "augment": None,
            "episodes": self.num_episodes,
        }
        if not wanted["unlabelled"]:
            del wanted["unlabelled"], wanted["distractors"]
        support = folder.read_config().support
        if support != "examples":
            wanted["support"] = support
        # Whatever else a protocol names makes other episodes of them.
        data = {"table", "fingerprint", "tasks"}
        for result in self.read(folder):
            if {k: v for k, v in result.protocol.items() if k not in data} == wanted:
                return result
        return None

    def figure(self, result: EvaluationResult) -> dict[str, Any]:
        """Accuracy, over episode draws and over test classes."""
        accuracy, half_width = 100 * result.accuracy, 100 * result.over_episode_draws
        over_classes = result.over_test_classes
        return {
            "percent": accuracy,
            "intervals": {
                "episode draws": [accuracy - half_width, accuracy + half_width],
                "test classes": percent(over_classes),
            },
            "no_interval": over_classes.reason,
            "test_classes": result.num_clusters,
            "transductive": result.transductive,
            "beside_transductive": _beside(result),
            "pretraining": result.pretraining and result.pretraining.to_json(),
            "protocol": result.protocol,
        }

    @classmethod
    def reading(
        cls,
        columns: Sequence[Mapping[str, Any]],
        *,
        test_classes: Sequence[int],
        test_episodes: int,
    ) -> str:
        """What both intervals count, and how many episodes there are."""
        over = ""
        if test_classes:
            ends = dict.fromkeys([min(test_classes), max(test_classes)])
            over = f" (jackknife over {' to '.join(map(str, ends))} classes)"
        queries = sorted({column["queries"] for column in columns})
        return (
            "Over episode draws is what papers report; over test classes counts their "
            f"examples, and each class as a competitor of the others, too{over}. "
            f"{test_episodes:,} test episodes of seed 0 with "
            f"{' or '.join(map(str, queries))} queries per class."
        )


def _beside(result: EvaluationResult) -> dict[str, float | None] | None:
    beside = result.transduction
    if beside is None:
        return None
    unequal = None if beside.unequal is None else 100 * float(beside.unequal.mean())
    return {"alone": 100 * float(beside.alone.mean()), "unequal_classes": unequal}


def draw_test_episodes(
    config: TrainConfig,
    task: EpisodeConfig | None = None,
    *,
    chosen: Collection[str] | None = None,
    seed: int = 0,
    data_dir: str | os.PathLike | None = None,
) -> Episodes:
    """Test episodes of a run's data set, by default of the run's own tasks.

    Args:
        config: The run.
        task: What they consist of, `None` for what they do in the run.
        chosen: Names of the options that somebody chose; by default those in which
            `task` is other than in the run.
        seed: Seed of the episodes.
        data_dir: Where data sets are kept, `None` for the default.

    Raises:
        FileNotFoundError: When the data are not there.
        ValueError: When they do not allow such tasks.
    """
    from tfmeta.datasets.class_sizes import ClassSizes
    from tfmeta.episodes import Episodes
    from tfmeta.runs.data import load_split
    from tfmeta.runs.sizing import check_task

    table = load_split(config, "test", data_dir)
    task = task or config.test
    otherwise = "by default"
    if chosen is None:
        names = (field.name for field in dataclasses.fields(task))
        chosen = [name for name in names if task[name] != config.test[name]]
        otherwise = "as in the run"
    check_task(task, ClassSizes.of(table), chosen, split="test", otherwise=otherwise)
    return Episodes(
        table,
        **task,
        tasks=TASKS,
        seed=seed,
        support=config.support,
    )


def evaluate_run(
    folder: RunFolder,
    learner: FewShotLearner,
    episodes: Episodes,
    *,
    num_episodes: int = 1000,
    data_dir: str | os.PathLike | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    keep: bool = True,
) -> EvaluationResult:
    """The usual figure on given episodes; with `keep`, adds to `metrics.json`.

    A result with the same protocol is replaced: it is the same figure.

    Raises:
        ValueError: When test classes were seen in training or validation, or
            when `metrics.json` is damaged.
        FileNotFoundError: When the run does not say which were.
    """
    return measure_part(
        folder,
        learner,
        Standard(num_episodes=num_episodes),
        episodes,
        data_dir=data_dir,
        on_progress=on_progress,
        keep=keep,
    )
