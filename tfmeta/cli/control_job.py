"""What `tfmeta train --task` does, and what it prints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tfmeta.cli.progress import progress_bar
from tfmeta.cli.training_steps import train_each_seed, train_with_progress
from tfmeta.console import Console
from tfmeta.control.returns_result import ReturnsResult
from tfmeta.export.version_folder import list_versions
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.control.export import export_policy
from tfmeta.runs.control.plan import plan_control
from tfmeta.runs.measuring.measure import measure_part
from tfmeta.runs.measuring.returns import Returns
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.run_in_words import describe_training


def train_and_measure_policy(
    console: Console, config: TrainConfig, folder: RunFolder, *, resume: bool
) -> ReturnsResult:
    """Trains one run, measures it, draws trajectories and exports it."""
    # All of it before the first line: nothing is announced that is then refused.
    plan = plan_control(config)
    protocol = Returns()
    (drawn,) = protocol.draw(plan.config)
    learner = train_with_progress(
        console,
        plan,
        folder,
        training=describe_training(plan.config, None),
        resume=resume,
        data_dir=None,
    )
    (part,) = drawn.parts.values()
    with progress_bar(console, protocol.progress) as report:
        result = measure_part(folder, learner, protocol, part, on_progress=report)
    if not list_versions(folder.saved_model):
        export_policy(folder, learner)
    console.say("")
    console.say(*str(result).split("\n"), style="bold")
    return result


def train_policies(
    console: Console, config: TrainConfig, paths: Mapping[int, Path], *, resume: bool
) -> None:
    """Trains one run after the other, and says how far their figures spread."""
    results = train_each_seed(
        console,
        config,
        paths,
        lambda own, folder: train_and_measure_policy(
            console, own, folder, resume=resume
        ),
    )
    console.show(*Returns().report_spread([[result] for result in results]))
    console.say("", f"The runs are in {', '.join(map(str, paths.values()))}.")
