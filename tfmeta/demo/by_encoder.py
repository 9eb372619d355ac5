"""Answers by a pre-trained encoder and the nearest class mean, without training."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tfmeta.classifying.by_encoder import classify_features, make_head
from tfmeta.classifying.photographs import embed_files
from tfmeta.demo.answer import Answer
from tfmeta.demo.asked import as_task, in_plain_names
from tfmeta.encoders import pretrained

ENCODER = "efficientnet_lite0"
_HEAD = "simple_shot"


class EncoderAnswers:
    """Photographs by EfficientNet-Lite, as `tfmeta classify` without a run has them.

    Args:
        cache_dir: Where features are kept; `None` to keep none.

    Raises:
        MissingExtraError: When the extra `photos` is not installed.
    """

    about = (
        "Nothing is trained: an encoder that others trained on ImageNet "
        "(EfficientNet-Lite0) looks at each photograph, and a new one goes to the "
        "nearest class mean (SimpleShot)."
    )

    def __init__(self, cache_dir: str | os.PathLike[str] | None = None) -> None:
        self._encoder = pretrained(ENCODER)
        self._head = make_head(_HEAD, self._encoder)
        self._cache_dir = cache_dir

    def of_photographs(
        self, support: Mapping[str, Sequence[Path]], query: Path
    ) -> Answer:
        """As of `Photographs`."""
        task = as_task(support, query)
        with in_plain_names([*task.support, *task.query]):
            task, features, _ = embed_files(
                self._encoder, task, skip_bad=False, cache_dir=self._cache_dir
            )
        answers = classify_features(self._head, task, features)
        (row,) = answers.probabilities.tolist()
        return Answer(dict(zip(answers.class_names, row, strict=True)))
