"""Whether data allow the tasks of a run, and the largest that they do."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence

from tfmeta.datasets.class_sizes import ClassSizes
from tfmeta.datasets.splits import SPLITS
from tfmeta.registry import learner_entry, takes_one_number_of_ways
from tfmeta.runs.config import EpisodeConfig, TrainConfig

Sizes = Mapping[str, ClassSizes]


@dataclasses.dataclass(frozen=True)
class _Tasks:
    """The tasks of one split.

    Attributes:
        split: The split.
        prefix: What their options begin with.
        task: What they consist of.
        sizes: The classes that they are drawn from.
    """

    split: str
    prefix: str
    task: EpisodeConfig
    sizes: ClassSizes

    @property
    def most_ways(self) -> int:
        """The most classes of a task that the split allows, without distractors."""
        most = self.sizes.most_ways(same_group=self.task.same_group)
        return most - self.task.distractors

    def smallest(self, ways: int) -> tuple[str, int]:
        """The smallest class of tasks of so many ways, or of what goes; its size."""
        return self.sizes.smallest(
            ways=min(ways, self.most_ways) + self.task.distractors,
            same_group=self.task.same_group,
        )


def lowered_to_data(
    config: TrainConfig, chosen: Collection[str], sizes: Sizes
) -> TrainConfig:
    """Lowers what was not chosen to what the data allow.

    Ways first, then shots to what leaves one query, then queries; down to 2 ways, 1
    shot and 1 query, and where these do not go, `check_tasks` says so.

    Args:
        config: The run.
        chosen: Names of the options that stay as they are.
        sizes: The classes of each split.
    """
    tasks = {part.split: part for part in _tasks(config, sizes)}
    train, held_out = tasks["train"], [tasks["validation"], tasks["test"]]
    most = {"": min(part.most_ways for part in held_out), "train_": train.most_ways}
    if _has_equal_ways(config):
        if not {"ways", "train_ways"}.isdisjoint(chosen):
            chosen = {*chosen, "ways", "train_ways"}
        most = dict.fromkeys(most, min(most.values()))
    values: dict[str, int | tuple[int, int]] = {}
    for prefix, parts in (("", held_out), ("train_", [train])):
        task = parts[0].task

        def lower(name: str, usual: int, most: int, prefix: str = prefix) -> int:
            if prefix + name in chosen:
                return usual
            value = max(2 if name == "ways" else 1, min(usual, most))
            values[prefix + name] = value
            return value

        ways = lower("ways", task.ways, most[prefix])
        room = min(part.smallest(ways)[1] for part in parts) - task.unlabelled
        shots = task.most_shots
        if isinstance(task.shots, int):
            queries = task.queries if prefix + "queries" in chosen else 1
            shots = lower("shots", shots, room - queries)
        lower("queries", task.queries, room - shots)
    if learner_entry(config.learner).trains_on == "examples":
        batch = min(config.batch_size, sizes["train"].num_examples)
        if "batch_size" not in chosen:
            values["batch_size"] = batch
    return config.with_options(values)


def check_splits(name: str, sizes: Sizes) -> None:
    """Checks that there can be a task in each split at all.

    Raises:
        ValueError: When a split has fewer than 2 classes.
    """
    counts = [sizes[split].most_ways() for split in SPLITS]
    if min(counts) < 2:
        raise too_few_classes(name, sum(counts), counts)


def too_few_classes(name: str, total: int, counts: Sequence[int] = ()) -> ValueError:
    """The error of data that cannot be split.

    Args:
        name: The data set.
        total: Its classes.
        counts: Those of each split, where there are splits.
    """
    split = f", split {', '.join(map(str, counts))}" if counts else ""
    return ValueError(
        f"data set {name!r} must have at least {2 * len(SPLITS)} classes, 2 in each of "
        f"its splits {', '.join(SPLITS)}, which share none. Received: {total}{split}; "
        "without training, `tfmeta classify --support FOLDER --query FOLDER` tells any "
        "2 classes apart"
    )


def check_tasks(config: TrainConfig, chosen: Collection[str], sizes: Sizes) -> None:
    """Checks that the data allow all tasks of a run.

    Args:
        config: The run.
        chosen: Names of the options that somebody chose.
        sizes: The classes of each split, or of some.

    Raises:
        ValueError: Names what was chosen, and of the data what stands against it.
    """
    trains_on = learner_entry(config.learner).trains_on
    called = {}
    if _has_equal_ways(config):  # One of them stands for both.
        for name, other in (("ways", "train_ways"), ("train_ways", "ways")):
            if name not in chosen and other in chosen:
                called[name] = other
    for tasks in _tasks(config, sizes):
        if tasks.split == "train" and trains_on != "episodes":
            continue
        check_task(
            tasks.task,
            tasks.sizes,
            chosen,
            split=tasks.split,
            prefix=tasks.prefix,
            called=called,
        )


def check_task(
    task: EpisodeConfig,
    sizes: ClassSizes,
    chosen: Collection[str],
    *,
    split: str,
    prefix: str = "",
    called: Mapping[str, str] | None = None,
    otherwise: str = "by default",
) -> None:
    """Checks that some classes allow tasks.

    Args:
        task: What they consist of.
        sizes: The classes.
        chosen: Names of the options that somebody chose.
        split: What the classes are called.
        prefix: What options of ways, shots and queries begin with.
        called: Options that follow from another one, and that.
        otherwise: Where the values come from that nobody chose.

    Raises:
        ValueError: As `check_tasks`.
    """
    ways = (called or {}).get(f"{prefix}ways", f"{prefix}ways")
    of_split = f"{split} classes of {sizes.name!r}"
    if task.same_group and sizes.groups is None:
        raise ValueError(
            "`same_group` must be left out for data without groups, which of your own "
            f"are folders of class folders. Received: same_group=True, {sizes.name!r}"
        )
    most = sizes.most_ways(same_group=task.same_group)
    largest = f"in the largest {sizes.group_level} of the {of_split}"
    _check_fit(
        {ways: task.ways, "distractors": task.distractors},
        chosen,
        most,
        room=f"{most} {largest}" if task.same_group else f"{most} {of_split}",
        least={ways: 2},
        needed="at least 2 classes",
        otherwise=otherwise,
    )
    name, size = sizes.smallest(
        ways=task.ways + task.distractors, same_group=task.same_group
    )
    _check_fit(
        {
            f"{prefix}shots": task.most_shots,
            f"{prefix}queries": task.queries,
            "unlabelled": task.unlabelled,
        },
        chosen,
        size,
        room=f"{_examples(size)} of {name!r}, the smallest of the {of_split}",
        least={f"{prefix}shots": 1, f"{prefix}queries": 1},
        needed="at least 2 examples of every class, one to learn from and one to ask "
        "about",
        otherwise=otherwise,
    )


def _check_fit(
    taken: Mapping[str, int],
    chosen: Collection[str],
    size: int,
    *,
    room: str,
    least: Mapping[str, int],
    needed: str,
    otherwise: str,
) -> None:
    """Checks that what a task takes is there.

    Args:
        taken: How many of each a task takes, by option.
        chosen: Options that somebody chose.
        size: How many there are.
        room: The same in words.
        least: The smallest values of options.
        needed: What every task needs, in words.
        otherwise: Where the values come from that nobody chose.

    Raises:
        ValueError: When it is not; only what was chosen is said to be received.
    """
    if sum(taken.values()) <= size:
        return
    given = {n: v for n, v in taken.items() if n in chosen and v}
    others = {n: v for n, v in taken.items() if n not in chosen and v}
    if not given and all(v <= least.get(n, 0) for n, v in others.items()):
        raise ValueError(f"a task must have {needed}. Received: {room}")
    beside = " and ".join(
        f"{v} of `{n}`" + ("" if v <= least.get(n, 0) else f" {otherwise}")
        for n, v in others.items()
    )
    if not given:
        raise ValueError(f"a task takes {beside}, and must have them. Received: {room}")
    names = " + ".join(f"`{name}`" for name in given)
    received = " and ".join(f"{name}={value}" for name, value in given.items())
    raise ValueError(
        f"{names} must fit into the {room}"
        + (f", beside {beside}" if beside else "")
        + f". Received: {received}"
    )


def _has_equal_ways(config: TrainConfig) -> bool:
    """Whether tasks of training and test have one number of ways."""
    return takes_one_number_of_ways(config.learner, config.learner_arguments)


def _examples(count: int) -> str:
    return f"{count:,} example{'s' if count != 1 else ''}"


def _tasks(config: TrainConfig, sizes: Sizes) -> Iterator[_Tasks]:
    parts: tuple[tuple[str, str, EpisodeConfig], ...] = (
        ("train", "train_", config.training),
        ("validation", "", config.validation),
        ("test", "", config.test),
    )
    for split, prefix, task in parts:
        if split in sizes:
            yield _Tasks(split, prefix, task, sizes[split])
