"""Writes a table slowly, so that it can be killed meanwhile.

Arguments: folder, kind, pause in seconds after each example.
"""

import sys
import time

import numpy as np
from stored_tables import encode

from tfmeta.datasets.storage import building
from tfmeta.datasets.storage.table_folder import TableLayout, write_table

EXAMPLES = 60


def main(folder: str, kind: str, pause: float) -> None:
    building._MARK_EXAMPLES = 4
    shape = () if kind == "text" else (6, 6, 3)
    layout = TableLayout("toy", ("a", "b"), (20, 40), shape, kind)

    def load(row: int) -> object:
        print(row, flush=True)
        time.sleep(pause)
        picture = np.random.default_rng(row).integers(0, 256, (6, 6, 3), np.uint8)
        if kind == "text":
            return "wörter " * (row % 7)
        return picture if kind == "uint8" else encode(picture)

    order = np.random.default_rng(0).permutation(EXAMPLES)
    write_table(folder, layout, ((row, lambda row=row: load(row)) for row in order))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
