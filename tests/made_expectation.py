"""An expectation that nothing was computed for, with a part of everything."""

import numpy as np

from tfmeta.estimation.choosing import Candidate, Choice
from tfmeta.estimation.expectation import (
    ClassExpectation,
    ConfusedPair,
    CurvePoint,
    Double,
    Expectation,
    NextToLabel,
    Rejection,
    Share,
    Suspect,
)
from tfmeta.evaluation.threshold import Threshold

# Names that nobody would choose.
HOSTILE = (
    "<script>document.title = 'taken'</script>",
    "\" onmouseover='alert(1)' x=\"",
    "שלום עולם",
    "\u202egnp.exe",
    "two\nlines \x1b[31m",
    "🐈 &amp; ]]> --> </style>",
    "w" * 300,
)


def make_expectation(names=HOSTILE, shots=3, kind="pictures", examples=None, **others):
    """In which the first example of each class is taken for the next class.

    Args:
        names: Of the classes.
        shots: Examples of each.
        kind: What they are.
        examples: What they are called.
        **others: Other values of `Expectation`.
    """
    ways = len(names)
    labels = np.repeat(np.arange(ways), shots).astype(np.int32)
    count = len(labels)
    probabilities = np.full((count, ways), 0.2 / (ways - 1), np.float32)
    probabilities[np.arange(count), labels] = 0.8
    # The first of each class is taken for the next class.
    wrong = np.arange(0, count, shots)
    probabilities[wrong, labels[wrong]] = 0.1
    probabilities[wrong, (labels[wrong] + 1) % ways] = 0.7
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    right = count - ways
    if examples is None:
        examples = tuple(f"{names[n]}/{i}.png" for i, n in enumerate(labels))
    made = {
        "kind": kind,
        "encoder": "efficientnet_lite0",
        "choice": Choice(
            "simple_shot",
            (
                Candidate("simple_shot", right / count, 0.5),
                Candidate("logistic_regression", right / count, 0.75),
            ),
            10,
            "most right answers",
        ),
        "seed": 7,
        "folds": 3,
        "examples": examples,
        "labels": labels,
        "class_names": tuple(names),
        "probabilities": probabilities,
        "accuracy": Share.of(right, count),
        "curve": (
            CurvePoint(1, Share.of(right // 2, count)),
            CurvePoint(shots, Share.of(right, count)),
            CurvePoint(2 * shots, Share.of(count, count), measured=False),
        ),
        "classes": tuple(
            ClassExpectation(name, shots, Share.of(shots - 1, shots)) for name in names
        ),
        "confused": (ConfusedPair(names[0], names[1], 1, shots),),
        "suspects": (Suspect(0, examples[0], names[0], names[1], 0.7, 0.1),),
        "doubles": (
            Double((0, 1), examples[:2], (names[0], names[0]), 1.0, True),
            Double((1, shots), (examples[1], examples[shots]), names[:2], 0.995, False),
        ),
        "rejection": Rejection(
            Threshold("probability", 0.43, 0.95, {"probability": 0.9}, {}),
            Share.of(19, 20),
            Share.of(15, 20),
            0.91,
        ),
        "to_label": (NextToLabel(2, "new/<i>2.png", names[1], 0.41, "in doubt"),),
        "notes": ("A note of <b>these</b>.",),
    }
    return Expectation(**{**made, **others})
