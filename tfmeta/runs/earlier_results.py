"""Results that were kept before a figure's interval needed the episodes' classes."""

from __future__ import annotations

import dataclasses
import os

from tfmeta.episodes import Episodes
from tfmeta.evaluation import EvaluationResult, evaluation_protocol
from tfmeta.evaluation.participants import all_participants
from tfmeta.runs.data import load_split
from tfmeta.runs.measuring.on_episodes import metrics
from tfmeta.runs.run_folder import RunFolder

# Of a protocol, what names the data, and what never decides which classes are drawn.
_NOT_DRAWN = (
    "table",
    "fingerprint",
    "episodes",
    "augment",
    "support_augment",
    "query_augment",
)


def complete_results(
    folder: RunFolder, *, data_dir: str | os.PathLike[str] | None = None
) -> None:
    """Adds the classes of each episode to the results of a run that lack them.

    The protocol fixes the episodes, so that they are drawn again and no learner is
    asked. A result whose data have changed since is left as it is.

    Args:
        folder: The run.
        data_dir: Where data sets are kept, `None` for the default.

    Raises:
        ValueError: When `metrics.json` is damaged.
    """
    lacking = [r for r in metrics(folder).read() if r.episode_classes is None]
    if not lacking:
        return
    table = load_split(folder.read_config(), "test", data_dir)
    for result in lacking:
        protocol = result.protocol
        drawn = {k: v for k, v in protocol.items() if k not in _NOT_DRAWN}
        try:
            episodes = Episodes(table, **drawn)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{folder.metrics_file} must hold figures of episodes that can be "
                f"drawn. Received: one whose protocol is of others ({error})"
            ) from error
        again = evaluation_protocol(episodes, protocol["episodes"])
        if again["fingerprint"] == protocol["fingerprint"]:
            with folder.only_writer(wait=True):
                metrics(folder).keep(with_classes(result, episodes))


def with_classes(result: EvaluationResult, episodes: Episodes) -> EvaluationResult:
    """The result with the classes of its episodes, which `episodes` draw."""
    classes = all_participants(episodes, result.protocol["episodes"])
    return dataclasses.replace(result, episode_classes=classes)
