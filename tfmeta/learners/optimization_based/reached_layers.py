"""Which layers of an encoder a gradient of the inner loop passes through."""

from __future__ import annotations

import keras


def reached_layers(encoder: keras.Model) -> list[keras.Layer]:
    """The layers behind trainable weights, whose inputs an inner step changes.

    What stands before the first trainable weight, such as the resizing of pictures,
    is differentiated by nothing and cannot be wrong. Inside a layer or a model with a
    `call` of its own the order is not known: its parts count as reached where it has
    trainable weights, or is reached itself.

    Args:
        encoder: A built model.

    Returns:
        Each layer once, parts of layers included.

    Example:

    ```python
    encoder = keras.Sequential([
        keras.Input((28, 28, 1)),
        keras.layers.Resizing(14, 14),
        keras.layers.Conv2D(8, 3),
        keras.layers.ReLU(),
    ])
    [layer.name for layer in reached_layers(encoder)]  # ["re_lu"]
    ```
    """
    found: dict[int, keras.Layer] = {}
    _visit(encoder, False, found)
    return list(found.values())


def is_graph(layer: keras.Layer) -> bool:
    """Whether a layer is a functional or sequential model, whose order is known."""
    return isinstance(layer, keras.Sequential) or hasattr(layer, "operations")


def _visit(
    operation: keras.Operation, reached: bool, found: dict[int, keras.Layer]
) -> bool:
    """Adds the layers reached in `operation`; returns whether its outputs are."""
    if not isinstance(operation, keras.layers.Layer):
        return reached
    if isinstance(operation, keras.Sequential):
        for layer in operation.layers:
            reached = _visit(layer, reached, found)
        return reached
    if is_graph(operation):
        return _visit_graph(operation, reached, found)
    if reached:
        found[id(operation)] = operation
    trained = bool(operation.trainable_variables)
    if reached or trained:
        for part in operation._flatten_layers(include_self=False):
            found[id(part)] = part
    return reached or trained


def _visit_graph(
    model: keras.Model, reached: bool, found: dict[int, keras.Layer]
) -> bool:
    of_tensor: dict[int, bool] = {}
    # The first depth is that of the outputs.
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            after = reached
            if not node.is_input:
                before = any(of_tensor[id(tensor)] for tensor in node.input_tensors)
                after = _visit(node.operation, before, found)
            of_tensor.update((id(tensor), after) for tensor in node.outputs)
    return any(of_tensor[id(tensor)] for tensor in keras.tree.flatten(model.outputs))
