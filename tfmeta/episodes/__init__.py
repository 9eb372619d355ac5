"""From a class table to a `tf.data` stream: of tasks, or of plain examples."""

from tfmeta.episodes.augmentation import RandomAffine
from tfmeta.episodes.episode_sequence import EpisodeSequence
from tfmeta.episodes.episodes import Episodes
from tfmeta.episodes.index_sampler import EpisodeIndices
from tfmeta.episodes.instance_sequences import InstanceSequences
from tfmeta.episodes.keras_augmentation import KerasAugmentation
from tfmeta.episodes.mixture import Mixture
from tfmeta.episodes.sinusoids import Sinusoids
from tfmeta.episodes.supervised import as_supervised
from tfmeta.episodes.task_episodes import TaskEpisodes
from tfmeta.episodes.task_sequence import TaskSequence

__all__ = [
    "EpisodeIndices",
    "EpisodeSequence",
    "Episodes",
    "InstanceSequences",
    "KerasAugmentation",
    "Mixture",
    "RandomAffine",
    "Sinusoids",
    "as_supervised",
    "TaskEpisodes",
    "TaskSequence",
]
