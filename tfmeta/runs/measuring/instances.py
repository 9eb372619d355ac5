"""Accuracy at the 1st, 2nd, ... example of a class, of a trained run."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmeta.printable import one_line
from tfmeta.runs.config import HeldOutEpisodeConfig, TrainConfig
from tfmeta.runs.measuring.in_tables import InTables, percent
from tfmeta.runs.measuring.on_episodes import TASKS
from tfmeta.runs.measuring.protocol import Drawn
from tfmeta.runs.parameter import parameter
from tfmeta.runs.result_file import ResultFile
from tfmeta.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from tfmeta.episodes import Episodes
    from tfmeta.evaluation import InstancesResult
    from tfmeta.learners import FewShotLearner

INSTANCES_FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Instances(InTables["Episodes", "InstancesResult"]):
    """Sequences, each example of which is classified before its label is told.

    Attributes:
        ways: Numbers of ways; each is measured. What is left out is as in the run.
        instances: Examples of each class.
        num_episodes: Number of sequences.
        seed: Seed of the sequences.
    """

    name = "instances"
    asked = "choice"
    help = (
        "examples one after the other, each classified before its label is told: "
        "accuracy at the 1st, 2nd, ... instance of a class. Writes instances.json and "
        "instances.png into RUN."
    )
    takes_no_more = "whose tasks have --instances of each class"
    progress = "by instance"

    kind = "instances"
    unit = "accuracy"
    intervals = ("episode draws", "test classes")
    bound = "≥"

    ways: tuple[int, ...] = ()
    instances: int = parameter(
        10,
        "With --protocol instances: examples of each class. [default: 10]",
        unit="examples",
        at_least=2,
        at_most=1000,
    )
    num_episodes: int = 1000
    seed: int = 0

    def tasks(self, config: TrainConfig) -> list[HeldOutEpisodeConfig]:
        """The tasks of each figure of a run: one example, and all that follow it."""
        test = dataclasses.replace(config.test, unlabelled=0, distractors=0)
        return [
            test.with_given(ways=ways, shots=1, queries=self.instances - 1)
            for ways in self.ways or (None,)
        ]

    def draw(
        self, config: TrainConfig, *, data_dir: str | os.PathLike[str] | None = None
    ) -> list[Drawn[Episodes]]:
        """Episodes of each number of ways, whose support and queries are a sequence."""
        from tfmeta.datasets.class_sizes import ClassSizes
        from tfmeta.episodes import Episodes
        from tfmeta.runs.data import load_split
        from tfmeta.runs.sizing import check_task

        if config.support != "examples":
            raise ValueError(
                "sequences need a learner that is shown examples of classes. Received: "
                f"{config.learner!r}, which is shown their {config.support}"
            )
        table = load_split(config, "test", data_dir)
        sizes = ClassSizes.of(table)
        tasks = self.tasks(config)
        for task in tasks:
            least = dataclasses.replace(task, queries=1)
            check_task(least, sizes, ("ways",), split="test", otherwise="as in the run")
            name, size = sizes.smallest(ways=task.ways, same_group=task.same_group)
            if self.instances > size:
                raise ValueError(
                    f"`instances` must be at most {size}, the examples of {name!r}, "
                    f"the smallest of the test classes of {sizes.name!r}. Received: "
                    f"instances={self.instances}"
                )
        return [
            Drawn({"": Episodes(table, **task, tasks=TASKS, seed=self.seed)})
            for task in tasks
        ]

    def run(
        self,
        folder: RunFolder,
        learner: FewShotLearner,
        part: Episodes,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> InstancesResult:
        """Measures on sequences of test classes that training has not seen."""
        from tfmeta.evaluation import evaluate_instances
        from tfmeta.evaluation.instances import check_ways
        from tfmeta.features import features_dir

        # Before the first is measured, what cannot be of the others.
        for ways in self.ways:
            check_ways(learner, ways)
        return evaluate_instances(
            learner,
            part,
            num_episodes=self.num_episodes,
            seen_classes=folder.seen_classes(),
            cache_dir=features_dir(data_dir),
            on_progress=on_progress,
        )

    def kept_in(self, folder: RunFolder) -> ResultFile[InstancesResult]:
        """`instances.json`."""
        from tfmeta.evaluation import InstancesResult
        from tfmeta.evaluation.instances_result import KeptInstances

        return ResultFile(
            folder.instances_file,
            InstancesResult.from_json,
            version=INSTANCES_FORMAT_VERSION,
            command="tfmeta evaluate --protocol instances",
            wanted=KeptInstances,
        )

    def pictures(self, folder: RunFolder, config: TrainConfig) -> list[Path]:
        """The picture of each number of ways."""
        return [self._picture_in(folder, task.ways) for task in self.tasks(config)]

    def keep(self, folder: RunFolder, part: Episodes, result: InstancesResult) -> None:
        """Adds to `instances.json`, and draws."""
        from tfmeta.runs.instances_picture import draw_instances

        super().keep(folder, part, result)
        draw_instances(result, self._picture_in(folder, result.protocol["ways"]))

    def report(
        self,
        folder: RunFolder,
        drawn: Drawn[Episodes],
        results: Mapping[str, InstancesResult],
        *,
        kept: bool,
    ) -> Iterator[Any]:
        """A line for each instance, and where they are drawn."""
        for result in results.values():
            yield str(result)
            if kept:
                picture = self._picture_in(folder, result.protocol["ways"])
                yield f"  drawn in {picture}"

    def report_spread(
        self, measured: Sequence[Sequence[InstancesResult]]
    ) -> Iterator[str]:
        """The spread over training seeds at each instance."""
        from tfmeta.evaluation import TrainingSeeds
        from tfmeta.evaluation.instances_result import ordinal

        for results in zip(*measured, strict=True):
            p = results[0].protocol
            lines = [
                f"\n{p['ways']}-way, {p['instances']} instances on "
                f"{one_line(p['table'])}, mean of {len(results)} trainings",
                "  instance  accuracy          standard deviation of one training",
            ]
            for instance in results[0].instances:
                spread = TrainingSeeds(
                    tuple(result.accuracy(instance) for result in results)
                )
                shown = f"{100 * spread.mean:6.2f} ± {100 * spread.half_width:.2f} %"
                lines.append(
                    f"  {ordinal(instance):>8}  {shown:16}  "
                    f"{100 * spread.standard_deviation:.2f}"
                )
            lines.append("  ± is 95 % of the mean over training seeds, Student's t.")
            yield "\n".join(lines)

    def _picture_in(self, folder: RunFolder, ways: int) -> Path:
        """`instances.png`; of several numbers of ways each has one with its name."""
        usual = folder.instances_picture
        return usual if len(self.ways) < 2 else usual.with_stem(f"instances-{ways}way")

    @classmethod
    def of_column(
        cls, *, ways: int, shots: int, queries: int, num_episodes: int
    ) -> Instances:
        """That of the instance behind `shots` others, which `queries - 1` follow."""
        return _AtInstance(
            ways=(ways,),
            instances=shots + queries,
            num_episodes=num_episodes,
            instance=shots + 1,
        )

    @classmethod
    def label(cls, *, ways: int, shots: int) -> str:
        """Ways and instance."""
        from tfmeta.evaluation.instances_result import ordinal

        return f"{ways}-way, {ordinal(shots + 1)} instance"

    def find(self, folder: RunFolder) -> InstancesResult | None:
        """The one result in `instances.json` of such sequences, of any table."""
        (task,) = self.tasks(folder.read_config())
        wanted = {
            "ways": task.ways,
            "instances": self.instances,
            "same_group": task.same_group,
            "allow_same_origin": False,
            "augment": None,
            "seed": self.seed,
            "episodes": self.num_episodes,
        }
        # Whatever else a protocol names makes other sequences of them.
        data = {"table", "fingerprint", "tasks"}
        for result in self.read(folder):
            if {k: v for k, v in result.protocol.items() if k not in data} == wanted:
                return result
        return None

    def figure(self, result: InstancesResult) -> dict[str, Any]:
        """That of the last instance."""
        return _figure(result, self.instances)

    @classmethod
    def reading(
        cls,
        columns: Sequence[Mapping[str, Any]],
        *,
        test_classes: Sequence[int],
        test_episodes: int,
    ) -> str:
        """What an instance is."""
        counts = sorted({column["shots"] + column["queries"] for column in columns})
        return (
            f"By instance: {test_episodes:,} test sequences of seed 0, "
            f"{' or '.join(map(str, counts))} examples of each class in random order, "
            "each classified before its label is told; over test classes counts their "
            "examples, and each class as a competitor of the others, too."
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _AtInstance(Instances):
    """The figure of one instance.

    Attributes:
        instance: Which, from 1 on.
    """

    instance: int

    def figure(self, result: InstancesResult) -> dict[str, Any]:
        """That of the instance."""
        return _figure(result, self.instance)


def _figure(result: InstancesResult, instance: int) -> dict[str, Any]:
    accuracy = 100 * result.accuracy(instance)
    half_width = 100 * result.over_episode_draws(instance)
    over_classes = result.over_test_classes(instance)
    return {
        "percent": accuracy,
        "intervals": {
            "episode draws": [accuracy - half_width, accuracy + half_width],
            "test classes": percent(over_classes),
        },
        "no_interval": over_classes.reason,
        "test_classes": over_classes.clusters,
        # Every example is classified by itself.
        "transductive": False,
        "beside_transductive": None,
        "pretraining": result.pretraining and result.pretraining.to_json(),
        "protocol": result.protocol,
    }
