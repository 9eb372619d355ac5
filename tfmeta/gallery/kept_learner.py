"""The learner of a gallery: which ones can be, and its file in the folder."""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path
from typing import Any

import keras

# Registers what files hold: learners with their rules, encoders, distances, losses.
import tfmeta.encoders
import tfmeta.learners
import tfmeta.losses  # noqa: F401
from tfmeta.durable import flush, naming, remove
from tfmeta.features.digests import encoder_digest
from tfmeta.finite_checks import check_finite_weights
from tfmeta.gallery.facts import Facts
from tfmeta.gallery.rows import EMBEDDING_SHAPE
from tfmeta.learners import FewShotLearner
from tfmeta.model_files import check_model_file, loading
from tfmeta.registry import resolve


def check_learner(learner: Any) -> None:
    """Checks that classes can be enrolled with a learner, one after the other.

    Raises:
        TypeError: When it is no such learner, whatever its weights.
        ValueError: When it lacks something, or its weights are not finite.
    """
    name = type(learner).__name__
    if (
        not isinstance(learner, FewShotLearner)
        or not learner.independent_embeddings
        or not learner.labelled_support
        or learner.task != "classification"
    ):
        raise TypeError(
            "`learner` must be a learner of tfmeta that classifies by embeddings which "
            "do not depend on the episode, as metric-based ones. Received: "
            + (f"the class {learner.__name__}" if isinstance(learner, type) else name)
        )
    if learner.support_encoder is not learner.encoder:
        raise TypeError(
            "`learner` must enrol classes by examples like its queries. Received: a "
            f"{name}, which enrols them by descriptions; SimpleShot with the same "
            "encoder takes examples"
        )
    if learner.fixed_ways is not None:
        raise TypeError(
            "`learner` must classify among any number of classes. Received: a "
            f"{name} for {learner.fixed_ways} of them"
        )
    if learner.needs_base_mean:
        raise ValueError(
            "`learner` must have the mean of its base classes. Received: a "
            f"{name} without; give it one by fit_base_mean"
        )
    if None in learner.encoder.output_shape[1:]:
        raise ValueError(
            "`learner` must have an encoder whose embeddings are of one shape. "
            f"Received: one of output shape {learner.encoder.output_shape}"
        )
    check_finite_weights("`learner`", learner.variables)


def facts_of(learner: Any) -> dict[str, Any]:
    """What is to be known of a learner, and how its file will be called."""
    kind, spec = type(learner), learner.example_spec()
    return {
        "encoder": encoder_digest(learner.encoder),
        EMBEDDING_SHAPE: tuple(learner.encoder.output_shape[1:]),
        "example_shape": tuple(spec.shape),
        "example_dtype": spec.dtype.name,
        "learner_file": f"learner-{uuid.uuid4().hex[:8]}.keras",
        "learner_class": f"{kind.__module__}:{kind.__qualname__}",
    }


def save_learner(learner: Any, file: Path) -> None:
    """Writes the file of a learner, which is not there, and waits for the disk.

    Raises:
        OSError: When it cannot be written; names it, and leaves nothing.
    """
    with naming(file):
        try:
            learner.save(file)
            flush(file)
            flush(file.parent)
        except BaseException:
            remove(file)
            raise


def load_learner(folder: Path, facts: Facts) -> Any:
    """The learner of a gallery.

    Args:
        folder: The gallery's.
        facts: What is known of it.

    Raises:
        FileNotFoundError: When its file is not there.
        ValueError: When its file is damaged, or holds another encoder than the one
            that made the embeddings.
    """
    file = folder / facts.learner_file
    if not file.is_file():
        raise FileNotFoundError(
            f"{file} must be the learner of the gallery. Received: no file; embed the "
            "originals by another learner with `re_embed`"
        )
    with loading("the learner of a gallery", file):
        # Keras finds only classes that have been imported. What a file says is no
        # reason to run a module that is none of tfmeta's.
        if facts.learner_class.startswith("tfmeta."):
            with contextlib.suppress(ValueError):
                resolve(facts.learner_class)
        check_model_file(file)
        learner = keras.saving.load_model(file)
        check_learner(learner)
    digest = encoder_digest(learner.encoder)
    if digest != facts.encoder:
        raise ValueError(
            f"{file} must hold the encoder {facts.encoder}, which made the embeddings "
            f"of the gallery. Received: encoder {digest}; embed the originals anew by "
            "`re_embed`"
        )
    if tuple(learner.encoder.output_shape[1:]) != facts.embedding_shape:
        raise ValueError(
            f"{file} must give embeddings of shape {facts.embedding_shape}. Received: "
            f"{tuple(learner.encoder.output_shape[1:])}"
        )
    return learner
