"""Checks of configurations, `.keras` files and exports."""

from __future__ import annotations

import inspect
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfmeta.json_files import json_text
from tfmeta.testing.comparisons import (
    ROUNDING_32,
    expect,
    expect_close,
    flat,
    values_of,
    weights_of,
)
from tfmeta.testing.subject import SHOTS, WAYS, Subject, learner_check, logits_of


@learner_check()
def check_config(subject: Subject) -> None:
    """`get_config` holds every argument, and rebuilds the same learner."""
    learner = subject.learner()
    config = learner.get_config()
    parameters = inspect.signature(type(learner).__init__).parameters.values()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    arguments = [p.name for p in parameters if p.kind in named and p.name != "self"]
    missing = [name for name in arguments if name not in config]
    expect(
        not missing,
        "`get_config` must hold every argument of the constructor. Missing: "
        f"{', '.join(missing)}",
    )
    json_text(keras.saving.serialize_keras_object(learner), "the configuration")
    inputs = subject.batch()[0]
    expected = logits_of(learner, inputs)
    rebuilt = type(learner).from_config(config)
    expect(
        config == learner.get_config(),
        "`from_config` must leave the configuration that it is given as it is",
    )
    for way, copy in (
        ("from_config(get_config())", rebuilt),
        ("keras.models.clone_model", keras.models.clone_model(learner)),
    ):
        expect(
            type(copy) is type(learner),
            f"{way} must give a {type(learner).__name__}. Received: "
            f"{type(copy).__name__}",
        )
        shapes, wanted = ([w.shape for w in m.weights] for m in (copy, learner))
        expect(
            shapes == wanted,
            f"{way} must give weights of the shapes {wanted}. Received: {shapes}",
        )
        copy.set_weights(learner.get_weights())
        expect_close(
            logits_of(copy, inputs),
            expected,
            ROUNDING_32,
            f"{way} with the same weights must give the same logits",
        )
        expect(
            copy.get_config() == config, f"{way} must give back the same configuration"
        )


@learner_check()
def check_keras_file(subject: Subject) -> None:
    """A `.keras` file restores weights, compile state and optimizer exactly."""
    learner = subject.compiled(keras.optimizers.Adam(0.01))
    batch = subject.batch()
    for _ in range(2):
        learner.train_on_batch(*batch)
    with tempfile.TemporaryDirectory() as folder:
        learner.save(Path(folder) / "learner.keras")
        loaded = keras.saving.load_model(Path(folder) / "learner.keras", safe_mode=True)
    expect(
        type(loaded) is type(learner),
        f"the file must load as {type(learner).__name__}. Received: "
        f"{type(loaded).__name__}",
    )
    _expect_same(loaded, learner, "right after loading")
    expect(
        loaded.compiled and type(loaded.loss) is type(learner.loss),
        "the compile state must be loaded",
    )
    expect(
        np.array_equal(
            logits_of(loaded, batch[0]).numpy(), logits_of(learner, batch[0]).numpy()
        ),
        "the loaded learner must give the same logits, bit for bit",
    )
    logs = [m.train_on_batch(*batch, return_dict=True) for m in (loaded, learner)]
    expect(
        set(logs[0]) == set(logs[1]),
        f"the loaded learner must report the same metrics, {sorted(logs[1])}. "
        f"Received: {sorted(logs[0])}",
    )
    expect_close(
        flat(weights_of(loaded)),
        flat(weights_of(learner)),
        ROUNDING_32,
        "a further training step must be the same for the loaded learner",
    )


def _expect_same(loaded: keras.Model, learner: keras.Model, when: str) -> None:
    expect(
        np.array_equal(flat(weights_of(loaded)), flat(weights_of(learner))),
        f"weights must be equal {when}",
    )
    ours, theirs = (values_of(m.optimizer.variables) for m in (loaded, learner))
    expect(
        [v.shape for v in ours] == [v.shape for v in theirs]
        and np.array_equal(flat(ours), flat(theirs)),
        f"the optimizer's variables must be equal {when}",
    )


@learner_check()
def check_export(subject: Subject) -> None:
    """An exported SavedModel classifies as the learner does."""
    # A learner need not be exportable for the rest of the checks to run.
    from tfmeta import export

    learner = subject.learner()
    inputs = subject.batch()[0]
    with tempfile.TemporaryDirectory() as folder:
        saved = export.save(learner, Path(folder) / "learner")
        served = tf.saved_model.load(str(saved)).signatures["classify"]
        dtype = served.structured_input_signature[1]["support"].dtype
        support, query = (_as(inputs[n][:1], dtype) for n in ("support", "query"))
        labels = np.repeat(np.arange(WAYS, dtype=np.int32), SHOTS)
        answer = served(
            support=support[0], support_labels=tf.constant(labels), query=query[0]
        )["probabilities"]
    one_hot = inputs["support_labels"][:1]
    logits = logits_of(
        learner, {"support": support, "support_labels": one_hot, "query": query}
    )
    expect_close(
        answer,
        tf.nn.softmax(logits[0]),
        ROUNDING_32,
        "`classify` of the exported SavedModel must give the learner's probabilities",
    )


def _as(examples: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Examples in the dtype of an export, which may be that of pixels."""
    if dtype.is_integer:
        examples = tf.clip_by_value(128.0 + 60.0 * examples, 0.0, 255.0)
    return tf.cast(examples, dtype)
