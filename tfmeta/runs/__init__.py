"""A training run on disk: configuration, training, evaluation, pictures."""
