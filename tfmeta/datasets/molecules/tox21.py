"""Tox21: which of 7,831 molecules disturb twelve pathways of a cell."""

from __future__ import annotations

import os

from tfmeta.datasets.class_table import ClassTable
from tfmeta.datasets.import_report import ImportReport, OnProgress
from tfmeta.datasets.molecules.assays import (
    AssayCollection,
    import_assays,
    load_assays,
)
from tfmeta.datasets.molecules.dataset import TOX21

ASSAYS = AssayCollection(
    record=TOX21,
    source_file="tox21.csv",
    molecules=7_831,
    assays=(
        *("NR-AR", "NR-AR-LBD", "NR-AhR", "NR-Aromatase", "NR-ER", "NR-ER-LBD"),
        *("NR-PPAR-gamma", "SR-ARE", "SR-ATAD5", "SR-HSE", "SR-MMP", "SR-p53"),
    ),
    # The first two of `np.random.default_rng(0).permutation` of the nine training
    # assays. Written out, because NumPy does not promise that stream for ever.
    validation=("NR-ER", "NR-ER-LBD"),
    test=("SR-HSE", "SR-MMP", "SR-p53"),
    description="Tox21, molecules as SMILES, twelve assays of toxicity",
)


def load_tox21(
    split: str = "train", *, data_dir: str | os.PathLike[str] | None = None
) -> ClassTable:
    """Loads one split of Tox21.

    Every assay is a task of two ways, its active and its inactive molecules:
    classes are called `"NR-AR/inactive"` and `"NR-AR/active"`, assays are the
    groups, and `Episodes(table, ways=2, same_group=True)` draws tasks. A molecule
    that an assay did not test is in neither class.

    Splits share no class but molecules: the assays tested the same ones, so what a
    test measures is a new outcome of molecules that training has mostly seen. That
    is the custom for these data. The three test assays are those of Guo et al.; of
    their nine training assays, two are the validation split.

    Args:
        split: `"train"` (seven assays), `"validation"` (two), `"test"` (three), or
            `"trainval"` (all nine), to train on when nothing is left to be chosen.
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.

    Returns:
        A table of SMILES strings, shape `()` and dtype object.

    Raises:
        ValueError: For an unknown split and for a damaged table.
        FileNotFoundError: When Tox21 has not been imported.

    Example:

    ```python
    test = load_tox21("test")
    Episodes(test, ways=2, shots=5, queries=16, same_group=True)
    ```

    References: Z. Wu, B. Ramsundar, E. N. Feinberg, J. Gomes, C. Geniesse, A. S.
    Pappu, K. Leswing and V. Pande (2018), *MoleculeNet: a benchmark for molecular
    machine learning*, Chemical Science 9; Z. Guo, C. Zhang, W. Yu, J. Herr, O.
    Wiest, M. Jiang and N. V. Chawla (2021), *Few-Shot Graph Learning for Molecular
    Property Prediction*, The Web Conference.
    """
    return load_assays(ASSAYS, split, data_dir)


def import_tox21(
    source: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    r"""Imports Tox21 from MoleculeNet's file.

    Args:
        source: Folder with `tox21.csv` or `tox21.csv.gz`: columns `smiles` and the
            twelve assays, each 0, 1 or empty.
        data_dir: The data folder; by default the environment variable
            `TFMETA_DATA_DIR`, and without that `~/.cache/tfmeta`.
        on_progress: Called with the number of outcomes written, and of all.

    Returns:
        The report. Show its `notes` to the user.

    Raises:
        FileNotFoundError: When the file is missing.
        ValueError: When it is damaged or not all of Tox21, or when the data folder
            holds another table of this name.

    Example:

    ```python
    report = import_tox21("~/Downloads/tox21")
    print(*report.notes, sep="\n")
    ```
    """
    return import_assays(ASSAYS, source, data_dir, on_progress)
