"""Your own data: folders, CSV files, and anything that TFDS knows by name."""

from tfmeta.datasets.own.array_folder import load_array_folder
from tfmeta.datasets.own.csv_file import load_csv
from tfmeta.datasets.own.csv_texts import load_text_csv
from tfmeta.datasets.own.npz_file import load_npz
from tfmeta.datasets.own.open_own import open_own
from tfmeta.datasets.own.own_split import load_own_split
from tfmeta.datasets.own.picture_folder import load_picture_folder
from tfmeta.datasets.own.text_files import load_text_folder
from tfmeta.datasets.own.tfds_by_name import load_tfds
from tfmeta.submodules import on_demand

__all__ = [
    "load_array_folder",
    "load_csv",
    "load_npz",
    "load_own_split",
    "load_picture_folder",
    "load_text_csv",
    "load_text_folder",
    "load_tfds",
    "open_own",
]

__getattr__ = on_demand(__name__)
