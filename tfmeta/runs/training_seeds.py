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
    (first, config), *others = [(folder, folder.read_config()) for folder in folders]
    seeds = {config.seed: first}
    for folder, other in others:
        for name, value, others_value in config.differences(other):
            if name != "seed":
                raise ValueError(
                    "runs that are measured together must differ in their training "
                    f"seed alone. Received: {first.path} with {name}={value!r} and "
                    f"{folder.path} with {name}={others_value!r}; two learners are "
                    "compared by `tfmeta compare`"
                )
        if other.seed in seeds:
            raise ValueError(
                "runs that are measured together must have different training seeds. "
                f"Received: {seeds[other.seed].path} and {folder.path}, both with "
                f"seed={other.seed}"
            )
        seeds[other.seed] = folder
