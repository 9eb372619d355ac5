"""What the package can do with packages that are installed on demand."""

from __future__ import annotations

import importlib.metadata


class MissingExtraError(ImportError):
    """A package of an extra is not installed; the message names the command.

    Args:
        what: What needs it.
        package: Name of the package on PyPI.
        extra: The extra of tfmeta that brings it.

    Example:

    ```python
    raise MissingExtraError("'efficientnet_lite0'", "some-package", "photos")
    ```
    """

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the package {package}, which is not installed. Install it "
            f'with: pip install "tfmeta[{extra}]"'
        )


def is_installed(package: str) -> bool:
    """Whether a package of that name on PyPI is installed; it is not imported."""
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
