"""From two folders of pictures to the answer of a SavedModel."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from tfmeta.datasets.own.class_folders import list_class_files
from tfmeta.datasets.own.picture_files import PictureForm, read_in_form
from tfmeta.datasets.reading.ground import Ground, ground_of, invert_pictures
from tfmeta.datasets.reading.pictures import PictureKind, picture_kind, read_picture
from tfmeta.runs.inversion import BY_REQUEST, NOTHING, Inversion, decide_inversion
from tfmeta.runs.query_files import QueryFiles
from tfmeta.runs.run_folder import RunFolder, read_versioned

# Of `tfmeta.json`; `tfmeta.export` has it too, but imports TensorFlow, and
# pictures are read and checked without.
_NEWEST_DESCRIPTION = 1


@dataclasses.dataclass(frozen=True)
class TaskPictures:
    """A task read from folders.

    Attributes:
        support: Uint8 or uint16 `(support, height, width, channels)`, as the
            model takes it.
        support_labels: Int32 `(support,)`.
        query: Likewise, `(queries, height, width, channels)`.
        class_names: Name of each label.
        query_paths: File of each query.
        query_labels: Int32 `(queries,)`, -1 for a class that the support does not
            have; `None` where the folder of queries does not say.
        warnings: What the user should know of the pictures.
        notes: What was done to them on request.
    """

    support: np.ndarray
    support_labels: np.ndarray
    query: np.ndarray
    class_names: tuple[str, ...]
    query_paths: tuple[Path, ...]
    query_labels: np.ndarray | None
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()


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
        invert: `"yes"` or `"no"` for support and queries, or `"auto"`: invert
            both when the ground of all these pictures is clearly light and that
            of the training data dark, or the other way round
            (`tfmeta.datasets.reading.ground`). Never for colours.
        unknown_classes: Whether sub-folders of `query` may have other names.

    Raises:
        FileNotFoundError: When a folder is missing.
        ValueError: When a picture cannot be read, a folder is empty or there
            are fewer than two classes; names the file.
    """
    about = _read_description(model_folder)
    shape, dtype = about["example"]["shape"], about["example"]["dtype"]
    if (
        len(shape) != 3
        or None in shape
        or shape[2] not in (1, 3)
        or dtype not in ("uint8", "uint16")
    ):
        raise ValueError(
            f"{model_folder} must take uint8 pictures (or uint16) of a fixed size and "
            f"of 1 or 3 channels. Received: one for {dtype} examples of shape {shape}"
        )
    form = PictureForm((shape[0], shape[1]), shape[2], dtype)
    files = list_class_files(support, what="picture")
    names = files.class_names
    if len(names) < 2:
        raise ValueError(
            f"{support} must hold at least 2 classes, one sub-folder each. Received: "
            f"1, {names[0]!r}"
        )
    queries = QueryFiles.found(query, names, unknown_classes=unknown_classes)
    paths = [*files.files, *queries.paths]
    pictures = read_in_form(paths, form)
    kinds = [picture_kind(path) for path in paths]
    shots = len(files.files)
    done = NOTHING
    if invert == "yes":
        done = BY_REQUEST
    elif invert == "auto":
        light_ground = about.get("description", {}).get("light_ground")
        done = _decided(light_ground, form, paths, kinds, pictures, shots)
    if done.inverted:
        invert_pictures(pictures, out=pictures)
    warnings = [*_unlike(kinds, form), *([done.warning] if done.warning else [])]
    number = {name: label for label, name in enumerate(names)}
    return TaskPictures(
        support=pictures[:shots],
        support_labels=np.array([number[name] for name in files.labels], np.int32),
        query=pictures[shots:],
        class_names=names,
        query_paths=queries.paths,
        query_labels=queries.labels,
        warnings=tuple(warnings),
        notes=(done.note,) if done.note else (),
    )


def _decided(
    light_ground: bool | None,
    form: PictureForm,
    paths: list[Path],
    kinds: list[PictureKind],
    pictures: np.ndarray,
    shots: int,
) -> Inversion:
    """Whether to invert the task; its first `shots` pictures are the support."""
    # Exports of older versions have a ground for colours, too.
    if light_ground is None or form.channels != 1:
        return NOTHING
    grounds: dict[Path, Ground] = {}
    for path, kind, picture in zip(paths, kinds, pictures, strict=True):
        if not kind.is_grey:
            picture = read_picture(path, size=form.size, channels=3)
        grounds[path] = ground_of(picture)
    support, query = paths[:shots], paths[shots:]
    return decide_inversion(
        light_ground, {p: grounds[p] for p in support}, {p: grounds[p] for p in query}
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


def _unlike(kinds: list[PictureKind], form: PictureForm) -> list[str]:
    """A warning when pictures are of another size or kind than trained on."""
    warnings = []
    height, width = form.size
    sizes = sorted({(k.height, k.width) for k in kinds} - {form.size})
    if sizes:
        shown = ", ".join(f"{h} x {w}" for h, w in sizes[:3])
        more = f" and {len(sizes) - 3} more sizes" if len(sizes) > 3 else ""
        warnings.append(
            f"the run was trained on pictures of {height} x {width}; these of "
            f"{shown}{more} are resized"
        )
    is_grey = form.channels == 1
    colour = sorted({k.mode for k in kinds if k.is_grey != is_grey})
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

    from tfmeta.finite_checks import check_finite_weights

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
