"""The work of `tfmeta gallery re-embed`."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from tfmeta.cli.gallery_learner import ChosenLearner
from tfmeta.cli.progress import progress_bar
from tfmeta.cli.tensorflow_start import start_tensorflow
from tfmeta.console import Console
from tfmeta.gallery.database import DATABASE
from tfmeta.gallery.facts import LIGHT_GROUND, GalleryFacts
from tfmeta.gallery.records import Change
from tfmeta.gallery.store import GalleryStore


def re_embed_gallery(gallery: Path, chosen: ChosenLearner) -> Change:
    """Embeds the originals of a gallery by another learner, which takes it over.

    Args:
        gallery: Its folder.
        chosen: The learner.

    Raises:
        ValueError: When it takes other examples, or originals were not kept.
    """
    with contextlib.closing(GalleryStore(gallery / DATABASE)) as store:
        facts = GalleryFacts.of(store)
    chosen.check()
    start_tensorflow("metric")
    from tfmeta.gallery import Gallery

    learner = chosen.make(facts.kind)
    light_ground = chosen.light_ground()
    invert = None
    if light_ground is not None and facts.light_ground is not None:
        # What is enrolled has the ground that the former learner took.
        invert = (facts.light_ground != facts.invert) != light_ground
    elif light_ground is None:
        invert = False
    with (
        contextlib.closing(Gallery(gallery)) as opened,
        progress_bar(Console(stderr=True), "Embedding") as report,
    ):
        change = opened.re_embed(learner, invert=invert, on_progress=report)
    with contextlib.closing(GalleryStore(gallery / DATABASE)) as store:
        store.set_fact(LIGHT_GROUND, json.dumps(light_ground))
    return change
