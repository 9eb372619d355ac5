"""The training gradient against finite differences."""

from __future__ import annotations

import keras
import numpy as np

from tfmeta.testing.comparisons import expect, values_of
from tfmeta.testing.subject import Subject, learner_check

_STEP = 1e-5
_TOLERANCE = 1e-5
# Rounding of the loss in float64, divided by the step.
_NOISE = 1e-9


@learner_check("float64")
def check_gradient(subject: Subject) -> None:
    """A training step follows the gradient of the loss, for every weight.

    The gradient is what a step of SGD subtracts, so that learners with a training
    step of their own are held to it as well. It is compared with central
    differences of the training loss in float64, per trainable variable along a
    random direction and two coordinates. Learners that do not follow the gradient
    of their loss by design (first-order MAML, Reptile) are expected to fail.
    """
    learner = subject.compiled(keras.optimizers.SGD(0.0))
    batch = subject.batch(varied=True, unlabelled=learner.uses_unlabelled)
    # Moving statistics and the state of random layers are put back as well.
    start = values_of(learner.variables)

    def loss() -> float:
        return learner.train_on_batch(*batch, return_dict=True)["loss"]

    def reset() -> None:
        for variable, value in zip(learner.variables, start, strict=True):
            variable.assign(value)
        # By which a learner may draw, of a seed, what a step is made of.
        learner.optimizer.iterations.assign(0)

    loss()
    reset()
    variables = learner.trainable_variables
    values = values_of(variables)
    learner.optimizer.learning_rate = 1.0
    loss()
    gradients = [
        before - after
        for before, after in zip(values, values_of(variables), strict=True)
    ]
    learner.optimizer.learning_rate = 0.0
    reset()
    expect(any(np.any(g) for g in gradients), "a training step must change some weight")

    rng = np.random.default_rng(0)
    for variable, value, gradient in zip(variables, values, gradients, strict=True):
        directions = [rng.choice([-1.0, 1.0], value.shape) / np.sqrt(value.size)]
        for coordinate in rng.choice(value.size, min(2, value.size), replace=False):
            unit = np.zeros(value.size)
            unit[coordinate] = 1.0
            directions.append(unit.reshape(value.shape))
        for direction in directions:
            ends = []
            for sign in (1.0, -1.0):
                reset()
                variable.assign(value + sign * _STEP * direction)
                ends.append(loss())
            reset()
            numeric = (ends[0] - ends[1]) / (2.0 * _STEP)
            analytic = float(np.sum(gradient * direction))
            allowed = _TOLERANCE * max(abs(numeric), abs(analytic)) + _NOISE * max(
                1.0, abs(ends[0])
            )
            expect(
                abs(numeric - analytic) <= allowed,
                f"the training gradient of {variable.path} must be that of the loss. "
                f"Received: {analytic:.9g} along a direction in which the loss "
                f"changes by {numeric:.9g}",
            )
