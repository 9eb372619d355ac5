"""The record of Omniglot."""

from __future__ import annotations

from tfmeta.datasets.dataset import Dataset

OMNIGLOT = Dataset(
    name="omniglot",
    description="1,623 handwritten characters of 50 alphabets, 20 drawings each",
    loader="tfmeta.datasets.omniglot.load:load_omniglot",
    importer="tfmeta.datasets.omniglot.importing:import_omniglot",
    needs="images_background.zip and images_evaluation.zip; for `tfmeta evaluate "
    "--protocol lake` also all_runs.zip, which may be added later, alone",
    # Reaches the paper's figures within an hour on two cores.
    training={
        "train_ways": 60,
        "ways": 20,
        "validation_episodes": 100,
        "epochs": 20,
        "steps_per_epoch": 500,
        "augment": True,
    },
    licence="MIT, by Lake, Salakhutdinov and Tenenbaum (2015)",
)
