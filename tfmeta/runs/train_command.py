"""The command that trains a run."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from tfmeta.printable import shell_word
from tfmeta.runs.config import TrainConfig, options
from tfmeta.runs.defaults import check_used, usual_config
from tfmeta.runs.parameter import Place

# Always said, as what follows from them are other defaults.
_SAID = ("dataset", "learner", "seed")


def train_command(config: TrainConfig) -> str | None:
    """The `tfmeta train` that trains a run, with what is not its default.

    Args:
        config: The run. How data of the user's own are split follows from these.

    Returns:
        One line for a shell; `None` where no command gives such a configuration, as one
        that was made in Python may be.

    Example:

    ```python
    train_command(TrainConfig(epochs=2))
    # "tfmeta train --dataset glyphs --learner prototypical --seed 0 --epochs 2"
    ```
    """
    places = {place.name: place for place in options()}
    chosen = {name: places[name].value_in(config) for name in _SAID}
    wanted = dataclasses.replace(config, splits=None)
    columns = [n for n, p in places.items() if p.parameter.of_task == "regression"]
    for name in ("encoder", "learner_arguments", *columns):
        if places[name].value_in(config):
            chosen[name] = places[name].value_in(config)
    # What is chosen may change defaults of the rest.
    while True:
        try:
            given = {k: v for k, v in chosen.items() if k != "dataset"}
            check_used(given, config.task)
            usual = usual_config(config.dataset, given)
        except ValueError:
            return None
        others = {name for name, _, _ in wanted.differences(usual)} - chosen.keys()
        if not others & places.keys():
            break
        chosen |= {name: places[name].value_in(config) for name in others}
    if next(wanted.differences(usual), None) is not None:
        return None
    words = ["tfmeta", "train"]
    for name, value in sorted(chosen.items(), key=lambda pair: _order(pair[0], places)):
        words += _words(places[name], value)
    return " ".join(map(shell_word, words))


def _order(name: str, places: dict[str, Place]) -> tuple[int, int]:
    first = _SAID.index(name) if name in _SAID else len(_SAID)
    return first, list(places).index(name)


def _words(place: Place, value: Any) -> list[str]:
    known = place.parameter
    flag = f"--{(known.option or place.name).replace('_', '-')}"
    if isinstance(value, bool):
        opposite = f"--{(known.opposite or '').replace('_', '-')}"
        return [flag if value else opposite]
    if isinstance(value, dict):
        pairs = [f"{name}={json.dumps(part)}" for name, part in value.items()]
        return [word for pair in pairs for word in (flag, pair)]
    if isinstance(value, tuple):
        return [flag, "-".join(map(str, value))]
    return [flag, str(value)]
