"""What `tfmeta train` does, step by step, and what it prints."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from tfmeta.callbacks.progress import TrainingProgress
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import train


def run_training(
    config: TrainConfig,
    path: Path,
    *,
    resume: bool,
    test_episodes: int,
    data_dir: Path | None,
) -> None:
    """Trains, evaluates, draws, exports, and says what to type next."""
    console = Console()
    folder = RunFolder(path)
    console.print(
        f"Training a Prototypical Network on {config.dataset}, "
        f"{config.train_ways}-way {config.train_shots}-shot, {config.steps} steps, "
        f"into {path}",
        highlight=False,
    )
    train(
        config,
        folder,
        resume=resume,
        data_dir=data_dir,
        callbacks=[TrainingProgress(console)],
    )
