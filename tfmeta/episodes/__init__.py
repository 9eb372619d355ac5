"""From a class table to a `tf.data` stream of tasks."""

from tfmeta.episodes.augmentation import RandomAffine
from tfmeta.episodes.episodes import Episodes
from tfmeta.episodes.index_sampler import EpisodeIndices

__all__ = ["EpisodeIndices", "Episodes", "RandomAffine"]
