"""What is no number is no figure: in answers, in weights, in arrays."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from made_results import made_result

from tfmeta import evaluation
from tfmeta.datasets import ClassTable
from tfmeta.datasets.omniglot.lake_runs import load_lake_runs
from tfmeta.encoders import Conv4
from tfmeta.episodes import Episodes
from tfmeta.evaluation import (
    Confusion,
    OpenSetResult,
    Reliability,
    Threshold,
    TrainingSeeds,
    Transduction,
    auroc,
    evaluate,
    evaluate_lake,
    evaluate_open_set,
    modified_hausdorff_distance,
    over_episode_draws,
    over_test_classes,
)
from tfmeta.evaluation.checks import UnansweredQueries, answered_ways
from tfmeta.learners import MAML, PrototypicalNetwork
from tfmeta.runs.pictures import draw_episodes

INF, NAN = np.inf, np.nan
SETTINGS = {"ways": 5, "shots": 2, "queries": 3, "tasks": 60, "seed": 5}


def table(classes=10, shape=(4,), dtype=np.float32):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(classes, 8, *shape)) + 3 * rng.normal(
        size=(classes, 1, *shape)
    )
    labels = [f"class{i:02d}" for i in range(classes) for _ in range(8)]
    return ClassTable.from_arrays("t", points.reshape(-1, *shape).astype(dtype), labels)


def identity(shape=(4,)):
    inputs = keras.Input(shape)
    return keras.Model(
        inputs, keras.layers.Flatten()(keras.layers.Rescaling(1.0)(inputs))
    )


@keras.saving.register_keras_serializable(package="test_not_finite")
class Spoiled(PrototypicalNetwork):
    """Gives `bad` to queries whose first feature is above `above`."""

    bad, above, spoils = NAN, 4.0, slice(0, 1)

    def compare_embeddings(self, state, embeddings, **options):
        logits = super().compare_embeddings(state, embeddings)
        ways = tf.range(tf.shape(logits)[-1])
        chosen = tf.constant(np.arange(100)[self.spoils], tf.int32)
        at = tf.reduce_any(ways[:, None] == chosen, axis=-1)
        here = (embeddings[..., 0] > self.above)[..., None] & at
        return tf.where(here, tf.constant(self.bad, logits.dtype), logits)


def spoiled(bad, above=4.0, spoils=slice(0, 1)):
    learner = Spoiled(identity())
    learner.bad, learner.above, learner.spoils = bad, above, spoils
    return learner


def counts_by_hand(episodes, above, num_episodes=600):
    """Queries, episodes that a spoiled learner does not answer."""
    hits = []
    for step in range(-(-num_episodes // episodes.tasks)):
        query = episodes.batch(step)[0]["query"].numpy()
        hits.append(query[..., 0] > above)
    hits = np.concatenate(hits)[:num_episodes]
    return hits.sum(), hits.size, hits.any(axis=1).sum(), len(hits)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bad", "spoils", "once"),
    [
        (NAN, slice(0, 1), False),
        (NAN, slice(3, 4), True),
        (INF, slice(2, 3), True),
        (-INF, slice(1, 2), False),
        (-INF, slice(None), True),
    ],
)
def test_evaluate_counts_queries_without_an_answer(bad, spoils, once):
    episodes = Episodes(table(), **SETTINGS)
    wrong, queries, within, of_all = counts_by_hand(episodes, 4.0)
    assert 0 < wrong < queries and 0 < within < of_all
    with pytest.raises(ValueError) as raised:
        evaluate(
            spoiled(bad, spoils=spoils),
            episodes,
            num_episodes=600,
            seen_classes=[],
            encode_once=once,
        )
    assert (
        f"{wrong:,} of {queries:,} queries, in {within:,} of {of_all:,} episodes"
        in str(raised.value)
    )


def test_minus_infinity_for_absent_ways_alone_is_right():
    episodes = Episodes(table(), **{**SETTINGS, "ways": (2, 5), "shots": (1, 2)})
    result = evaluate(spoiled(NAN, INF), episodes, num_episodes=600, seen_classes=[])
    assert result.accuracy > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("bad", [NAN, INF])
def test_open_set_and_its_validation_are_refused(bad):
    test, validation = (Episodes(table(), **{**SETTINGS, "seed": s}) for s in (1, 2))
    named = test.table.take_classes(list(range(5)))
    test = Episodes(named, **{**SETTINGS, "ways": 5})
    other = validation.table.take_classes(list(range(5, 10)))
    validation = Episodes(other, **{**SETTINGS, "ways": 5})
    with pytest.raises(ValueError, match=r"others for [\d,]+ of 9,000 queries, in"):
        evaluate_open_set(
            spoiled(bad),
            test,
            validation,
            unknown_ways=2,
            num_episodes=600,
            seen_classes=validation.origins,
        )


@keras.saving.register_keras_serializable(package="test_not_finite")
class SpoiledAlone(PrototypicalNetwork):
    """Fails where a query is classified by itself."""

    transductive = True

    def compare_embeddings(self, state, embeddings, *, query_mask=None, **options):
        logits = super().compare_embeddings(state, embeddings)
        return tf.cond(
            tf.shape(embeddings)[1] == 1, lambda: logits * NAN, lambda: logits
        )


@pytest.mark.slow
@pytest.mark.parametrize("once", [True, False])
def test_the_inductive_figure_beside_a_transductive_one(once):
    with pytest.raises(ValueError, match="others for 9,000 of 9,000 queries, in 600"):
        evaluate(
            SpoiledAlone(identity()),
            Episodes(table(), **SETTINGS),
            num_episodes=600,
            seen_classes=[],
            encode_once=once,
        )


def test_embeddings_that_are_not_finite_are_counted():
    inputs = keras.Input((4,))
    roots = keras.Model(inputs, keras.ops.log(inputs + 2.0))
    data = table()
    wrong = int((np.asarray(data.examples[:]) <= -2.0).any(axis=1).sum())
    assert 0 < wrong < data.num_examples
    with pytest.raises(
        ValueError, match=f"for {wrong} of {data.num_examples} examples"
    ):
        evaluate(
            PrototypicalNetwork(roots),
            Episodes(data, **SETTINGS),
            num_episodes=600,
            seen_classes=[],
            encode_once=True,
        )


@pytest.mark.slow
@pytest.mark.parametrize("make", [PrototypicalNetwork, lambda e: MAML(e, ways=5)])
def test_weights_that_are_not_finite_are_refused_where_answers_hide_them(
    make, lake_dir
):
    # A rectifier gives 0 for NaN, and all queries the first class: 20.00 % ± 0.00.
    encoder = Conv4((28, 28, 1), filters=4, seed=0)
    learner = make(encoder)
    kernel = learner.encoder.trainable_variables[0]
    kernel.assign(np.full(kernel.shape, NAN))
    pictures = table(shape=(28, 28, 1))
    with pytest.raises(
        ValueError, match=r"NaN or infinity in 1 of \d+ tensors.*kernel"
    ):
        evaluate(
            learner, Episodes(pictures, **SETTINGS), num_episodes=600, seen_classes=[]
        )
    with pytest.raises(ValueError, match="must have finite weights"):
        evaluate_lake(learner, load_lake_runs(data_dir=lake_dir), seen_classes=[])


@pytest.mark.slow
def test_lake_counts_answers(lake_dir):
    runs = load_lake_runs(data_dir=lake_dir)
    learner = Spoiled(Conv4((28, 28, 1), filters=4, seed=0))
    learner.above = -INF
    with pytest.raises(ValueError, match="for 400 of 400 queries, in 20 of 20"):
        evaluate_lake(learner, runs, seen_classes=[])


def test_pictures_of_episodes_are_not_drawn(tmp_path):
    learner = Spoiled(identity((6, 6, 1)))
    learner.above = -INF
    episodes = Episodes(table(shape=(6, 6, 1)), **SETTINGS)
    with pytest.raises(ValueError, match="others for 45 of 45 queries, in 3 of 3"):
        draw_episodes(learner, episodes, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_answered_ways_by_hand():
    present = np.array([[True, True, False], [False, False, False]])
    rows = {
        (1.0, 2.0, -INF): 1,
        (3.0, 2.0, 9.0): 2,  # padding of ways is the learner's to keep out
        (1.0, NAN, -INF): -1,
        (1.0, 2.0, NAN): -1,
        (1.0, 2.0, INF): -1,
        (-INF, 2.0, -INF): -1,
        (-INF, -INF, -INF): -1,
    }
    logits = np.array([list(rows), [(1.0, 2.0, 3.0)] * len(rows)], np.float32)
    found = answered_ways(tf.constant(logits), tf.constant(present)).numpy()
    assert found[0].tolist() == list(rows.values())
    assert (found[1] == -1).all()  # no support, no answer


def test_padding_is_no_query():
    count = UnansweredQueries(PrototypicalNetwork(identity()))
    real = np.array([[True, False], [True, True]])
    assert count.add(np.array([[0, -1], [1, 2]]), real)
    count.check()
    assert not count.add(np.array([[-1, -1], [1, 2]]), real)
    with pytest.raises(ValueError, match="for 1 of 6 queries, in 1 of 4 episodes"):
        count.check()


THRESHOLD = Threshold("logit", 0.5, 0.9, {"logit": 0.5}, {})
FIGURES = ("accuracies", "auroc", "open_accuracies", "known_accepted")


def open_set(**figures):
    values = {name: np.array([0.5, 0.5]) for name in (*FIGURES, "unknown_rejected")}
    return OpenSetResult({}, False, THRESHOLD, **{**values, **figures})


# Every public name that takes numbers, with a place for a bad one.
TAKES_NUMBERS = {
    "Confusion": lambda x: Confusion.of(np.array([0.0, x]), np.array([1.0, 1.0])),
    "EvaluationResult": lambda x: made_result([0.5, x]),
    "OpenSetResult": lambda x: open_set(auroc=np.array([0.5, x])),
    "Reliability": lambda x: Reliability.of(np.array([0.5, x]), np.array([True, True])),
    "Threshold": lambda x: THRESHOLD.accepts(np.array([0.5, x])),
    "TrainingSeeds": lambda x: TrainingSeeds((0.5, x)),
    "Transduction": lambda x: Transduction(np.array([0.5, x]), None, 0),
    "modified_hausdorff_distance": lambda x: modified_hausdorff_distance(
        np.array([[255.0, x]]), np.array([[255.0, 0.0]])
    ),
    "over_episode_draws": lambda x: over_episode_draws(np.array([0.5, x])),
    "over_test_classes": lambda x: over_test_classes(
        np.array([1.0, x]), np.array([[0], [1]]), ["a", "b"]
    ),
}
# These take learners, episodes, results (which are finite) or whole numbers.
OTHERS = {
    *("LakeResult", "PairedComparison", "RealisticEpisodes", "compare", "evaluate"),
    *("each_query_alone", "evaluate_lake", "evaluate_modified_hausdorff", "auroc"),
    *("evaluate_open_set", "evaluation_protocol", "over_training_seeds", "over_trials"),
    *("realistic_episodes", "ClassInterval", "Pretraining"),
    # tests/evaluation/test_regression.py
    *("evaluate_regression", "RegressionResult"),
    # tests/evaluation/test_instances.py
    *("evaluate_instances", "InstancesResult"),
}


def test_every_public_name_is_looked_at():
    assert {*TAKES_NUMBERS, *OTHERS} == set(evaluation.__all__)


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("name", TAKES_NUMBERS)
def test_numbers_in_arrays_are_counted(name, bad):
    TAKES_NUMBERS[name](0.5)
    with pytest.raises(ValueError, match=r"must be finite\. Received: 1 of"):
        TAKES_NUMBERS[name](bad)


def test_auroc_takes_infinite_scores_which_have_an_order():
    positive = np.array([[False, False, True, True]])
    assert auroc(np.array([[-INF, 0.0, 1.0, INF]]), positive) == [1.0]
    with pytest.raises(ValueError, match="2 of 4 that are not a number"):
        auroc(np.array([[NAN, 0.0, 1.0, NAN]]), positive)


def test_nothing_gives_no_figure():
    with pytest.raises(ValueError, match="must hold at least one"):
        made_result([])
    with pytest.raises(ValueError, match="must hold at least one"):
        Reliability.of(np.zeros(0), np.zeros(0, bool))
    with pytest.raises(ValueError, match="1 of 2 beyond"):
        Reliability.of(np.array([0.5, 1.5]), np.array([True, True]))
    with pytest.raises(ValueError, match="one shape"):
        Reliability.of(np.array([0.5, 0.5]), np.array([True]))
