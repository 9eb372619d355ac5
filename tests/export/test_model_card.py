"""The model card says what `tfmeta.json` does, and quotes others without markup."""

import copy
import json

import keras
import pytest
from markdown_it import MarkdownIt  # which rich brings

from tfmeta import export
from tfmeta.encoders import TextEncoder
from tfmeta.encoders.pretrained.features import PretrainedFeatures
from tfmeta.export.described_run import as_described_run
from tfmeta.export.model_card import MODEL_CARD_FILE, _signatures, model_card
from tfmeta.learners import (
    MAML,
    PrototypicalNetwork,
    SemiSupervisedPrototypicalNetwork,
)

SECTIONS = (
    "Model details",
    "How to call it",
    "Intended use",
    "Factors",
    "Metrics",
    "Evaluation data",
    "Training data",
    "Quantitative analyses",
    "Ethical considerations",
    "Caveats and recommendations",
)
MARKUP = {
    *("html_block", "html_inline", "link_open", "image", "s_open"),
    *("blockquote_open", "hr", "ordered_list_open"),
}
HOSTILE = (
    "<script>alert(1)</script>[x](javascript:a)|b|\n\n# c\n```\n`d`*e*_f_ \u202eg &lt;"
)


def figure(**changes):
    interval = {"ends": [0.7512, 0.8034], "clusters": 240, "reason": None}
    values = {
        **{"ways": 5, "shots": 1, "queries": 15, "episodes": 1200, "seed": 4},
        **{"data": "birds", "test_classes": 240, "same_group": False},
        **{"unlabelled": 0, "support": "examples", "query_dirichlet": None},
        **{"accuracy": 0.77734, "over_episode_draws": 0.00512, "chance": 0.2},
        "over_test_classes": interval,
        "calibration_error": 0.03141,
        "class_recall": {
            **{"classes": 240, "median": 0.7876, "lowest": 0.3123},
            "lowest_class": "birds/wren",
        },
        **{"transductive": False, "beside_transductive": None, "pretraining": None},
    }
    return {**values, **changes}


def open_set_figure():
    kept = figure()
    for name in ("accuracy", "chance", "calibration_error", "class_recall"):
        del kept[name]
    one = {
        **{"mean": 0.61234, "over_episode_draws": 0.00341},
        "over_test_classes": kept.pop("over_test_classes"),
    }
    names = ("accuracies", "auroc", "open_accuracies")
    figures = {n: one for n in (*names, "known_accepted", "unknown_rejected")}
    threshold = {"score": "logit", "value": -3.65612, "recall": 0.95}
    threshold["validation_episodes"] = 600
    return {**kept, "unknown_ways": 3, "figures": figures, "threshold": threshold}


def described(**changes):
    values = {
        "learner": {
            **{"title": "Prototypical Network", "family": "metric"},
            **{"summary": "by the distance (Snell 2017)", "support": "examples"},
        },
        "training_data": "birds",
        "training_data_description": "pictures of birds",
        "training_data_licence": "CC BY 4.0",
        "light_ground": True,
        "classes": {"train": ["birds/tit", "birds/owl"], "validation": ["birds/emu"]},
        "training": "This run trains something with seed 11.",
        "protocol": {},
        "command": "tfmeta train --dataset birds",
        "commit": "abc123",
        "failure": None,
        "test_figures": [figure()],
        "open_set": [],
    }
    assert as_described_run({**values, **changes}) is not None
    return {**values, **changes}


def content(description, **changes):
    pictures = {"shape": [None, 28, 28, 1], "dtype": "uint8"}
    embeddings = {"shape": [None, 64], "dtype": "float32"}
    signatures = {
        "embed": {
            "inputs": {"examples": pictures},
            "outputs": {"embeddings": embeddings},
        },
        "classify": {
            "inputs": {
                "support": pictures,
                "support_labels": {"shape": [None], "dtype": "int32"},
                "query": pictures,
            },
            "outputs": {"probabilities": {"shape": [None, None], "dtype": "float32"}},
        },
    }
    return {
        **{"learner": "PrototypicalNetwork", "encoder": "conv4", "parameters": 111936},
        **{"transductive": False, "pretraining_data": None, "embedding_shape": [64]},
        "example": {"shape": [28, 28, 1], "dtype": "uint8", "value_range": [0, 255]},
        **{"default_signature": "embed", "signatures": signatures},
        "versions": {"tfmeta": "1.2.3", "keras": "3.15.1", "tensorflow": "2.21.0"},
        "description": description,
        **changes,
    }


def parse(card):
    """What another's parser makes of a card: types of tokens, and its text."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(card)
    inner = [child for token in tokens for child in token.children or ()]
    seen = "".join(t.content for t in inner) + "".join(
        token.content for token in tokens if token.type == "fence"
    )
    return tokens, {token.type for token in (*tokens, *inner)}, seen


def sections(card):
    tokens, _, _ = parse(card)
    titles = [i + 1 for i, t in enumerate(tokens) if t.type == "heading_open"]
    return tuple(tokens[i].content for i in titles)


@pytest.mark.parametrize("description", [{}, {"x": 1}, described()])
def test_it_has_the_sections_of_the_paper(description):
    title, *found = sections(model_card(content(description)))
    assert title.startswith("Model card: Prototypical")
    assert tuple(found) == SECTIONS


def test_it_says_what_the_run_does():
    card = model_card(content(described(open_set=[open_set_figure()])))
    for fact in (
        "Prototypical Network, trained on birds",
        "by the distance (Snell 2017)",
        "111,936 parameters",
        "28 × 28 × 1, uint8, values from 0 to 255",
        "tfmeta 1.2.3, Keras 3.15.1, TensorFlow 2.21.0",
        "tfmeta train --dataset birds",
        "commit abc123",
        "| `embed` (default) | `examples` uint8 (n, 28, 28, 1) |",
        "| 5-way 1-shot, 15 queries a class | 1,200, seed 4 | 77.73 | ± 0.51 | "
        "75.12 to 80.34 | 20.00 | 0.0314 | inductive |",
        "median recall of 240 test classes is 78.76 %, the lowest 31.23 % (birds/wren)",
        "240 test classes of birds, none of which training or validation saw",
        "2 in train (tit, owl); 1 in validation (emu)",
        "**Licence:** CC BY 4.0",
        "with seed 11",
        "dark on light ground",
        "3 unknown classes | 1,200, seed 4 | 0.6123 ± 0.0034, 0.7512 to 0.8034 | "
        "61.23 ± 0.34, 75.12 to 80.34 |",
        "logit of -3.656",
    ):
        assert fact in card
    assert "Inductive" in card and "ransductive" not in card.replace("Inductive", "")
    assert "queries that may be of none" not in card
    assert len(card.split()) < 1100  # two pages


def test_a_missing_interval_says_why():
    interval = {"ends": None, "clusters": 5, "reason": "all episodes hold 'a|b'"}
    kept = described(test_figures=[figure(over_test_classes=interval)])
    card = model_card(content(kept))
    assert "| ± 0.51 | – | 20.00 |" in card
    assert "– is no interval over test classes: all episodes hold 'a&#124;b'." in card


def test_transductive_figures_say_so_with_what_belongs_beside_them():
    beside = {"alone": 0.7012, "unequal_classes": 0.6555}
    kept = figure(transductive=True, beside_transductive=beside)
    card = model_card(content(described(test_figures=[kept]), transductive=True))
    assert "**Transductive:** the answer to a query depends on the other" in card
    assert "| 0.0314 | transductive |" in card
    assert "70.12 % when each query is answered by itself, 65.55 % when" in card
    assert "joined requests of several clients change each other's answers" in card
    assert "nductive:**" not in card.replace("**Transductive:**", "")


@pytest.mark.parametrize("seen", [True, None])
def test_pretraining_says_whether_test_classes_were_in_it(seen):
    known = {"data": "imagenet", "test_classes_seen": seen}
    kept = described(test_figures=[figure(pretraining=known)])
    card = model_card(content(kept, pretraining_data="imagenet"))
    assert "**Pre-training by others:** on imagenet" in card
    assert "non-commercial research and education only" in card
    said = "these are no figures of classes new to it"
    assert (said in card) == (seen is True)
    assert ("is not known" in card) == (seen is None)


def test_without_measuring_there_is_no_figure():
    card = model_card(content(described(test_figures=[])))
    assert "It was not measured: the run has no test figures." in card
    assert "queries that may be of none of the classes shown" in card
    assert " ± " not in card and "accuracy" not in card
    unknown = model_card(content(described(training_data_licence="unknown")))
    assert "**Licence:** unknown; ask whoever gave the data" in unknown


def everywhere(value, text):
    """A description in which all that others wrote is the text."""
    if isinstance(value, dict):
        fixed = {"family", "support", "score"}
        return {k: v if k in fixed else everywhere(v, text) for k, v in value.items()}
    if isinstance(value, list):
        return [everywhere(part, text) for part in value]
    return text if isinstance(value, str) else value


def test_names_of_others_are_no_markup():
    pretraining = {"data": "x", "test_classes_seen": True}
    interval = {"ends": None, "clusters": 5, "reason": "x"}
    kept = described(
        test_figures=[figure(over_test_classes=interval, pretraining=pretraining)],
        open_set=[open_set_figure()],
        failure="x",
    )
    usual = content(kept, pretraining_data="x")
    hostile = content(
        everywhere(kept, HOSTILE),
        **{"encoder": HOSTILE, "pretraining_data": HOSTILE, "learner": HOSTILE},
    )
    card = model_card(hostile)
    assert sections(card)[1:] == SECTIONS
    tokens, types, seen = parse(card)
    assert not types & MARKUP
    expected, _, _ = parse(model_card(usual))
    assert [t.type for t in tokens] == [t.type for t in expected]
    assert "<script>" in seen and "[x](javascript:a)" in seen and "\u202e" not in card


@pytest.mark.parametrize("value", [HOSTILE, [HOSTILE], {HOSTILE: {"a": HOSTILE}}])
def test_what_a_user_says_is_quoted(value):
    card = model_card(content({HOSTILE: value, "training data": "my own"}))
    _, types, seen = parse(card)
    assert not types & MARKUP
    assert card.count("*") == model_card(content({"x": 1})).count("*") + card.count(
        "\\*"
    )
    assert "- training data: my own" in card
    assert "unchecked" in card and "<script>" in seen


def test_a_description_that_only_looks_like_a_run_is_quoted():
    kept = copy.deepcopy(described())
    kept["test_figures"][0]["accuracy"] = "very good"
    card = model_card(content(kept))
    assert as_described_run(kept) is None
    assert "What whoever exported the model says of it, unchecked:" in card
    many = model_card(content({f"key{n}": n for n in range(30)}))
    assert "- key19: 19" in many and "- 10 more in `tfmeta.json`" in many


def test_an_export_without_description_says_that_nothing_is_known(tmp_path):
    # No step over these weights would help: they only stand for what others trained.
    inputs = keras.Input((4,))
    outputs = PretrainedFeatures("imagenet")(keras.layers.Dense(3)(inputs))
    learner = SemiSupervisedPrototypicalNetwork(
        keras.Model(inputs, outputs), unlabelled_from="queries"
    )
    folder = export.save(learner, tmp_path / "m")
    about = json.loads((folder / "tfmeta.json").read_text("utf-8"))
    card = (folder / MODEL_CARD_FILE).read_text("utf-8")
    assert card == model_card(about)
    assert about["parameters"] == 4 * 3 + 3
    for said in (
        "Not known: no data and no figures were given",
        "No figures were given that tfmeta measured.",
        "**Transductive:**",
        "on imagenet",
        "non-commercial",
    ):
        assert said in card
    assert "trained on" not in sections(card)[0]


def test_texts_and_regression(tmp_path):
    texts = PrototypicalNetwork(TextEncoder(["a b c", "b c d"], seed=0))
    card = (export.save(texts, tmp_path / "t") / MODEL_CARD_FILE).read_text("utf-8")
    assert "**An example:** a text in UTF-8" in card and "classes of texts" in card
    dense = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    learner = MAML(dense, ways=2, task="regression", seed=0)
    card = (export.save(learner, tmp_path / "r") / MODEL_CARD_FILE).read_text("utf-8")
    assert "To predict numbers for arrays" in card
    assert "the 6 outputs of `adapt`; `query` float32 (n, 4)" in card
    assert "classes" not in card.split("## Intended use")[1].split("## Factors")[0]


def test_what_is_taken_beside_an_adapted_state_is_named():
    spec = {"shape": [None, 3], "dtype": "float32"}
    state = {f"part_{number}": spec for number in range(5)}
    example = {"support": spec, "support_labels": spec}
    signatures = {
        "adapt": {"inputs": example, "outputs": state},
        "observe": {"inputs": {**example, **state}, "outputs": state},
    }
    content = {"default_signature": "adapt", "signatures": signatures}
    table = next(_signatures(content))
    (row,) = (line for line in table.splitlines() if line.startswith("| `observe`"))
    wanted = "the 5 outputs of `adapt`; `support` float32 (n, 3); `support_labels`"
    assert wanted in row
