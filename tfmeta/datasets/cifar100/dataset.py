"""The records of CIFAR-FS and FC100."""

from __future__ import annotations

from tfmeta.datasets.dataset import Dataset
from tfmeta.datasets.training_defaults import NATURAL_LEARNERS, NATURAL_PICTURES

_NEEDS = "cifar-100-binary.tar.gz (CIFAR-100, binary version)"

CIFAR_FS = Dataset(
    name="cifar_fs",
    description="CIFAR-100 in 64, 16 and 20 classes, 32 x 32",
    loader="tfmeta.datasets.cifar100.cifar_fs:load_cifar_fs",
    importer="tfmeta.datasets.cifar100.importing:import_cifar_fs",
    needs=_NEEDS,
    tables="cifar100*",
    training=NATURAL_PICTURES,
    learners=NATURAL_LEARNERS,
)

FC100 = Dataset(
    name="fc100",
    description="CIFAR-100 in 60, 20 and 20 classes that share no superclass, 32 x 32",
    loader="tfmeta.datasets.cifar100.fc100:load_fc100",
    importer="tfmeta.datasets.cifar100.importing:import_fc100",
    needs=_NEEDS,
    tables="cifar100*",
    training=NATURAL_PICTURES,
    learners=NATURAL_LEARNERS,
)
