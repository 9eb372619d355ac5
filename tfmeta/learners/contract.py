"""What a learner is to those who evaluate, serve and run it: verbs and facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from tfmeta.encoders.pretrained.features import pretraining_data
from tfmeta.learners.class_vectors import ClassVectors
from tfmeta.learners.each_query import State, each_query_alone
from tfmeta.learners.form_checks import check_episode, check_sequence
from tfmeta.learners.prefixes import logits_by_prefix
from tfmeta.learners.task_endpoints import task_endpoints
from tfmeta.learners.traced_state import traced_state_spec
from tfmeta.signatures.endpoint import Endpoint
from tfmeta.signatures.example_spec import ExampleSpec, example_spec


class LearnerContract:
    """Two verbs, `adapt` and `predict_query`, and what follows from them.

    Nobody asks of which family a learner is: what there is to know of it stands
    here, and a subclass says where it differs.

    Attributes:
        task: `"classification"`, or `"regression"`, where labels are targets and
            logits are predictions.
        transductive: Whether the prediction for a query depends on the other
            queries. The evaluator prints it beside the figure.
        labelled_support: Whether a support has labels. A learner that draws its own, as
            a policy does that acts, says `False`: the form of what it takes is then
            its own, and not checked.
        uses_unlabelled: Whether `adapt` also takes `unlabelled`, `(tasks,
            unlabelled, *example)`, and `unlabelled_mask`. Episodes may have
            unlabelled examples for every learner; others ignore them.
        independent_embeddings: Whether the embedding of an example is the same in
            every episode. Such a learner has `embed`, `adapt_embedded`,
            `predict_each_embedded`, `embedded_logits` and `embedded_sequence_logits`,
            and an evaluator may encode each example once.
        independent_classes: Whether what is learned of a class depends on the
            support of that class alone, and a query's logit of it on that alone. Every
            part of the state of such a learner has the ways as its axis 1, so that a
            class can be enrolled without the others. Nothing is said of a support with
            `unlabelled` examples, or a `prior`.
        needs_base_mean: Whether it has yet to be given the mean embedding of base
            classes, by `fit_base_mean`.
        fixed_ways: Classes of every task, for regression the number of outputs;
            `None` where a task may have any number.
        encoder_arguments: Names of the constructor's arguments, and attributes, that
            are encoders.
        encoder: From a batch of examples to a batch of embeddings; `None` for a
            learner without one.
    """

    task: str = "classification"
    transductive: bool = False
    labelled_support: bool = True
    uses_unlabelled: bool = False
    independent_embeddings: bool = False
    independent_classes: bool = False
    needs_base_mean: bool = False
    fixed_ways: int | None = None
    encoder_arguments: tuple[str, ...] = ("encoder",)
    encoder: Any
    # Of `keras.Model`.
    compute_dtype: str

    @property
    def support_encoder(self) -> keras.Model:
        """The encoder of support examples: what it takes is what `support` holds."""
        return self.encoder

    @property
    def pretraining_data(self) -> str | None:
        """Name of the data that its encoders were pre-trained on, `None` for none.

        The evaluator prints it beside the figure, and whether it held the test
        classes.
        """
        encoders = [getattr(self, name) for name in self.encoder_arguments]
        named = {pretraining_data(encoder) for encoder in encoders} - {None}
        return "+".join(sorted(map(str, named))) or None

    def adapt(
        self,
        support: tf.Tensor,
        support_labels: tf.Tensor,
        *,
        support_mask: tf.Tensor | None = None,
        state: State | None = None,
        training: bool = False,
    ) -> State:
        """Learns the classes of the support set.

        A learner may draw its own support, as a policy does that acts: `support` is
        then what it draws from, with a leading task axis, and `support_labels` are
        `None`; it says `labelled_support = False`.

        Support and labels may be lists or NumPy arrays; in a method of a subclass of
        `FewShotLearner` they are tensors, and their form is checked.

        Args:
            support: `(tasks, support, *example)`.
            support_labels: `(tasks, support, ways)` one-hot float; the number
                of ways may differ from training.
            support_mask: `(tasks, support)` bool, False is padding, or `None`.
            state: What `adapt` returned for the same tasks, to go on from; `None` to
                begin anew. A learner that cannot go on refuses it, see
                `refuse_state`.
            training: Whether layers run in training mode.

        Returns:
            A dict of tensors, each with a leading task axis.
        """
        raise NotImplementedError

    def refuse_state(self, state: State | None) -> None:
        """For the `adapt` of a learner that cannot go on from a state.

        Raises:
            ValueError: When there is one.
        """
        if state is not None:
            raise ValueError(
                f"`state` must be None: {type(self).__name__} learns from a support "
                "alone, and cannot go on from what it learned before. Received: a "
                f"state of {', '.join(state)}"
            )

    def predict_query(
        self,
        state: State,
        query: tf.Tensor,
        *,
        query_mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Classifies queries among the classes of a state.

        Args:
            state: What `adapt` returned.
            query: `(tasks, queries, *example)`.
            query_mask: `(tasks, queries)` bool, False is padding, or `None`.
            training: Whether layers run in training mode.

        Returns:
            Logits `(tasks, queries, ways)`, float32 or float64; `-inf` for a
            way without a real support example.
        """
        raise NotImplementedError

    def state_spec(self, ways: int | None) -> dict[str, tf.TensorSpec]:
        """What the state of one task looks like, without the leading task axis.

        Found by tracing `adapt`, unless a learner says it itself.

        Args:
            ways: Classes of the task, for regression the number of outputs; `None`
                for any.

        Returns:
            A specification by the name of each part; `None` for a size that depends
            on the support.
        """
        return traced_state_spec(self, ways)

    def predict_each_query(self, state: State, query: tf.Tensor) -> tf.Tensor:
        """Logits that no other query has a part in, also where it is transductive.

        Args:
            state: What `adapt` returned.
            query: `(tasks, queries, *example)`.

        Returns:
            Logits `(tasks, queries, ways)`.
        """
        return each_query_alone(self.predict_query, state, query)

    def check_inputs(self, inputs: Any) -> None:
        """Refuses what is no episode batch for this learner, by its form alone.

        Args:
            inputs: Tensors, arrays or specifications by name.

        Raises:
            TypeError: When it is no dict.
            ValueError: When a part is missing, or has another shape.
        """
        check_episode(self, inputs)

    def check_state(self, state: Mapping[str, Any]) -> None:
        """Refuses a state that is not of this learner, by its form alone.

        It is called before every verb that takes one. That it is a dict of tensors of
        the right tasks is known then; a learner says the rest.

        Args:
            state: Tensors or arrays by name.

        Raises:
            ValueError: When a part is missing, or has another shape or dtype.
        """

    def adapt_episode(
        self, inputs: dict[str, tf.Tensor], *, training: bool = False
    ) -> State:
        """The state of an episode batch."""
        return self.adapt(
            inputs["support"],
            inputs["support_labels"],
            support_mask=inputs.get("support_mask"),
            training=training,
            **self._unlabelled_of(inputs),
        )

    def episode_logits(
        self, inputs: dict[str, tf.Tensor], *, training: bool = False
    ) -> tf.Tensor:
        """Logits of a whole episode batch.

        The one place for a learner whose paper sees support and query together
        while training to say so.
        """
        return self.predict_query(
            self.adapt_episode(inputs, training=training),
            inputs["query"],
            query_mask=inputs.get("query_mask"),
            training=training,
        )

    def sequence_logits(self, examples: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Logits of every example of a sequence before its label is told.

        Each example is classified by what was told of those before it, and no other has
        a part in it: the task of Santoro et al. (2016), *Meta-Learning with
        Memory-Augmented Neural Networks*. By default every prefix is a support of
        its own; a learner that reads sequences says all in one pass.

        Args:
            examples: `(tasks, steps, *example)`.
            labels: `(tasks, steps, ways)` one-hot, 0 in rows that are padding.

        Returns:
            `(tasks, steps, ways)`, without meaning in rows of padding. Ways of which
            nothing was told have `-inf`, as without a support, or, from a learner that
            guesses at what is new, finite logits.

        Raises:
            ValueError: When examples or labels have another form.

        Example:

        ```python
        logits = learner.sequence_logits(examples, tf.one_hot(numbers, 5))
        right = tf.argmax(logits, -1, tf.int32) == numbers
        ```
        """
        examples, labels = check_sequence(self, examples, labels)
        if self.independent_embeddings:
            return self.embedded_sequence_logits(self.embed(examples), labels)
        return logits_by_prefix(
            self.adapt_episode,
            self.predict_query,
            examples,
            labels,
            dtype=self._logit_dtype,
        )

    def embedded_sequence_logits(
        self, embeddings: tf.Tensor, labels: tf.Tensor
    ) -> tf.Tensor:
        """As `sequence_logits`, of embeddings in place of examples."""
        return logits_by_prefix(
            self.adapt_embedded,
            self.predict_each_embedded,
            embeddings,
            labels,
            dtype=self._logit_dtype,
        )

    @property
    def _logit_dtype(self) -> tf.DType:
        """At least float32, whatever the policy."""
        return tf.float64 if self.compute_dtype == "float64" else tf.float32

    def _unlabelled_of(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The arguments of `adapt` for the unlabelled examples of a batch."""
        if not self.uses_unlabelled or "unlabelled" not in inputs:
            return {}
        names = ("unlabelled", "unlabelled_mask")
        return {name: inputs[name] for name in names if name in inputs}

    def embed(self, examples: tf.Tensor) -> tf.Tensor:
        """Embeddings `(tasks, rows, *embedding)`, where they are independent."""
        raise NotImplementedError

    def adapt_embedded(
        self, inputs: dict[str, tf.Tensor], *, training: bool = False
    ) -> State:
        """As `adapt_episode`, of embeddings in place of examples."""
        raise NotImplementedError

    def predict_each_embedded(self, state: State, query: tf.Tensor) -> tf.Tensor:
        """As `predict_each_query`, of embeddings in place of examples."""
        raise NotImplementedError

    def embedded_logits(
        self, inputs: dict[str, tf.Tensor], *, training: bool = False
    ) -> tf.Tensor:
        """As `episode_logits`, of embeddings in place of examples."""
        raise NotImplementedError

    def class_vectors(self) -> ClassVectors | None:
        """How logits follow from one vector of each class, `None` where they do not.

        For those who have very many classes.
        """
        return None

    def fit_base_mean(self, base: Any) -> None:
        """Stores the mean of embeddings of base classes, where one is needed."""
        raise NotImplementedError

    def example_spec(self, input_dtype: str | None = None) -> ExampleSpec:
        """The examples that the learner is to be served with.

        Args:
            input_dtype: Their dtype, `None` for that of the rule of
                `tfmeta.signatures.example_spec`.
        """
        return example_spec(self.encoder, input_dtype)

    def support_spec(self, examples: ExampleSpec) -> ExampleSpec:
        """What `support` holds where queries look like `examples`."""
        if self.support_encoder is self.encoder:
            return examples
        return example_spec(self.support_encoder, None)

    @property
    def target_dtype(self) -> tf.DType:
        """Of the targets of regression."""
        return tf.as_dtype(self.encoder.variable_dtype)

    def endpoints(self, examples: ExampleSpec) -> list[Endpoint]:
        """What an export writes as signatures, the default one first.

        `classify`, by the two verbs, and where examples are pictures of bytes
        `classify_encoded`, of their files. A learner that is to adapt in one request
        and answer in others adds `adaptation_endpoints(self, examples)`. An endpoint is
        batchable only where no row of a request has a part in the answer to another:
        one that predicts for a task, transductive or not, never is.

        Args:
            examples: What the learner is to be served with.
        """
        return task_endpoints(self, examples)
