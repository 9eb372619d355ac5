"""The run folder: where a run keeps its files, read and written safely."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from tfmeta.datasets.registry import DATASETS
from tfmeta.json_files import read_json, write_json
from tfmeta.json_types import check_type, shown
from tfmeta.one_writer import only_writer
from tfmeta.printable import shell_word
from tfmeta.registry import learner_entry
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.former_config import from_flat

# 2 has a part each for the tasks of training, validation and test; 1 is flat.
FORMAT_VERSION = 2

# Seconds that one who adds a figure waits for another who does.
_WAIT = 3.0

History = dict[str, list[float | None]]


class _Seen(TypedDict):
    """What `classes.json` holds."""

    train: list[str]
    validation: list[str]


class _Failure(TypedDict):
    """What `failure.json` holds."""

    failure: str


class _Timing(TypedDict):
    """What `timing.json` holds."""

    training_seconds: float


def read_versioned(
    path: Path, newest: int, keys: Sequence[str], wanted: Any = Any
) -> dict[str, Any]:
    """Reads a JSON file of this package that says its format version.

    Args:
        path: The file.
        newest: The highest format version that can be read.
        keys: What the file must hold besides.
        wanted: What stands there, as of `check_type`.

    Raises:
        FileNotFoundError: When there is no such file.
        OSError: When it cannot be read; names the file.
        ValueError: When it is damaged, is something else, or was written by a
            newer version; names the file.
    """
    values = read_json(path)
    version = values.get("format_version") if isinstance(values, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError(
            f"{path} must be a file that tfmeta wrote. Received: one without "
            "`format_version`"
        )
    if version > newest:
        raise ValueError(
            f"{path} must have a format version of at most {newest}. Received: "
            f"{shown(version)}, from a newer tfmeta; install that version to use it"
        )
    missing = [key for key in keys if key not in values]
    if missing:
        raise ValueError(
            f"{path} must hold {', '.join(keys)}. Received: a file without "
            f"{', '.join(missing)}"
        )
    return check_type(values, wanted, path)


def _wrong_history(missing: list[str]) -> str:
    return f"none of {', '.join(missing)}" if missing else "lists of other sizes"


class RunFolder:
    """The files of one training run.

    | file | what |
    |---|---|
    | `config.json` | format version, configuration, threads, versions |
    | `classes.json` | training and validation classes, rotations folded |
    | `checkpoints/` | what `--resume` goes on from |
    | `best.weights.h5` | weights of the best epoch on validation classes |
    | `learner.keras` | the learner with those weights |
    | `failure.json` | why training stopped before its end |
    | `timing.json` | seconds of training, over all resumes |
    | `history.json`, `curve.png` | losses and accuracies by epoch; of regression squared errors, in deviations of the target |
    | `metrics.json` | the test figures |
    | `episodes.png` | test episodes, predictions right and wrong |
    | `lake.json`, `lake.png` | the answers in Lake's one-shot test, right and wrong |
    | `instances.json`, `instances.png` | accuracy at the 1st, 2nd, ... example of a class |
    | `confusion.png` | which test classes were taken for which |
    | `fits.png` | of regression, test tasks: predicted against true |
    | `trajectories.png` | of environments, test tasks before and after an update |
    | `open_set.json` | figures and threshold of unknown classes |
    | `saved_model/1/` | the SavedModel to serve |

    Args:
        path: The folder; it need not exist.
    """  # noqa: E501

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.classes_file = self.path / "classes.json"
        self.checkpoints = self.path / "checkpoints"
        self.best_weights = self.path / "best.weights.h5"
        self.learner_file = self.path / "learner.keras"
        self.history_file = self.path / "history.json"
        self.failure_file = self.path / "failure.json"
        self.timing_file = self.path / "timing.json"
        self.curve_picture = self.path / "curve.png"
        self.metrics_file = self.path / "metrics.json"
        self.episodes_picture = self.path / "episodes.png"
        self.lake_file = self.path / "lake.json"
        self.lake_picture = self.path / "lake.png"
        self.instances_file = self.path / "instances.json"
        self.instances_picture = self.path / "instances.png"
        self.confusion_picture = self.path / "confusion.png"
        self.fits_picture = self.path / "fits.png"
        self.trajectories_picture = self.path / "trajectories.png"
        self.open_set_file = self.path / "open_set.json"
        self.saved_model = self.path / "saved_model"

    @property
    def exists(self) -> bool:
        """Whether anything is there already."""
        # A hidden file is no run: a file manager's, or one that was being written
        # when the very first step was killed.
        return self.path.is_dir() and any(
            not entry.name.startswith(".") for entry in self.path.iterdir()
        )

    @property
    def is_trained(self) -> bool:
        """Whether training has come to its end."""
        return self.learner_file.exists() and not self.failure_file.exists()

    @property
    def failure(self) -> str | None:
        """Why training stopped before its end, `None` where it did not.

        Raises:
            ValueError: When the file that says it is damaged.
        """
        if not self.failure_file.exists():
            return None
        return read_json(self.failure_file, _Failure)["failure"]

    @property
    def training_seconds(self) -> float | None:
        """Seconds of training so far, over all resumes; `None` before the first.

        Raises:
            ValueError: When the file that says it is damaged.
        """
        if not self.timing_file.exists():
            return None
        return read_json(self.timing_file, _Timing)["training_seconds"]

    def read_history(self) -> History:
        """Losses and figures by epoch; empty where nothing was trained.

        Raises:
            FileNotFoundError: When training has not ended.
            ValueError: When the file that holds them is damaged.
        """
        history = read_json(self.history_file, History)
        figure = self.read_config().figure
        wanted = ("loss", figure, "val_loss", f"val_{figure}")
        missing = [name for name in wanted if name not in history]
        lengths = {len(values) for values in history.values()}
        if history and (missing or len(lengths) > 1 or 0 in lengths):
            raise ValueError(
                f"{self.history_file} must hold {', '.join(wanted)}, each a number for "
                f"every epoch. Received: {_wrong_history(missing)}"
            )
        if history and not any(
            value is not None and math.isfinite(value)
            for value in history[f"val_{figure}"]
        ):
            raise ValueError(
                f"`val_{figure}` in {self.history_file} must be a number for one epoch "
                "or more. Received: none"
            )
        return history

    def only_writer(self, *, wait: bool = False) -> contextlib.AbstractContextManager:
        """What a process does that writes here, and alone does.

        Args:
            wait: Whether to wait some seconds for another, who adds a figure too.

        Raises:
            FolderInUseError: When another process writes here; names it.
        """
        return only_writer(self.path, wait=_WAIT if wait else 0.0)

    def check_has_learner(self) -> None:
        """Checks that training has left a learner.

        Raises:
            FileNotFoundError: When it has not.
        """
        if not self.learner_file.is_file():
            raise FileNotFoundError(
                f"{self.learner_file} must hold the trained learner. Received: no such "
                "file, training has not ended; go on with `tfmeta train --run "
                f"{shell_word(self.path)} --resume`"
            )

    def check_startable(self, *, resume: bool) -> None:
        """Checks that a run can begin here, or go on.

        Raises:
            FileExistsError: When something is there and `resume` is False.
            NotADirectoryError: When the path is a file.
            ValueError, FileNotFoundError: As `read_config`, when resuming.
        """
        if self.path.exists() and not self.path.is_dir():
            raise NotADirectoryError(f"{self.path} must be a folder. Received: a file")
        if not self.exists:
            return
        if not resume:
            if not self.config_file.exists():
                raise FileExistsError(
                    f"{self.path} must be empty or not there, where a run is to begin: "
                    "nothing is overwritten. Received: a folder that holds something; "
                    "name another with --run"
                )
            raise FileExistsError(
                f"{self.path} holds a run already, and nothing is overwritten. Go on "
                "with it by --resume, or name another folder with --run"
            )
        self.read_config()

    def create(self, config: TrainConfig, environment: dict[str, Any]) -> None:
        """Starts the folder.

        Raises:
            FileExistsError: When it holds something already.
        """
        self.check_startable(resume=False)
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(
            self.config_file,
            {
                "format_version": FORMAT_VERSION,
                "config": config.to_json(),
                "environment": environment,
            },
        )

    def read_config(self) -> TrainConfig:
        """The configuration of the run.

        Raises:
            FileNotFoundError: When this is no run folder.
            ValueError: When it was written by a newer version, or is damaged.
        """
        header = self._read_header()
        try:
            config = header["config"]
            if header["format_version"] < 2:
                config = from_flat(config)
            config = TrainConfig.from_json(config)
            learner_entry(config.learner)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{self.config_file} must hold a run's configuration. Received: one "
                f"that is not ({error})"
            ) from error
        if config.splits is None and config.dataset not in DATASETS:
            # Of before runs kept their splits: its test has all other classes.
            return dataclasses.replace(config, splits=self.seen_by_split())
        return config

    def seen_by_split(self) -> dict[str, list[str]] | None:
        """The classes of training and of validation, where the run says them."""
        try:
            seen = read_json(self.classes_file, _Seen)
            return {"train": [*seen["train"]], "validation": [*seen["validation"]]}
        except (OSError, ValueError):
            return None  # `seen_classes` says what is wrong.

    def read_environment(self) -> dict[str, Any]:
        """Threads and versions the run was started with."""
        environment = self._read_header()["environment"]
        return check_type(
            environment, dict[str, Any], f"`environment` in {self.config_file}"
        )

    def _read_header(self) -> dict[str, Any]:
        if not self.config_file.is_file():
            raise FileNotFoundError(
                f"{self.path} must be a run folder, as `tfmeta train` writes it. "
                f"Received: a path without {self.config_file.name}"
            )
        return read_versioned(
            self.config_file, FORMAT_VERSION, ("config", "environment")
        )

    def seen_classes(self) -> list[str]:
        """Origins of all classes that training or validation saw.

        Raises:
            FileNotFoundError: When the run does not say.
            ValueError: When what it says is damaged.
        """
        if not self.classes_file.is_file():
            raise FileNotFoundError(
                f"{self.classes_file} must say which classes training saw. Received: "
                "no such file, so no figure can be reported for this run"
            )
        classes = read_json(self.classes_file)
        try:
            check_type(classes, _Seen, self.classes_file)
        except ValueError as error:
            raise ValueError(
                f"{self.classes_file} must list the classes of `train` and of "
                "`validation`. Received: a file without, so no figure can be "
                f"reported for this run ({error})"
            ) from error
        return sorted({*classes["train"], *classes["validation"]})
