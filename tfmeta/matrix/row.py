"""A row of the matrix: a frozen encoder, and the learner behind its features."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from typing import Literal

import keras
import numpy as np

from tfmeta.classifying.by_encoder import make_head
from tfmeta.datasets.own.labelled_files import LabelledFiles
from tfmeta.datasets.own.own_split import Own
from tfmeta.datasets.own.picture_files import PictureForm
from tfmeta.datasets.own.read_files import form_of_files
from tfmeta.datasets.registry import DATASETS
from tfmeta.encoders import pretraining_data
from tfmeta.features import FrozenPart, frozen_part
from tfmeta.learners import FewShotLearner
from tfmeta.matrix.domain import light_ground_of_files
from tfmeta.registry import learner_entry
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.data import light_ground, load_split, own_splits
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner


@dataclasses.dataclass(frozen=True)
class TrainedOn:
    """Pictures as an encoder takes them.

    Attributes:
        light_ground: Whether they are dark ink on light ground; `None` where that is
            not known, or means nothing.
        pixels: Dtype of their pixels.
    """

    light_ground: bool | None = None
    pixels: np.dtype = np.dtype(np.uint8)


@dataclasses.dataclass(frozen=True)
class Row:
    """What is measured on every domain.

    Attributes:
        name: What the row is called.
        kind: Whether it is an encoder of a name, or that of a run.
        encoder: From examples to features; it stays as it is.
        learner: Of these features.
        learner_title: What people call it.
        pretrained_on: Name of the data that the encoder was pre-trained on.
        seen: Origins of the classes that the run was trained or chosen on.
        trained_on: What the run was trained on, where it was on pictures.
        pictures_known: Whether its training data are still here to say so.
    """

    name: str
    kind: Literal["encoder", "run"]
    encoder: keras.Model
    learner: FewShotLearner
    learner_title: str
    pretrained_on: str | None = None
    seen: frozenset[str] = frozenset()
    trained_on: TrainedOn = TrainedOn()
    pictures_known: bool = True


def encoder_row(name: str, encoder: keras.Model, learner: str) -> Row:
    """The row of an encoder that others have trained.

    Args:
        name: What it is called.
        encoder: From raw examples to vectors.
        learner: Name of a learner without training, `"simple_shot"`.
    """
    features = keras.Input(encoder.output_shape[1:], dtype="float32")
    identity = keras.Model(features, keras.layers.Identity()(features))
    return Row(
        name=name,
        kind="encoder",
        encoder=encoder,
        learner=make_head(learner, identity),
        learner_title=learner_entry(learner).title,
        pretrained_on=pretraining_data(encoder),
    )


def run_row(
    name: str, folder: RunFolder, *, data_dir: str | os.PathLike[str] | None = None
) -> Row:
    """The row of a trained run, with its own learner.

    Args:
        name: What it is called.
        folder: The run.
        data_dir: Where data sets are kept, `None` for the default.

    Raises:
        FileNotFoundError: When training has not ended.
        ValueError: When the folder is damaged, or the learner is none whose
            embeddings are the same in every episode.
    """
    config = folder.read_config()
    learner = load_learner(folder)
    pretrained_on = learner.pretraining_data
    entry = learner_entry(config.learner)
    if (
        learner.task != "classification"
        or not learner.labelled_support
        or config.support != "examples"
    ):
        raise ValueError(
            "`runs` must be of learners that classify by labelled examples. "
            f"Received: {folder.path}, a {entry.title}"
        )
    part = _frozen(learner) if learner.independent_embeddings else None
    if part is None:
        raise ValueError(
            "`runs` must be of learners whose embeddings are the same in every "
            f"episode. Received: {folder.path}, a {entry.title}"
        )
    trained_on = _pictures_of(config, data_dir)
    return Row(
        name=name,
        kind="run",
        encoder=part.encoder,
        learner=part.learner,
        learner_title=entry.title,
        pretrained_on=pretrained_on,
        seen=frozenset(folder.seen_classes()),
        trained_on=trained_on or TrainedOn(),
        pictures_known=trained_on is not None,
    )


def _frozen(learner: FewShotLearner) -> FrozenPart | None:
    part = frozen_part(learner)
    if part is None and learner.encoder is not None:
        # It was trained, and is not going to be.
        learner.encoder.trainable = False
        part = frozen_part(learner)
    return part


def _pictures_of(
    config: TrainConfig, data_dir: str | os.PathLike[str] | None
) -> TrainedOn | None:
    """What a run was trained on, `None` where that is not here any more."""
    usual = np.dtype(np.uint8)
    source: Own
    with contextlib.suppress(OSError, ValueError):
        if config.dataset in DATASETS:
            source = load_split(config, "train", data_dir)
        else:
            splits = own_splits(config, data_dir)
            source = splits.take("train")
            if isinstance(source, LabelledFiles):
                assert isinstance(splits.whole, LabelledFiles)
                form = form_of_files(splits.whole, **splits.form)
                if not isinstance(form, PictureForm):
                    return TrainedOn(None, usual)
                light = light_ground_of_files(source.files)
                return TrainedOn(light, np.dtype(form.dtype))
        return TrainedOn(light_ground(source), source.examples.dtype)
    return None
