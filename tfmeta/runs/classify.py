"""From two folders of pictures to the answer of a SavedModel."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.datasets.own.class_folders import list_class_folders
from tfmeta.datasets.own.picture_folder import list_pictures, load_picture_folder
from tfmeta.datasets.reading.pictures import looks_inverted, picture_kind, read_picture
from tfmeta.runs.query_files import QueryFiles
from tfmeta.runs.run_folder import RunFolder, read_versioned

# Of `tfmeta.json`; `tfmeta.export` has it too, but imports TensorFlow, and
# pictures are read and checked without.
_NEWEST_DESCRIPTION = 1


@dataclasses.dataclass(frozen=True)
class TaskPictures:
    """A task read from folders.

    Attributes:
        support: Uint8 `(support, height, width, channels)`.
        support_labels: Int32 `(support,)`.
        query: Uint8 `(queries, height, width, channels)`.
        class_names: Name of each label.
        query_paths: File of each query.
        query_labels: Int32 `(queries,)`, -1 for a class that the support does not
            have; `None` where the folder of queries does not say.
        warnings: What the user should know of the pictures.
    """

    support: np.ndarray
    support_labels: np.ndarray
    query: np.ndarray
    class_names: tuple[str, ...]
    query_paths: tuple[Path, ...]
    query_labels: np.ndarray | None
    warnings: tuple[str, ...]


def find_saved_model(path: Path) -> Path:
    """The version folder to use: `path` itself, or a run's newest version.

    Raises:
        FileNotFoundError: When `path` is neither a run with a SavedModel nor a
            version folder that `tfmeta` wrote.
    """
    if (path / "saved_model.pb").is_file():
        return path
    folder = RunFolder(path)
    folder.read_config()
    versions = [
        int(entry.name)
        for entry in (
            folder.saved_model.iterdir() if folder.saved_model.is_dir() else ()
        )
        if entry.name.isdecimal() and (entry / "saved_model.pb").is_file()
    ]
    if not versions:
        raise FileNotFoundError(
            f"{folder.saved_model} must hold a SavedModel. Received: none; write one "
            f"with `tfmeta export {path}`"
        )
    return folder.saved_model / str(max(versions))


def read_pictures(
    model_folder: Path,
    support: Path,
    query: Path,
    *,
    invert: str = "auto",
    unknown_classes: bool = False,
) -> TaskPictures:
    """Reads the task in the form that the SavedModel takes.

    Args:
        model_folder: Version folder of a SavedModel with its `tfmeta.json`.
        support: Folder with a sub-folder per class.
        query: Folder of pictures, or with a sub-folder of them per class, named as
            in `support`.
        invert: `"yes"`, `"no"`, or `"auto"`: invert when the ground of the
            pictures is light and that of the training data dark, or the other
            way round.
        unknown_classes: Whether sub-folders of `query` may have other names.

    Raises:
        FileNotFoundError: When a folder is missing.
        ValueError: When a picture cannot be read, a folder is empty or there
            are fewer than two classes; names the file.
    """
    about = _read_description(model_folder)
    shape, dtype = about["example"]["shape"], about["example"]["dtype"]
    if len(shape) != 3 or None in shape or shape[2] not in (1, 3) or dtype != "uint8":
        raise ValueError(
            f"{model_folder} must take uint8 pictures of a fixed size and of 1 or 3 "
            f"channels. Received: one for {dtype} examples of shape {shape}"
        )
    size = (shape[0], shape[1])
    table = load_picture_folder(support, size=size, channels=shape[2], dtype="uint8")
    if table.num_classes < 2:
        raise ValueError(
            f"{support} must hold at least 2 classes, one sub-folder each. Received: "
            f"1, {table.class_names[0]!r}"
        )
    files = QueryFiles.found(query, table.class_names, unknown_classes=unknown_classes)
    paths = list(files.paths)
    queries = np.stack([read_picture(p, size=size, channels=shape[2]) for p in paths])
    pictures = np.asarray(table.examples)
    warnings = _unlike(support, paths, shape)
    light_ground = about.get("description", {}).get("light_ground")
    if invert == "auto" and light_ground is not None:
        turned = [looks_inverted(p) != light_ground for p in (pictures, queries)]
        if any(turned):
            known = "light on dark" if not light_ground else "dark on light"
            warnings.append(
                f"the run was trained on {known} and these pictures are the other way "
                "round: they are inverted. Use --invert no to leave them"
            )
        pictures = 255 - pictures if turned[0] else pictures
        queries = 255 - queries if turned[1] else queries
    elif invert == "yes":
        pictures, queries = 255 - pictures, 255 - queries
    return TaskPictures(
        support=pictures,
        support_labels=np.repeat(
            np.arange(table.num_classes, dtype=np.int32), table.class_sizes
        ),
        query=queries,
        class_names=table.class_names,
        query_paths=files.paths,
        query_labels=files.labels,
        warnings=tuple(warnings),
    )


def _read_description(model_folder: Path) -> dict[str, Any]:
    """The `tfmeta.json` of a SavedModel."""
    file = model_folder / "tfmeta.json"
    if not file.is_file():
        raise FileNotFoundError(
            f"{model_folder} must be a SavedModel that tfmeta wrote. Received: a "
            f"folder without {file.name}"
        )
    about = read_versioned(file, _NEWEST_DESCRIPTION, ("example",))
    example = about["example"]
    if len(example["shape"]) == 2 and example["dtype"] == "uint8":
        # Grey pictures without an axis of channels; `classify_pictures` drops it.
        about = {**about, "example": {**example, "shape": [*example["shape"], 1]}}
    return about


def _unlike(support: Path, query_paths: list[Path], shape: list[int]) -> list[str]:
    """A warning when pictures are of another size or kind than trained on."""
    folders = list_class_folders(support)
    paths = [p for folder in folders for p in list_pictures(folder)]
    kinds = [picture_kind(p) for p in [*paths, *query_paths]]
    warnings = []
    sizes = sorted({(k.height, k.width) for k in kinds} - {(shape[0], shape[1])})
    if sizes:
        shown = ", ".join(f"{h} x {w}" for h, w in sizes[:3])
        more = f" and {len(sizes) - 3} more sizes" if len(sizes) > 3 else ""
        warnings.append(
            f"the run was trained on pictures of {shape[0]} x {shape[1]}; these of "
            f"{shown}{more} are resized"
        )
    grey = ("1", "L", "I", "F")  # also LA and the 16-bit kinds, I;16 and others
    is_grey = shape[2] == 1
    colour = sorted({k.mode for k in kinds if k.mode.startswith(grey) != is_grey})
    if colour:
        known = "grey" if is_grey else "colour"
        warnings.append(
            f"the run was trained on {known} pictures; these of mode "
            f"{', '.join(colour)} are converted"
        )
    return warnings


def classify_pictures(model_folder: Path, task: TaskPictures) -> np.ndarray:
    """Float32 `(queries, ways)`: probabilities, from the SavedModel alone.

    Raises:
        ValueError: When the SavedModel is damaged or does not classify, or when
            probabilities are not finite; counts the pictures.
    """
    import tensorflow as tf

    from tfmeta.finite import check_finite_weights

    try:
        loaded: Any = tf.saved_model.load(str(model_folder))
        classify = loaded.signatures["classify"]
    # TensorFlow raises errors of many types on damaged files.
    except Exception as error:
        raise ValueError(
            f"{model_folder} must be a whole SavedModel with a signature `classify`. "
            f"Received: one that cannot be used ({type(error).__name__}: {error}); "
            "write another with `tfmeta export`"
        ) from error
    check_finite_weights(str(model_folder), classify.variables)
    of_model = classify.structured_input_signature[1]
    answer = classify(
        support_labels=tf.constant(task.support_labels),
        **{
            name: tf.reshape(pictures, [-1, *of_model[name].shape[1:]])
            for name, pictures in (("support", task.support), ("query", task.query))
        },
    )
    probabilities = answer["probabilities"].numpy()
    check_probabilities(probabilities, str(model_folder))
    return probabilities


def check_probabilities(probabilities: np.ndarray, model: str) -> None:
    """Checks that every picture got an answer.

    Args:
        probabilities: Float `(queries, ways)`.
        model: What gave them, for the message.

    Raises:
        ValueError: When some are NaN or infinite; counts the pictures.
    """
    wrong = np.count_nonzero(~np.isfinite(probabilities).all(axis=1))
    if wrong:
        raise ValueError(
            f"{model} must answer with finite probabilities. Received: others for "
            f"{wrong} of {len(probabilities)} pictures, so none is answered; train "
            "and export again"
        )
