"""A model of characters that is made at once, and files of it."""

import sys
from pathlib import Path

import pytest

# Lets tests share the modules beside this one, in every import mode of pytest.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory):
    """Writes SavedModels of the nearest mean over coarse pixels, for such pictures."""

    def save(shape=(28, 28, 1), **description):
        import keras

        import tfmeta

        coarse = keras.Sequential(
            [
                keras.Input(shape),
                keras.layers.Rescaling(1 / 255),
                keras.layers.AveragePooling2D(4),
                keras.layers.Flatten(),
            ]
        )
        learner = tfmeta.learners.PrototypicalNetwork(coarse)
        folder = tmp_path_factory.mktemp("model")
        return tfmeta.export.save(
            learner, folder, input_dtype="uint8", description=description
        )

    return save


@pytest.fixture(scope="session")
def characters(saved_model):
    """One of light ink on dark ground, as glyphs are."""
    return saved_model(light_ground=False, training_data="<b>coarse</b>")
