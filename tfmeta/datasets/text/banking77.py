"""BANKING77: what customers of a bank ask, 77 intents close to each other."""

from __future__ import annotations

import json
import os
from importlib import resources
from pathlib import Path

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.data_dir import table_path
from tfmeta.datasets.import_report import ImportReport, OnProgress
from tfmeta.datasets.reading.text_files import read_csv
from tfmeta.datasets.splits import check_split
from tfmeta.datasets.text.dataset import BANKING77
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

# Number of questions in each file.
SOURCE_FILES = {"train.csv": 10_003, "test.csv": 3_080}

# Of each intent: the last ones in a table, which are the test file's, and with the
# protocol of all intents those before them.
_TEST_QUESTIONS, _VALIDATION_QUESTIONS = 40, 10


def load_banking77(
    split: str = "train",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    protocol: str = NEW_INTENTS,
) -> ClassTable:
    """Loads one split of BANKING77.

    A class is an intent, and its examples are all its questions, those of the
    authors' training file and then those of their test file: 75 to 227 of them.
    Few-shot learning splits classes instead: 47 for training, 10 for validation
    and 20 for test, drawn once with a fixed seed and written out in
    `banking77.json`. The cut is ours; figures on other cuts do not compare. All
    intents are of one domain, so there are no groups.

    Args:
        split: `"train"`, `"validation"` or `"test"`.
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.
        protocol: `"new_intents"` splits intents as above. With `"all_intents"` every
            split has all 77: for test the 40 questions of each in the authors' test
            file, for validation the last ten of their training file, for training the
            others. That is for learners that are trained on neither, behind an encoder
            that others have trained; no others can be evaluated on it, as no class
            would be new to them.

    Returns:
        A table of texts, shape `()` and dtype object, each a str without spaces
        around it.

    Raises:
        ValueError: For an unknown split or protocol and for a damaged table.
        FileNotFoundError: When BANKING77 has not been imported.

    Example:

    ```python
    test = load_banking77("test")
    test.num_classes, test.class_sizes.min()  # 20, 111
    ```

    Reference: I. Casanueva, T. Temčinas, D. Gerz, M. Henderson and I. Vulić
    (2020), *Efficient Intent Detection with Dual Sentence Encoders*, Workshop on
    NLP for Conversational AI. The data are CC BY 4.0.
    """
    check_split("banking77", split)
    check_protocol("banking77", protocol)
    table = open_texts(BANKING77, data_dir)
    if protocol == ALL_INTENTS:
        return _all_intents(table, split)
    wanted = set(split_intents()[split])
    chosen = [c for c, name in enumerate(table.class_names) if name in wanted]
    return table.take_classes(chosen)


def _all_intents(table: ClassTable, split: str) -> ClassTable:
    tested = table.class_sizes - _TEST_QUESTIONS
    validated = tested - _VALIDATION_QUESTIONS
    starts = {"train": 0 * tested, "validation": validated, "test": tested}
    stops = {"train": validated, "validation": tested, "test": table.class_sizes}
    return take_part(table, starts[split], stops[split])


def import_banking77(
    source: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    r"""Imports BANKING77 from the authors' files.

    Args:
        source: Folder with `train.csv` and `test.csv`, each also as `.gz`, from
            `banking_data` of github.com/PolyAI-LDN/task-specific-datasets.
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.
        on_progress: Called with the number of questions written, and of all.

    Returns:
        The report. Show its `notes` to the user.

    Raises:
        FileNotFoundError: When a file is missing.
        ValueError: When a file is damaged or not all of BANKING77, or when the
            data folder holds another table of this name.

    Example:

    ```python
    report = import_banking77("~/Downloads/banking_data")
    print(*report.notes, sep="\n")
    ```
    """
    source = Path(source).expanduser()
    intents = sorted(name for names in split_intents().values() for name in names)
    texts: dict[str, list[str]] = {name: [] for name in intents}
    for name, expected in SOURCE_FILES.items():
        found = 0
        for line, (text, intent) in read_csv(source, name, ("text", "category")):
            if intent not in texts or not text.strip():
                raise ValueError(
                    f"{name} in {source}, line {line}: there must be a question and "
                    f"one of the 77 intents of BANKING77. Received: {text[:60]!r} of "
                    f"{intent!r}"
                )
            texts[intent].append(text.strip())
            found += 1
        if found != expected:
            raise ValueError(
                f"{name} in {source} must hold {expected:,} questions. Received: "
                f"{found:,}"
            )
    empty = [name for name, class_texts in texts.items() if not class_texts]
    if empty:
        raise ValueError(
            f"the files in {source} must hold all 77 intents of BANKING77. Received: "
            f"none of {', '.join(empty)}"
        )
    classes = TextClasses(
        name="banking77",
        texts=texts,
        groups=None,
        group_level="group",
        description="BANKING77, questions of a bank's customers, CC BY 4.0",
    )
    path = table_path(data_dir, "banking77")
    there = keep_texts(path, classes, on_progress=on_progress)
    return ImportReport((path,), bool(there), (*repeated_texts(texts), *there))


def split_intents() -> dict[str, tuple[str, ...]]:
    """The intents of each split, sorted.

    The sorted 77 intents in the order of `np.random.default_rng(0).permutation`,
    cut into 47, 10 and 20. Written out, because NumPy does not promise that
    stream for ever.

    Returns:
        Names such as `"card_arrival"` by split.
    """
    text = resources.files("tfmeta.datasets.text").joinpath("banking77.json")
    content = json.loads(text.read_text(encoding="utf-8"))
    return {split: tuple(names) for split, names in content.items()}
