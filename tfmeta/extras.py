"""What the package can do with packages that are installed on demand."""

from __future__ import annotations


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
