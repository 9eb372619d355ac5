"""CLINC150: what people ask an assistant, 150 intents of ten domains."""

from __future__ import annotations

import collections
import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.data_dir import table_path
from tfmeta.datasets.import_report import ImportProgress, ImportReport, OnProgress
from tfmeta.datasets.reading.text_files import read_json
from tfmeta.datasets.splits import check_split, take_groups
from tfmeta.datasets.text.dataset import CLINC150
from tfmeta.datasets.text.protocols import (
    ALL_INTENTS,
    NEW_INTENTS,
    check_protocol,
    take_part,
)
from tfmeta.datasets.text_tables import (
    TextClasses,
    keep_texts,
    open_texts,
    repeated_texts,
)

SOURCE_FILE = "data_full.json"
OUT_OF_SCOPE = "out_of_scope"

# The ten domains in the order of
# `np.random.default_rng(0).permutation(sorted(domains))`, cut into 5, 2 and 3.
# Written out, because NumPy does not promise that stream for ever.
DOMAINS = {
    "train": ("kitchen_and_dining", "small_talk", "credit_cards", "travel", "home"),
    "validation": ("meta", "work"),
    "test": ("auto_and_commute", "utility", "banking"),
}
SPLITS = (*DOMAINS, OUT_OF_SCOPE)

# Sentences of each intent in the three parts of the file, which become one.
_PER_INTENT = {"train": 100, "val": 20, "test": 30}
# Where these are among the 150 of a table.
_PARTS = {"train": (0, 100), "validation": (100, 120), "test": (120, 150)}
_OUT_OF_SCOPE_SIZES = {"oos_train": 100, "oos_val": 100, "oos_test": 1000}


def load_clinc150(
    split: str = "train",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    protocol: str = NEW_INTENTS,
) -> ClassTable:
    """Loads one split of CLINC150.

    A class is an intent, and its examples are all its 150 sentences: the 100,
    20 and 30 that the authors' file lists for training, validating and testing a
    classifier of all intents, in this order. Few-shot learning splits classes
    instead, here by domain, so that the intents of a test task are of domains
    never trained on: five domains (75 intents) for training, two (30) for
    validation, three (45) for test, as `DOMAINS` lists them. The cut is ours;
    figures on other cuts do not compare.

    Args:
        split: `"train"`, `"validation"`, `"test"`, or `"out_of_scope"`: one class
            of the 1,200 sentences that belong to no intent, for open-set
            evaluation.
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.
        protocol: `"new_intents"` splits by domain as above. With `"all_intents"` every
            split has all 150 intents, and of each the sentences that the authors list
            for training (100), validating (20) and testing (30). That is for learners
            that are trained on neither, behind an encoder that others have trained;
            no others can be evaluated on it, as no class would be new to them.

    Returns:
        A table of texts, shape `()` and dtype object, each a str, with intents as
        classes and domains as groups. A few sentences occur in two intents; an
        import counts them.

    Raises:
        ValueError: For an unknown split or protocol and for a damaged table.
        FileNotFoundError: When CLINC150 has not been imported.

    Example:

    ```python
    train = load_clinc150("train")
    train.num_classes, train.class_sizes[0]  # 75, 150
    train.examples_of(0)[0]  # 'can i make a reservation for redrobin'
    ```

    Reference: S. Larson, A. Mahendran, J. J. Peper, C. Clarke, A. Lee, P. Hill,
    J. K. Kummerfeld, K. Leach, M. A. Laurenzano, L. Tang and J. Mars (2019), *An
    Evaluation Dataset for Intent Classification and Out-of-Scope Prediction*,
    EMNLP-IJCNLP. The data are CC BY 3.0.
    """
    check_split("clinc150", split, SPLITS)
    check_protocol("clinc150", protocol)
    name = "clinc150" if split in DOMAINS else "clinc150_out_of_scope"
    table = open_texts(CLINC150, data_dir, name)
    if split == OUT_OF_SCOPE:
        return table
    if protocol == ALL_INTENTS:
        start, stop = _PARTS[split]
        return take_part(table, [start] * table.num_classes, [stop] * table.num_classes)
    return take_groups(table, DOMAINS[split])


def import_clinc150(
    source: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    r"""Imports CLINC150 from the authors' file.

    Args:
        source: Folder with `data_full.json` or `data_full.json.gz`, from
            github.com/clinc/oos-eval.
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.
        on_progress: Called with the number of sentences written, and of all.

    Returns:
        The report. Show its `notes` to the user.

    Raises:
        FileNotFoundError: When the file is missing.
        ValueError: When it is damaged or not all of CLINC150, or when the data
            folder holds another table of this name.

    Example:

    ```python
    report = import_clinc150("~/Downloads/clinc150")
    print(*report.notes, sep="\n")
    ```
    """
    source = Path(source).expanduser()
    content = read_json(source, SOURCE_FILE)
    domain_of = {i: d for d, intents in intents_of_domains().items() for i in intents}
    texts = _intents(content, domain_of)
    outside = _out_of_scope(content)
    total = sum(map(len, texts.values())) + len(outside)
    progress = ImportProgress(on_progress, total)
    inside = TextClasses(
        name="clinc150",
        texts=texts,
        groups=domain_of,
        group_level="domain",
        description="CLINC150, sentences said to an assistant, CC BY 3.0",
    )
    others = TextClasses(
        name="clinc150",
        texts={OUT_OF_SCOPE: outside},
        groups=None,
        group_level="domain",
        description="CLINC150, sentences of no intent, CC BY 3.0",
    )
    paths = tuple(
        table_path(data_dir, n) for n in ("clinc150", "clinc150_out_of_scope")
    )
    there = keep_texts(paths[0], inside, on_progress=progress.part())
    keep_texts(paths[1], others, on_progress=progress.part())
    return ImportReport(paths, bool(there), (*repeated_texts(texts), *there))


def intents_of_domains() -> dict[str, tuple[str, ...]]:
    """The 15 intents of each of the ten domains.

    Returns:
        Names such as `"freeze_account"` by domain.
    """
    text = resources.files("tfmeta.datasets.text").joinpath("clinc150.json")
    content = json.loads(text.read_text(encoding="utf-8"))
    return {domain: tuple(intents) for domain, intents in content.items()}


def _intents(content: Any, domain_of: dict[str, str]) -> dict[str, list[str]]:
    """Sentences by intent, the intents sorted; checks that all are there."""
    texts: dict[str, list[str]] = {name: [] for name in sorted(domain_of)}
    for part, expected in _PER_INTENT.items():
        counts: collections.Counter[str] = collections.Counter()
        for text, intent in _pairs(content, part):
            if intent not in texts:
                raise ValueError(
                    f"{SOURCE_FILE} must hold the 150 intents of CLINC150. Received: "
                    f"a sentence of {intent!r} in {part!r}"
                )
            texts[intent].append(text)
            counts[intent] += 1
        for intent in texts:
            if counts[intent] != expected:
                raise ValueError(
                    f"{SOURCE_FILE} must hold {expected} sentences of each intent in "
                    f"{part!r} (data_small.json and data_imbalanced.json have fewer). "
                    f"Received: {counts[intent]} of {intent!r}"
                )
    return texts


def _out_of_scope(content: Any) -> list[str]:
    texts: list[str] = []
    for part, expected in _OUT_OF_SCOPE_SIZES.items():
        pairs = _pairs(content, part)
        if len(pairs) != expected or any(intent != "oos" for _, intent in pairs):
            raise ValueError(
                f"{SOURCE_FILE} must hold {expected:,} sentences labelled 'oos' in "
                f"{part!r}. Received: {len(pairs):,}"
            )
        texts += [text for text, _ in pairs]
    return texts


def _pairs(content: Any, part: str) -> list[tuple[str, str]]:
    """The pairs of sentence and intent of one part of the file."""
    pairs = content.get(part) if isinstance(content, dict) else None
    if not isinstance(pairs, list) or not all(
        isinstance(pair, list)
        and len(pair) == 2
        and all(isinstance(text, str) and text.strip() for text in pair)
        for pair in pairs
    ):
        raise ValueError(
            f"{SOURCE_FILE} must hold a list {part!r} of pairs of a sentence and an "
            f"intent. Received: {type(pairs).__name__}, which is not that"
        )
    return [(text.strip(), intent) for text, intent in pairs]
