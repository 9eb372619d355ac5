"""Which state of the program a result comes from."""

from __future__ import annotations

import subprocess
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def git_commit(folder: Path = _PACKAGE) -> str | None:
    """The commit that is checked out, with `-dirty` where files have changed.

    Args:
        folder: Changes to tracked files below it count; by default the package.

    Returns:
        `None` where git does not track the folder, as in an installed package.
    """

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        # An environment may lie inside another project's checkout.
        git("ls-files", "--error-unmatch", ".")
        head = git("rev-parse", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no", ".")
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{head}-dirty" if changed else head
