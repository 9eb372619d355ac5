"""The work of `tfmeta gallery re-embed`."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tfmeta.cli.classify_job import warn
from tfmeta.cli.gallery_facts import GalleryFacts
from tfmeta.cli.gallery_learner import ChosenLearner
from tfmeta.cli.progress import progress_bar
from tfmeta.cli.tensorflow_start import start_tensorflow
from tfmeta.console import Console
from tfmeta.gallery.records import Change
from tfmeta.gallery.store import GalleryStore
from tfmeta.gallery.tables import DATABASE


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

    made = chosen.make(facts.kind)
    light_ground = made["light_ground"]
    invert = None
    if light_ground is None:
        invert = False
    elif facts.light_ground is not None:
        # What is enrolled has the ground that the former learner took.
        invert = (facts.light_ground != facts.invert) != light_ground
    with (
        contextlib.closing(Gallery(gallery)) as opened,
        progress_bar(Console(stderr=True), "Embedding") as report,
    ):
        change = opened.re_embed(
            made["learner"],
            invert=invert,
            light_ground=light_ground,
            input_dtype=made["input_dtype"],
            on_progress=report,
        )
    with contextlib.closing(GalleryStore(gallery / DATABASE)) as store:
        now = GalleryFacts.of(store)
    if now.threshold != facts.threshold:
        warn(
            [
                "the threshold was that of the former encoder; now it is by "
                "cross-validation of what is enrolled"
            ]
        )
    return change
