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
        encoder_options: The options that name the encoder, as they were given.
    """

    source: Path
    expected: Expectation
    files: Sequence[Path] | None
    unlabelled_files: Sequence[Path] | None
    pretraining: str | None
    encoder_options: dict[str, str | int]

    @property
    def next_steps(self) -> tuple[str, ...]:
        """What to type next, so that these classes are told apart."""
        head = self.expected.choice.head
        learner, arguments = HEADS.get(head, (head, {}))
        encoder = self.expected.encoder
        python = (
            f"In Python: tfmeta.FewShotClassifier({encoder!r}, head={head!r})"
            ".fit(examples, labels)"
        )
        if self.expected.kind == "arrays":
            return (python,)
        words = ["--support", shell_word(self.source)]
        for name, value in self.encoder_options.items():
            words += [f"--{name}", shell_word(value)]
        how = " ".join([*words, "--learner", learner])
        new = f"NEW_{self.expected.kind.upper()}"
        return (
            f"tfmeta classify {how} --query {new}",
            f"tfmeta gallery enrol NEW_GALLERY {how}",
            *([python] if arguments else []),
        )

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
