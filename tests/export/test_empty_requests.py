"""No queries, no examples, no unlabelled ones: an empty answer, of every learner."""

import json

import numpy as np
import pytest
import tensorflow as tf
from every_learner import LEARNERS, WAYS, by_cost, conv4, examples, with_inner_loop
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

import tfmeta.learners
from tfmeta import export
from tfmeta.learners import (
    MAML,
    EmbeddingLearner,
    FewShotLearner,
    GradientBasedLearner,
    PrototypicalNetwork,
)


def test_every_learner_is_here():
    made = {type(make()).__name__ for make in LEARNERS.values()}
    bases = {"FewShotLearner", "EmbeddingLearner", "GradientBasedLearner"}
    bases |= {"MemoryLearner", "SequenceLearner"}
    # Of regression, around one of these.
    bases |= {"StandardizedLearner"}
    public = {
        name
        for name in tfmeta.learners.__all__
        if isinstance(kind := getattr(tfmeta.learners, name), type)
        and issubclass(kind, FewShotLearner)
    }
    assert made == public - bases


def spec_of_any_size(rows):
    """Of any number of tasks with any number of such rows."""
    return tf.TensorSpec([None, None, *rows.shape[1:]], rows.dtype)


def check_what_can_be_joined(folder):
    """By the rule of TensorFlow Serving: it joins inputs along a first dimension."""
    model = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    signatures = json.loads((folder / "tfmeta.json").read_text("utf-8"))["signatures"]
    for name, signature in signatures.items():
        served = model.meta_graphs[0].signature_def[name]
        scalars = [n for n, info in served.inputs.items() if not info.tensor_shape.dim]
        if signature["batchable"]:
            assert scalars == []
            continue
        # What no request gives comes from the signature, so that it is always there.
        # A state may hold a scalar besides.
        assert [*served.defaults] == ["one_task"] and "one_task" in scalars
        # Others that join see it in what they would have to share out.
        ranks = [len(info.tensor_shape.dim) for info in served.outputs.values()]
        gives_state = name.startswith(("adapt", "begin", "observe"))
        assert gives_state or 0 in ranks


@pytest.mark.parametrize("name", by_cost(LEARNERS))
def test_nothing_is_answered_by_nothing(name, tmp_path):
    learner = LEARNERS[name]()
    regression = getattr(learner, "task", None) == "regression"
    outputs = 2 if regression else WAYS
    encoder, of_support = learner.encoder, learner.support_encoder
    support, query = examples(of_support, WAYS), examples(encoder, 2)
    labels = tf.ones([WAYS, 2]) if regression else tf.eye(WAYS)

    def logits(support, labels, query, **more):
        return learner.predict_query(learner.adapt(support, labels, **more), query)

    def expect(found, *shape):
        assert tuple(found.shape) == shape and found.dtype == tf.float32

    # In Python and in a graph; no queries, no tasks.
    sizes = [spec_of_any_size(x) for x in (support, labels, query)]
    graph = tf.function(logits, input_signature=sizes, autograph=False)
    for function in (logits, graph):
        expect(function(support[None], labels[None], query[None, :0]), 1, 0, outputs)
        expect(
            function(support[None][:0], labels[None][:0], query[None][:0]),
            *(0, 2, outputs),
        )
    inputs = {"support": support[None], "support_labels": labels[None]}
    expect(learner.episode_logits({**inputs, "query": query[None, :0]}), 1, 0, outputs)
    if isinstance(learner, EmbeddingLearner):
        size = encoder.output_shape[1:]
        expect(learner.embed(query[None, :0]), 1, 0, *size)
        expect(learner.embed(query[None][:0]), 0, 2, *size)
        expect(learner.embed(query[None], mask=tf.zeros([1, 2], tf.bool)), 1, 2, *size)
    if learner.uses_unlabelled:
        none = {"unlabelled": query[None, :0]}
        expect(logits(support[None], labels[None], query[None], **none), 1, 2, WAYS)
        np.testing.assert_allclose(
            logits(support[None], labels[None], query[None], **none),
            logits(support[None], labels[None], query[None]),
        )

    # Where it is served.
    folder = export.save(learner, tmp_path / "m")
    served = tf.saved_model.load(str(folder)).signatures
    check_what_can_be_joined(folder)
    verb, output = (
        ("predict", "predictions")
        if regression
        else (
            "classify",
            "probabilities",
        )
    )
    named = served[verb].structured_input_signature[1]
    support = (
        tf.cast(support, named["support"].dtype)
        if (named["support"].dtype != tf.string)
        else support
    )
    if named["query"].dtype != tf.string:
        query = tf.cast(query, named["query"].dtype)
    numbers = tf.range(WAYS) if not regression else labels
    task = {"support": support, "support_labels": numbers}
    tried = {verb}
    expect(served[verb](query=query[:0], **task)[output], 0, outputs)
    for embed, dtype in (("embed", query.dtype), ("embed_float", tf.float32)):
        if embed in served:
            tried.add(embed)
            none = tf.zeros([0, *query.shape[1:]], dtype)
            found = served[embed](examples=none)["embeddings"]
            expect(found, 0, *encoder.output_shape[1:])
    if "adapt" in served:
        tried |= {"adapt", f"{verb}_adapted"}
        state = served["adapt"](**task)
        expect(served[f"{verb}_adapted"](query=query[:0], **state)[output], 0, outputs)
    if "classify_with_unlabelled" in served:
        tried.add("classify_with_unlabelled")
        for count in (0, 2):
            found = served["classify_with_unlabelled"](
                query=query[:count], unlabelled=query[:0], **task
            )
            expect(found[output], count, WAYS)
    if "classify_with_prior" in served:
        tried.add("classify_with_prior")
        for rows, count in ((0, 2), (WAYS, 0)):
            found = served["classify_with_prior"](
                support=support[:rows],
                support_labels=numbers[:rows],
                prior=support,
                query=query[:count],
            )
            expect(found[output], count, WAYS)
    files = tf.stack([tf.io.encode_png(tf.zeros((2, 2, 1), tf.uint8))] * WAYS)
    as_files = files if named["support"].dtype == tf.uint8 else support
    encoded = {"support": as_files, "support_labels": numbers}
    if "embed_encoded" in served:
        tried.add("embed_encoded")
        found = served["embed_encoded"](examples=files[:0])["embeddings"]
        expect(found, 0, *encoder.output_shape[1:])
    if named["query"].dtype == tf.uint8:
        tried.add(f"{verb}_encoded")
        found = served[f"{verb}_encoded"](query=files[:0], **encoded)
        expect(found[output], 0, outputs)
    if "adapt_encoded" in served:
        tried |= {"adapt_encoded", f"{verb}_adapted_encoded"}
        state = served["adapt_encoded"](**encoded)
        found = served[f"{verb}_adapted_encoded"](query=files[:0], **state)
        expect(found[output], 0, outputs)
    if "begin" in served:
        tried |= {"begin", "observe"}
        state = served["observe"](**task, **served["begin"]())
        expect(served["classify_adapted"](query=query, **state)[output], 2, outputs)
        if "observe_encoded" in served:
            tried.add("observe_encoded")
            state = served["observe_encoded"](**encoded, **served["begin"]())
            expect(served["classify_adapted"](query=query, **state)[output], 2, outputs)
    assert tried == {*served} - {"serving_default"}

    # No support is no task, unless classes are known by something else.
    others = ("embed", f"{verb}_adapted", "begin")
    without = {name for name in tried if name.startswith(others)}
    for signature in tried - without - {"classify_with_prior"}:
        encoded = signature.endswith("_encoded")
        more = {
            name: files if encoded else query
            for name in served[signature].structured_input_signature[1]
            if name in ("query", "unlabelled")
        }
        if signature.startswith("observe"):
            more = served["begin"]()
        as_files = encoded and named["support"].dtype == tf.uint8
        nothing = {
            "support": (files if as_files else support)[:0],
            "support_labels": numbers[:0],
        }
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="must have at least one example"
        ):
            served[signature](**nothing, **more)


@pytest.mark.parametrize("kind", [PrototypicalNetwork, with_inner_loop(MAML)])
def test_an_empty_batch_changes_no_answer_and_no_weight(kind):
    learner = kind(conv4()) if kind is PrototypicalNetwork else kind()
    assert isinstance(learner, EmbeddingLearner | GradientBasedLearner)
    support, query = examples(learner.encoder, WAYS), examples(learner.encoder, 2)
    state = learner.adapt(support[None], tf.eye(WAYS)[None])
    before = learner.predict_query(state, query[None])
    weights = [w.numpy() for w in learner.weights]
    for training in (False, True):
        learner.predict_query(state, query[None, :0], training=training)
    for ours, theirs in zip(learner.weights, weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(learner.predict_query(state, query[None]), before)
