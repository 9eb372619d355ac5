"""What `tfmeta train` does for a run of regression, and what it prints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tfmeta.cli.progress import progress_bar
from tfmeta.cli.training_steps import train_each_seed, train_with_progress
from tfmeta.console import Console
from tfmeta.evaluation import RegressionResult
from tfmeta.export.version_folder import list_versions
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.export import export_run
from tfmeta.runs.measuring.measure import measure_part
from tfmeta.runs.measuring.regression import Regression
from tfmeta.runs.regression.data import changes_of_tasks
from tfmeta.runs.regression.plan import plan_regression
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.run_in_words import describe_training


def train_and_measure_tasks(
    console: Console,
    config: TrainConfig,
    folder: RunFolder,
    *,
    resume: bool,
    num_episodes: int,
) -> RegressionResult:
    """Trains one run, measures it, draws its fits and exports it."""
    # All of it before the first line: nothing is announced that is then refused.
    plan = plan_regression(config)
    protocol = Regression(num_episodes=num_episodes)
    (drawn,) = protocol.draw(plan.config)
    changed = changes_of_tasks(plan.config)
    for note in (*plan.tables["train"].notes, *([changed] if changed else [])):
        console.say(f"Note: {note}")
    sizes = ", ".join(f"{t.num_tasks:,} {s}" for s, t in plan.tables.items())
    console.say(f"Tasks by {config.task_column}: {sizes}")
    console.say(*drawn.said)
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
        export_run(folder, learner, plan.tables["train"])
    console.say("")
    console.say(*str(result).split("\n"), style="bold")
    return result


def train_seeds_of_tasks(
    console: Console,
    config: TrainConfig,
    paths: Mapping[int, Path],
    *,
    resume: bool,
    num_episodes: int,
) -> None:
    """Trains one run after the other, and says how far their figures spread."""
    results = train_each_seed(
        console,
        config,
        paths,
        lambda own, folder: train_and_measure_tasks(
            console, own, folder, resume=resume, num_episodes=num_episodes
        ),
    )
    measured = [[result] for result in results]
    console.show(*Regression().report_spread(measured))
    console.say("", f"The runs are in {', '.join(map(str, paths.values()))}.")
