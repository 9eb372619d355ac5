"""Learners that violate a habit of training or of saving."""

import keras
import numpy as np
import tensorflow as tf
from broken_learners import VIOLATIONS, Broken, encoder, violates

from tfmeta.layers import BatchNormalization

# What fit, evaluate and predict give.


@violates("check_evaluate_and_predict", "accuracy of `evaluate`.*real queries")
class CountsPaddingInAccuracy(Broken):
    def compile(self, *args, **options):
        super().compile(*args, **options)
        self._compile_metrics = type(self._compile_metrics)(["accuracy"], None)


@violates("check_evaluate_and_predict", "calling the learner")
class OtherRuleInCall(Broken):
    def episode_logits(self, inputs, *, training=False):
        return 0.5 * super().episode_logits(inputs, training=training)


@violates("check_evaluate_and_predict", "`predict` must give the logits")
class PredictsProbabilities(Broken):
    def predict_step(self, data):
        return tf.nn.softmax(super().predict_step(data))


@violates("check_fit_with_defaults", "'accuracy'")
class NoDefaultMetric(Broken):
    def compile(self, optimizer="adam", loss=None, **options):
        super().compile(optimizer, loss, **{"metrics": [], **options})


@violates("check_fit_with_defaults", "must change the trainable weights")
class TrainsNothing(Broken):
    def episode_logits(self, inputs, *, training=False):
        logits = super().episode_logits(inputs, training=training)
        unmoved = tf.stop_gradient(logits) + 0.0 * logits
        return tf.where(tf.math.is_finite(logits), unmoved, logits)


@violates("check_callbacks", "EarlyStopping")
class IgnoresCallbacks(Broken):
    def fit(self, *args, callbacks=None, **options):
        return super().fit(*args, **options)


@violates("check_mixed_precision", "bfloat16")
class MixesDtypes(Broken):
    def embed(self, examples, *, mask=None, training=False):
        embeddings = super().embed(examples, mask=mask, training=training)
        return embeddings * tf.ones(tf.shape(embeddings)[-1], self.variable_dtype)


@violates("check_jit_compile", "It raised")
class NeedsPython(Broken):
    def compare_embeddings(self, state, embeddings, **options):
        logits = super().compare_embeddings(state, embeddings)
        flag = tf.numpy_function(lambda: np.float32(1), [], tf.float32)
        return logits * tf.cast(flag, logits.dtype)


@violates("check_no_retracing", "traced in the first epoch only")
class RunsEagerly(Broken):
    def compile(self, *args, **options):
        super().compile(*args, **{**options, "run_eagerly": True})


# Padding.


class BatchNormalized(Broken):
    @classmethod
    def make(cls, example_shape, ways):
        layers = encoder(example_shape).layers
        inputs = keras.Input(example_shape)
        return cls(keras.Sequential([inputs, *layers, BatchNormalization()]))


@violates("check_padded_training", r"padding \(support rows\).*loss")
class ShowsPaddingToTheEncoder(BatchNormalized):
    def embed(self, examples, *, mask=None, training=False):
        if mask is not None:
            mask_ = tf.reshape(mask, [*mask.shape, *[1] * (len(examples.shape) - 2)])
            examples = tf.where(mask_, examples, 0.0)
        return super().embed(examples, training=training)


@violates("check_padded_training", r"padding \(query rows\).*loss")
class CountsPaddedQueriesInLoss(Broken):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, **options):
        return super().compute_loss(x, y, y_pred, None, **options)


@violates("check_padded_training", r"padding \(query rows\).*accuracy")
class CountsPaddedQueriesInAccuracy(CountsPaddingInAccuracy):
    pass


# The gradient.


@violates("check_gradient", "must be that of the loss")
class CutsTheGradient(Broken):
    def adapt_embeddings(self, *args, **options):
        state = super().adapt_embeddings(*args, **options)
        prototypes = tf.stop_gradient(state["prototypes"])
        return {**state, "prototypes": prototypes}


@violates("check_gradient", "must be that of the loss")
class RoundsTheGradient(Broken):
    def embed(self, examples, *, mask=None, training=False):
        embeddings = super().embed(examples, mask=mask, training=training)
        return tf.cast(tf.cast(embeddings, tf.float32), tf.float64)


@violates("check_gradient", "must change some weight")
class HasNoGradient(TrainsNothing):
    pass


# Saving.


@violates("check_config", "Missing: temperature")
class ForgetsAnArgument(Broken):
    def __init__(self, encoder, distance="euclidean", temperature=2.0, **options):
        super().__init__(encoder, distance, **options)
        self.temperature = temperature

    def compare_embeddings(self, state, embeddings, **options):
        return super().compare_embeddings(state, embeddings) / self.temperature


@violates("check_config", "the same logits")
class IgnoresAnArgument(ForgetsAnArgument):
    def __init__(self, encoder, distance="euclidean", temperature=2.0, **options):
        super().__init__(encoder, distance, 2.0 if temperature == 3.0 else 1.0)
        self.asked = temperature

    @classmethod
    def make(cls, example_shape, ways):
        return cls(encoder(example_shape), temperature=3.0)

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature}


@violates("check_config", "must leave the configuration")
class TakesTheConfigApart(Broken):
    @classmethod
    def from_config(cls, config, custom_objects=None):
        made = super().from_config(config, custom_objects)
        del config["distance"]
        return made


@violates("check_keras_file", "optimizer's variables")
class ForgetsTheOptimizer(Broken):
    def compile_from_config(self, config):
        self.compile("adam")


@violates("check_keras_file", "bit for bit")
class ForgetsTheTemperature(ForgetsAnArgument):
    @classmethod
    def make(cls, example_shape, ways):
        return cls(encoder(example_shape), temperature=3.0)


@violates("check_export", "the learner's probabilities")
class KnowsWhenItIsTraced(Broken):
    def compare_embeddings(self, state, embeddings, **options):
        logits = super().compare_embeddings(state, embeddings)
        return logits if tf.executing_eagerly() else 2.0 * logits


class Unregistered(Broken):
    """Cannot be loaded."""


VIOLATIONS += [
    ("check_callbacks", "It raised TypeError", Unregistered),
    ("check_keras_file", "It raised TypeError", Unregistered),
]
