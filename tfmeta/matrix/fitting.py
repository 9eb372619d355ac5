"""How the examples of a domain reach an encoder of another form."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from tfmeta.datasets import ClassTable
from tfmeta.layers import ResizedPictures, RGBPictures
from tfmeta.matrix.domain import Domain
from tfmeta.matrix.row import Row

# ITU-R 601, as `read_picture` makes grey of colours.
_LUMA = np.array([[0.299], [0.587], [0.114]], np.float32)
_WHITE = 255.0


class DoesNotFitError(ValueError):
    """An encoder and a domain of which there can be no figure; the message says why."""


@dataclasses.dataclass(frozen=True)
class Fitted:
    """An encoder for the examples of one domain.

    Attributes:
        encoder: From these examples, or files of pictures, to features.
        inverted: Whether it turns dark on light into light on dark, or the other way
            round, as the run was trained.
    """

    encoder: keras.Model
    inverted: bool = False


def fit_encoder(row: Row, domain: Domain) -> Fitted:
    """Brings examples of a domain into the form that an encoder takes.

    Grey becomes colours and the other way round, and pictures are stretched to the
    encoder's size. Encoders of the same form are given examples as they are, so that
    features are shared with other commands.

    Raises:
        DoesNotFitError: When that cannot be.
    """
    taken = row.encoder.inputs[0]
    takes_texts = taken.dtype == "string"
    if takes_texts or domain.kind == "text":
        if takes_texts and domain.kind == "text":
            return Fitted(row.encoder)
        raise DoesNotFitError(
            f"the encoder takes {'texts' if takes_texts else 'no texts'}, and these "
            f"are {'texts' if domain.kind == 'text' else 'none'}"
        )
    shape = tuple(taken.shape[1:])
    source = domain.source
    if domain.kind == "pictures" and len(shape) == 3 and shape[2] in (None, 1, 3):
        return _fit_pictures(row, domain, shape)
    example = source.example_shape if isinstance(source, ClassTable) else "pictures"
    if isinstance(source, ClassTable) and _takes(shape, source.example_shape):
        return Fitted(row.encoder)
    raise DoesNotFitError(
        f"the encoder takes examples of shape {shape}, and these are {example}"
    )


def _takes(shape: tuple[int | None, ...], example: tuple[int | None, ...]) -> bool:
    return len(shape) == len(example) and all(
        wanted in (None, given) for wanted, given in zip(shape, example, strict=True)
    )


def _fit_pictures(row: Row, domain: Domain, shape: tuple[int | None, ...]) -> Fitted:
    trained = row.trained_on
    # Of others nobody looks for a ground.
    light = None if trained.light_ground is None else domain.light_ground
    inverted = light is not None and light != trained.light_ground
    source = domain.source
    pixels = source.examples.dtype if isinstance(source, ClassTable) else np.uint8
    if pixels != trained.pixels:
        raise DoesNotFitError(
            f"the encoder takes pixels of {trained.pixels}, and these are {pixels}"
        )
    # Files are read in the encoder's size and channels.
    given = source.example_shape if isinstance(source, ClassTable) else shape
    if not inverted and _takes(shape, given):
        return Fitted(row.encoder)
    if pixels != np.uint8:
        raise DoesNotFitError(
            f"pictures of {pixels} stay as they are: the encoder takes them of shape "
            f"{shape}, and these are {given}"
        )
    return Fitted(_brought_to(row.encoder, shape, given, inverted), inverted)


def _brought_to(
    encoder: keras.Model,
    shape: tuple[int | None, ...],
    given: tuple[int | None, ...],
    inverted: bool,
) -> keras.Model:
    """The encoder behind all that pictures of another form need."""
    height, width, channels = shape
    x = pictures = keras.Input(given, dtype="float32", name="pictures")
    if channels == 3 and given[2] == 1:
        x = RGBPictures(name="rgb")(x)
    elif channels == 1 and given[2] == 3:
        grey = keras.layers.Dense(1, use_bias=False, dtype="float32", name="grey")
        x = grey(x)
        grey.set_weights([_LUMA])
    if height is not None and tuple(given[:2]) != (height, width):
        if height != width:
            raise DoesNotFitError(
                f"the encoder takes pictures of {height} x {width} pixels alone, and "
                f"these have {given[0]} x {given[1]}"
            )
        x = ResizedPictures(height, name="resized")(x)
    if inverted:
        x = keras.layers.Rescaling(-1.0, _WHITE, dtype="float32", name="inverted")(x)
    try:
        model = keras.Model(pictures, encoder(x), name=encoder.name)
    except (ValueError, TypeError) as error:
        raise DoesNotFitError(f"the encoder takes no such pictures: {error}") from error
    model.trainable = False
    return model
