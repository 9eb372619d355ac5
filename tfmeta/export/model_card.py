"""The model card of an export, written from its `tfmeta.json`.

With the sections of Mitchell et al. (2019), *Model Cards for Model Reporting*. It says
what is known, and what is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tfmeta.datasets.imagenet.dataset import LICENCE
from tfmeta.export.card_figures import figures_of, tasks_in_words, ways_and_shots
from tfmeta.export.card_policy import as_described_policy, policy_sections
from tfmeta.export.card_regression import regression_sections
from tfmeta.export.card_text import (
    as_code,
    example_in_words,
    fenced,
    first_names,
    free_text,
    joined,
    kind_of,
    short_text,
    size_in_words,
    tensor_in_words,
)
from tfmeta.export.described_run import DescribedRun, as_described_run
from tfmeta.printable import markdown_text

MODEL_CARD_FILE = "MODEL_CARD.md"

# Terms that come with what others have trained, by `pretraining_data`.
_TERMS = {
    "imagenet": LICENCE,
    "wordllama": "The package WordLlama is MIT; its vectors derive from Llama 2's "
    "embeddings by their name.",
}
_MOST_GIVEN = 20
# What the registry says of a learner in one line, by its family.
_SUMMARIES = {
    "metric": "How a query is classified",
    "optimization": "What is learned",
    "model": "What is remembered of a task",
}


def model_card(content: Mapping[str, Any]) -> str:
    """The text of `MODEL_CARD.md`.

    Args:
        content: That of `tfmeta.json`. What it quotes of others, such as names of
            classes, is no markup in the card.

    Example:

    ```python
    model_card(json.loads((folder / "tfmeta.json").read_text()))
    ```
    """
    run = as_described_run(content["description"])
    blocks = [
        f"# Model card: {_title(content, run)}",
        "Written from `tfmeta.json`, which lies beside it and holds more: what is "
        "known of this model. The sections are those of Mitchell et al. (2019), "
        "*Model Cards for Model Reporting*.",
    ]
    sections = {
        "Model details": _details(content, run),
        "How to call it": _signatures(content),
        "Intended use": _use(content, run),
        "Factors": _factors(run),
        "Metrics": _metrics(run),
        "Evaluation data": _evaluation_data(content, run),
        "Training data": _training_data(content, run),
        "Quantitative analyses": _analyses(run),
        "Ethical considerations": _ethics(content),
        "Caveats and recommendations": _caveats(content, run),
    }
    if run is not None and "regression" in run:
        sections |= regression_sections(run, run["regression"])
    policy = as_described_policy(content["description"])
    if policy is not None:
        sections |= policy_sections(policy, content["signatures"])
    for title, section in sections.items():
        blocks += [f"## {title}", *joined(section)]
    return "\n\n".join(blocks) + "\n"


def _title(content: Mapping[str, Any], run: DescribedRun | None) -> str:
    if run is None:
        return markdown_text(content["learner"])
    made = markdown_text(run["learner"]["title"])
    return f"{made}, trained on {short_text(run['training_data'])}"


def _details(content: Mapping[str, Any], run: DescribedRun | None) -> Iterator[str]:
    name = as_code(content["learner"])
    if run is None:
        yield f"- **Learner:** {name}"
    else:
        learner = run["learner"]
        yield f"- **Learner:** {markdown_text(learner['title'])} ({name})"
        says = _SUMMARIES.get(learner["family"], "What is learned")
        if learner["summary"]:
            yield f"- **{says}:** {markdown_text(learner['summary'])}"
    embeds = content["embedding_shape"]
    shape = (
        f", embeddings of shape {size_in_words(embeds)}" if embeds is not None else ""
    )
    encoder = content["encoder"]
    made_of = "none" if encoder is None else f"{short_text(encoder)}{shape}"
    yield f"- **Encoder:** {made_of}; {content['parameters']:,} parameters in all"
    trained = content["pretraining_data"]
    yield (
        "- **Pre-training by others:** "
        + ("none is declared" if trained is None else f"on {markdown_text(trained)}")
    )
    yield f"- **An example:** {example_in_words(content['example'])}"
    if content["transductive"] and "gallery" not in content:
        yield (
            "- **Transductive:** the answer to a query depends on the other queries of "
            "the same request"
        )
    else:
        yield (
            "- **Inductive:** each query is answered by itself, whatever else is asked "
            "in the same request"
        )
    versions = content["versions"]
    yield (
        f"- **Exported with:** tfmeta {versions['tfmeta']}, Keras {versions['keras']}, "
        f"TensorFlow {versions['tensorflow']}"
    )
    if run is None:
        return
    if run["failure"] is not None:
        yield f"- **Training failed:** {free_text(run['failure'])}"
    if run["command"] is not None:
        state = (
            f" (tfmeta at commit {short_text(run['commit'])})" if run["commit"] else ""
        )
        yield f"This command trains it{state}:"
        yield fenced(run["command"])


def _signatures(content: Mapping[str, Any]) -> Iterator[str]:
    lines = ["| signature | takes | gives |", "|---|---|---|"]
    state_parts = set(content["signatures"].get("adapt", {}).get("outputs", ()))
    for name, signature in content["signatures"].items():
        usual = " (default)" if name == content["default_signature"] else ""
        inputs = signature["inputs"]
        # The parts of an adapted state are many.
        state = state_parts if len(inputs) > 4 and state_parts <= set(inputs) else ()
        takes = [f"the {len(state)} outputs of `adapt`"] if state else []
        rest = ((key, spec) for key, spec in inputs.items() if key not in state)
        takes += [f"{as_code(key)} {tensor_in_words(spec)}" for key, spec in rest]
        outputs = signature["outputs"].items()
        gives = [f"{as_code(key)} {tensor_in_words(spec)}" for key, spec in outputs]
        if len(gives) > 4:
            gives = [f"the adapted state, {len(gives)} tensors"]
        lines.append(
            f"| {as_code(name)}{usual} | {'; '.join(takes)} | {'; '.join(gives)} |"
        )
    yield "\n".join(lines)
    usual = content["default_signature"]
    asked = ", ".join(f"{key}=…" for key in content["signatures"][usual]["inputs"])
    yield (
        "Each `n` is a number of its own, and free. The support is what is learned "
        "from in the request, a query what is asked."
        + (
            " `names` and `probabilities` are of the most probable of the classes that "
            "were enrolled; `rejected` says that a query is of none of them."
            if "gallery" in content
            else " `support_labels` number the classes of the support from 0 without a "
            "gap, and `probabilities` has a column for each."
            if _classifies(content)
            else ""
        )
        + " With TensorFlow alone:"
    )
    yield fenced(
        f'tf.saved_model.load("FOLDER").signatures["{usual}"]({asked})', "python"
    )


def _use(content: Mapping[str, Any], run: DescribedRun | None) -> Iterator[str]:
    examples = kind_of(content["example"])
    if run is not None and run["learner"]["support"] == "attributes":
        yield (
            f"To tell classes of {examples} apart that are described when it is asked, "
            "without an example of them. They need not be among those of training."
        )
    elif "gallery" in content:
        yield (
            f"To tell {len(content['gallery']['classes']):,} classes of {examples} "
            "apart that were enrolled before the export. They need not be among the "
            "classes of training."
        )
    elif _classifies(content):
        yield (
            f"To tell classes of {examples} apart that are shown by a few labelled "
            "examples when it is asked. They need not be among the classes of training."
        )
    else:
        yield f"To predict numbers for {examples} from a few examples with targets."
    yield "Out of scope:"
    yield f"- {examples} of another kind than the training data"
    if "gallery" in content:
        rejects = content["gallery"]["threshold"] is not None
        yield "- queries of none of the enrolled classes" + (
            ", beyond what its threshold rejects: how much that is was not measured"
            if rejects
            else ": one of these is always the answer, as it has no threshold"
        )
    elif _classifies(content) and (run is None or not run["open_set"]):
        yield (
            "- queries that may be of none of the classes shown: one of these is "
            "always the answer, and how well others can be told apart was not measured"
        )
    measured = [] if run is None else run["test_figures"]
    if measured:
        tasks = ", ".join(dict.fromkeys(map(ways_and_shots, measured)))
        yield f"- tasks of other ways and shots than were measured ({tasks})"
    yield "- decisions on people, and any use for which its errors were not measured"


def _factors(run: DescribedRun | None) -> Iterator[str]:
    found = [] if run is None else [f for f in run["test_figures"] if f["class_recall"]]
    if found:
        recall = found[0]["class_recall"]
        assert recall is not None
        yield (
            f"How well it does depends on the class: of {tasks_in_words(found[0])}, "
            f"the median recall of {recall['classes']:,} test classes is "
            f"{100 * recall['median']:.2f} %, the lowest "
            f"{100 * recall['lowest']:.2f} % ({short_text(recall['lowest_class'])})."
        )
    yield (
        "Other factors, such as who made the examples and with what, were not measured."
    )


def _metrics(run: DescribedRun | None) -> Iterator[str]:
    if run is None or not (run["test_figures"] or run["open_set"]):
        yield "None was measured."
        return
    yield (
        "A 5-way 1-shot task has 5 classes, each with 1 labelled example in the "
        "support, and queries to be told which class they are of. Figures are means "
        "over test tasks, with two intervals of 95 %: over episode draws says "
        "what other tasks of the same classes would have given; over test classes what "
        "other classes would have, and is the one to go by for classes of your own. "
        "The calibration error is the mean distance of the probability of an answer "
        "from how often such answers are right, 0 at best."
    )


def _evaluation_data(
    content: Mapping[str, Any], run: DescribedRun | None
) -> Iterator[str]:
    figures = [] if run is None else list(run["test_figures"]) + list(run["open_set"])
    if not figures:
        yield "None: no figures were given." if run is None else "None yet."
        return
    data = ", ".join(dict.fromkeys(short_text(figure["data"]) for figure in figures))
    most = max(figure["test_classes"] for figure in figures)
    yield (
        f"{most:,} test classes of {data}, none of which training or validation saw. "
        "A task (episode) draws its classes, and their examples, by the seed in the "
        "table."
    )
    seen = [f["pretraining"] for f in figures if f["pretraining"] is not None]
    if not seen:
        return
    trained_on = ", ".join(dict.fromkeys(short_text(found["data"]) for found in seen))
    if any(found["test_classes_seen"] for found in seen):
        yield (
            "**The test classes are among those that the encoder was pre-trained on "
            f"({trained_on}): these are no figures of classes new to it.**"
        )
    else:
        yield (
            "Whether the test classes are among those that the encoder was pre-trained "
            f"on ({trained_on}) is not known."
        )


def _training_data(
    content: Mapping[str, Any], run: DescribedRun | None
) -> Iterator[str]:
    if run is None:
        yield from _given(content["description"])
        return
    about = free_text(run["training_data_description"])
    yield f"- **Data:** {short_text(run['training_data'])}{about and f': {about}'}"
    yield f"- **Licence:** {_licence(run)}"
    classes = run["classes"]
    if classes is None:
        yield "- **Classes:** the run does not say"
    elif not any(classes.values()):
        yield "- **Classes:** it learned from none of them"
    else:
        counted = [
            f"{len(names):,} in {split} ({first_names(names, run['training_data'])})"
            for split, names in classes.items()
            if names
        ]
        yield f"- **Classes:** {'; '.join(counted)}. All are in `tfmeta.json`"
    yield f"- **Training:** {markdown_text(run['training'])}"


def _given(description: Mapping[str, Any]) -> Iterator[str]:
    if not description:
        yield (
            "Not known: no data and no figures were given when the model was exported "
            "(`description` of `tfmeta.export.save`)."
        )
        return
    yield "What whoever exported the model says of it, unchecked:"
    for key, value in list(description.items())[:_MOST_GIVEN]:
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        yield f"- {short_text(key)}: {free_text(text)}"
    if len(description) > _MOST_GIVEN:
        yield f"- {len(description) - _MOST_GIVEN} more in `tfmeta.json`"


def _analyses(run: DescribedRun | None) -> Iterator[str]:
    if run is None:
        yield "No figures were given that tfmeta measured."
        return
    yield from figures_of(run)


def _ethics(content: Mapping[str, Any]) -> Iterator[str]:
    for name in (content["pretraining_data"] or "").split("+"):
        if name in _TERMS:
            terms = markdown_text(_TERMS[name])
            yield f"- Pre-trained encoder ({name}): {terms}"
    yield (
        "- Whether the data show persons, and whether some are served worse than "
        "others, was not examined by tfmeta"
    )


def _caveats(content: Mapping[str, Any], run: DescribedRun | None) -> Iterator[str]:
    yield from (f"- {caveat}" for caveat in _ground(run))
    sizes = content["example"]["shape"]
    pictures = kind_of(content["example"]) == "pictures"
    if pictures and None not in sizes[:2]:
        yield (
            f"- It sees {sizes[0]} × {sizes[1]} pixels: what is finer is lost, and "
            "pictures of another shape are squeezed by signatures that take files"
        )
    if content["transductive"] and "gallery" not in content:
        yield (
            "- Send queries that belong together in one request, and no others: joined "
            "requests of several clients change each other's answers"
        )
    if run is None or not run["test_figures"]:
        yield "- Measure it on classes of your own before it is used"
        return
    yield (
        "- Few examples leave much to luck: measure it on classes of your own before "
        "it is used"
    )
    if run["open_set"]:
        yield (
            "- A threshold holds for the ways and shots that it was fitted with; fit "
            "it anew for others"
        )


def _ground(run: DescribedRun | None) -> Iterator[str]:
    if run is None or run["light_ground"] is None:
        return
    known, other = ("dark", "light") if run["light_ground"] else ("light", "dark")
    yield (
        f"It knows {known} on {other} ground; pictures that are the other way round "
        "must be inverted first, support and queries alike"
    )


def _licence(run: DescribedRun) -> str:
    licence = run["training_data_licence"]
    if licence == "unknown":
        return "unknown; ask whoever gave the data before the model is passed on"
    return markdown_text(licence)


def _classifies(content: Mapping[str, Any]) -> bool:
    return not any(name.startswith("predict") for name in content["signatures"])
