"""Which checks of the conformance suite the default tests run on which learner.

Every learner passes every check in `pytest -m slow`. By default one of each kind
does, and of its other forms those checks run that see the difference.
"""

from collections.abc import Collection

import pytest

from tfmeta.testing import CHECKS

BY_NAME = {check.__name__: check for check in CHECKS}


def checks(by_default: Collection[str] | None = None) -> list:
    """Parameters of all checks; those that are not named in `by_default` are slow."""
    unknown = set(by_default or ()) - set(BY_NAME)
    assert not unknown, f"no such checks: {unknown}"
    return [
        pytest.param(
            check,
            id=name,
            marks=() if by_default is None or name in by_default else pytest.mark.slow,
        )
        for name, check in BY_NAME.items()
    ]
