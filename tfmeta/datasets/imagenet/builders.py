"""miniImageNet and tieredImageNet as builders of TensorFlow Datasets.

Importing this module registers them: `tfds.load("mini_imagenet", ...)`.
"""

from __future__ import annotations

import abc
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import tensorflow_datasets as tfds

from tfmeta.datasets.imagenet.catalogue import (
    SPLITS,
    Catalogue,
    mini_catalogue,
    tiered_catalogue,
)
from tfmeta.datasets.imagenet.dataset import LICENCE, MINI_IMAGENET, TIERED_IMAGENET
from tfmeta.datasets.imagenet.picture_source import (
    SHAPE,
    SIZE,
    Picture,
    PictureSource,
)
from tfmeta.datasets.imagenet.sources import (
    open_mini,
    open_tiered,
)

_CHECKS = (
    "Nobody publishes a SHA-256 of the pictures: what is checked is that each class "
    "has its pictures and that every one can be read."
)

_MINI_CITATION = """\
@inproceedings{vinyals2016matching,
  title={Matching Networks for One Shot Learning},
  author={Vinyals, Oriol and Blundell, Charles and Lillicrap, Timothy and
          Kavukcuoglu, Koray and Wierstra, Daan},
  booktitle={Advances in Neural Information Processing Systems},
  year={2016}
}
@inproceedings{ravi2017optimization,
  title={Optimization as a Model for Few-Shot Learning},
  author={Ravi, Sachin and Larochelle, Hugo},
  booktitle={International Conference on Learning Representations},
  year={2017}
}"""

_TIERED_CITATION = """\
@inproceedings{ren2018metalearning,
  title={Meta-Learning for Semi-Supervised Few-Shot Classification},
  author={Ren, Mengye and Triantafillou, Eleni and Ravi, Sachin and Snell, Jake and
          Swersky, Kevin and Tenenbaum, Joshua B. and Larochelle, Hugo and
          Zemel, Richard S.},
  booktitle={International Conference on Learning Representations},
  year={2018}
}"""


class _ImageNetPart(tfds.core.GeneratorBasedBuilder):
    """What the data sets have in common: pictures of 84x84 and disjoint splits."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First release."}

    DESCRIPTION: ClassVar[str]
    HOMEPAGE: ClassVar[str]
    CITATION: ClassVar[str]

    @classmethod
    @abc.abstractmethod
    def catalogue(cls) -> Catalogue:
        """What a copy must hold."""

    @classmethod
    @abc.abstractmethod
    def open_source(cls, path: Path, catalogue: Catalogue) -> PictureSource:
        """Opens a copy and checks it."""

    def _info(self) -> tfds.core.DatasetInfo:
        catalogue = self.catalogue()
        features = {
            "image": tfds.features.Image(shape=SHAPE),
            "label": tfds.features.ClassLabel(names=list(catalogue.split_of)),
            "filename": tfds.features.Text(),
        }
        if catalogue.superclasses:
            superclasses = sorted(set(catalogue.superclasses.values()))
            features["superclass"] = tfds.features.ClassLabel(names=superclasses)
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"{self.DESCRIPTION} {_CHECKS} {LICENCE}",
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
            homepage=self.HOMEPAGE,
            citation=self.CITATION,
            license=LICENCE,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> Any:
        catalogue = self.catalogue()
        source = self.open_source(Path(dl_manager.manual_dir), catalogue)
        if source.catalogue is not catalogue:
            raise ValueError(
                f"{source.path} must name its classes. Received: numbers; "
                "`tfmeta datasets import` takes them, TensorFlow Datasets does not"
            )
        return {split: self._generate_examples(source, split) for split in SPLITS}

    def _generate_examples(
        self, source: PictureSource, split: str
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        superclasses = source.catalogue.superclasses
        for picture in source.pictures(split):
            example = {
                "image": _as_stored(picture),
                "label": picture.class_name,
                "filename": picture.name,
            }
            if superclasses:
                example["superclass"] = superclasses[picture.class_name]
            yield picture.name, example


class MiniImagenet(_ImageNetPart):
    """`tfds.load("mini_imagenet")`, from a copy in the folder for manual downloads.

    JPEG files of 84x84 are kept as they are. TFDS decodes them by TensorFlow's
    fast method, whose pixels differ from Pillow's, and so from those of
    `tfmeta.datasets.load`, by a few levels of 255.

    Example:

    ```python
    import tfmeta.datasets.imagenet.builders

    config = tfds.download.DownloadConfig(manual_dir="/data/miniImageNet")
    dataset = tfds.load(
        "mini_imagenet",
        split="train",
        download_and_prepare_kwargs={"download_config": config},
    )
    ```
    """

    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "miniImageNet cannot be downloaded by a program. Put it into the folder in "
        f"one of these forms:\n{MINI_IMAGENET.forms}"
    )
    DESCRIPTION = (
        "miniImageNet: 100 classes of ImageNet, 600 pictures of 84x84 of each, in the "
        "64 training, 16 validation and 20 test classes of Ravi and Larochelle (2017). "
        "The splits share no class; labels are WordNet ids."
    )
    HOMEPAGE = "https://github.com/twitter/meta-learning-lstm"
    CITATION = _MINI_CITATION

    @classmethod
    def catalogue(cls) -> Catalogue:
        """What a copy must hold."""
        return mini_catalogue()

    @classmethod
    def open_source(cls, path: Path, catalogue: Catalogue) -> PictureSource:
        """Opens a copy and checks it."""
        return open_mini(path, catalogue)


class TieredImagenet(_ImageNetPart):
    """`tfds.load("tiered_imagenet")`, from a copy in the folder for manual downloads.

    Example:

    ```python
    import tfmeta.datasets.imagenet.builders

    config = tfds.download.DownloadConfig(manual_dir="/data/ILSVRC2012/train")
    dataset = tfds.load(
        "tiered_imagenet",
        split="train",
        download_and_prepare_kwargs={"download_config": config},
    )
    ```
    """

    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "tieredImageNet cannot be downloaded by a program. Put it into the folder in "
        f"one of these forms:\n{TIERED_IMAGENET.forms}"
    )
    DESCRIPTION = (
        "tieredImageNet: 608 classes of ImageNet in 34 superclasses, 779,165 pictures "
        "of 84x84. The 20 superclasses of training, 6 of validation and 8 of test "
        "share no class; labels and superclasses are WordNet ids."
    )
    HOMEPAGE = "https://github.com/renmengye/few-shot-ssl-public"
    CITATION = _TIERED_CITATION

    @classmethod
    def catalogue(cls) -> Catalogue:
        """What a copy must hold."""
        return tiered_catalogue()

    @classmethod
    def open_source(cls, path: Path, catalogue: Catalogue) -> PictureSource:
        """Opens a copy and checks it."""
        return open_tiered(path, catalogue)


class TieredImagenetPartial(TieredImagenet):
    """`tfds.load("tiered_imagenet_partial")`: a copy that need not be complete.

    Accuracies on it are not those of tieredImageNet.
    """

    DESCRIPTION = (
        "Part of tieredImageNet: some of its 608 classes, and of each some pictures. "
        "Accuracies on it are not those of tieredImageNet. Splits and superclasses are "
        "those of tieredImageNet."
    )

    @classmethod
    def catalogue(cls) -> Catalogue:
        """What a copy must hold."""
        return tiered_catalogue(partial=True)


def _as_stored(picture: Picture) -> Any:
    """The file itself where it has the right size, else the pixels.

    Either way the picture is read, so that a damaged one is found here.
    """
    pixels, stored, kind = picture.pixels(), picture.load(), picture.kind()
    as_it_is = (kind.height, kind.width, kind.mode) == (*SIZE, "RGB")
    return io.BytesIO(stored) if isinstance(stored, bytes) and as_it_is else pixels
