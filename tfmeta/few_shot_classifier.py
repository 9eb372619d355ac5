"""Few-shot classification with the habits of scikit-learn."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import (
    assert_all_finite,
    check_random_state,
    column_or_1d,
)
from sklearn.utils.validation import check_is_fitted, validate_data

from tfmeta.argument_names import reworded_errors
from tfmeta.estimation import AUTO, HEADS, Choice, choose_head
from tfmeta.estimation.fitted_head import FittedHead
from tfmeta.estimation.heads import shared_head
from tfmeta.estimation.refits import softmax
from tfmeta.estimator_inputs import CacheDir, Encoder, InputEncoder, input_rank
from tfmeta.estimator_labels import LabelledFeatures, check_labels, checked_weights

_LARGEST = np.finfo(np.float64).max


class FewShotClassifier(ClassifierMixin, BaseEstimator):
    """Learns classes from a few examples each, as a classifier of scikit-learn.

    A frozen encoder makes features of pictures, texts or arrays, and a head without
    training classifies these: by the nearest class mean (SimpleShot, Wang 2019) or by
    logistic regression (Tian 2020). With `head="auto"` the head is the one with the
    most right answers on examples left out; `choice_` says which, and among which.

    `partial_fit` enrols: more examples, and classes that were not there before. It
    gives what `fit` gives on all examples so far, whose features are kept for that.

    With `encoder=None`, `X` is features itself, and they are taken as they are: neither
    centred, nor scaled, nor brought to unit length. SimpleShot then is the nearest
    class mean by Euclidean distance. Put a `StandardScaler` before it in a pipeline, or
    give `head_arguments={"transform": "l2"}`.

    Everything is computed in float64 from the features on, and depends on the data and
    the arguments alone. A pickle holds arrays, and of an encoder its name, or the model
    as Keras saves it. With `encoder=None` scikit-learn's checks of estimators pass. One
    does not apply to `head="auto"`, that a weight of 2 is an example that is there
    twice: the two may be in two of the folds that the head is chosen by.

    Args:
        encoder: Name or path of one that others trained, as of
            `tfmeta.encoders.pretrained`; a `keras.Model` that gives vectors, which is
            not trained, and which clones share; or `None` for features.
        head: `"auto"`, a key of `tfmeta.estimation.HEADS`, or the name of a learner
            without training.
        head_arguments: Arguments of the head's constructor, as `{"C": 1.0}`; of all
            heads that are tried, with `"auto"`.
        size: Height and width that an encoder of a name looks at; less is faster.
        cache_dir: Where features are kept on disk by the content of examples and
            encoder, so that folds and searches compute none twice: a folder, or
            `"auto"` for `tfmeta.features.features_dir()`. `None` keeps none.
        random_state: Of the folds that a head is chosen by: an int,
            `numpy.random.RandomState`, or `None` for others at each fit.

    Attributes:
        classes_: The classes, sorted.
        head_: Name of the head.
        choice_: `tfmeta.estimation.Choice`: how it was chosen.
        n_features_in_: Number of features, with `encoder=None`.
        feature_names_in_: Their names, where `X` has them all as strings.

    Example:

    ```python
    X = np.array([[0.0, 0.1], [0.2, 0.0], [1.0, 0.9], [0.8, 1.0]])
    y = ["low", "low", "high", "high"]
    classifier = tfmeta.FewShotClassifier(encoder=None).fit(X, y)
    classifier.predict([[0.1, 0.2], [0.9, 0.7]])  # ['low' 'high']
    classifier.partial_fit([[5.0, 0.0]], ["right"]).classes_  # ['high' 'low' 'right']

    photos = tfmeta.FewShotClassifier("efficientnet_lite0", cache_dir="auto")
    cross_val_score(photos, files, names)  # Of pathlib.Path or str.
    ```
    """

    def __init__(
        self,
        encoder: Encoder | None = "efficientnet_lite0",
        head: str = AUTO,
        *,
        head_arguments: Mapping[str, Any] | None = None,
        size: int | None = None,
        cache_dir: CacheDir = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.encoder = encoder
        self.head = head
        self.head_arguments = head_arguments
        self.size = size
        self.cache_dir = cache_dir
        self.random_state = random_state

    def fit(
        self,
        X: Any,  # noqa: N803
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> FewShotClassifier:
        """Learns the classes of labelled examples, and forgets others.

        Args:
            X: Features `(examples, features)` with `encoder=None`; else a sequence of
                what the encoder takes. For one of pictures these are files (`str` or
                `pathlib.Path`) or arrays `(height, width, channels)` of raw pixels, all
                in one or each of its own size; for one of texts `str`, where a
                `pathlib.Path`, which is a file, is refused; for others arrays.
            y: `(examples,)`, the class of each: texts, integers or booleans.
            sample_weight: `(examples,)`, for how many each example counts; 1 by
                default. A class whose examples all weigh 0 has probability 0. A head is
                chosen without regard to weights, but for those that are 0.

        Returns:
            The classifier itself.

        Raises:
            TypeError: When an argument is of another type.
            ValueError: When there are no examples, one has no label or is not finite,
                or an argument is none of what it must be.
            OSError: When a picture cannot be read.
        """
        encoder = self._new_encoder()
        features, labels = self._features_and_labels(X, y, encoder, reset=True)
        classes, codes = np.unique(labels, return_inverse=True)
        weights = checked_weights(sample_weight, features)
        learned = LabelledFeatures(classes, features, codes, weights)
        return self._learn(learned, encoder)

    def partial_fit(
        self,
        X: Any,  # noqa: N803
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> FewShotClassifier:
        """Enrols further examples, of classes that are known or new.

        Args:
            X: As of `fit`, by the same encoder.
            y: As of `fit`, of the same kind as before.
            classes: All classes that `y` may have. Those without an example so far have
                probability 0. Not needed, at the first call neither.
            sample_weight: As of `fit`.

        Returns:
            The classifier itself.

        Raises:
            TypeError, ValueError, OSError: As `fit`; and when `encoder` or `size` is
                another than before.
        """
        encoder = self._new_encoder()
        before = self._learned if self.__sklearn_is_fitted__() else None
        if before is not None and encoder != self._encoder:
            raise ValueError(
                "`encoder` and `size` must be those of the examples before; `fit` "
                f"takes others. Received: encoder={self.encoder!r:.80}, "
                f"size={self.size!r}"
            )
        features, labels = self._features_and_labels(
            X, y, encoder, reset=before is None
        )
        known = np.unique(labels)
        if classes is not None:
            known = np.unique(column_or_1d(classes))
            check_labels(known, "classes", like=labels)
            missing = np.setdiff1d(labels, known)
            if len(missing):
                raise ValueError(
                    "`classes` must hold every class of `y`. Received: none of "
                    f"{', '.join(map(repr, missing.tolist()))}"
                )
        codes = np.searchsorted(known, labels)
        weights = checked_weights(sample_weight, features)
        learned = LabelledFeatures(known, features, codes, weights)
        if before is not None:
            check_labels(known, "y", like=before.classes)
            learned = before.with_further(learned)
        return self._learn(learned, encoder)

    def decision_function(self, X: Any) -> np.ndarray:  # noqa: N803
        """Scores of the classes.

        Args:
            X: As of `fit`.

        Returns:
            Float64 `(examples, classes)`, logits by the order of `classes_`; of two
            classes `(examples,)`, by how much that of the second is larger. A class
            without an example has the lowest finite number.
        """
        logits = self._logits(X)
        if len(self.classes_) == 2:
            logits = logits[:, 1] - logits[:, 0]
        return np.clip(logits, -_LARGEST, _LARGEST)

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities of the classes, float64 `(examples, classes)`.

        Args:
            X: As of `fit`.
        """
        return softmax(self._logits(X))

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The most probable class of each example, `(examples,)`.

        Args:
            X: As of `fit`.
        """
        best = self._logits(X).argmax(axis=1)
        return self.classes_[best]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_head")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if self.encoder is None:
            return tags
        rank = input_rank(self.encoder)
        # Pictures are files, or arrays of four axes, for which there is no tag.
        strings = rank in (1, 4)
        tags.input_tags.one_d_array = tags.input_tags.string = strings
        tags.input_tags.two_d_array = rank == 2
        tags.input_tags.three_d_array = rank == 3
        return tags

    def __sklearn_clone__(self) -> FewShotClassifier:
        # An encoder is never changed here; a copy for each fold would cost seconds.
        bare = copy.copy(self)
        bare.encoder = None
        twin = super(FewShotClassifier, bare).__sklearn_clone__()
        twin.encoder = self.encoder
        return twin

    def _new_encoder(self) -> InputEncoder | None:
        if self.encoder is not None:
            return InputEncoder.of(self.encoder, self.size)
        if self.size is not None:
            raise ValueError(
                f"`size` must be None with encoder=None. Received: size={self.size!r}"
            )
        return None

    def _features_and_labels(
        self,
        X: Any,  # noqa: N803
        y: Any,
        encoder: InputEncoder | None,
        *,
        reset: bool,
    ) -> tuple[np.ndarray, np.ndarray]:
        if encoder is None:
            features, labels = validate_data(self, X, y, dtype=np.float64, reset=reset)
            check_labels(labels, "y")
        else:
            if y is None:
                raise ValueError(
                    "`y` must hold the class of each example. Received: y=None"
                )
            labels = column_or_1d(y, warn=True)
            assert_all_finite(labels, input_name="y")
            check_labels(labels, "y")
            features = encoder.encode(X, self.cache_dir, count=len(labels))
            if reset:
                # Of another fit without an encoder.
                self.__dict__.pop("n_features_in_", None)
                self.__dict__.pop("feature_names_in_", None)
        with np.errstate(over="ignore"):
            # Those of a difference of two.
            squares = 4 * np.square(features).sum(axis=1)
        _check_squares(np.isfinite(squares))
        return features, labels

    def _learn(
        self, learned: LabelledFeatures, encoder: InputEncoder | None
    ) -> FewShotClassifier:
        """Chooses a head and fits it on all there is."""
        counted = learned.counted()
        width = counted.features.shape[1]
        given = {} if self.head_arguments is None else self.head_arguments
        if not isinstance(given, Mapping):
            raise TypeError(
                "`head_arguments` must be a dict or None. Received: "
                f"head_arguments={given!r:.80}"
            )
        arguments = {**({"transform": "none"} if encoder is None else {}), **given}
        for name in HEADS if self.head == AUTO else (self.head,):
            _check_head(name, width, arguments)
        choice = Choice(self.head, reason="as given")
        if self.head == AUTO:
            # Of a class without an example there is nothing to ask.
            _, present = np.unique(counted.codes, return_inverse=True)
            rng = check_random_state(self.random_state)
            choice = choose_head(
                counted.features,
                present,
                seed=int(rng.randint(2**31 - 1)),
                arguments=arguments,
            )
        self._head = FittedHead.fit(
            choice.head,
            counted.features,
            counted.codes,
            len(counted.classes),
            weights=counted.weights,
            arguments=arguments,
        )
        self._encoder, self._learned = encoder, learned
        self.classes_ = learned.classes
        self.choice_, self.head_ = choice, choice.head
        return self

    def _logits(self, X: Any) -> np.ndarray:  # noqa: N803
        """Float64 `(examples, classes)`, `-inf` for classes without an example."""
        check_is_fitted(self)
        if self._encoder is None:
            features = validate_data(self, X, dtype=np.float64, reset=False)
        else:
            features = self._encoder.encode(X, self.cache_dir)
        logits = self._head.logits(features)
        _check_squares(np.isfinite(logits[:, self._learned.present]).all(axis=1))
        return logits


def _check_head(name: Any, features: int, arguments: Mapping[str, Any]) -> None:
    """Checks that there is such a head, and that it takes the arguments.

    Raises:
        TypeError, ValueError: When not; names `head` or `head_arguments`.
    """
    if not isinstance(name, str):
        raise TypeError(
            f"`head` must be the name of one, or {AUTO!r}. Received: head={name!r:.80}"
        )
    shared_head(name, features)

    def reword(message: str) -> str:
        return (
            f"`head_arguments` must be arguments of head {name!r}. Received: "
            f"{dict(arguments)!r:.200}, of which is said: {message}"
        )

    with reworded_errors(reword):
        head = shared_head(name, features, **arguments)
    if head.needs_base_mean:
        raise ValueError(
            "`head_arguments` must hold base_mean, the mean of the features of other "
            f"classes, for transform='centered_l2'. Received: {dict(arguments)!r:.200}"
        )


def _check_squares(sound: np.ndarray) -> None:
    if not sound.all():
        raise ValueError(
            "`X` must hold numbers whose squares are finite in float64. Received: "
            f"larger ones in {np.count_nonzero(~sound)} of {len(sound)} examples"
        )
