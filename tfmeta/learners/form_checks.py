"""The form of what a learner is given: refused in one line before it is computed.

Shapes and types alone are looked at, so that in a graph nothing of this is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from tfmeta.argument_names import reworded_errors
from tfmeta.learners.encoder_check import check_examples
from tfmeta.losses import RelationScoreLoss

# Of an episode batch, and of its rows.
_PARTS = ("support", "support_labels", "query")
_EXAMPLES = {"support": "support", "query": "queries", "unlabelled": "unlabelled"}
_EPISODES = (
    "tfmeta.episodes.Episodes(table, ways=5).as_dataset(steps=100), with table = "
    "tfmeta.datasets.ClassTable.from_arrays(name, examples, labels)"
)
# Losses of numbers of classes; `None` is an objective of the learner's own.
_OF_NUMBERS = (keras.losses.SparseCategoricalCrossentropy, RelationScoreLoss)
_VERBS = "learner.predict_query(learner.adapt(support, support_labels), query)"


class Checked(Protocol):
    """The part of a learner that these checks read; see `LearnerContract`."""

    task: str
    labelled_support: bool
    fixed_ways: int | None
    encoder: Any

    @property
    def support_encoder(self) -> keras.Model | None:
        """The encoder of support examples."""


def check_episode(learner: Checked, inputs: Any) -> None:
    """Refuses inputs that are not those of an episode batch.

    Args:
        learner: Who is to take them.
        inputs: Tensors, arrays or specifications by name.

    Raises:
        TypeError: When it is no dict.
        ValueError: When a part is missing, or has another shape.
    """
    if not learner.labelled_support:
        return
    if not isinstance(inputs, Mapping):
        raise TypeError(
            f"`inputs` must be a dict of {', '.join(_PARTS)}, an episode batch. To "
            f"train, write learner.fit({_EPISODES}); to classify, {_VERBS}. Received: "
            f"{described(inputs)}"
        )
    missing = [name for name in _PARTS if name not in inputs]
    if missing:
        raise ValueError(
            f"`inputs` must hold {', '.join(_PARTS)}, as {_EPISODES} gives them. "
            f"Received: {', '.join(map(str, inputs))}, without {', '.join(missing)}"
        )
    for name in _EXAMPLES:
        if name in inputs:
            check_rows(learner, name, inputs[name])
            _check_mask(f"{name}_mask", inputs.get(f"{name}_mask"), inputs[name])
    check_support_labels(learner, inputs["support"], inputs["support_labels"])
    _check_same_tasks("query", inputs["query"], "support", inputs["support"])


def check_rows(learner: Checked, name: str, examples: Any) -> None:
    """Refuses examples that are not `(tasks, rows, *example)`.

    Args:
        learner: Who is to take them.
        name: What they are called.
        examples: A tensor, an array or a specification.

    Raises:
        ValueError: When they have another shape; says what to write.
    """
    shape = _shape_of(examples)
    encoder = learner.support_encoder if name == "support" else learner.encoder
    if shape is None or encoder is None:
        return
    wanted = tuple(encoder.inputs[0].shape[1:])
    for axes, left_out in (
        ("None", "the axis of tasks"),
        ("None, None", "the axes of tasks and examples"),
    ):
        leading = 2 - len(axes.split(", "))
        if len(shape) == len(wanted) + leading and fits(shape[leading:], wanted):
            raise ValueError(
                f"`{name}` must have the shape (tasks, {_EXAMPLES[name]}, *example), "
                f"with examples of shape {wanted}. Write {name}[{axes}]. Received: "
                f"shape {shape}, without {left_out}"
            )
    check_examples(encoder, shape[2:])


def check_support_labels(learner: Checked, support: Any, labels: Any) -> None:
    """Refuses labels that are not `(tasks, support, ways)`.

    Args:
        learner: Who is to take them.
        support: `(tasks, support, *example)`.
        labels: A tensor, an array or a specification.

    Raises:
        ValueError: When they have another shape or dtype; says what to write.
    """
    shape, dtype = _shape_of(labels), tf.as_dtype(getattr(labels, "dtype", "float32"))
    regression = learner.task == "regression"
    last, kind = ("outputs", "targets") if regression else ("ways", "one-hot")
    form = f"`support_labels` must be (tasks, support, {last}), {kind}"
    if dtype == tf.string:
        raise ValueError(
            f"{form}. Number the classes, and write tf.one_hot(numbers, ways). "
            "Received: texts"
        )
    if shape is None:
        return
    if len(shape) != 3:
        rows = _shape_of(support) or (None, None)
        write = "support_labels[None]"
        if len(shape) == 2 and regression and fits(shape, rows[:2]):
            write = "support_labels[..., None]"
        elif len(shape) < 2 or (dtype.is_integer and fits(shape, rows[:2])):
            write = "tf.one_hot(support_labels, ways)"
        raise ValueError(f"{form}. Write {write}. Received: {dtype.name} {shape}")
    _check_same_tasks("support_labels", labels, "support", support, rows=True)
    wanted = learner.fixed_ways
    if wanted is not None and shape[2] not in (None, wanted):
        raise ValueError(
            f"`support_labels` must have {wanted} {last}, those that this "
            f"{type(learner).__name__} was made for. Received: {shape[2]} {last}"
        )


def check_sequence(learner: Checked, examples: Any, labels: Any) -> tuple[Any, Any]:
    """Refuses what is no sequence of labelled examples for this learner.

    Args:
        learner: Who is to take them.
        examples: `(tasks, steps, *example)`: a tensor, lists or an array.
        labels: `(tasks, steps, ways)`, likewise.

    Returns:
        Both as tensors, labels in float32 unless they are floats.

    Raises:
        ValueError: When they have another form, or the learner is for none.
    """
    check_takes_sequences(learner)
    examples, labels = as_tensor("examples", examples), as_tensor("labels", labels)
    # Of a prefix both are a support.
    with reworded_errors(_of_sequence):
        check_rows(learner, "support", examples)
        check_support_labels(learner, examples, labels)
    if not labels.dtype.is_floating:
        labels = tf.cast(labels, tf.float32)
    return examples, labels


def check_takes_sequences(learner: Checked) -> None:
    """Refuses a learner that is not told the classes of examples, one by one.

    Raises:
        ValueError: When it regresses, or enrols classes by something else.
    """
    received = None
    if learner.task != "classification":
        received = f"of {learner.task}"
    elif not learner.labelled_support:
        received = "whose support has no labels"
    elif learner.support_encoder is not learner.encoder:
        received = "that is shown something else of a class than examples"
    if received is not None:
        raise ValueError(
            "a sequence of labelled examples needs a learner of classification that is "
            f"shown examples. Received: a {type(learner).__name__}, one {received}"
        )


def check_state(state: Any, rows_name: str, rows: Any) -> None:
    """Refuses a state that is none, or of other tasks than the rows that come with it.

    Args:
        state: What is to be one.
        rows_name: `"query"` or `"support"`.
        rows: Those.

    Raises:
        TypeError: When it is no dict.
        ValueError: When it has another number of tasks.
    """
    if not isinstance(state, Mapping):
        raise TypeError(
            "`state` must be what `adapt` returned, a dict of tensors. Write "
            f"{_VERBS}. Received: {described(state)}"
        )
    for name, part in state.items():
        _check_same_tasks(rows_name, rows, f"state[{name!r}]", part)


def check_query_labels(
    learner: Checked, inputs: Any, y: Any, weight: Any, *, loss: Any
) -> None:
    """Refuses labels and weights of queries of another form than the learner's.

    Args:
        learner: Who is to take them.
        inputs: Of an episode batch, or plain examples of a learner that takes them.
        y: Labels, or targets of regression; a tensor, an array or a specification.
        weight: Of each of the labels, or `None`.
        loss: Of `compile`: only some read numbers of classes.

    Raises:
        ValueError: When they have another shape, or there are none.
    """
    if not learner.labelled_support:
        return
    episode = isinstance(inputs, Mapping)
    form = "(tasks, queries)" if episode else "(examples,)"
    if y is None:
        raise ValueError(
            f"`y` must be the labels of what is classified, {form}. Write fit(inputs, "
            "y), or give batches (inputs, y). Received: None"
        )
    rows = _shape_of(inputs["query"] if episode else inputs)
    rows = None if rows is None else rows[: 2 if episode else 1]
    if rows is None:
        return
    shape = _shape_of(y)
    numbers = learner.task != "regression" and (
        loss is None or isinstance(loss, _OF_NUMBERS)
    )
    if shape is not None and numbers and not _is_one_of_each(shape, rows):
        write = "Write tf.argmax(y, -1). " if len(shape) == len(rows) + 1 else ""
        raise ValueError(
            f"`y` must be {form} integers, a label for each of {rows}. {write}"
            f"Received: shape {shape}"
        )
    if not _is_one_of_each(_shape_of(weight), rows):
        raise ValueError(
            f"`sample_weight` must be {form}, a weight for each of {rows}. Received: "
            f"shape {_shape_of(weight)}"
        )


def as_tensor(name: str, value: Any) -> Any:
    """An argument as a tensor; what is none of lists, numbers and arrays as it is.

    Raises:
        ValueError: When lists in it have different lengths, or hold something else.
    """
    if not isinstance(value, list | tuple | np.ndarray | np.generic):
        return value
    try:
        return tf.convert_to_tensor(value)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`{name}` must be one array, all its rows of one shape and dtype. "
            f"Received: {described(value)} that is none ({type(error).__name__})"
        ) from error


def as_mask(name: str, mask: Any, rows: Any) -> Any:
    """A mask as a bool tensor, `None` where there is none.

    Raises:
        ValueError: When it is not `(tasks, rows)`, those of `rows`.
    """
    if mask is None:
        return None
    mask = as_tensor(name, mask)
    _check_mask(name, mask, rows)
    dtype = getattr(mask, "dtype", tf.bool)
    return mask if dtype == tf.bool else tf.cast(mask, tf.bool)


def described(value: Any) -> str:
    """A few words on what came."""
    shape = _shape_of(value)
    if shape is not None:
        return f"{tf.as_dtype(value.dtype).name} of shape {shape}"
    named = getattr(value, "__name__", None) if isinstance(value, type) else None
    return f"the class {named}" if named else f"a {type(value).__name__}"


def _of_sequence(message: str) -> str:
    """What is said of a support, said of a sequence."""
    for name, called in (
        ("support_labels", "labels"),
        ("(tasks, support", "(tasks, steps"),
        ("`support`", "`examples`"),
        ("support[", "examples["),
    ):
        message = message.replace(name, called)
    return message


def _check_mask(name: str, mask: Any, rows: Any) -> None:
    given, wanted = _shape_of(mask), _shape_of(rows)
    if given is not None and wanted is not None and not fits(given, wanted[:2]):
        raise ValueError(
            f"`{name}` must have the shape {wanted[:2]} of what it masks, False for "
            f"padding. Received: shape {given}"
        )


def _check_same_tasks(
    name: str, value: Any, other: str, reference: Any, *, rows: bool = False
) -> None:
    """Refuses another number of tasks, or of rows too; of unknown ones none."""
    count = 2 if rows else 1
    ours, theirs = _shape_of(value), _shape_of(reference)
    if ours is None or theirs is None or not theirs:
        return
    if not fits(ours[:count], theirs[:count]):
        axes = "(tasks, support)" if rows else "(tasks,)"
        raise ValueError(
            f"`{name}` and `{other}` must have the same {axes}. Received: "
            f"{ours[:count]} and {theirs[:count]}"
        )


def _shape_of(value: Any) -> tuple[int | None, ...] | None:
    """The static shape, `None` where nothing is known of it."""
    shape = getattr(value, "shape", None)
    if shape is None or getattr(shape, "rank", 0) is None:
        return None
    try:
        return tuple(shape)
    except TypeError:
        return None


def _is_one_of_each(shape: tuple | None, rows: tuple) -> bool:
    return shape is None or fits(shape, rows) or fits(shape, (*rows, 1))


def fits(shape: Sequence[int | None], wanted: Sequence[int | None]) -> bool:
    """Whether shapes are the same, as far as they are known."""
    return len(shape) == len(wanted) and all(
        ours == theirs or None in (ours, theirs)
        for ours, theirs in zip(shape, wanted, strict=True)
    )
