"""What must hold before a figure is reported."""

from __future__ import annotations

from collections.abc import Iterable

from tfmeta.episodes import Episodes

LEAST_EPISODES = 600


def check_num_episodes(num_episodes: int) -> None:
    """Checks that there are enough episodes for a figure.

    Raises:
        ValueError: When there are fewer than 600.
    """
    if num_episodes < LEAST_EPISODES:
        raise ValueError(
            f"`num_episodes` must be at least {LEAST_EPISODES}, fewer make no figure. "
            f"Received: num_episodes={num_episodes}"
        )


def check_unseen(episodes: Episodes, seen_classes: Iterable[str] | None) -> None:
    """Checks that neither training nor validation saw a class of the episodes.

    Raises:
        ValueError: When one was seen, or when it is not known.
    """
    if seen_classes is None:
        raise ValueError(
            "`seen_classes` must name the classes that training and validation saw, "
            "or be empty for a learner that was trained on none; otherwise no figure "
            "can be called a test figure. Received: seen_classes=None"
        )
    shared = sorted(episodes.origins & set(seen_classes))
    if shared:
        raise ValueError(
            "test episodes must hold no class that training or validation saw. "
            f"Received: {len(shared)} such classes, among them "
            f"{', '.join(shared[:5])}"
        )
