"""Checks of the two verbs: `adapt` and `predict_query`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfmeta.testing.comparisons import (
    ROUNDING_32,
    ROUNDING_64,
    expect,
    expect_close,
    flat,
    weights_of,
)
from tfmeta.testing.subject import (
    QUERIES,
    SHOTS,
    TASKS,
    WAYS,
    Subject,
    learner_check,
    logits_of,
    precision,
)


@learner_check()
def check_maker(subject: Subject) -> None:
    """`make_learner` gives fresh, uncompiled learners with equal weights."""
    first, second = subject.learner(), subject.learner()
    expect(
        first is not second
        and (first.encoder is None or first.encoder is not second.encoder),
        "`make_learner` must make a new learner, with a new encoder, at every call",
    )
    expect(
        not first.compiled,
        "`make_learner` must not compile: the checks do it, their way",
    )
    expect(
        np.array_equal(flat(weights_of(first)), flat(weights_of(second))),
        "`make_learner` must give equal weights at every call: seed the initializers",
    )


@learner_check()
def check_verbs(subject: Subject) -> None:
    """States have a leading task axis; logits are wide, `(tasks, queries, ways)`."""
    for dtype in ("float32", "float64", "mixed_bfloat16"):
        with precision(dtype):
            learner = subject.learner()
            inputs, _ = subject.batch()
            for training in (False, True):
                setting = f"under the policy {dtype} with training={training}"
                state = learner.adapt(
                    inputs["support"], inputs["support_labels"], training=training
                )
                parts = tf.nest.flatten(state)
                expect(len(parts) > 0, f"the state of `adapt` is empty {setting}")
                for part in parts:
                    expect(
                        tf.is_tensor(part) and not isinstance(part, tf.Variable),
                        "the state of `adapt` must be a nest of tensors. Received: "
                        f"{type(part).__name__} {setting}",
                    )
                    expect(
                        part.shape.rank > 0 and part.shape[0] == TASKS,
                        "every tensor of a state must have the leading task axis, "
                        f"{TASKS} tasks here. Received: shape {part.shape} {setting}",
                    )
                logits = learner.predict_query(
                    state, inputs["query"], training=training
                )
                wanted = (TASKS, WAYS * QUERIES, WAYS)
                expect(
                    tuple(logits.shape) == wanted,
                    f"logits must have shape (tasks, queries, ways), {wanted} here. "
                    f"Received: {tuple(logits.shape)} {setting}",
                )
                expect(
                    logits.dtype in (tf.float32, tf.float64),
                    "logits must be float32 or float64 under every policy. Received: "
                    f"{logits.dtype.name} {setting}",
                )
                expect(
                    bool(tf.reduce_all(tf.math.is_finite(logits))),
                    f"logits of present ways must be finite {setting}",
                )


@learner_check()
def check_state_is_everything(subject: Subject) -> None:
    """All that is known of a task is in its state; inference changes no weight."""
    learner = subject.learner()
    weights = flat(weights_of(learner))
    episodes = subject.episodes()
    (first, _), (second, _) = episodes.batch(0), episodes.batch(1)
    state = learner.adapt(first["support"], first["support_labels"])
    before = learner.predict_query(state, first["query"])
    expect(
        np.array_equal(flat(weights_of(learner)), weights),
        "`adapt` and `predict_query` must not change weights outside training",
    )
    learner.predict_query(
        learner.adapt(second["support"], second["support_labels"]), second["query"]
    )
    after = learner.predict_query(state, first["query"])
    expect_close(
        after,
        before,
        ROUNDING_32,
        "a state must keep its classes when other classes are adapted to: nothing of "
        "a task may be kept on the learner",
    )


@learner_check()
def check_state_spec(subject: Subject) -> None:
    """`state_spec` is of the states that `adapt` gives."""
    for varied in (False, True):
        learner = subject.learner()
        inputs = subject.batch(varied=varied)[0]
        state = learner.adapt_episode(inputs)
        specs = learner.state_spec(WAYS)
        tf.nest.assert_same_structure(specs, state)
        for spec, part in zip(
            tf.nest.flatten(specs), tf.nest.flatten(state), strict=True
        ):
            expect(
                spec.dtype == part.dtype
                and spec.shape.is_compatible_with(part.shape[1:]),
                "`state_spec` must give the shapes, without the leading task axis, and "
                f"dtypes of the states of `adapt`. Received: {spec} for a part of "
                f"shape {part.shape}, {part.dtype.name}",
            )


@learner_check()
def check_evaluate_and_predict(subject: Subject) -> None:
    """`predict`, `evaluate` and a call give what the two verbs give."""
    learner = subject.compiled("sgd")
    data = subject.episodes(varied=True).as_dataset(steps=3)
    batches = list(data)
    expected = np.concatenate([logits_of(learner, b[0]).numpy() for b in batches])
    called = np.concatenate([learner(b[0], training=False).numpy() for b in batches])
    real = np.concatenate([b[0]["query_mask"].numpy() for b in batches])
    y = np.concatenate([b[1].numpy() for b in batches])

    expect_close(
        called[real],
        expected[real],
        ROUNDING_32,
        "calling the learner must give the logits of `adapt` and `predict_query`",
    )
    predicted = learner.predict(data, verbose=0)
    expect_close(
        predicted[real],
        expected[real],
        ROUNDING_32,
        "`predict` must give the logits of `adapt` and `predict_query`",
    )
    accuracy = learner.evaluate(data, verbose=0, return_dict=True)["accuracy"]
    count = int((expected.argmax(-1) == y)[real].sum())
    expect(
        abs(accuracy - count / real.sum()) < 1e-6,
        "the accuracy of `evaluate` must be that of the logits over real queries, "
        f"{count} of {real.sum()} here. Received: {accuracy:.6f}, which is "
        f"{accuracy * real.sum():.2f} of {real.sum()}",
    )


@learner_check()
def check_encode_once(subject: Subject) -> None:
    """Embeddings that are made once, outside the episode, give the same logits."""
    learner = subject.learner()
    if not learner.independent_embeddings:
        return
    names = ["query"]
    if learner.support_encoder is learner.encoder:
        names.append("support")
    for unlabelled in (False, learner.uses_unlabelled):
        for varied in (False, True):
            inputs = subject.batch(varied=varied, unlabelled=unlabelled)[0]
            embedded = {**inputs}
            for name in [*names, *(["unlabelled"] if unlabelled else [])]:
                embedded[name] = learner.embed(inputs[name])
            direct = learner.episode_logits(inputs)
            real = np.ones(direct.shape[:2], bool)
            if "query_mask" in inputs:
                real = inputs["query_mask"].numpy()
            expect_close(
                learner.embedded_logits(embedded).numpy()[real],
                direct.numpy()[real],
                ROUNDING_32,
                "`embedded_logits` must give the logits of `episode_logits`, or an "
                "evaluator that encodes every example once measures another learner",
            )
            expect_close(
                logits_of(learner, inputs).numpy()[real],
                direct.numpy()[real],
                ROUNDING_32,
                "`episode_logits` must give the logits of the two verbs outside "
                "training",
            )
    lineage = type(learner).__mro__
    whole, *from_embeddings = (
        next(i for i, kind in enumerate(lineage) if name in vars(kind))
        for name in ("episode_logits", "embedded_logits", "adapt_embedded")
    )
    expect(
        min(from_embeddings) <= whole,
        f"{lineage[whole].__name__} overrides `episode_logits`, and must override "
        "`embedded_logits` too, which an evaluator calls",
    )


@learner_check("float64")
def check_independent_classes(subject: Subject) -> None:
    """A learner with `independent_classes` learns each class by itself."""
    learner = subject.learner()
    if not learner.independent_classes:
        return
    inputs, _ = subject.batch()
    labels = inputs["support_labels"]
    together = learner.adapt(inputs["support"], labels)
    logits = learner.predict_query(together, inputs["query"])
    alone = []
    for way in range(WAYS):
        # Of every task those examples alone that are of one class.
        rows = tf.argsort(-labels[:, :, way], axis=1, stable=True)[:, :SHOTS]
        support = tf.gather(inputs["support"], rows, batch_dims=1)
        alone.append(learner.adapt(support, tf.ones((TASKS, SHOTS, 1))))
        expect_close(
            learner.predict_query(alone[-1], inputs["query"])[..., 0],
            logits[..., way],
            ROUNDING_64,
            "`independent_classes` is True, but the logits of a class change with what "
            "other classes there are",
        )
    for name, part in together.items():
        parts = [one[name] for one in alone]
        expect(
            all(one.shape.rank > 1 and one.shape[1] == 1 for one in parts)
            and part.shape[1:2] == [WAYS],
            "every part of a state must have the ways as its axis 1, as "
            f"`independent_classes` is True. Received: `{name}` of shape {part.shape}",
        )
        expect_close(
            tf.cast(tf.concat(parts, axis=1), tf.float64),
            tf.cast(part, tf.float64),
            ROUNDING_64,
            f"`independent_classes` is True, but `{name}` of all classes is not that "
            "of each class, one after the other",
        )


@learner_check("float64")
def check_class_vectors(subject: Subject) -> None:
    """The logits of a learner that has `class_vectors` are what it says of them."""
    learner = subject.learner()
    form = learner.class_vectors()
    if form is None:
        return
    inputs, _ = subject.batch()
    state = learner.adapt(inputs["support"], inputs["support_labels"])
    queries = form.query_vectors(learner.embed(inputs["query"]))
    similarity = form.distance.similarity(queries, state[form.part])
    expect_close(
        similarity / form.temperature,
        learner.predict_query(state, inputs["query"]),
        ROUNDING_64,
        "`class_vectors` must say how logits follow from vectors of classes",
    )
