"""A picture of the data: some classes as rows, a few examples of each."""

from __future__ import annotations

import os
import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.own.array_files import open_array
from tfmeta.datasets.own.labelled_files import LabelledFiles
from tfmeta.datasets.own.text_files import read_text_file
from tfmeta.datasets.reading.pictures import picture_kind, read_picture
from tfmeta.durable import check_writable, writing
from tfmeta.printable import one_line, short_name

_CELL = 0.95  # inches
_MOST_PIXELS = 200  # of a picture's longer side; more would not be seen
_MOST_CURVES = 8
_INK = "#1f4e79"


def draw_contact_sheet(
    source: ClassTable | LabelledFiles,
    path: str | os.PathLike[str],
    *,
    classes: int = 10,
    examples: int = 8,
) -> Path:
    """Draws some classes as rows with a few examples of each, into a PNG file.

    Classes and examples are taken at even distances, so that the sheet shows the
    whole and is the same each time. Pictures are shown as they are; arrays of rank
    1, or of rank 2 with at most eight columns, as curves over time, all on one
    scale; other arrays of rank 2, and the middle of those of rank 3, as grey
    values on one scale; text as text.

    Args:
        source: A table, or files before they are read.
        path: The file to write, named `*.png`. It must not exist.
        classes: The most classes shown.
        examples: The most examples shown of each.

    Returns:
        The path.

    Raises:
        FileExistsError: When there is something at `path`.
        FileNotFoundError, PermissionError: When its folder does not exist, or
            nothing can be written there.
        ValueError: When `path` is not named `*.png`, or a file cannot be read.

    Example:

    ```python
    draw_contact_sheet(tfmeta.datasets.load("glyphs"), "glyphs.png")
    ```
    """
    path = check_target(path)
    rows = _chosen(source, classes, examples)
    figure = _draw(rows, _title(source, len(rows)))
    with writing(path) as building, warnings.catch_warnings():
        # A class name in a script that no font here has is drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(building, dpi=150)
    return path


def check_target(path: str | os.PathLike[str]) -> Path:
    """The path, when a contact sheet can be written to it; raises as drawing does."""
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(
            f"a contact sheet must be named *.png. Received: {str(path)!r}"
        )
    check_writable(path, new=True)
    return path


Rows = list[tuple[str, list[np.ndarray]]]


def _chosen(source: ClassTable | LabelledFiles, classes: int, examples: int) -> Rows:
    """Names and examples of the classes that are drawn."""
    if isinstance(source, ClassTable):
        offsets, names = source.offsets, source.class_names
    else:
        names = source.class_names
        offsets = np.searchsorted(np.asarray(source.labels, object), [*names])
        offsets = np.append(offsets, len(source.labels))
    rows: Rows = []
    for class_id in _evenly(len(names), classes):
        start, end = int(offsets[class_id]), int(offsets[class_id + 1])
        places = [start + i for i in _evenly(end - start, examples)]
        if isinstance(source, ClassTable):
            found = [np.asarray(source.examples[place]) for place in places]
        else:
            found = [_read(source, place) for place in places]
        rows.append((names[class_id], found))
    return rows


def _label(name: str) -> str:
    """The name in short lines, broken at slashes rather than inside a word."""
    name = short_name(name, 36)
    lines = name.replace("/", "/\n").splitlines()
    return "\n".join(textwrap.fill(line, 18) for line in lines)


def _evenly(total: int, most: int) -> list[int]:
    count = min(total, most)
    return [i * total // count for i in range(count)]


def _read(files: LabelledFiles, place: int) -> np.ndarray:
    file = files.files[place]
    if files.kind == "arrays":
        return np.array(open_array(file))
    if files.kind == "texts":
        return np.array(read_text_file(file), object)
    kind = picture_kind(file)
    ratio = min(1, _MOST_PIXELS / max(kind.height, kind.width))
    size = (max(1, round(kind.height * ratio)), max(1, round(kind.width * ratio)))
    return read_picture(file, size=size, channels=1 if kind.is_grey else 3)


def _title(source: ClassTable | LabelledFiles, shown: int) -> str:
    count = len(source.class_names)
    some = f"{shown} of {count:,} classes" if shown < count else f"{count} classes"
    return one_line(f"{source.name}: {some}")


def _draw(rows: Rows, title: str) -> Figure:
    columns = max(len(found) for _, found in rows)
    labels = [_label(name) for name, _ in rows]
    width = max(len(line) for label in labels for line in label.splitlines()) * 0.085
    wide = _CELL * (1.6 if _is_curve(rows[0][1][0]) or _is_text(rows[0][1][0]) else 1)
    figure = Figure(
        figsize=(width + 0.3 + columns * wide, len(rows) * _CELL + 0.45),
        layout=ConstrainedLayoutEngine(
            w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01
        ),
    )
    figure.suptitle(title, fontsize=11, parse_math=False)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    scale = _scale([example for _, found in rows for example in found])
    for axes_row, label, (_, found) in zip(grid, labels, rows, strict=True):
        for axes in axes_row:
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
        for axes, example in zip(axes_row, found, strict=False):
            _show(axes, example, scale)
        axes_row[0].set_ylabel(
            label,
            rotation=0,
            horizontalalignment="right",
            verticalalignment="center",
            fontsize=9,
            parse_math=False,
        )
    return figure


def _show(axes: Axes, example: np.ndarray, scale: tuple[float, float]) -> None:
    if _is_text(example):
        text = textwrap.shorten(str(example), 90, placeholder=" …")
        axes.text(
            0, 0.5, textwrap.fill(text, 22), fontsize=6, va="center", parse_math=False
        )
        return
    if example.ndim == 0:
        axes.text(
            0.5, 0.5, f"{example.item():.4g}", fontsize=9, ha="center", va="center"
        )
        return
    example = np.abs(example) if example.dtype.kind == "c" else example
    if _is_curve(example):
        curves = example.reshape(len(example), -1)
        axes.plot(curves, linewidth=0.8, color=_INK if curves.shape[1] == 1 else None)
        margin = 0.05 * (scale[1] - scale[0]) or 1.0
        axes.set_ylim(scale[0] - margin, scale[1] + margin)
        axes.spines[:].set_visible(True)
        axes.spines[:].set_color("#cccccc")
        return
    picture = (_as_picture(example) - scale[0]) / ((scale[1] - scale[0]) or 1.0)
    axes.imshow(np.clip(picture, 0, 1), cmap="gray", vmin=0, vmax=1)


def _as_picture(example: np.ndarray) -> np.ndarray:
    """What is shown of an array that is no curve: `(h, w)` or `(h, w, 3)`."""
    if example.ndim == 3 and example.shape[2] == 1:
        example = example[..., 0]
    colours = example.ndim == 3 and example.shape[2] == 3
    while example.ndim > 2 and not colours:
        example = example[len(example) // 2]
    return example.astype(np.float64)


def _is_text(example: np.ndarray) -> bool:
    return example.dtype.kind in "OU"


def _is_curve(example: np.ndarray) -> bool:
    if _is_text(example):
        return False
    return example.ndim == 1 or (
        example.ndim == 2 and example.shape[1] <= _MOST_CURVES < example.shape[0]
    )


def _scale(examples: Sequence[np.ndarray]) -> tuple[float, float]:
    """The least and the greatest value: of the dtype for pictures, else as found."""
    first = examples[0]
    if _is_text(first):
        return 0.0, 1.0
    if first.ndim == 3 and first.dtype in (np.uint8, np.uint16):
        return 0.0, float(np.iinfo(first.dtype).max)
    values = np.concatenate(
        [np.abs(e).ravel() if e.dtype.kind == "c" else e.ravel() for e in examples]
    ).astype(np.float64)
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
