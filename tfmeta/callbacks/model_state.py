"""The variables that training changes, read and written without loss.

Keras' own weights files are not enough: they leave out the states of random
seeds, on which every layer with dropout depends, and what replicas do not
share, such as the moving averages of batch normalisation.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from tfmeta.finite_checks import count_not_finite


def get_model_state(model: keras.Model) -> dict[str, np.ndarray]:
    """Weights, random seeds and everything the optimizer holds.

    Args:
        model: A built and compiled model.

    Returns:
        A name, `model.<i>` or `optimizer.<i>`, to each variable's value; and
        `<name>.<replica>` where the copy of a replica is another.
    """
    state = {}
    for name, variable in _variables(model).items():
        first, *others = (copy.numpy() for copy in _copies(model, variable))
        state[name] = first
        for replica, value in enumerate(others, start=1):
            if value.tobytes() != first.tobytes():
                state[f"{name}.{replica}"] = value
    return state


def set_model_state(
    model: keras.Model, state: Mapping[str, np.ndarray], source: str
) -> None:
    """Assigns what `get_model_state` has read; nothing when it does not fit.

    Args:
        model: A built and compiled model. It may have other replicas.
        state: Name to value; other names are ignored.
        source: What an error calls the origin of `state`.

    Raises:
        ValueError: When the model has other variables than the state.
    """
    variables = _variables(model)
    saved = {
        name: (array.shape, array.dtype.name)
        for name, array in state.items()
        if name.startswith(("model.", "optimizer.")) and name.count(".") == 1
    }
    expected = {
        name: (tuple(variable.shape), keras.backend.standardize_dtype(variable.dtype))
        for name, variable in variables.items()
    }
    for name in {**saved, **expected}:
        if saved.get(name) != expected.get(name):
            path = f" ({variables[name].path})" if name in variables else ""
            raise ValueError(
                "`model` must be built and compiled as in the run that was stopped: "
                f"{source} holds {_describe(saved.get(name))} as variable {name}. "
                f"Received: a model with {_describe(expected.get(name))}{path} there"
            )
    for name, variable in variables.items():
        for replica, copy in enumerate(_copies(model, variable)):
            copy.assign(state.get(f"{name}.{replica}", state[name]))


def count_non_finite_variables(model: keras.Model) -> dict[str, int]:
    """How many numbers are NaN or infinite, by the paths of the variables with such.

    Args:
        model: A built model; of a compiled one the optimizer's are counted, too.
    """
    found = {}
    for variable in _variables(model).values():
        copies = _copies(model, variable)
        wrong = sum(count_not_finite(copy.numpy()) for copy in copies)
        if wrong:
            found[variable.path] = wrong
    return found


def prepare_model(model: keras.Model) -> None:
    """Raises unless `model` is built and compiled; builds its optimizer.

    The slots of an optimizer must exist before they can be read or written.
    """
    if not model.compiled:
        raise ValueError(
            "`model` must be compiled before its state is restored: call "
            "`model.compile(...)` first. Received: a model that is not compiled"
        )
    if not model.built:
        raise ValueError(
            "`model` must be built before its state is restored: give it an input "
            "shape or call it on a batch first. Received: a model that is not built"
        )
    optimizer = model.optimizer
    if optimizer is not None and not optimizer.built:
        with model.distribute_strategy.scope():
            optimizer.build(model.trainable_variables)


def _variables(model: keras.Model) -> dict[str, keras.Variable]:
    # Numbered, since the names of layers count on with every model that is
    # built in a process. Metrics are no part of it: every epoch resets them.
    groups = {
        "model": model.variables,
        "optimizer": model.optimizer.variables if _has_optimizer(model) else [],
    }
    return {
        f"{group}.{index}": variable
        for group, variables in groups.items()
        for index, variable in enumerate(variables)
    }


def _has_optimizer(model: keras.Model) -> bool:
    return getattr(model, "optimizer", None) is not None


def _copies(model: keras.Model, variable: keras.Variable) -> tuple[tf.Variable, ...]:
    """The copy of each replica; one without a distribution strategy."""
    return model.distribute_strategy.experimental_local_results(variable.value)


def _describe(layout: tuple[tuple[int, ...], str] | None) -> str:
    return "nothing" if layout is None else f"{layout[1]} of shape {layout[0]}"
