"""What is known of a gallery beside its classes, read without TensorFlow."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tfmeta.gallery.store import GalleryStore
from tfmeta.json_files import parse_json

Kind = Literal["texts", "pictures", "arrays"]


@dataclasses.dataclass(frozen=True)
class GalleryFacts:
    """What is known of a gallery; whoever opens it as a `Gallery` checks more.

    Attributes:
        encoder: Digest of the encoder that made all embeddings.
        learner: Name of the learner's class.
        shape: Of an example, `None` for a free size.
        dtype: Of an example.
        threshold: `None` for no threshold; else with `"by"`: `"cross-validation"` and
            its `"recall"`, or `"validation"` and the `"threshold"`.
        invert: Whether pictures from files are inverted.
        keep_originals: Whether what is enrolled is kept beside its embedding.
        light_ground: Whether the learner was trained on dark on light; `None` where
            there is no saying.
    """

    encoder: str
    learner: str
    shape: tuple[int | None, ...]
    dtype: str
    threshold: dict[str, Any] | None
    invert: bool
    keep_originals: bool
    light_ground: bool | None

    @classmethod
    def of(cls, store: GalleryStore) -> GalleryFacts:
        """Those of a gallery.

        Raises:
            ValueError: When they are damaged.
        """
        rows = store.facts()
        try:
            threshold = parse_json(rows["threshold"], "threshold")
            if threshold is not None:
                _check_threshold(threshold)
            return cls(
                encoder=rows["encoder"],
                learner=rows["learner_class"].rpartition(":")[2],
                shape=tuple(json.loads(rows["example_shape"])),
                dtype=json.loads(rows["input_dtype"]) or rows["example_dtype"],
                threshold=threshold,
                invert=bool(json.loads(rows["invert"])),
                keep_originals=bool(json.loads(rows["keep_originals"])),
                light_ground=json.loads(rows["light_ground"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{store.path} must say all that is known of a gallery. Received: a "
                f"damaged one ({type(error).__name__}: {error})"
            ) from error

    @property
    def kind(self) -> Kind:
        """What is enrolled; pictures where they can be read from files."""
        return kind_of_examples(self.shape, self.dtype)

    @property
    def picture_size(self) -> tuple[int, int] | None:
        """Height and width that pictures are brought to, where they are of one size."""
        height, width = (*self.shape, None, None)[:2]
        return None if height is None or width is None else (height, width)

    def has_threshold(self, class_sizes: Mapping[str, int]) -> bool:
        """Whether "none of these" may be answered, with what is enrolled.

        Args:
            class_sizes: Number of examples by the names of the classes.
        """
        if self.threshold is None or self.threshold["by"] == "validation":
            return self.threshold is not None
        return len(class_sizes) > 1 and max(class_sizes.values()) > 1


def kind_of_examples(shape: Sequence[int | None], dtype: str) -> Kind:
    """What examples of a shape and dtype are, where they come from files."""
    if dtype == "string":
        return "texts"
    pixels = dtype in ("uint8", "uint16")
    return "pictures" if pixels and len(shape) in (2, 3) else "arrays"


def _check_threshold(threshold: Mapping[str, Any]) -> None:
    """Looks for what is said of it.

    Raises:
        KeyError, TypeError: When it is not there.
    """
    if threshold["by"] == "cross-validation":
        float(threshold["recall"])
        return
    fitted = threshold["threshold"]
    float(fitted["value"]), float(fitted["recall"]), str(fitted["score"])
    dict(fitted["protocol"])
