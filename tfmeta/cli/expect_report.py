"""What `tfmeta expect` has found, and of what."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from tfmeta.estimation import HEADS, Expectation
from tfmeta.printable import shell_word


@dataclasses.dataclass(frozen=True, eq=False)
class ExpectReport:
    """What is expected, and of which files.

    Attributes:
        source: Where the examples are from.
        expected: The expectation.
        files: The picture of each example; `None` where they are no pictures.
        unlabelled_files: Likewise of the unlabelled.
        pretraining: What the encoder saw before.
        options: Those that other commands take likewise, as they were given, by their
            names in Python.
    """

    source: Path
    expected: Expectation
    files: Sequence[Path] | None
    unlabelled_files: Sequence[Path] | None
    pretraining: str | None
    options: dict[str, str | int]

    @property
    def next_steps(self) -> tuple[str, ...]:
        """What to type next, so that these classes are told apart."""
        head = self.expected.choice.head
        learner, arguments = HEADS.get(head, (head, {}))
        encoder = self.expected.encoder
        # Arrays are taken as they are there, and brought to unit length here.
        more = ', head_arguments={"transform": "l2"}' if encoder is None else ""
        if "size" in self.options:
            more += f", size={self.options['size']}"
        python = (
            f"In Python: tfmeta.FewShotClassifier({encoder!r}, head={head!r}{more})"
            ".fit(examples, labels)"
        )
        words = ["--support", shell_word(self.source)]
        for name, value in self.options.items():
            words += [f"--{name.replace('_', '-')}", shell_word(value)]
        how = " ".join([*words, "--learner", learner])
        kind = self.expected.kind
        steps = [f"tfmeta classify {how} --query NEW_{kind.upper()}"]
        if kind != "arrays":
            steps.append(f"tfmeta gallery enrol NEW_GALLERY {how}")
        # --learner is this head but for its arguments.
        if arguments:
            steps.append(python)
        return tuple(steps)

    def write_page(self, path: Path) -> None:
        """Writes the page."""
        from tfmeta.pages.expectation_page import write_expectation_page

        write_expectation_page(
            self.expected,
            path,
            files=self.files,
            unlabelled_files=self.unlabelled_files,
            source=str(self.source),
            pretraining=self.pretraining,
            next_steps=self.next_steps,
        )
