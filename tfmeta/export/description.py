"""What whoever exports a model says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tfmeta.json_files import json_text


def checked_description(description: Mapping[str, Any] | None) -> dict[str, Any]:
    """The description as JSON gives it back: checked before any work is done."""
    try:
        if description is not None and not isinstance(description, Mapping):
            raise TypeError(type(description).__name__)
        return json.loads(json_text(dict(description or {}), "`description`"))
    except (TypeError, ValueError) as error:
        raise TypeError(
            "`description` must be None or a mapping that JSON holds: text, finite "
            f"numbers, booleans, None, lists and mappings. Received: {error}"
        ) from error
