"""What `tfmeta evaluate --matrix` does."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfmeta.cli.head_options import LEARNER, named_encoder
from tfmeta.cli.matrix_options import MatrixJob
from tfmeta.cli.output import say, write_lines
from tfmeta.cli.progress import progress_bar
from tfmeta.cli.tensorflow_start import start_tensorflow
from tfmeta.console import Console
from tfmeta.datasets.registry import DATASETS
from tfmeta.durable import check_writable
from tfmeta.extras import is_installed
from tfmeta.json_files import write_json
from tfmeta.printable import one_line, shell_word
from tfmeta.registry import ENCODERS
from tfmeta.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from tfmeta.matrix.domain import Domain
    from tfmeta.matrix.row import Row

# As papers report, where nothing is asked.
_WAYS, _SHOTS = 5, (1, 5)


def measure_and_show(job: MatrixJob) -> None:
    """Measures a matrix, writes its result file, and prints its table.

    What cannot be is said before the first example is encoded.

    Raises:
        ValueError: When something that was named cannot be measured, or no cell can.
        OSError: When a file is not there, or `output` cannot be written.
    """
    if job.output is not None:
        check_writable(job.output, new=True)
    folders = [RunFolder(run) for run in dict.fromkeys(job.runs)]
    for folder in folders:
        folder.read_config()
        folder.check_has_learner()
    start_tensorflow("metric")
    from tfmeta.features import features_dir
    from tfmeta.matrix.measure import measure_matrix
    from tfmeta.matrix.plan import MatrixTasks, plan_matrix
    from tfmeta.matrix.tables import FORMATS

    missing: list[str] = []
    if job.datasets:
        domains = _domains(job, folders, job.datasets)
        rows = _rows(job, folders, {domain.kind for domain in domains})
    else:
        rows = _rows(job, folders, {"pictures"})
        here, missing = _usual_datasets(job, rows, folders)
        domains = _domains(job, folders, here, missing=missing)
    tasks = MatrixTasks(
        ways=job.ways[0] if job.ways else _WAYS,
        shots=tuple(dict.fromkeys(job.shots)) or _SHOTS,
        queries=job.queries,
        num_episodes=job.num_episodes,
        seed=job.seed,
    )
    plan = plan_matrix(rows, domains, tasks)
    with progress_bar(Console(stderr=True), "Measuring") as report:
        content = measure_matrix(
            plan,
            command=_command(),
            size=job.size,
            most_classes=job.most_classes,
            images_per_class=job.images_per_class,
            not_here=tuple(missing),
            cache_dir=features_dir(job.data_dir),
            on_progress=report,
        )
    try:
        if job.output is not None:
            write_json(job.output, content)
    finally:
        # Not lost with a disk that is full.
        lines = FORMATS[job.form](content)
        if job.form == "text":
            Console().say(*lines)
        else:
            write_lines(lines, for_programs=True)
    if job.output is not None:
        say(f"written to {job.output}", err=True)


def _rows(
    job: MatrixJob, folders: Sequence[RunFolder], kinds: Collection[str]
) -> list[Row]:
    """The encoders that are named, and the runs; without either, all installed ones."""
    from tfmeta.matrix.row import encoder_row, run_row

    named = list(dict.fromkeys(job.encoder))
    if not named and not folders:
        named = _installed(kinds)
    names = short_names([*named, *(str(folder.path) for folder in folders)])
    rows = []
    for name, encoder in zip(names, named, strict=False):
        # The model in a file was made for one size, or says itself that it takes any.
        is_file = encoder not in ENCODERS and Path(encoder).exists()
        made = named_encoder(encoder, None if is_file else job.size)
        rows.append(encoder_row(name, made, job.learner or LEARNER))
    for name, folder in zip(names[len(named) :], folders, strict=True):
        rows.append(run_row(name, folder, data_dir=job.data_dir))
    return rows


def _installed(kinds: Collection[str]) -> list[str]:
    """Encoders that others have trained and pip has brought, of some examples."""
    entries = {
        name: entry
        for name, entry in ENCODERS.items()
        if entry.pretrained and set(entry.examples) & set(kinds)
    }
    found = [n for n, e in entries.items() if e.package and is_installed(e.package)]
    if not found:
        extras = {"pictures": "photos", "text": "texts"}
        extra = next((extras[e.examples[0]] for e in entries.values()), "photos")
        raise ValueError(
            "`encoder` must be named, or a RUN, where none of "
            f"{', '.join(entries) or 'them'} is installed or takes such examples. "
            f'Received: neither; pip install "tfmeta[{extra}]" brings some'
        )
    return found


def _usual_datasets(
    job: MatrixJob, rows: Sequence[Row], folders: Sequence[RunFolder]
) -> tuple[list[str], list[str]]:
    """Data sets that some row takes: those that are here, and those that are not.

    The list's whose tasks are of any classes, and the runs' own. None is downloaded.
    """
    texts = [row.encoder.inputs[0].dtype == "string" for row in rows]
    kinds = {"text" if is_text else "pictures" for is_text in texts}
    usual = {
        name: record.is_imported(job.data_dir)
        for name, record in DATASETS.items()
        if record.examples in kinds and not record.training.get("same_group")
    }
    own = [folder.read_config().dataset for folder in folders]
    here = [name for name, is_here in usual.items() if is_here]
    here += [name for name in dict.fromkeys(own) if name not in DATASETS]
    return here, [name for name, is_here in usual.items() if not is_here]


def _domains(
    job: MatrixJob,
    folders: Sequence[RunFolder],
    datasets: Sequence[str],
    *,
    missing: list[str] | None = None,
) -> list[Domain]:
    """Opens data sets; those that are not here go to `missing`, where it is given."""
    from tfmeta.matrix.domain import open_domain

    given = list(dict.fromkeys(datasets))
    seen = {origin for folder in folders for origin in folder.seen_classes()}
    domains = []
    for dataset, name in zip(given, short_names(given), strict=True):
        try:
            domain = open_domain(
                dataset,
                name,
                seen=seen,
                most_classes=job.most_classes,
                images_per_class=job.images_per_class,
                seed=job.seed,
                data_dir=job.data_dir,
            )
        except FileNotFoundError:
            if missing is None:
                raise
            missing.append(dataset)
        else:
            domains.append(domain)
    return domains


def short_names(given: Sequence[str]) -> list[str]:
    """What rows or columns are called: of paths the last part, where one alone has it.

    Args:
        given: Names and paths, each another one.

    Returns:
        As many names, no two alike; of one line each.
    """

    def last(name: str) -> str:
        known = name in DATASETS or name in ENCODERS or not Path(name).exists()
        return name if known else Path(name).resolve().name

    found = list(map(last, given))
    for longer in (list(given), [str(Path(name).resolve()) for name in given]):
        found = [
            short if found.count(short) == 1 else other
            for short, other in zip(found, longer, strict=True)
        ]
    return list(map(one_line, found))


def _command() -> str:
    """What was typed; of an absolute path the name alone."""
    words = [
        f".../{Path(word).name}" if Path(word).is_absolute() else shell_word(word)
        for word in sys.argv[1:]
    ]
    return " ".join(["tfmeta", *words])
