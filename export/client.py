"""Embeds and classifies pictures with an exported model; needs TensorFlow alone.

    python client.py embed MODEL PICTURE... --output embeddings.npy
    python client.py classify MODEL --support FOLDER PICTURE...
    python client.py classify MODEL --support FOLDER --open-set PICTURE...
    python client.py classify-enrolled MODEL PICTURE...

MODEL is the folder of a model, of which the newest version is taken, or the
folder of one version; for classify-enrolled that of a gallery. FOLDER has one
sub-folder of example pictures for each class. Pictures are BMP, GIF, JPEG or PNG
files of any size. With --open-set a picture of no class is answered by "none of
these", by a threshold that the model has brought.
"""

from __future__ import annotations

import argparse
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf


def newest_version(model: Path) -> Path:
    """`model` itself when it is a SavedModel, else its version of highest number."""
    if (model / "saved_model.pb").is_file():
        return model
    names = [p.name for p in model.iterdir()] if model.is_dir() else []
    versions = [name for name in names if name.isdecimal()]
    if not versions:
        raise FileNotFoundError(
            f"{model} must be a SavedModel or hold version folders with integer "
            "names. Received: neither"
        )
    return model / max(versions, key=int)


def picture_shape(model: Any) -> tuple[int, int, int]:
    """Height, width and channels of the pictures that a model takes."""
    # Every export has `classify`, whichever learner it is.
    query = model.signatures["classify"].structured_input_signature[1]["query"]
    shape = query.shape.as_list()[1:]
    if query.dtype != tf.uint8 or len(shape) != 3 or None in shape:
        raise ValueError(
            "MODEL must take uint8 pictures of one size. Received: a model for "
            f"{query.dtype.name} of shape {shape}"
        )
    return tuple(shape)


def orientation(content: bytes) -> int:
    """How a camera was held: 1 to 8, as the EXIF data of a JPEG or PNG file say."""
    for mark in (b"Exif\0\0", b"eXIf"):
        begin = content.find(mark) + len(mark)
        if begin < len(mark):
            continue
        data = content[begin:]
        order = "<" if data[:2] == b"II" else ">"
        try:
            (place,) = struct.unpack_from(order + "I", data, 4)
            (entries,) = struct.unpack_from(order + "H", data, place)
            for entry in range(entries):
                tag, _, _, value = struct.unpack_from(
                    order + "HHIH", data, place + 2 + 12 * entry
                )
                if tag == 0x0112:
                    return value if 1 <= value <= 8 else 1
        except struct.error:  # cut short
            pass
    return 1


def turned_upright(pixels: tf.Tensor, orientation: int) -> tf.Tensor:
    """Undoes an EXIF orientation of `(height, width, channels)`."""
    if orientation >= 5:
        pixels = tf.transpose(pixels, (1, 0, 2))
    if orientation in (2, 3, 6, 7):
        pixels = tf.reverse(pixels, [1])
    if orientation in (3, 4, 7, 8):
        pixels = tf.reverse(pixels, [0])
    return pixels


def read_upright(path: Path) -> tf.Tensor:
    """Reads a picture as whole float32 `(height, width, 1 or 3)`, in its own size.

    It is turned upright by the EXIF orientation of JPEG and PNG files. Where it
    has an alpha channel it is laid on white.
    """
    content = path.read_bytes()
    pixels = tf.io.decode_image(content, expand_animations=False)
    picture = tf.cast(turned_upright(pixels, orientation(content)), tf.float32)
    if picture.shape[-1] in (2, 4):
        alpha = picture[..., -1:] / 255
        picture = tf.round(picture[..., :-1] * alpha + 255 * (1 - alpha))
    return picture


def read_picture(
    path: Path, shape: tuple[int, int, int], *, invert: bool = False
) -> np.ndarray:
    """Reads a picture as uint8 `(height, width, channels)`, stretched to size.

    As `read_upright`; grey is ITU-R 601 luma.

    Args:
        path: A BMP, GIF (its first frame), JPEG or PNG file.
        shape: Height, width and channels, 1 or 3, of the result.
        invert: Whether to turn dark on light into light on dark.
    """
    height, width, channels = shape
    picture = read_upright(path)
    if channels == 1 and picture.shape[-1] == 3:
        luma = tf.constant([0.299, 0.587, 0.114])
        picture = tf.round(tf.reduce_sum(picture * luma, axis=-1, keepdims=True))
    picture = tf.image.resize(picture, (height, width), "bilinear", antialias=True)
    picture = tf.broadcast_to(tf.round(picture), shape).numpy().astype(np.uint8)
    return 255 - picture if invert else picture


def upright_file(path: Path, *, invert: bool = False) -> bytes:
    """The PNG file of a picture, upright, in its own size.

    Args:
        path: A BMP, GIF (its first frame), JPEG or PNG file.
        invert: Whether to turn dark on light into light on dark.
    """
    picture = read_upright(path)
    pixels = tf.cast(255 - picture if invert else picture, tf.uint8)
    return tf.io.encode_png(pixels).numpy()


def read_classes(
    folder: Path, shape: tuple[int, int, int], *, invert: bool = False
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Pictures, labels and class names of a folder with a sub-folder per class."""
    pictures, labels = [], []
    names = sorted(
        p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")
    )
    for label, name in enumerate(names):
        for path in sorted((folder / name).iterdir()):
            if not path.name.startswith("."):
                pictures.append(read_picture(path, shape, invert=invert))
                labels.append(label)
    if not pictures:
        raise ValueError(
            f"{folder} must have one sub-folder of pictures for each class. "
            "Received: no picture"
        )
    return np.stack(pictures), np.array(labels, np.int32), names


def embed(model: Any, pictures: np.ndarray) -> np.ndarray:
    """Embeddings `(batch, *embedding)` of uint8 `(batch, height, width, channels)`."""
    if "embed" not in model.signatures:
        raise ValueError(
            "MODEL must have the signature `embed` to embed pictures. Received: "
            f"a model with {', '.join(model.signatures)}"
        )
    outputs = model.signatures["embed"](examples=tf.constant(pictures))
    return outputs["embeddings"].numpy()


def classify(
    model: Any, support: np.ndarray, support_labels: np.ndarray, query: np.ndarray
) -> dict[str, np.ndarray]:
    """`probabilities` and `logits` `(queries, ways)`, `ways` a scalar.

    Labels are int32 from 0, without a gap.
    """
    outputs = model.signatures["classify"](
        support=tf.constant(support),
        support_labels=tf.constant(support_labels),
        query=tf.constant(query),
    )
    return {name: output.numpy() for name, output in outputs.items()}


def read_threshold(version: Path, support_labels: np.ndarray) -> dict[str, Any]:
    """The threshold of a model that was fitted on the tasks most like this one.

    As `tfmeta classify --open-set` chooses it: nearest in the number of classes, then
    in the fewest examples of one, then the latest.
    """
    described = json.loads((version / "tfmeta.json").read_text("utf-8"))
    thresholds = described.get("open_set_thresholds") or []
    if not thresholds:
        raise ValueError(
            f"{version} must have a threshold for --open-set. Received: none; fit one "
            "with `tfmeta evaluate RUN --open-set`, and export again"
        )
    examples = np.bincount(support_labels)

    def distance(threshold: dict[str, Any]) -> tuple[int, int]:
        fitted_on = threshold["protocol"]
        return (
            abs(fitted_on["ways"] - len(examples)),
            abs(fitted_on["shots"] - int(examples.min())),
        )

    return min(reversed(thresholds), key=distance)


def classify_enrolled(model: Any, files: list[bytes]) -> list[tuple[str | None, float]]:
    """Class and probability of each file of a picture; no class where it is rejected.

    Args:
        model: An exported gallery.
        files: Contents of BMP, GIF, JPEG or PNG files.
    """
    name = "classify_enrolled_encoded"
    if name not in model.signatures:
        raise ValueError(
            f"MODEL must have the signature `{name}`, as an exported gallery of "
            f"pictures. Received: a model with {', '.join(model.signatures)}"
        )
    outputs = model.signatures[name](examples=tf.constant(files))
    return [
        (None if rejected else names[0].decode(), float(probabilities[0]))
        for names, probabilities, rejected in zip(
            *(outputs[key].numpy() for key in ("names", "probabilities", "rejected")),
            strict=True,
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Embed and classify pictures with an exported model."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    embed_parser = commands.add_parser("embed", help="write embeddings to a .npy file")
    embed_parser.add_argument("--output", type=Path, required=True)
    classify_parser = commands.add_parser(
        "classify", help="print class and probability"
    )
    classify_parser.add_argument("--support", type=Path, required=True)
    classify_parser.add_argument(
        "--open-set", action="store_true", help='answer "none of these" where it is so'
    )
    enrolled_parser = commands.add_parser(
        "classify-enrolled", help="print class of a gallery and probability"
    )
    for command in (embed_parser, classify_parser, enrolled_parser):
        command.add_argument("model", type=Path)
        command.add_argument("pictures", type=Path, nargs="+")
        command.add_argument(
            "--invert", action="store_true", help="pictures are dark on light"
        )
    options = parser.parse_args()

    version, invert = newest_version(options.model), options.invert
    model = tf.saved_model.load(version)
    if options.command == "classify-enrolled":
        files = [upright_file(path, invert=invert) for path in options.pictures]
        found = classify_enrolled(model, files)
        for path, (name, probability) in zip(options.pictures, found, strict=True):
            print(f"{path}\t{name or 'none of these'}\t{probability:.4f}")
        return
    shape = picture_shape(model)
    query = np.stack([read_picture(p, shape, invert=invert) for p in options.pictures])
    if options.command == "embed":
        embeddings = embed(model, query)
        np.save(options.output, embeddings)
        print(f"{options.output}: {embeddings.dtype} of shape {embeddings.shape}")
        return
    support, labels, names = read_classes(options.support, shape, invert=invert)
    answer = classify(model, support, labels, query)
    known = np.ones(len(query), bool)
    if options.open_set:
        threshold = read_threshold(version, labels)
        scores = {"logit": "logits", "probability": "probabilities"}
        score = answer[scores[threshold["score"]]].max(axis=1)
        known = score >= threshold["value"]
    rows = zip(options.pictures, answer["probabilities"], known, strict=True)
    for path, row, is_known in rows:
        if is_known:
            print(f"{path}\t{names[row.argmax()]}\t{row.max():.4f}")
        else:
            print(f"{path}\tnone of these\t-")


if __name__ == "__main__":
    main()
