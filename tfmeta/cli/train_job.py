"""What `tfmeta train` does, step by step, and what it prints."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from tfmeta.callbacks import TrainingProgress
from tfmeta.cli.progress import progress_bar
from tfmeta.export.version_folder import list_versions
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.data import kind_of
from tfmeta.runs.evaluate import draw_test_episodes, evaluate_run
from tfmeta.runs.export import export_run
from tfmeta.runs.learners import learner_kind
from tfmeta.runs.pictures import draw_curve, draw_episodes
from tfmeta.runs.run_folder import RunFolder, read_json
from tfmeta.runs.train import train

_DRAWN = "test episodes, predictions right and wrong"


def run_training(
    config: TrainConfig,
    path: Path,
    *,
    resume: bool,
    test_episodes_count: int,
    data_dir: Path | None,
) -> None:
    """Trains, evaluates, draws, exports, and says what to type next."""
    console = Console(highlight=False, soft_wrap=True)
    folder = RunFolder(path)
    verb = "Going on with" if resume and folder.exists else "Training"
    console.print(
        f"{verb} a {learner_kind(config.learner).title} on {config.dataset}: "
        f"{config.train_ways}-way {config.train_shots}-shot, {config.steps:,} steps, "
        f"into {path}"
    )
    bar = TrainingProgress(console)
    try:
        learner = train(
            config, folder, resume=resume, data_dir=data_dir, callbacks=[bar]
        )
    finally:
        bar.stop()  # Ctrl-C must not leave a terminal without its cursor.
    draw_curve(read_json(folder.history_file), config, folder.curve_picture)

    episodes = draw_test_episodes(config, data_dir=data_dir)
    with progress_bar(console, "evaluating") as report:
        result = evaluate_run(
            folder,
            learner,
            episodes,
            num_episodes=test_episodes_count,
            on_progress=report,
        )
    pictures = kind_of(episodes.table) == "pictures"
    if pictures:
        draw_episodes(learner, episodes, folder.episodes_picture)
    if not list_versions(folder.saved_model):
        export_run(folder, learner, episodes.table)

    console.print()
    console.print(str(result), style="bold")
    console.print()
    console.print(f"The run is in {path}:")
    for name, what in (
        (folder.learner_file.name, "the learner, for keras.saving.load_model"),
        (folder.metrics_file.name, "the figures, per episode and per class"),
        *(
            [
                (
                    folder.episodes_picture.name,
                    "test episodes, predictions right and wrong",
                )
            ]
            if pictures
            else []
        ),
        (folder.curve_picture.name, "the training curve"),
        (f"{folder.saved_model.name}/1/", "the SavedModel, to serve"),
    ):
        console.print(f"  {name:16} {what}")
    console.print()
    console.print("What to type next:")
    classify = [f"tfmeta classify {path} --support FOLDER --query FOLDER"]
    for command in (
        f"tfmeta evaluate {path} --realistic",
        *(classify if pictures else []),
        "tfmeta train --dataset omniglot   (see tfmeta datasets --help)",
    ):
        console.print(f"  {command}")
