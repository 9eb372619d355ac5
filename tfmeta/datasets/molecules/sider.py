"""SIDER: which of 1,427 drugs have side effects of 27 kinds."""

from __future__ import annotations

import os

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.import_report import ImportReport, OnProgress
from tfmeta.datasets.molecules.assays import (
    AssayCollection,
    import_assays,
    load_assays,
)
from tfmeta.datasets.molecules.dataset import SIDER

ASSAYS = AssayCollection(
    record=SIDER,
    source_file="sider.csv",
    molecules=1_427,
    assays=(
        "Hepatobiliary disorders",
        "Metabolism and nutrition disorders",
        "Product issues",
        "Eye disorders",
        "Investigations",
        "Musculoskeletal and connective tissue disorders",
        "Gastrointestinal disorders",
        "Social circumstances",
        "Immune system disorders",
        "Reproductive system and breast disorders",
        "Neoplasms benign, malignant and unspecified (incl cysts and polyps)",
        "General disorders and administration site conditions",
        "Endocrine disorders",
        "Surgical and medical procedures",
        "Vascular disorders",
        "Blood and lymphatic system disorders",
        "Skin and subcutaneous tissue disorders",
        "Congenital, familial and genetic disorders",
        "Infections and infestations",
        "Respiratory, thoracic and mediastinal disorders",
        "Psychiatric disorders",
        "Renal and urinary disorders",
        "Pregnancy, puerperium and perinatal conditions",
        "Ear and labyrinth disorders",
        "Cardiac disorders",
        "Nervous system disorders",
        "Injury, poisoning and procedural complications",
    ),
    # The first three of `np.random.default_rng(0).permutation` of the 21 training
    # assays. Written out, because NumPy does not promise that stream for ever.
    validation=(
        "Neoplasms benign, malignant and unspecified (incl cysts and polyps)",
        "Infections and infestations",
        "Skin and subcutaneous tissue disorders",
    ),
    test=(
        "Renal and urinary disorders",
        "Pregnancy, puerperium and perinatal conditions",
        "Ear and labyrinth disorders",
        "Cardiac disorders",
        "Nervous system disorders",
        "Injury, poisoning and procedural complications",
    ),
    description="SIDER, drugs as SMILES, side effects of 27 organ classes",
)


def load_sider(
    split: str = "train", *, data_dir: str | os.PathLike[str] | None = None
) -> ClassTable:
    """Loads one split of SIDER.

    Every kind of side effect is a task of two ways, called an assay as for Tox21:
    classes are `"Cardiac disorders/active"`, the drugs that have it, and
    `"Cardiac disorders/inactive"`. Splits share no class but all drugs; see
    `load_tox21`. The six test assays, the last six of the file, are those of Guo et
    al.; of their 21 training assays, three are the validation split.

    "Product issues" has 22 active drugs only, so training tasks can hold no more
    support and query drugs of a class.

    Args:
        split: `"train"` (18 assays), `"validation"` (three), `"test"` (six), or
            `"trainval"` (all 21), to train on when nothing is left to be chosen.
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.

    Returns:
        A table of SMILES strings, shape `()` and dtype object.

    Raises:
        ValueError: For an unknown split and for a damaged table.
        FileNotFoundError: When SIDER has not been imported.

    Example:

    ```python
    test = load_sider("test")
    Episodes(test, ways=2, shots=5, queries=16, same_group=True)
    ```

    References: M. Kuhn, I. Letunic, L. J. Jensen and P. Bork (2016), *The SIDER
    database of drugs and side effects*, Nucleic Acids Research 44; the splits as
    for `load_tox21`.
    """
    return load_assays(ASSAYS, split, data_dir)


def import_sider(
    source: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    r"""Imports SIDER from MoleculeNet's file.

    Args:
        source: Folder with `sider.csv` or `sider.csv.gz`: columns `smiles` and the
            27 kinds of side effects, each 0 or 1.
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.
        on_progress: Called with the number of outcomes written, and of all.

    Returns:
        The report. Show its `notes` to the user.

    Raises:
        FileNotFoundError: When the file is missing.
        ValueError: When it is damaged or not all of SIDER, or when the data folder
            holds another table of this name.

    Example:

    ```python
    report = import_sider("~/Downloads/sider")
    print(*report.notes, sep="\n")
    ```
    """
    return import_assays(ASSAYS, source, data_dir, on_progress)
