"""What has become of the user's own data since a run began."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence

from tfmeta.datasets.class_splits import RATIOS, assign_by_ratio
from tfmeta.datasets.own.given_splits import given_splits
from tfmeta.datasets.own.open_own import is_tfds
from tfmeta.datasets.own.own_split import OwnSplits
from tfmeta.datasets.registry import DATASETS
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.data import own_splits
from tfmeta.runs.regression.data import changes_of_tasks

_MOST_NAMED = 5


def changes_of_data(
    config: TrainConfig, data_dir: str | os.PathLike[str] | None = None
) -> str | None:
    """What is other about the classes or tasks than when a run began, in a sentence.

    Args:
        config: Of the run's folder.
        data_dir: Where data sets are kept, `None` for the default.

    Returns:
        `None` where nothing is, as far as the run says.

    Raises:
        FileNotFoundError, ValueError: When the data cannot be opened.
    """
    if config.task == "regression":
        return changes_of_tasks(config)
    if config.task == "control":
        return None
    kept = config.splits
    # What others have prepared, by its name, stays as it is.
    if config.dataset in DATASETS or kept is None or is_tfds(config.dataset):
        return None
    splits = own_splits(config, data_dir)
    present = {*splits.whole.origins}
    gone = sorted({o for origins in kept.values() for o in origins} - present)
    new = splits.origins(None)
    found = []
    if new:
        found.append(f"new, and in none of its splits: {_some(new)}")
    if gone:
        found.append(f"gone: {_some(gone)}")
    if "test" not in kept and not _is_as_before(config, splits, kept):
        count = len(splits.origins("test"))
        found.append(f"it is tested on all {count} that its training did not see")
    if not found:
        return None
    return f"{config.dataset} has other classes than when this run began: " + "; ".join(
        found
    )


def _is_as_before(
    config: TrainConfig, splits: OwnSplits, kept: Mapping[str, Collection[str]]
) -> bool:
    """Whether the classes are those that a run without a list of the test had."""
    if given_splits(config.dataset):
        return True  # Its folder says it.
    prefix = f"{splits.whole.name}/"
    units = [origin.removeprefix(prefix) for origin in splits.whole.origins]
    if len(set(units)) < len(RATIOS):
        return False
    # Runs were divided by ratio before they kept their splits.
    then: dict[str, set[str]] = {split: set() for split in RATIOS}
    for unit, split in zip(units, assign_by_ratio(units, RATIOS), strict=True):
        then[split].add(prefix + unit)
    return all(then[split] == set(origins) for split, origins in kept.items())


def _some(origins: Sequence[str]) -> str:
    more = len(origins) - _MOST_NAMED
    named = ", ".join(origins[:_MOST_NAMED])
    return f"{named} and {more:,} more" if more > 0 else named
