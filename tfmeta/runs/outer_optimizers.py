"""Optimizers of the outer loop: of a first learning rate and the number of steps."""

from __future__ import annotations

import keras


def cosine_adam(learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
    """Adam, whose rate falls to 0 along a cosine."""
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, decay_steps=steps)
    return keras.optimizers.Adam(schedule)


def clipped_adam(learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
    """As `cosine_adam`, with gradients of at most the norm of the LSTM's paper."""
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, decay_steps=steps)
    return keras.optimizers.Adam(schedule, global_clipnorm=0.25)


def adam_of_norm_10(learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
    """As `cosine_adam`, with gradients of at most the norm of Meta Networks' code."""
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, decay_steps=steps)
    return keras.optimizers.Adam(schedule, global_clipnorm=10.0)


def linear_sgd(learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
    """Plain SGD, whose rate, the meta-step of Reptile, falls to 0 along a line."""
    schedule = keras.optimizers.schedules.PolynomialDecay(learning_rate, steps, 0.0)
    return keras.optimizers.SGD(schedule)
