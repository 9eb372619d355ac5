"""A learner that the package does not know, in a file of its own."""

import keras

from tfmeta.learners import PrototypicalNetwork


@keras.saving.register_keras_serializable(package="toy")
class SharpPrototypes(PrototypicalNetwork):
    """A Prototypical Network whose logits are `sharpness` times as far apart."""

    def __init__(self, encoder, sharpness=2.0, **kwargs):
        super().__init__(encoder, **kwargs)
        self.sharpness = sharpness

    def get_config(self):
        return {**super().get_config(), "sharpness": self.sharpness}

    def compare_embeddings(self, state, embeddings, **options):
        return self.sharpness * super().compare_embeddings(state, embeddings, **options)
