"""One record of a data set: all that the package says and does by its name."""

from __future__ import annotations

import dataclasses
import inspect
import os
import pkgutil
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from tfmeta.datasets.data_dir import resolve_data_dir

if TYPE_CHECKING:
    from tfmeta.datasets.class_table import ClassTable
    from tfmeta.datasets.import_report import ImportReport, OnProgress


@dataclasses.dataclass(frozen=True)
class Dataset:
    """What is known of a data set, and where its functions are.

    A record names functions by `"module:function"`, so that the list of all data
    sets is read without importing what reads them.

    Args:
        name: Its name for `tfmeta.datasets.load` and on the command line.
        description: One line on what it is.
        loader: Of the function `load_NAME(split, *, data_dir, ...)`; without
            `data_dir` where it needs none.
        importer: Of the function `import_NAME(source, data_dir, *, on_progress,
            ...)`, or `None` where there is nothing to import.
        needs: What the folder to import from must hold, in one sentence's words.
        forms: The same as a list, one form to a line, where there are many.
        training: What differs from the defaults of a training run, by name of the
            run's setting; plain values.
        learners: Names of the learners to train by default: the first that makes use
            of all that is chosen, and behind them the one of all other data.
        cut_from: Name of a larger data set that its classes are part of, e.g.
            `"imagenet"`, or `None`. An encoder that was pre-trained on that has seen
            them, and the evaluator says so.
        examples: What its examples are, `"pictures"` or `"text"`.
        tables: Names of its tables in the data folder, as a pattern of files; by
            default those that begin with its own name.
        licence: Under which terms its examples may be used, in a few words, or
            `"unknown"`.

    Raises:
        ValueError: When only one of `importer` and `needs` is given.

    Example:

    ```python
    TOY = Dataset(
        name="toy",
        description="ten classes of noise",
        loader="toy.load:load_toy",
        importer="toy.importing:import_toy",
        needs="toy.csv",
        training={"ways": 5, "epochs": 2},
    )
    ```
    """

    name: str
    description: str
    loader: str
    importer: str | None = None
    needs: str = ""
    forms: str = ""
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    learners: tuple[str, ...] = ()
    cut_from: str | None = None
    examples: Literal["pictures", "text"] = "pictures"
    tables: str | None = None
    licence: str = "unknown"

    def __post_init__(self) -> None:
        if bool(self.importer) != bool(self.needs):
            raise ValueError(
                f"`needs` of data set {self.name!r} must say what `importer` reads. "
                f"Received: importer={self.importer!r}, needs={self.needs!r}"
            )

    def load(
        self,
        split: str = "train",
        *,
        data_dir: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> ClassTable:
        """One split; see `tfmeta.datasets.load`."""
        loader = pkgutil.resolve_name(self.loader)
        given = options_of(loader, options, self.name)
        if "data_dir" in inspect.signature(loader).parameters:
            given["data_dir"] = data_dir
        table = loader(split, **given)
        if self.cut_from is None or table.cut_from is not None:
            return table
        return dataclasses.replace(table, cut_from=self.cut_from)

    def is_imported(self, data_dir: str | os.PathLike[str] | None = None) -> bool:
        """Whether its table lies in a data folder; nothing is read or downloaded.

        True for one that needs no files.
        """
        if self.importer is None:
            return True
        tables = resolve_data_dir(data_dir) / "tables"
        return any(tables.glob(self.tables or f"{self.name}*"))

    def import_from(
        self,
        source: str | os.PathLike[str],
        *,
        data_dir: str | os.PathLike[str] | None = None,
        on_progress: OnProgress | None = None,
        **options: Any,
    ) -> ImportReport:
        """Brings it in from files; see `tfmeta.datasets.registry.import_dataset`."""
        if self.importer is None:
            raise ValueError(
                f"`name` must be a data set that is imported. Received: {self.name!r}, "
                "which needs no files"
            )
        importer = pkgutil.resolve_name(self.importer)
        accepted = set(inspect.signature(importer).parameters)
        given = {name: value for name, value in options.items() if value is not None}
        for option, value in given.items():
            if option not in accepted - {"source", "data_dir", "on_progress"}:
                raise ValueError(
                    f"`{option}` must be left out for {self.name}, which has no such "
                    f"option. Received: {option}={value!r}"
                )
        return importer(source, data_dir, on_progress=on_progress, **given)

    def missing(
        self,
        data_dir: str | os.PathLike[str] | None,
        *,
        because: str = "",
        option: str = "",
    ) -> FileNotFoundError:
        """The error of a loader that finds nothing; it says how to import.

        Args:
            data_dir: The data folder.
            because: Why it did not come by itself, e.g. `"cannot be downloaded"`.
            option: What the command takes besides, e.g. `"--partial"`.
        """
        folder = resolve_data_dir(data_dir)
        command = (
            f"`tfmeta datasets import {self.name} --from DIR {option}".strip() + "`"
        )
        how = (
            f"Type {command}, where DIR has one of these forms:\n{self.forms}\n"
            if self.forms
            else f"It comes from {self.needs}. Put that into a folder and type "
            f"{command}. "
        )
        return FileNotFoundError(
            f"{self.name} is not in {folder}{because and ' and ' + because}. {how}"
            f"Received: data_dir {str(folder)!r}"
        )


def options_of(
    loader: Callable[..., ClassTable], options: Mapping[str, Any], name: str
) -> dict[str, Any]:
    """The options for the loader of a data set, without those that are `None`.

    Raises:
        ValueError: When it does not take one; names those that it takes.
    """
    accepted = set(inspect.signature(loader).parameters) - {"path", "split", "data_dir"}
    given = {option: value for option, value in options.items() if value is not None}
    for option, value in given.items():
        if option not in accepted:
            takes = ", ".join(f"`{a}`" for a in sorted(accepted)) or "no options"
            raise ValueError(
                f"`{option}` is no option of data set {name!r}, which takes {takes}. "
                f"Received: {option}={value!r}"
            )
    return given
