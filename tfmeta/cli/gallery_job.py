"""The work of `tfmeta gallery enrol`."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfmeta.argument_names import reworded_errors
from tfmeta.classifying.labelled_examples import (
    LabelledExamples,
    examples_of_class,
    labelled_examples,
)
from tfmeta.cli.classify_job import warn
from tfmeta.cli.gallery_facts import GalleryFacts
from tfmeta.cli.gallery_learner import ChosenLearner, class_of
from tfmeta.cli.gallery_words import count, other_ground, some
from tfmeta.cli.output import say
from tfmeta.cli.progress import progress_bar
from tfmeta.cli.tensorflow_start import start_tensorflow
from tfmeta.console import Console
from tfmeta.gallery.store import GalleryStore
from tfmeta.gallery.tables import DATABASE, is_gallery
from tfmeta.printable import shell_word

if TYPE_CHECKING:
    from tfmeta.gallery import Gallery

RECALL = 0.95
THRESHOLDS = ("cross-validation", "validation", "none")


@dataclasses.dataclass(frozen=True)
class EnrolJob:
    """What `tfmeta gallery enrol` is asked.

    Attributes:
        gallery: The folder, of a gallery or where nothing is.
        support: `--support`.
        class_name: `--class`.
        files: FILE, of `--class`.
        chosen: The learner.
        threshold: `--threshold`, one of `THRESHOLDS`; `None` where it is not given.
        recall: `--recall`.
        invert: `--invert`; `None` where it is not given.
        no_originals: `--no-originals`.
        skip_bad: `--skip-bad`.
        columns: What the columns of a CSV file are called, by argument.
    """

    gallery: Path
    support: Path | None
    class_name: str | None
    files: tuple[Path, ...]
    chosen: ChosenLearner
    threshold: str | None
    recall: float | None
    invert: str | None
    no_originals: bool
    skip_bad: bool
    columns: Mapping[str, str]

    def enrol(self) -> LabelledExamples:
        """Enrols, in one change, and gives what was new.

        Raises:
            ValueError: When an option, a file or the gallery is not what it must be;
                nothing is enrolled.
            OSError: When it cannot be written; likewise.
        """
        facts = self._facts()
        if facts is None:
            self._check_first()
        else:
            self._check_agrees(facts)
        self.chosen.check()
        given = self._given(facts)
        start_tensorflow("metric")
        with contextlib.ExitStack() as stack:
            if facts is None:
                gallery = stack.enter_context(self._made(given))
            else:
                gallery = stack.enter_context(self._opened(facts, given))
            new = self._new(gallery, given)
            if new.labels:
                new = self._enrolled(gallery, new)
        return new

    def _facts(self) -> GalleryFacts | None:
        if not is_gallery(self.gallery):
            return None
        with contextlib.closing(GalleryStore(self.gallery / DATABASE)) as store:
            return GalleryFacts.of(store)

    def _given(self, facts: GalleryFacts | None) -> LabelledExamples:
        """The examples, of what is at least a picture by its head."""
        if self.support is not None:
            given = labelled_examples(
                self.support, skip_bad=self.skip_bad, **self.columns
            )
        else:
            assert self.class_name is not None
            given = examples_of_class(self.class_name, self.files)
        warn(given.notes)
        if given.kind == "arrays":
            raise ValueError(
                "a gallery must be of pictures or texts, which come from files; "
                "tfmeta.Gallery enrols arrays in Python. Received: "
                f"{self.support}, which holds arrays"
            )
        if facts is not None and given.kind != facts.kind:
            raise ValueError(
                f"{self.gallery} holds {facts.kind}, and others cannot be mixed in. "
                f"Received: {given.kind}"
            )
        if given.kind == "pictures":
            from tfmeta.classifying.unreadable import find_no_pictures
            from tfmeta.datasets.reading.unreadable import left_out

            bad = find_no_pictures(given.examples, skip_bad=self.skip_bad)  # type: ignore[arg-type]
            if bad:
                warn([left_out(bad, len(given.examples))])
                given = given.without(bad)
        return given

    def _check_first(self) -> None:
        """Checks the options of a gallery that is to be made."""
        if self.threshold == "validation" and self.chosen.run is None:
            raise click.UsageError(
                "--threshold validation needs --run, whose open_set.json has one. "
                "Received: none"
            )
        if self.invert == "yes" and self.chosen.run is None:
            raise click.UsageError(
                "--invert yes needs --run, of grey pictures. Received: none"
            )

    def _check_agrees(self, facts: GalleryFacts) -> None:
        """Checks the options that a gallery which is there has decided."""
        by = "none" if facts.threshold is None else facts.threshold["by"]
        held: list[tuple[str, Any, Any]] = [("threshold", self.threshold, by)]
        if self.recall is not None:
            of_gallery = (facts.threshold or {}).get("recall", f"no recall, but {by}")
            held.append(("recall", self.recall, of_gallery))
        if self.invert in ("yes", "no"):
            held.append(("invert", self.invert, "yes" if facts.invert else "no"))
        if self.chosen.learner is not None and class_of(self.chosen.learner) != (
            facts.learner
        ):
            held.append(("learner", self.chosen.learner, facts.learner))
        for name, given, there in held:
            if given is not None and given != there:
                raise click.UsageError(
                    f"--{name} must be left out, or be as at the first enrolment in "
                    f"{self.gallery}, {there}. Received: --{name} {given}"
                )
        if self.no_originals and facts.keep_originals:
            raise click.UsageError(
                f"--no-originals must be left out: {self.gallery} keeps originals "
                "since its first enrolment. Received: --no-originals"
            )

    @contextlib.contextmanager
    def _made(self, given: LabelledExamples) -> Iterator[Gallery]:
        """A gallery beside its place, which it takes when all is enrolled."""
        from tfmeta.durable import naming, put_in_place
        from tfmeta.gallery import Gallery

        sizes = given.class_sizes
        ways, shots = len(sizes), min(sizes.values())
        by = {"validation": "open-set", "none": None}
        made = self.chosen.make(
            given.kind,
            by.get(self.threshold or "", THRESHOLDS[0]),
            ways=ways,
            shots=shots,
        )
        invert = self._inverts(given, made["light_ground"])
        path = self.gallery.absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        # Short: the name of the gallery may be as long as names can be.
        building = path.parent / f".{uuid.uuid4().hex}.tmp"
        try:
            # Errors are of the gallery, not of where it is made.
            above, name = re.escape(str(path.parent)), re.escape(building.name)
            hidden = re.compile(rf"{above}.\.?{name}(\.[0-9a-f]{{32}}\.tmp)?")
            with reworded_errors(lambda m: hidden.sub(lambda _: str(path), m)):
                gallery = Gallery.create(
                    building,
                    **made,
                    recall=RECALL if self.recall is None else self.recall,
                    invert=invert,
                    keep_originals=not self.no_originals,
                )
                with contextlib.closing(gallery):
                    yield gallery
            with naming(self.gallery):
                put_in_place(building, path)
        finally:
            shutil.rmtree(building, ignore_errors=True)

    def _inverts(self, given: LabelledExamples, light_ground: bool | None) -> bool:
        if self.invert in ("yes", "no") or light_ground is None:
            return self.invert == "yes"
        from tfmeta.classifying.ground_of_files import ground_of_files
        from tfmeta.classifying.inversion import decide_inversion

        files: Any = given.examples
        done = decide_inversion(
            light_ground,
            ground_of_files(files),
            {},
            support_name="FILE" if self.support is None else "--support",
        )
        warn([done.warning] if done.warning else [])
        return done.inverted

    @contextlib.contextmanager
    def _opened(
        self, facts: GalleryFacts, given: LabelledExamples
    ) -> Iterator[Gallery]:
        from tfmeta.gallery import Gallery

        if {"run", "encoder", "size"} & set(self.chosen.given()):
            self._check_learner(facts, given.kind)
        warn(other_ground(facts, given.examples, self.gallery))  # type: ignore[arg-type]
        with contextlib.closing(Gallery(self.gallery)) as gallery:
            yield gallery

    def _check_learner(self, facts: GalleryFacts, kind: str) -> None:
        from tfmeta.features import encoder_digest

        learner, option = self.chosen.make(kind)["learner"], self.chosen.option
        digest, name = encoder_digest(learner.encoder), type(learner).__name__
        if digest == facts.encoder and (option == "--encoder" or name == facts.learner):
            return
        value: Any = self.chosen.run or self.chosen.encoder
        if value is None:
            option, value = "--size", self.chosen.size
        raise ValueError(
            f"{option} must be left out, or give the {facts.learner} and the encoder "
            f"{facts.encoder} of {self.gallery}, with which others cannot be mixed. "
            f"Received: {option} {value}, a {name} with the encoder {digest}; `tfmeta "
            f"gallery re-embed {shell_word(self.gallery)} {option} "
            f"{shell_word(value)}` takes it over for all that is enrolled"
        )

    def _new(self, gallery: Gallery, given: LabelledExamples) -> LabelledExamples:
        """What is not enrolled yet: again, it would weigh twice and be no test."""
        from tfmeta.gallery.examples import original_of

        with contextlib.closing(GalleryStore(gallery.path / DATABASE)) as store:
            seen = {name: store.digests_of(name) for name in given.class_sizes}
        classes: dict[bytes, set[str]] = {}
        rows = []
        for row, (one, label) in enumerate(
            zip(given.examples, given.labels, strict=True)
        ):
            digest = original_of(one).digest
            classes.setdefault(digest, set()).add(label)
            if digest not in seen[label]:
                seen[label].add(digest)
                rows.append(row)
        again = len(given.examples) - len(rows)
        what = given.kind[:-1]
        if again and rows:
            verb = "is" if again == 1 else "are"
            warn(
                [
                    f"{count(again, what)} of {len(given.examples):,} {verb} passed "
                    "over: the same are enrolled in their class"
                ]
            )
        twice = [sorted(names) for names in classes.values() if len(names) > 1]
        if twice:
            verb = "is" if len(twice) == 1 else "are"
            warn(
                [
                    f"{count(len(twice), what)} {verb} enrolled in several classes, "
                    f"the first in {some(twice[0])}"
                ]
            )
        return given.at(rows)

    def _enrolled(self, gallery: Gallery, new: LabelledExamples) -> LabelledExamples:
        from tfmeta.datasets.reading.pictures import ACCEPTED_PICTURE, UnreadablePicture
        from tfmeta.datasets.reading.unreadable import (
            find_unreadable,
            left_out,
            refuse_unreadable,
        )
        from tfmeta.gallery.examples import ExampleEncoder

        def enrol(new: LabelledExamples) -> None:
            with progress_bar(Console(stderr=True), "Embedding") as report:
                gallery.enrol(new.by_class, on_progress=report)

        try:
            enrol(new)
            return new
        except (UnreadablePicture, OSError):
            files: Any = new.examples
            read = ExampleEncoder(gallery.learner).read
            bad = find_unreadable(files, read) if new.kind == "pictures" else {}
            if not bad:
                raise
        if not self.skip_bad:
            refuse_unreadable(bad, len(files), ACCEPTED_PICTURE)
        warn([left_out(bad, len(files))])
        new = new.without(bad)
        enrol(new)
        return new


def say_enrolled(gallery: Path, new: LabelledExamples) -> None:
    """Says what was enrolled, what the gallery holds now, and what to type next."""
    with contextlib.closing(GalleryStore(gallery / DATABASE)) as store:
        sizes, facts = store.class_sizes(), GalleryFacts.of(store)
    word = shell_word(gallery)
    if not new.labels:
        say(f"Nothing to enrol: all of it is enrolled in {gallery}")
        return
    of_all = Counter(new.labels)
    named = ", ".join(f"{name!r} ({size})" for name, size in list(of_all.items())[:10])
    more = f" and {len(of_all) - 10:,} more" if len(of_all) > 10 else ""
    say(
        f"Enrolled {count(len(new.labels), new.kind[:-1])} of "
        f"{count(len(of_all), 'class')} in {gallery}: {named}{more}",
        f"It holds {count(len(sizes), 'class')} with "
        f"{count(sum(sizes.values()), 'example')}",
    )
    none = 'answers "none of these" to what is of no class'
    query = "NEW_TEXTS" if new.kind == "texts" else "NEW_PICTURES"
    if not facts.has_threshold(sizes) and facts.threshold is not None:
        say(f"Enrol two examples of each class, and two classes: then it {none}")
    say(
        f"Next: tfmeta classify {word} --query {query}",
        f"Take it back: tfmeta gallery undo {word}",
    )
