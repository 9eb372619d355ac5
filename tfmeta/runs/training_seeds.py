"""Several trainings of one configuration."""

from __future__ import annotations

from collections.abc import Sequence

from tfmeta.runs.run_folder import RunFolder


def check_same_but_seed(folders: Sequence[RunFolder]) -> None:
    """Checks that runs are trainings of one configuration with different seeds.

    Raises:
        ValueError: When they differ in anything else, or two have one seed.
        FileNotFoundError: When one is no run folder.
    """
    first, *others = [(folder, folder.read_config().to_json()) for folder in folders]
    seeds = {first[1]["seed"]: first[0]}
    for folder, config in others:
        for name, value in first[1].items():
            if name != "seed" and config[name] != value:
                raise ValueError(
                    "runs that are measured together must differ in their training "
                    f"seed alone. Received: {first[0].path} with {name}={value!r} and "
                    f"{folder.path} with {name}={config[name]!r}; two learners are "
                    "compared by `tfmeta compare`"
                )
        if config["seed"] in seeds:
            raise ValueError(
                "runs that are measured together must have different training seeds. "
                f"Received: {seeds[config['seed']].path} and {folder.path}, both with "
                f"seed={config['seed']}"
            )
        seeds[config["seed"]] = folder
