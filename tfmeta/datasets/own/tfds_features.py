"""Which features of a TFDS data set hold the examples, the classes, the groups."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np


@dataclasses.dataclass(frozen=True)
class Columns:
    """The features that a class table is made of.

    Args:
        features: The `tfds.features.FeaturesDict` of the data set.
        feature: Name of the feature of the examples.
        label: Name of the `ClassLabel` of the classes.
        group: Name of the `ClassLabel` of the groups, or `None`.
        kind: What the examples are.
    """

    features: Any
    feature: str
    label: str
    group: str | None
    kind: Literal["pictures", "text", "tensors"]

    def class_name(self, code: int) -> str:
        """The name of a class by its number."""
        return str(self.features[self.label].int2str(int(code)))

    def group_name(self, code: int) -> str:
        """The name of a group by its number."""
        return str(self.features[self.group].int2str(int(code)))

    def picture_form(self) -> tuple[Literal[1, 3], Literal["uint8", "uint16"]]:
        """Channels and dtype of pictures as they are stored."""
        feature = self.features[self.feature]
        return (
            1 if feature.shape[-1] == 1 else 3,
            "uint16" if np.dtype(feature.np_dtype) == np.uint16 else "uint8",
        )


def choose_columns(
    info: Any, feature: str | None, label: str | None, group: str | None
) -> Columns:
    """Chooses the features, or checks those that were chosen.

    Args:
        info: The `tfds.core.DatasetInfo`.
        feature: Name of the feature of the examples, or `None`.
        label: Name of the feature of the classes, or `None`.
        group: Name of the feature of the groups, or `None` for no groups.

    Returns:
        The features.

    Raises:
        ValueError: When none or more than one fits; names those there are.
    """
    features = dict(info.features) if hasattr(info.features, "items") else {}
    usual: tuple[str | None, str | None] = (None, None)
    keys = info.supervised_keys
    if (
        keys is not None
        and len(keys) == 2
        and all(isinstance(key, str) for key in keys)
    ):
        usual = keys
    labels = [n for n, f in features.items() if _is_class_label(f)]
    label = _chosen("label", label, usual[1], labels, info)
    if group is not None:
        others = [n for n in labels if n != label]
        group = _chosen("group", group, None, others, info)
    kinds = {n: kind for n, f in features.items() if (kind := _kind(f)) is not None}
    candidates = list(kinds)
    if feature is None and usual[0] not in kinds:
        # An identifier or a number beside the picture is not what is classified.
        order = [k for k in ("pictures", "text", "tensors") if k in kinds.values()]
        candidates = [n for n, kind in kinds.items() if kind in order[:1]]
    feature = _chosen("feature", feature, usual[0], candidates, info)
    return Columns(info.features, feature, label, group, kinds[feature])


def _chosen(
    argument: str, wanted: str | None, usual: str | None, fitting: list[str], info: Any
) -> str:
    """The wanted name, else the usual one, else the only one that fits."""
    if wanted is None:
        wanted = usual if usual in fitting else None
    if wanted is None and len(fitting) == 1:
        wanted = fitting[0]
    if wanted in fitting and wanted is not None:
        return wanted
    what = {
        "feature": "pictures, text or tensors of numbers",
        "label": "classes (a ClassLabel)",
        "group": "groups (another ClassLabel)",
    }[argument]
    accepted = f"one of {', '.join(map(repr, fitting))}" if fitting else "there is none"
    features = " ".join(str(info.features).split())
    raise ValueError(
        f"`{argument}` of TFDS data set {info.full_name!r} must be a feature of "
        f"{what}: {accepted}. Received: {argument}={wanted!r} and the features "
        f"{features}"
    )


def _is_class_label(feature: Any) -> bool:
    import tensorflow_datasets as tfds

    return isinstance(feature, tfds.features.ClassLabel)


def _kind(feature: Any) -> Literal["pictures", "text", "tensors"] | None:
    import tensorflow_datasets as tfds

    known = tfds.features
    if isinstance(feature, known.Text):
        return "text"
    if isinstance(feature, known.LabeledImage | known.BBoxFeature | known.ClassLabel):
        return None
    if isinstance(feature, known.Image):
        # Floats are stored as pictures that have to be put together again.
        eight_or_sixteen = np.dtype(feature.np_dtype) in (np.uint8, np.uint16)
        return "pictures" if eight_or_sixteen else "tensors"
    if isinstance(feature, known.Tensor) and np.dtype(feature.np_dtype).kind in "biufc":
        return "tensors"
    return None
