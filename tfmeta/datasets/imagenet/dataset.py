"""The records of miniImageNet and tieredImageNet."""

from __future__ import annotations

from tfmeta.datasets.dataset import Dataset
from tfmeta.datasets.training_defaults import NATURAL_LEARNERS, NATURAL_PICTURES

LICENCE = (
    "The pictures are ImageNet's: for non-commercial research and education only, "
    "under the terms of https://www.image-net.org/download."
)

MINI_IMAGENET = Dataset(
    name="mini_imagenet",
    description="100 classes of ImageNet, 600 pictures of 84 x 84 each",
    loader="tfmeta.datasets.imagenet.mini:load_mini_imagenet",
    importer="tfmeta.datasets.imagenet.importing:import_mini_imagenet",
    needs="84x84 pictures or ILSVRC-2012's training pictures, in folders of classes or "
    "an archive, with the lists train.csv, val.csv and test.csv; or the pickles "
    "mini-imagenet-cache-*.pkl or miniImageNet_category_split_*.pickle",
    forms="""\
- picture files <class>/<file> in folders named after their classes, or
  images/<file>, unpacked or in one zip or tar archive, with the lists train.csv,
  val.csv and test.csv of github.com/twitter/meta-learning-lstm beside them (they
  can be left out where each class has its 600 pictures and no more);
- the training pictures of ILSVRC-2012, <class>/<class>_<number>.JPEG, with those
  lists;
- mini-imagenet-cache-train.pkl, -val.pkl and -test.pkl;
- miniImageNet_category_split_train_phase_train.pickle, _val.pickle and
  _test.pickle.""",
    training=NATURAL_PICTURES,
    learners=NATURAL_LEARNERS,
    cut_from="imagenet",
    licence=LICENCE,
)

TIERED_IMAGENET = Dataset(
    name="tiered_imagenet",
    description="608 classes of ImageNet in 34 superclasses, 84 x 84",
    loader="tfmeta.datasets.imagenet.tiered:load_tiered_imagenet",
    importer="tfmeta.datasets.imagenet.importing:import_tiered_imagenet",
    needs="ILSVRC-2012's training pictures, in folders of classes or an archive; or "
    "*_images_png.pkl or *_images.npz with *_labels.pkl",
    forms="""\
- the training pictures of ILSVRC-2012, <class>/<class>_<number>.JPEG, or picture
  files made from them, <class>/<file>, unpacked or in one zip or tar archive;
- train_images_png.pkl, train_labels.pkl and the same of val and test;
- train_images.npz, train_labels.pkl and the same of val and test.""",
    training=NATURAL_PICTURES,
    learners=NATURAL_LEARNERS,
    cut_from="imagenet",
    licence=LICENCE,
)
