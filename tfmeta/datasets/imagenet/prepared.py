"""Pictures that TensorFlow Datasets has prepared, as a source of our table."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tfmeta.datasets.imagenet.catalogue import SPLITS, Catalogue
from tfmeta.datasets.imagenet.completeness import check_complete
from tfmeta.datasets.imagenet.file_names import by_number
from tfmeta.datasets.imagenet.picture_source import Picture, giving
from tfmeta.datasets.tfds_builders import readable


class PreparedPictures:
    """A data set of `tfmeta.datasets.imagenet.builders` that is prepared.

    Args:
        builder: The builder.
        catalogue: What it must hold.

    Raises:
        ValueError: When the records are damaged.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, builder: Any, catalogue: Catalogue) -> None:
        self.path, self.catalogue = Path(builder.data_path), catalogue
        self.form = "as prepared by TensorFlow Datasets, 84x84"
        self._builder = builder
        self._names = builder.info.features["label"].names
        by_class: dict[str, list[str]] = defaultdict(list)
        for split in SPLITS:
            for example in self._examples(split, with_pictures=False):
                by_class[self._class_of(example)].append(_name_of(example))
        self.sizes = {class_name: len(names) for class_name, names in by_class.items()}
        self._rank = {
            name: rank
            for names in by_class.values()
            for rank, name in enumerate(sorted(names, key=by_number))
        }
        text = "\n".join(sorted(self._rank))
        self.digest = hashlib.sha256(text.encode()).hexdigest()

    def pictures(self, split: str) -> Iterator[Picture]:
        """The pictures of one split, in the order of the records."""
        for example in self._examples(split):
            name = _name_of(example)
            yield Picture(
                self._class_of(example),
                self._rank[name],
                name,
                self.path,
                giving(example["image"]),
            )

    def _class_of(self, example: dict[str, Any]) -> str:
        return self._names[int(example["label"])]

    def _examples(
        self, split: str, *, with_pictures: bool = True
    ) -> Iterator[dict[str, Any]]:
        import tensorflow_datasets as tfds

        dataset = self._builder.as_dataset(
            split,
            shuffle_files=False,
            decoders={"image": tfds.decode.SkipDecoding()},
        )
        if not with_pictures:
            dataset = dataset.map(lambda e: {k: e[k] for k in ("label", "filename")})
        with readable(self._builder):
            yield from dataset.as_numpy_iterator()


def find_prepared(
    builder_name: str, catalogue: Catalogue, data_dir: str | os.PathLike[str]
) -> Callable[[], PreparedPictures] | None:
    """A data set that TensorFlow Datasets has prepared in a data folder.

    Args:
        builder_name: Class name of the builder.
        catalogue: What it must hold.
        data_dir: The data folder.

    Returns:
        What opens and checks it, or `None` where it is not prepared.
    """
    if not Path(data_dir, catalogue.name).is_dir():
        return None  # without the seconds that importing TFDS takes
    from tfmeta.datasets.imagenet import builders

    builder = getattr(builders, builder_name)(data_dir=data_dir)
    if not builder.is_prepared():
        return None

    def open_prepared() -> PreparedPictures:
        source = PreparedPictures(builder, catalogue)
        check_complete(source)
        return source

    return open_prepared


def _name_of(example: dict[str, Any]) -> str:
    return example["filename"].decode()
