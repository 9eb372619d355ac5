"""A table of one row, and what was found of it."""

from typing import Any

import pytest


@pytest.fixture
def row_values() -> dict[str, Any]:
    """The content of a row's file."""
    return {
        "format_version": 2,
        "title": "Prototypical Network",
        "paper": {"authors": "J. Snell and others", "year": 2017, "title": "Networks"},
        "config": {"dataset": "glyphs", "epochs": 8, "steps_per_epoch": 3},
        "columns": [
            {
                "ways": 5,
                "shots": 1,
                "queries": 5,
                "published": {"percent": 98.8, "source": "table 1"},
                "goal": 20,
            }
        ],
    }


@pytest.fixture
def content() -> dict[str, Any]:
    """A table as `collect` returns it: an ended row, one in training, one not run."""

    def figure(percent: float) -> dict[str, Any]:
        return {
            "percent": percent,
            "intervals": {
                "episode draws": [percent - 0.16, percent + 0.16],
                "test classes": [97.5, 99.25],
            },
            "test_classes": 423,
            "transductive": False,
            "beside_transductive": None,
            "protocol": {"episodes": 1000},
        }

    def run(seed: int, figures: list, **changes: Any) -> dict[str, Any]:
        return {
            "seed": seed,
            "folder": f"some-seed{seed}",
            "trained": True,
            "training_seconds": 3126.0,
            "environment": {
                "tfmeta": "0.1.0",
                "commit": "c74aa07bb7ec0123456789-dirty",
                "processor": "AMD EPYC",
                "usable_cores": 2,
                "gpus": [],
            },
            "history": {"loss": [1.0, 0.5], "val_accuracy": [0.7, 0.9]},
            "figures": figures,
            **changes,
        }

    def column(label: str, published: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {
            "label": label,
            "kind": "episodes",
            "ways": 5,
            "shots": 1,
            "queries": 15,
            "published": {"half_width": None, "checked": "there", **published},
            "goal": None,
            "goal_met": None,
            "over_training_seeds": None,
            **more,
        }

    def row(name: str, columns: list, runs: list, **more: Any) -> dict[str, Any]:
        return {
            "row": name,
            "title": name.title(),
            "paper": {"authors": "A. Author", "year": 2017, "title": f"On {name}"},
            "note": None,
            "budget": 1.0,
            "config": {
                **{"protocol": None, "validation": {"ways": 5, "shots": 1}},
                **{"epochs": 20, "steps_per_epoch": 500},
            },
            "training": "60-way 1-shot",
            "command": f"tfmeta reproduce own --row {name}",
            "columns": columns,
            "runs": runs,
            **more,
        }

    seeds = {"mean": 98.7, "standard_deviation": 0.1, "half_width": 0.9, "seeds": 2}
    lake = {
        "percent": 13.25,
        "intervals": {"trials": [10.3, 16.9], "alphabets": [10.0, 17.5]},
        "test_classes": None,
        "transductive": False,
        "beside_transductive": None,
        "protocol": {"test": "lake", "size": 28},
    }
    return {
        "format_version": 3,
        "table": "own",
        "written": "2030-01-01T00:00:00+00:00",
        "commit": "0123456789abcdef",
        "tfmeta": "0.1.0",
        "test_episodes": 1000,
        "left_out": [],
        "rows": [
            row(
                "ended",
                [
                    column("5-way 1-shot", {"percent": 98.8, "source": "table 1"}),
                    column(
                        "5-way 5-shot",
                        {"percent": 99.7, "half_width": 0.12, "source": "table 1"},
                        over_training_seeds=seeds,
                    ),
                ],
                [
                    run(0, [figure(98.75), figure(99.6)]),
                    run(1, [figure(98.6), figure(99.5)], training_seconds=60.0),
                ],
                note="with a note",
            ),
            row(
                "going",
                [column("5-way 1-shot", {"percent": 96, "source": "table 3"})],
                [run(0, [None], trained=False)],
                budget=2.0,
            ),
            row(
                "planned",
                [
                    column(
                        "within an alphabet",
                        {"percent": 13.7, "source": "a report", "checked": None},
                        kind="lake",
                        goal=14.0,
                    )
                ],
                [],
            ),
            row(
                "lake",
                [
                    column(
                        "within an alphabet",
                        {"percent": 8, "source": "a report"},
                        kind="lake",
                    )
                ],
                [run(0, [lake])],
            ),
        ],
    }
