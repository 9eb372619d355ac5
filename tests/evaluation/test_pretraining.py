"""Whether test classes were seen before any training of ours, and who says so."""

import dataclasses

import keras
import numpy as np
import pytest

from tfmeta.datasets import ClassTable
from tfmeta.encoders.pretrained.features import PretrainedFeatures
from tfmeta.episodes import Episodes, Mixture
from tfmeta.episodes.task_sequence import classes_of
from tfmeta.evaluation import (
    EvaluationResult,
    OpenSetResult,
    Pretraining,
    evaluate,
    evaluate_open_set,
    evaluation_protocol,
)
from tfmeta.evaluation.pretraining import setting
from tfmeta.learners import PrototypicalNetwork


def learner(data="imagenet"):
    inputs = keras.Input((4,))
    return PrototypicalNetwork(keras.Model(inputs, PretrainedFeatures(data)(inputs)))


def table(name="flowers", cut_from=None):
    labels = np.repeat(list("abcdef"), 8)
    numbers = np.random.default_rng(0).normal(size=(48, 4)).astype("float32")
    made = ClassTable.from_arrays(name, numbers, labels)
    return dataclasses.replace(made, cut_from=cut_from)


def episodes(*arguments):
    return Episodes(table(*arguments), ways=3, shots=2, queries=2, tasks=20, seed=0)


def measured(learner, episodes):
    return evaluate(learner, episodes, num_episodes=600, seen_classes=())


SEEN = {"data": "imagenet", "test_classes_seen": True}
UNKNOWN = {"data": "imagenet", "test_classes_seen": None}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "cut_from", "words", "kept"),
    [
        ("imagenet", "imagenet", "inductive, seen in pre-training (imagenet)", SEEN),
        ("imagenet", "cifar100", "inductive, pre-trained on imagenet", UNKNOWN),
        (None, "imagenet", "inductive", None),
    ],
)
def test_a_figure_says_what_it_owes_to_pre_training(data, cut_from, words, kept):
    found = measured(learner(data), episodes("flowers", cut_from))
    assert f"{words}: " in str(found)
    values = found.to_json()
    assert values["pretraining"] == kept
    again = EvaluationResult.from_json(values)
    assert str(again) == str(found) and again.pretraining == found.pretraining
    # One of a former version says nothing.
    del values["pretraining"]
    assert EvaluationResult.from_json(values).pretraining is None


def test_pre_training_does_not_make_another_figure_of_it():
    # Same classes, same examples: results of before compare with those of now.
    declared, plain = episodes("flowers", "imagenet"), episodes("flowers", None)
    assert evaluation_protocol(declared, 600) == evaluation_protocol(plain, 600)


def test_one_data_set_of_a_mixture_is_enough():
    mixture = Mixture([episodes("a"), episodes("b", "imagenet")], seed=0)
    tables = classes_of(mixture).tables
    assert Pretraining.of(learner(), tables) == Pretraining("imagenet", True)
    assert Pretraining.of(learner(), tables[:1]) == Pretraining("imagenet", False)
    assert Pretraining.of(learner(None), tables) is None


def test_classes_taken_from_a_table_stay_cut_from_it():
    taken = table("flowers", "imagenet").take_classes([1, 2, 3])
    assert taken.cut_from == "imagenet"


def test_an_open_set_figure_says_it_too():
    test, validation = episodes("flowers", "imagenet"), episodes("others")
    found = evaluate_open_set(
        learner(),
        test,
        validation,
        unknown_ways=1,
        num_episodes=600,
        seen_classes=validation.origins,
    )
    assert "inductive, seen in pre-training (imagenet)" in str(found)
    values = found.to_json()
    assert OpenSetResult.from_json(values).pretraining == Pretraining("imagenet", True)
    del values["pretraining"]
    assert OpenSetResult.from_json(values).pretraining is None


def test_in_words():
    assert setting(True, None) == "transductive"
    both = Pretraining("imagenet+words", seen=True)
    assert setting(True, both) == (
        "transductive, seen in pre-training (imagenet+words)"
    )
    assert Pretraining.from_json(both.to_json()) == both
