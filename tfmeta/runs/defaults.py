"""What is trained when only the data set is named."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfmeta.control_registry import is_control
from tfmeta.datasets.registry import DATASETS
from tfmeta.datasets.training_defaults import PHOTOGRAPH_LEARNERS
from tfmeta.extras import is_installed
from tfmeta.registry import (
    ENCODERS,
    HEADS,
    LEARNERS,
    is_pretrained,
    learner_entry,
    takes_one_number_of_ways,
)
from tfmeta.runs.columns import check_no_columns
from tfmeta.runs.config import TrainConfig, options
from tfmeta.runs.control.defaults import control_config
from tfmeta.runs.parameter import Place, Task
from tfmeta.runs.regression.defaults import regression_config, usual_regression
from tfmeta.runs.sizing import check_splits, check_tasks, lowered_to_data

# What is other than `TrainConfig`'s, by option.
DEFAULTS: dict[str, Mapping[str, Any]] = {
    name: record.training for name, record in DATASETS.items()
}

_OWN = {"train_ways": 20}

# What says itself which learner or encoder is meant.
_NAMED = {"learner", "encoder", "learner_arguments"}


def default_config(
    dataset: str,
    chosen: Mapping[str, Any],
    *,
    data_dir: str | os.PathLike[str] | None = None,
) -> TrainConfig:
    """The configuration for a data set, with what the user has chosen.

    For a data set of the user's own, ways, shots and queries are the most that its
    splits allow, up to 20 ways in training, 5 ways in validation and test, and
    15 queries; and the configuration says how its classes are split. Photographs have
    other learners by default, as far as these make use of what is chosen.

    Args:
        dataset: A name, a path, or `"tfds:NAME"`.
        chosen: Values by name of the option, as `TrainConfig.with_options` takes
            them.
        data_dir: Where data sets are kept, `None` for the default.

    Raises:
        FileNotFoundError: When data of the user's own are not there.
        ValueError: When there is neither a data set nor a path of that name,
            something is chosen that the learner makes no use of, or the user's own
            data do not allow the tasks that are chosen.
    """
    chosen = with_full_paths(chosen)
    dataset = with_full_paths({"dataset": dataset})["dataset"]
    if is_control(dataset):
        check_used(chosen, "control")
        return control_config(dataset, chosen)
    columns = _columns_of(chosen)
    if columns:
        return _of_tasks(dataset, columns, chosen)
    if dataset in DATASETS:
        check_no_columns(dataset, chosen)
        chosen = _with_learner(chosen, DATASETS[dataset].learners)
        check_used(chosen)
        return _config(dataset, DEFAULTS[dataset], chosen)
    if chosen.get("protocol") is not None:
        raise ValueError(
            "`protocol` must be left out for data of your own, which have none. "
            f"Received: protocol={chosen['protocol']!r}"
        )
    if not dataset.startswith("tfds:"):
        _check_there(dataset)
    check_used(chosen)
    return _of_own(dataset, chosen, data_dir)


def _check_there(dataset: str) -> None:
    if not Path(dataset).exists():
        raise ValueError(
            f"`dataset` must be one of {', '.join(DATASETS)}, or the path of a "
            "folder, CSV or .npz file of your own, or tfds:NAME for a data set of "
            f"TensorFlow Datasets. Received: {dataset!r}, and there is no such path"
        )


def _columns_of(chosen: Mapping[str, Any]) -> list[str]:
    """Those of what is chosen that make a run one of regression."""
    return [p.name for p in options() if _is_of_regression(p) and p.name in chosen]


def _is_of_regression(place: Place) -> bool:
    return place.parameter.of_task == "regression"


def _of_tasks(
    dataset: str, columns: Sequence[str], chosen: Mapping[str, Any]
) -> TrainConfig:
    """The configuration of a run of regression."""
    first = columns[0]
    if dataset in DATASETS or dataset.startswith("tfds:"):
        raise ValueError(
            f"`{first}` must be left out but for a CSV file of your own. Received: "
            f"{first}={chosen[first]!r} for {dataset}"
        )
    _check_there(dataset)
    for name in ("task_column", "target_column"):
        if name not in chosen:
            raise ValueError(
                f"`{name}` must be given with `{first}`: one says which task a row is "
                f"of, the other what is predicted. Received: {first}="
                f"{chosen[first]!r} alone"
            )
    check_used(chosen)
    return regression_config(dataset, chosen)


def usual_config(dataset: str, chosen: Mapping[str, Any]) -> TrainConfig:
    """As `default_config`, without a look at data of the user's own.

    Args:
        dataset: A name, or what stands for data of the user's own.
        chosen: Values by name of the option; the learner among them.

    Raises:
        ValueError: When values are out of their bounds or do not fit each other.
    """
    if is_control(dataset):
        return control_config(dataset, chosen)
    if _columns_of(chosen):
        return usual_regression(dataset, chosen)
    return _config(dataset, DEFAULTS.get(dataset, _OWN), chosen)


def usual_learners(
    dataset: str, chosen: Collection[str], *, photographs: bool
) -> tuple[str, ...]:
    """Learners that data have by default: the first that is of use.

    None where they have no others than all data, or where what is chosen says itself
    what is trained.

    Args:
        dataset: Name or path.
        chosen: Names of what is chosen.
        photographs: Whether the user's own data are pictures in colour.
    """
    if _NAMED & set(chosen):
        return ()
    if dataset in DATASETS:
        return DATASETS[dataset].learners
    return PHOTOGRAPH_LEARNERS if photographs else ()


def unused_by(learner: str, chosen: Mapping[str, Any]) -> list[str]:
    """Names of the options among those chosen that a learner makes no use of."""
    unused = []
    for name, value in chosen.items():
        try:
            check_used({name: value, "learner": learner})
        except ValueError:
            unused.append(name)
    return unused


def defaults_in_words() -> dict[str, str]:
    """The defaults of all options, for `--help`: by data set, then by learner."""
    of_data = {
        name: _config(name, values, _with_learner({}, DATASETS[name].learners))
        for name, values in DEFAULTS.items()
    }
    of_data["your own data"] = _config("", _OWN, {})
    of_data["your own photographs"] = _config(
        "", _OWN, _with_learner({}, PHOTOGRAPH_LEARNERS)
    )
    of_data["your own regression"] = usual_regression("", {})
    of_learners = {name: learner_defaults({"learner": name}) for name in LEARNERS}
    words = {}
    for place in options():
        usual = _in_words(place, TrainConfig())
        others: dict[str, list[str]] = {}
        for name, config in of_data.items() if place.name != "dataset" else ():
            value = _in_words(place, config)
            if value != usual:
                others.setdefault(value, []).append(name)
        for name, values in of_learners.items():
            if place.name not in values:
                continue
            value = _in_words(place, TrainConfig().with_options(values))
            if others or value != usual:
                others.setdefault(value, []).append(name)
        named = [f"{value} for {', '.join(names)}" for value, names in others.items()]
        words[place.name] = "; ".join([usual, *named])
    return words


def _config(
    dataset: str, of_data: Mapping[str, Any], chosen: Mapping[str, Any]
) -> TrainConfig:
    return TrainConfig().with_options(
        {"dataset": dataset, **of_data, **learner_defaults(chosen), **chosen}
    )


def _with_learner(
    chosen: Mapping[str, Any], learners: Sequence[str]
) -> Mapping[str, Any]:
    """What is chosen with the first learner that makes use of all of it.

    As it is where none does, or where it says itself what is trained.
    """
    if _NAMED & set(chosen):
        return chosen
    for name in learners:
        package = ENCODERS[learner_entry(name).encoder].package
        if package is not None and not is_installed(package):
            continue
        with_it = {**chosen, "learner": name}
        with contextlib.suppress(ValueError):
            check_used(with_it)
            return with_it
    return chosen


def _in_words(place: Place, config: TrainConfig) -> str:
    if place.parameter.without is not None:
        return place.parameter.without
    value = place.value_in(config)
    if not isinstance(value, bool):
        return f"{value:g}" if isinstance(value, float) else str(value)
    name = place.name if value else place.parameter.opposite
    return str(name).replace("_", "-")


def check_used(chosen: Mapping[str, Any], task: Task | None = None) -> None:
    """Refuses choices that say how another sort of learner is trained.

    Args:
        chosen: Values by name of the option.
        task: What its tasks are, by default what the choices say.
    """
    task = task or ("regression" if _columns_of(chosen) else "classification")
    for place in options():
        if place.name in chosen and not place.parameter.is_of(task):
            raise ValueError(
                f"`{place.name}` must be left out for {task}, which makes no use of "
                f"it. Received: {place.name}={chosen[place.name]!r}"
            )
    if task == "control":
        return
    learner = chosen.get("learner", TrainConfig.learner)
    trains_on = learner_entry(learner).trains_on
    _check_used_by_encoder(chosen)
    if chosen.get("distractors") and not chosen.get("unlabelled"):
        raise ValueError(
            "`distractors` must come with `unlabelled`, since theirs are the only "
            f"examples that a task has of them. Received: "
            f"distractors={chosen['distractors']} alone"
        )
    for place in options():
        of_others = place.trains_on not in (None, trains_on)
        if trains_on == "nothing":
            of_others |= place.parameter.of_training
        if place.name in chosen and of_others:
            raise ValueError(
                f"`{place.name}` must be left out for learner {learner!r}, which "
                f"trains on {trains_on}. Received: {place.name}="
                f"{chosen[place.name]!r}"
            )


def _check_used_by_encoder(chosen: Mapping[str, Any]) -> None:
    """Refuses choices that an encoder which others have trained makes no use of."""
    encoder = chosen.get("encoder")
    if not is_pretrained(encoder):
        return
    for name, why in (
        ("filters", "whose width is as it was trained"),
        ("augment", "whose features are computed once for every example"),
        ("dtype_policy", "whose features are float32"),
    ):
        if chosen.get(name) not in (None, False):
            raise ValueError(
                f"`{name}` must be left out for encoder {encoder!r}, {why}. Received: "
                f"{name}={chosen[name]!r}"
            )


def with_full_paths(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The same with paths that hold in any folder, as a run keeps them."""
    changed = {}
    for option, known in (("dataset", DATASETS), ("encoder", ENCODERS)):
        path = chosen.get(option)
        if path is not None and path not in known and Path(path).exists():
            changed[option] = str(Path(path).resolve())
    return {**chosen, **changed}


def learner_defaults(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """What the learner has other defaults for.

    One with an inner loop or a memory trains on tasks like those that it is measured
    on.

    Raises:
        ValueError: When training and test are to have other ways and the head takes
            one number alone.
    """
    entry = learner_entry(chosen.get("learner", TrainConfig.learner))
    values = dict(entry.defaults)
    if is_pretrained(chosen.get("encoder", entry.encoder)):
        # Features that are computed once are of examples as they are.
        values["augment"] = False
    if not entry.trains_on_like_tasks:
        return values
    ways = chosen.get("ways", chosen.get("train_ways", values["ways"]))
    train_ways = chosen.get("train_ways", ways)
    if ways != train_ways and takes_one_number_of_ways(
        chosen.get("learner", TrainConfig.learner), chosen.get("learner_arguments", {})
    ):
        free = ", ".join(f"head={n}" for n, head in HEADS.items() if head.any_ways)
        why = (
            f"learner with a linear head; the argument {free} takes any number"
            if entry.has_heads
            else f"{entry.title}, which reads a label as so many inputs"
        )
        raise ValueError(
            f"`ways` must equal `train_ways` for a {why}. Received: "
            f"ways={ways}, train_ways={train_ways}"
        )
    values |= {"ways": ways, "train_ways": train_ways}
    return {"train_shots": chosen.get("shots", values["shots"]), **values}


def _of_own(
    dataset: str,
    chosen: Mapping[str, Any],
    data_dir: str | os.PathLike[str] | None,
) -> TrainConfig:
    """Keeps how own data are split, and lowers what was not chosen to what they allow.

    Raises:
        FileNotFoundError, ValueError: As `default_config`.
    """
    from tfmeta.runs.data import (
        are_photographs,
        own_split_sizes,
        own_splits,
        with_splits,
    )

    # Once: a data set of TFDS is read as a whole.
    splits = own_splits(_config(dataset, _OWN, chosen), data_dir)
    photographs = not _NAMED & set(chosen) and are_photographs(splits.whole)
    usual = usual_learners(dataset, chosen, photographs=photographs)
    chosen = _with_learner(chosen, usual)
    config = with_splits(_config(dataset, _OWN, chosen), splits)
    sizes = own_split_sizes(splits)
    check_splits(config.dataset, sizes)
    config = lowered_to_data(config, chosen, sizes)
    check_tasks(config, chosen, sizes)
    return config
