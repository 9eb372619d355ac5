"""What a frozen encoder makes of examples: computed once, kept beside the data."""

from tfmeta.features.computing import features_of
from tfmeta.features.digests import encoder_digest, example_digests
from tfmeta.features.frozen import FrozenPart, frozen_part, on_frozen
from tfmeta.features.store import FeatureStore, features_dir

__all__ = [
    "FeatureStore",
    "FrozenPart",
    "encoder_digest",
    "example_digests",
    "features_dir",
    "features_of",
    "frozen_part",
    "on_frozen",
]
