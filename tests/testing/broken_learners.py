"""Learners that each violate one habit, for the test of the conformance suite."""

import keras
import numpy as np
import tensorflow as tf

from tfmeta.learners import PrototypicalNetwork, SemiSupervisedPrototypicalNetwork

VIOLATIONS: list[tuple[str, str, type]] = []


def violates(check, message):
    """Registers a learner that must fail `check` with `message`."""

    def register(cls):
        VIOLATIONS.append((check, message, cls))
        return keras.saving.register_keras_serializable(package="broken")(cls)

    return register


def encoder(example_shape):
    kernel = keras.initializers.GlorotUniform(seed=1)
    return keras.Sequential(
        [
            keras.Input(example_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(4, "tanh", kernel_initializer=kernel),
        ]
    )


class Broken(PrototypicalNetwork):
    """Made as the suite makes learners."""

    @classmethod
    def make(cls, example_shape, ways):
        return cls(encoder(example_shape))


# The maker.


@violates("check_maker", "seed the initializers")
class Unseeded(Broken):
    @classmethod
    def make(cls, example_shape, ways):
        model = encoder(example_shape)
        model.set_weights(
            [np.random.default_rng().normal(size=w.shape) for w in model.weights]
        )
        return cls(model)


@violates("check_maker", "must not compile")
class AlreadyCompiled(Broken):
    @classmethod
    def make(cls, example_shape, ways):
        learner = super().make(example_shape, ways)
        learner.compile()
        return learner


@violates("check_maker", "a new learner")
class OneForAll(Broken):
    made: dict = {}

    @classmethod
    def make(cls, example_shape, ways):
        return cls.made.setdefault(example_shape, cls(encoder(example_shape)))


@violates("check_maker", "FewShotLearner. Received: Sequential")
class NoLearner(Broken):
    @classmethod
    def make(cls, example_shape, ways):
        return encoder(example_shape)


# The verbs.


@violates("check_verbs", "float32 or float64.*bfloat16")
class NarrowLogits(Broken):
    def compare_embeddings(self, state, embeddings, **options):
        logits = super().compare_embeddings(state, embeddings)
        return tf.cast(logits, self.compute_dtype)


@violates("check_verbs", "leading task axis")
class StateWithoutTasks(Broken):
    def adapt_embeddings(self, *args, **options):
        state = super().adapt_embeddings(*args, **options)
        return {**state, "scale": tf.constant(1.0)}


@violates("check_state_spec", "`state_spec` must give the shapes.*shape=\\(4, 3\\)")
class TransposedSpec(Broken):
    def state_spec(self, ways):
        spec = super().state_spec(ways)
        shape = spec["prototypes"].shape[::-1]
        return {**spec, "prototypes": tf.TensorSpec(shape, tf.float32)}


@violates("check_state_spec", "don't have the same nested structure")
class ForgottenPart(Broken):
    def state_spec(self, ways):
        return {"prototypes": super().state_spec(ways)["prototypes"]}


@violates("check_verbs", "nest of tensors. Received: int")
class StateOfNumbers(Broken):
    def adapt_embeddings(self, *args, **options):
        return {**super().adapt_embeddings(*args, **options), "steps": 3}


@violates("check_verbs", "state of `adapt` is empty")
class EmptyState(Broken):
    def adapt_embeddings(self, *args, **options):
        self.kept = super().adapt_embeddings(*args, **options)
        return {}

    def compare_embeddings(self, state, embeddings, **options):
        return super().compare_embeddings(self.kept, embeddings)


@violates("check_verbs", "tasks, queries, ways")
class FlatLogits(Broken):
    def compare_embeddings(self, state, embeddings, **options):
        logits = super().compare_embeddings(state, embeddings)
        return tf.reshape(logits, [-1, logits.shape[-1]])


@violates("check_state_is_everything", "nothing of a task may be kept")
class KeepsTheLastTask(Broken):
    def adapt_embeddings(self, *args, **options):
        self.kept = super().adapt_embeddings(*args, **options)
        return self.kept

    def compare_embeddings(self, state, embeddings, **options):
        return super().compare_embeddings(self.kept, embeddings)


@violates("check_state_is_everything", "must not change weights")
class LearnsWhileAdapting(Broken):
    def adapt(self, support, support_labels, **options):
        for weight in self.encoder.weights:
            weight.assign_add(1e-9 + 1e-5 * tf.abs(weight))
        return super().adapt(support, support_labels, **options)


# What may depend on what.


@violates("check_class_order", "must permute the logits")
class PrefersTheFirstClass(Broken):
    def compare_embeddings(self, state, embeddings, **options):
        logits = super().compare_embeddings(state, embeddings)
        bias = 1e-3 * tf.one_hot(0, tf.shape(logits)[-1], dtype=logits.dtype)
        return logits + bias


@violates("check_transductive", "`transductive` is False.*other queries")
class LeaksQueries(Broken):
    def compare_embeddings(self, state, embeddings, **options):
        centred = embeddings - tf.reduce_mean(embeddings, axis=1, keepdims=True)
        return super().compare_embeddings(state, centred)


@violates("check_transductive", "with its place")
class DependsOnThePlace(Broken):
    def compare_embeddings(self, state, embeddings, **options):
        place = tf.range(tf.shape(embeddings)[1])[None, :, None]
        logits = super().compare_embeddings(state, embeddings)
        return logits / (1.0 + tf.cast(place, logits.dtype))


@violates("check_transductive", "`transductive` is True, but")
class ClaimsToBeTransductive(Broken):
    transductive = True

    def compare_embeddings(self, state, embeddings, **options):
        return super().compare_embeddings(state, embeddings)


@violates("check_tasks_are_independent", "alone and in a batch")
class LeaksTasks(Broken):
    def adapt_embeddings(self, *args, **options):
        state = super().adapt_embeddings(*args, **options)
        mean = tf.reduce_mean(state["prototypes"], axis=0, keepdims=True)
        return {**state, "prototypes": state["prototypes"] - 1e-3 * mean}


@violates("check_absent_ways", "probability 0")
class AbsentWaysAreUnlikely(Broken):
    def compare_embeddings(self, state, embeddings, **options):
        logits = super().compare_embeddings(state, embeddings)
        return tf.where(tf.math.is_finite(logits), logits, -3.0)


@violates("check_absent_ways", "finite")
class AbsentWaysAreNotFinite(Broken):
    def compare_embeddings(self, state, embeddings, **options):
        logits = super().compare_embeddings(state, embeddings)
        return logits * tf.cast(tf.math.is_finite(logits), logits.dtype)


@violates("check_free_dimensions", "It raised TypeError")
class NeedsStaticWays(Broken):
    def adapt_embeddings(self, embeddings, support_labels, **options):
        ways = support_labels.shape[-1]
        parts = [support_labels[:, :, i] for i in range(ways)]
        return super().adapt_embeddings(embeddings, tf.stack(parts, -1), **options)


@violates("check_free_dimensions", "must have 2 logits per query")
class AlwaysThreeWays(Broken):
    def compare_embeddings(self, state, embeddings, **options):
        logits = super().compare_embeddings(state, embeddings)
        return tf.pad(logits, [[0, 0], [0, 0], [0, 2]])[:, :, :3]


# Encoding once.


@violates("check_encode_once", "`embedded_logits` must give the logits of")
class SharpensWholeEpisodes(Broken):
    def episode_logits(self, inputs, *, training=False):
        return 2.0 * super().episode_logits(inputs, training=training)


@violates("check_encode_once", "must override `embedded_logits` too")
class ScalesEpisodesInTraining(Broken):
    def episode_logits(self, inputs, *, training=False):
        logits = super().episode_logits(inputs, training=training)
        return 2.0 * logits if training else logits


@violates("check_encode_once", "must give the logits of the two verbs")
class HasTwoMinds(Broken):
    def embedded_logits(self, inputs, **options):
        return 2.0 * super().embedded_logits(inputs, **options)


@violates("check_independent_classes", "change with what other classes")
class CentresPrototypes(Broken):
    def adapt_embeddings(self, embeddings, support_labels, **options):
        state = super().adapt_embeddings(embeddings, support_labels, **options)
        mean = tf.reduce_mean(state["prototypes"], axis=1, keepdims=True)
        return {**state, "prototypes": state["prototypes"] - mean}


@violates("check_independent_classes", "the ways as its axis 1.*`count`")
class CountsClasses(Broken):
    def adapt_embeddings(self, embeddings, support_labels, **options):
        state = super().adapt_embeddings(embeddings, support_labels, **options)
        return {**state, "count": tf.reduce_sum(support_labels, axis=[1, 2])}


@violates("check_class_vectors", "how logits follow from vectors of classes")
class ForgetsItsTemperature(Broken):
    def compare_embeddings(self, state, embeddings, **options):
        return super().compare_embeddings(state, embeddings, **options) / 3.0


# Padding.


@violates("check_padded_predictions", r"padding \(support rows\)")
class CountsPaddedSupport(Broken):
    def adapt_embeddings(self, embeddings, support_labels, **options):
        return super().adapt_embeddings(embeddings, support_labels)


@violates("check_padded_predictions", r"padding \(absent ways\)")
class CountsAbsentWays(Broken):
    def compare_embeddings(self, state, embeddings, **options):
        logits = super().compare_embeddings(state, embeddings)
        return logits / tf.cast(tf.shape(logits)[-1], logits.dtype)


@violates("check_padded_predictions", r"\(rows and ways\).*-inf.*claim to belong")
class BelievesPaddedLabels(Broken):
    def adapt_embeddings(
        self, embeddings, support_labels, *, support_mask=None, **options
    ):
        state = super().adapt_embeddings(
            embeddings, support_labels, support_mask=support_mask
        )
        return {**state, "present": tf.reduce_any(support_labels > 0, axis=1)}


@violates("check_padded_training", r"padding \(absent ways\).*loss")
class CountsAbsentWaysInTraining(CountsAbsentWays):
    pass


# Numbers that are not finite.


@violates("check_not_a_number", "nan in a support example must be seen as NaN")
class TakesNotANumberForAbsent(Broken):
    def compare_embeddings(self, state, embeddings, **options):
        logits = super().compare_embeddings(state, embeddings)
        return tf.where(tf.math.is_nan(logits), -float("inf"), logits)


@violates("check_not_a_number", "inf in a support example must be seen as NaN")
class BoundsItsEmbeddings(Broken):
    def embed(self, examples, **options):
        return super().embed(tf.clip_by_value(examples, -9.0, 9.0), **options)


@violates("check_not_a_number", "must not change the logits of other tasks")
class AveragesOverTasks(Broken):
    def adapt_embeddings(self, *args, **options):
        state = super().adapt_embeddings(*args, **options)
        mean = tf.reduce_mean(state["prototypes"], axis=0, keepdims=True)
        return {**state, "prototypes": state["prototypes"] + 0.0 * mean}


@violates("check_not_a_number", "changes the logits of other queries")
class AveragesOverQueries(Broken):
    def compare_embeddings(self, state, embeddings, **options):
        mean = tf.reduce_mean(embeddings, axis=1, keepdims=True)
        return super().compare_embeddings(state, embeddings + 0.0 * mean)


class FiniteAlone(keras.losses.Loss):
    def call(self, y_true, y_pred):
        finite = tf.where(tf.math.is_finite(y_pred), y_pred, 0.0)
        return keras.losses.sparse_categorical_crossentropy(
            y_true, finite, from_logits=True
        )


@violates("check_not_a_number", "the loss of a batch with NaN in a query")
class LosesNotANumber(Broken):
    def default_loss(self):
        return FiniteAlone()


@violates("check_not_a_number", "NaN in the encoder's weight")
class PoolsWithoutLooking(Broken):
    def embed(self, examples, **options):
        finite = super().embed(examples, **options)
        seen = tf.reduce_all(tf.math.is_finite(examples), axis=-1, keepdims=True)
        finite = tf.where(tf.math.is_finite(finite), finite, finite.dtype.min)
        return tf.where(seen, finite, float("nan"))


# Unlabelled examples.


@violates("check_unlabelled_inputs", r"It raised \w+: .*unlabelled")
class KnowsItsInputsAlone(Broken):
    def episode_logits(self, inputs, *, training=False):
        names = {"support", "support_labels", "query", "support_mask", "query_mask"}
        unknown = set(inputs) - names
        if unknown:
            raise KeyError(f"inputs {sorted(unknown)}")
        return super().episode_logits(inputs, training=training)


@violates("check_unlabelled_inputs", r"padding \(unlabelled rows\)")
class CountsPaddedUnlabelled(Broken):
    def episode_logits(self, inputs, *, training=False):
        logits = super().episode_logits(inputs, training=training)
        if "unlabelled" not in inputs:
            return logits
        count = tf.cast(tf.shape(inputs["unlabelled"])[1], logits.dtype)
        return logits / count


@violates("check_unlabelled_inputs", "must not change the shape")
class ClassifiesTheUnlabelledToo(Broken):
    def episode_logits(self, inputs, *, training=False):
        if "unlabelled" in inputs:
            query = tf.concat([inputs["query"], inputs["unlabelled"]], axis=1)
            inputs = {**inputs, "query": query}
            inputs.pop("query_mask", None)
        return super().episode_logits(inputs, training=training)


@violates("check_use_of_unlabelled", "`uses_unlabelled` is False, but")
class UsesUnlabelledInSecret(Broken):
    def episode_logits(self, inputs, *, training=False):
        logits = super().episode_logits(inputs, training=training)
        if "unlabelled" not in inputs:
            return logits
        shift = tf.reduce_mean(inputs["unlabelled"])
        return logits * (1.0 + tf.cast(shift, logits.dtype))


class Refines(SemiSupervisedPrototypicalNetwork):
    """Right, until a subclass goes wrong."""

    @classmethod
    def make(cls, example_shape, ways):
        return cls(encoder(example_shape))


@violates("check_use_of_unlabelled", "do not change the logits")
class ForgetsTheUnlabelled(Refines):
    def adapt_embeddings(self, *args, unlabelled=None, unlabelled_mask=None, **options):
        return super().adapt_embeddings(*args, **options)


@violates("check_use_of_unlabelled", "must give the logits of the episode batch")
class UsesUnlabelledInBatchesAlone(Refines):
    def adapt(self, *args, unlabelled=None, unlabelled_mask=None, **options):
        return super().adapt(*args, **options)


@violates("check_use_of_unlabelled", "order of unlabelled examples")
class TrustsTheFirstMost(Refines):
    def adapt_embeddings(self, *args, unlabelled=None, **options):
        if unlabelled is not None:
            shape = tf.shape(unlabelled)
            decay = 0.9 ** tf.cast(tf.range(shape[1]), unlabelled.dtype)
            unlabelled *= decay[None, :, None]
        return super().adapt_embeddings(*args, unlabelled=unlabelled, **options)


@violates("check_use_of_unlabelled", r"padding \(unlabelled rows\)")
class CountsPaddingAsUnlabelled(Refines):
    def adapt_embeddings(self, *args, unlabelled_mask=None, **options):
        return super().adapt_embeddings(*args, **options)
