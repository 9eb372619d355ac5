"""Lake's one-shot test of a trained run, and what the run folder keeps of it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmeta.runs.config import TrainConfig
from tfmeta.runs.measuring.in_tables import InTables, percent
from tfmeta.runs.measuring.protocol import Drawn
from tfmeta.runs.result_file import ResultFile
from tfmeta.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from tfmeta.datasets import ClassTable
    from tfmeta.datasets.omniglot.lake_runs import LakeRuns
    from tfmeta.evaluation import LakeResult
    from tfmeta.learners import FewShotLearner

# 2 has what an encoder was pre-trained on; results of before are read without.
LAKE_FORMAT_VERSION = 2


@dataclasses.dataclass(frozen=True)
class LakePictures:
    """Where the pictures of the test come from; a learner says in which size.

    Attributes:
        trained_on: Classes of the run's data set, of any split. Where they show dark
            ink on light ground all pictures of the test are inverted, and where they
            hold 16 bits they are spread over them. `None` stands for uint8 pictures
            of bright ink on a dark ground, as all grey data sets of
            `tfmeta.datasets.load` are.
        data_dir: Where data sets are kept, `None` for the default.
    """

    trained_on: ClassTable | None = None
    data_dir: str | os.PathLike[str] | None = None

    def load(self, size: int) -> LakeRuns:
        """The pictures of the test as they are.

        Raises:
            FileNotFoundError: When they are not in the data folder.
        """
        from tfmeta.datasets.omniglot.lake_runs import load_lake_runs

        return load_lake_runs(data_dir=self.data_dir, size=size)

    def as_trained(self, runs: LakeRuns) -> LakeRuns:
        """Supports and queries as the pictures of training are, both in one way.

        Raises:
            ValueError: When those are neither uint8 nor uint16.
        """
        import numpy as np

        from tfmeta.datasets.reading.ground import invert_pictures
        from tfmeta.runs.data import light_ground

        if self.trained_on is None:
            return runs
        dtype = self.trained_on.examples.dtype
        if dtype not in (np.uint8, np.uint16):
            raise ValueError(
                "Lake's test needs a run that was trained on uint8 or uint16 pictures. "
                f"Received: one trained on {dtype} ({self.trained_on.name!r})"
            )
        scale = np.asarray(np.iinfo(dtype).max // 255, dtype)
        support, query = runs.support * scale, runs.query * scale
        if light_ground(self.trained_on):
            support, query = invert_pictures(support), invert_pictures(query)
        return dataclasses.replace(runs, support=support, query=query)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lake(InTables["LakePictures", "LakeResult"]):
    """20-way one-shot within an alphabet, on given pictures: nothing is drawn."""

    name = "lake"
    asked = "choice"
    help = (
        "instead of episodes, Lake's 20-way one-shot test within an alphabet, "
        "20 runs of 20 trials. Writes lake.json and lake.png into RUN."
    )
    takes_no_more = "whose pictures are given"
    progress = "Lake's test"
    names_runs = False

    kind = "lake"
    unit = "error"
    intervals = ("trials", "alphabets")
    bound = "≤"

    def draw(
        self, config: TrainConfig, *, data_dir: str | os.PathLike[str] | None = None
    ) -> list[Drawn[LakePictures]]:
        """How the pictures of the run's data set look, which may be another."""
        from tfmeta.datasets.registry import DATASETS
        from tfmeta.runs.data import light_ground, load_split

        if config.dataset in DATASETS:
            return [Drawn({"": LakePictures(None, data_dir)})]
        trained_on = load_split(config, "train", data_dir)
        said = (
            "The run was trained on dark on light and Lake's pictures are light on "
            "dark: support and queries are inverted",
        )
        return [
            Drawn(
                {"": LakePictures(trained_on, data_dir)},
                said=said if light_ground(trained_on) else (),
            )
        ]

    def run(
        self,
        folder: RunFolder,
        learner: FewShotLearner,
        part: LakePictures,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> LakeResult:
        """Measures on pictures of the size that the learner takes.

        Raises:
            ValueError: When training or validation saw characters of the test, when
                the learner takes no square grey pictures of at most 105x105, or when
                the run was trained on neither uint8 nor uint16.
            FileNotFoundError: When the run does not say what it saw, or the
                pictures of the test are not in the data folder.
        """
        from tfmeta.evaluation import evaluate_lake

        shape = tuple(learner.encoder.input_shape[1:])
        if len(shape) != 3 or shape[0] != shape[1] or shape[2] != 1 or shape[0] is None:
            raise ValueError(
                "Lake's test needs a learner of square grey pictures, such as "
                "`tfmeta train --dataset omniglot --protocol lake` trains. Received: "
                f"{folder.path} with a learner that takes examples of shape {shape}"
            )
        seen = folder.seen_classes()
        runs = part.as_trained(part.load(shape[0]))
        return evaluate_lake(learner, runs, seen_classes=seen, on_progress=on_progress)

    def kept_in(self, folder: RunFolder) -> ResultFile[LakeResult]:
        """`lake.json`, which holds one result."""
        from tfmeta.evaluation import LakeResult
        from tfmeta.evaluation.kept import KeptLake

        return ResultFile(
            folder.lake_file,
            LakeResult.from_json,
            version=LAKE_FORMAT_VERSION,
            command="tfmeta evaluate --protocol lake",
            single=True,
            wanted=KeptLake,
        )

    def pictures(self, folder: RunFolder, config: TrainConfig) -> list[Path]:
        """`lake.png`, which is kept with `lake.json`."""
        return [folder.lake_picture]

    def keep(self, folder: RunFolder, part: LakePictures, result: LakeResult) -> None:
        """Writes `lake.json` and `lake.png`, which shows the pictures as they are."""
        from tfmeta.runs.lake_picture import draw_lake

        super().keep(folder, part, result)
        draw_lake(part.load(result.size), result, folder.lake_picture)

    def report(
        self,
        folder: RunFolder,
        drawn: Drawn[LakePictures],
        results: Mapping[str, LakeResult],
        *,
        kept: bool,
    ) -> Iterator[Any]:
        """The result in words, and where its answers are drawn."""
        yield from map(str, results.values())
        if kept:
            yield f"Every answer is drawn in {folder.lake_picture}"

    @classmethod
    def of_column(
        cls, *, ways: int, shots: int, queries: int, num_episodes: int
    ) -> Lake:
        """The test, which has tasks of its own."""
        return cls()

    @classmethod
    def label(cls, *, ways: int, shots: int) -> str:
        """The test in words."""
        return "20-way 1-shot within an alphabet, error"

    def find(self, folder: RunFolder) -> LakeResult | None:
        """The result in `lake.json`."""
        return next(iter(self.read(folder)), None)

    def figure(self, result: LakeResult) -> dict[str, Any]:
        """Error rate, over trials and over alphabets."""
        over_alphabets = result.over_alphabets
        return {
            "percent": 100 * result.error,
            "intervals": {
                "trials": [100 * end for end in result.over_trials],
                "alphabets": percent(over_alphabets),
            },
            "no_interval": over_alphabets.reason,
            "test_classes": None,
            "transductive": result.transductive,
            "beside_transductive": None,
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
        """Whose trials they are."""
        return (
            "Within an alphabet: the 400 trials of Lake, Salakhutdinov and Tenenbaum, "
            "2015."
        )
