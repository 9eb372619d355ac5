"""Modules of a package that are imported when they are first asked for."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Collection
from types import ModuleType


def on_demand(
    package: str, names: Collection[str] | None = None
) -> Callable[[str], ModuleType]:
    """The `__getattr__` of a package whose modules are there by attribute.

    `import tfmeta` is then enough to write `tfmeta.datasets.own.open_own`, and waits
    neither for TensorFlow nor for what nobody asks for.

    Args:
        package: Its `__name__`.
        names: Those that are, by default all that do not begin with `_`.

    Example:

    ```python
    __getattr__ = on_demand(__name__)
    ```
    """

    def get(name: str) -> ModuleType:
        known = not name.startswith("_") if names is None else name in names
        if known and importlib.util.find_spec(f"{package}.{name}") is not None:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get
