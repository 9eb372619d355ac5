"""Writes the table of encoders and domains in RESULTS.md from results/matrix.json.

The file is one that `tfmeta evaluate --matrix --output FILE.json` wrote; the table
says by which options.
"""

from __future__ import annotations

from report import RESULTS, replace_table

from tfmeta.matrix.kept import read_matrix
from tfmeta.matrix.tables import markdown_lines

NAME = "matrix"


def main() -> None:
    """Reads the file, writes the table."""
    lines = markdown_lines(read_matrix(RESULTS / f"{NAME}.json"))
    replace_table(NAME, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
