"""Drawing episodes from a table that is larger than memory.

The same pictures of 84 x 84 x 3 lie on disk as an array, as JPEGs one behind the
other, and as JPEGs in ArrayRecord. Everyone draws 5-way 1-shot tasks with 15
queries, 16 a batch, as uint8. Before the clock starts, the pictures of a batch
must agree. Beside the rate it shows the memory that a process has for itself
(RssAnon) and with the pages of files that it has touched (VmRSS).
"""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from interleaved import (
    Contestant,
    Measure,
    Turn,
    compete,
    in_own_process,
    start_tensorflow,
    summarize,
    timed,
)
from report import goal, line_of, parse_arguments, show_goals, show_group, write_result

NAME = "beyond_memory"
SHAPE = (84, 84, 3)
PER_CLASS = 500
WAYS, SHOTS, QUERIES, TASKS = 5, 1, 15, 16
GOAL_RATIO, GOAL_ANONYMOUS = 0.7, 2048.0

MEMORY = "in memory"
MAP = "memory map, warm"
MAP_COLD = "memory map, cold"
JPEG = "encoded JPEGs"
ARRAY_RECORD = "JPEGs in ArrayRecord"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that only this benchmark has."""
    parser.add_argument(
        "--pictures", type=int, default=400_000, help="pictures in the table"
    )
    parser.add_argument(
        "--in-memory-pictures",
        type=int,
        default=100_000,
        help="how many of them are tried in memory, which holds them twice",
    )
    parser.add_argument(
        "--folder", default=tempfile.gettempdir(), help="where the tables are put"
    )
    parser.add_argument(
        "--keep", action="store_true", help="leave the tables there for the next time"
    )


def layout_of(pictures: int, dtype: str) -> Any:
    """A table of `pictures`, 500 in each class."""
    from tfmeta.datasets.storage.table_folder import TableLayout

    classes = pictures // PER_CLASS
    return TableLayout(
        name="random",
        class_names=tuple(f"class {c}" for c in range(classes)),
        class_sizes=(PER_CLASS,) * classes,
        example_shape=SHAPE,
        dtype=dtype,
        source_digest="smooth random colours, 1",
    )


def make_jpeg(row: int) -> bytes:
    """A JPEG about as large as one of miniImageNet, 3 kB."""
    import io

    from PIL import Image

    colours = np.random.default_rng(row).integers(0, 256, (14, 14, 3), np.uint8)
    picture = Image.fromarray(colours).resize(SHAPE[:2], Image.Resampling.BICUBIC)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=75)
    return file.getvalue()


def make_tables(folder: Path, pictures: int) -> None:
    """Writes what is not there yet; goes on where it was killed."""
    from rich.progress import Progress

    from tfmeta.datasets.storage.array_record import write_array_record
    from tfmeta.datasets.storage.table_folder import open_table, write_table

    with Progress() as bars:

        def reporter(title: str) -> Callable[[int, int], None]:
            bar = bars.add_task(title)
            return lambda done, of_all: bars.update(bar, completed=done, total=of_all)

        if not (folder / "jpeg").exists():
            write_table(
                folder / "jpeg",
                layout_of(pictures, "encoded pictures"),
                ((row, lambda row=row: make_jpeg(row)) for row in range(pictures)),
                on_progress=reporter("JPEGs"),
            )
        table = open_table(folder / "jpeg", memory_map=True)
        if not (folder / "array").exists():
            write_table(
                folder / "array",
                layout_of(pictures, "uint8"),
                ((row, lambda row=row: table.examples[row]) for row in range(pictures)),
                on_progress=reporter("array"),
            )
        if not (folder / "array_record").exists():
            try:
                write_array_record(
                    table, folder / "array_record", on_progress=reporter("ArrayRecord")
                )
            except ImportError as error:
                print(error)


def first_digest(batch: Any) -> str:
    """A hash of the pictures of a batch."""
    pictures = (np.asarray(batch[0][part]).tobytes() for part in ("support", "query"))
    return hashlib.blake2b(b"".join(pictures), digest_size=8).hexdigest()


def resident() -> dict[str, float]:
    """MiB of memory of this process: for itself, and all of it."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    sizes = dict(line.split(":", 1) for line in lines)
    return {k: int(sizes[k].split()[0]) / 1024 for k in ("RssAnon", "VmRSS")}


def noted(measure: Measure, log: str) -> Measure:
    """The same measure, which also adds its memory to a file after each turn."""

    def measure_and_note(seconds: float) -> Turn:
        turn = measure(seconds)
        with open(log, "a", encoding="utf-8") as file:
            file.write(json.dumps(resident(), allow_nan=False) + "\n")
        return turn

    return measure_and_note


def make_episodes(table: Any) -> Any:
    """The episodes that everyone draws."""
    from tfmeta.episodes import Episodes

    return Episodes(table, ways=WAYS, shots=SHOTS, queries=QUERIES, tasks=TASKS)


def drawing(
    *, threads: int, folder: str, kind: str, some: int, log: str
) -> tuple[Measure, dict[str, Any]]:
    """`Episodes.as_dataset`, iterated from Python."""
    tf = start_tensorflow(threads)
    from tfmeta.datasets.storage.table_folder import open_table

    name = "jpeg" if kind == JPEG else "array"
    table = open_table(Path(folder) / name, memory_map=True)
    part = table.take_classes(range(some // PER_CLASS))
    digests = {"of a part": first_digest(make_episodes(part).batch(0))}
    if kind == MEMORY:
        # A copy of its own, and not of the others' pages.
        import dataclasses

        table = dataclasses.replace(part, examples=np.asarray(part.examples))
        digests = {"of a part": first_digest(make_episodes(table).batch(0))}
    else:
        digests["of all"] = first_digest(make_episodes(table).batch(0))
        touch(table)
    batches = iter(make_episodes(table).as_dataset())
    next(batches)
    facts = {
        "versions": {"tensorflow": tf.__version__, "numpy": np.__version__},
        "digests": digests,
        "pictures": table.num_examples,
    }
    return noted(timed(lambda: next(batches), TASKS), log), facts


def touch(table: Any) -> None:
    """Reads all of a table once, so that its pages are in memory."""
    stored = getattr(table.examples, "blob", table.examples)
    for start in range(0, len(stored), max(1, len(stored) // 1000)):
        stored[start : start + max(1, len(stored) // 1000)].max()


def array_record_drawing(
    *, threads: int, folder: str, log: str
) -> tuple[Measure, dict[str, Any]]:
    """A data source of TensorFlow Datasets, asked for the rows of each batch."""
    tf = start_tensorflow(threads)
    import importlib.metadata

    import tensorflow_datasets as tfds

    from tfmeta.datasets.storage.table_folder import open_table

    path = Path(folder) / "array_record"
    if not path.exists():
        raise ImportError("array_record is not installed")
    source = tfds.builder_from_directory(path).as_data_source("train")
    episodes = make_episodes(open_table(Path(folder) / "jpeg", memory_map=True))
    indices = tf.function(episodes.indices)
    pool = concurrent.futures.ThreadPoolExecutor(threads)
    step = 0

    def read(rows: np.ndarray) -> np.ndarray:
        return np.stack([e["image"] for e in source.__getitems__(rows.tolist())])

    def draw() -> tuple[dict[str, np.ndarray], np.ndarray]:
        nonlocal step
        drawn = indices(tf.constant(step, tf.int64))
        step += 1
        inputs = {}
        for part in ("support", "query"):
            rows = getattr(drawn, part).numpy().reshape(TASKS, -1)
            parts = np.array_split(rows.ravel(), threads)
            pictures = np.concatenate(list(pool.map(read, parts)))
            inputs[part] = pictures.reshape(*rows.shape, *SHAPE)
        return inputs, np.tile(np.repeat(np.arange(WAYS), QUERIES), (TASKS, 1))

    facts = {
        "versions": {
            "tensorflow-datasets": tfds.__version__,
            "array_record": importlib.metadata.version("array_record"),
        },
        "digests": {"of all": first_digest(draw())},
        "pictures": len(source),
    }
    return noted(timed(draw, TASKS), log), facts


def check_same(facts: dict[str, dict[str, Any]]) -> None:
    """All must draw the same pictures."""
    for which in ("of all", "of a part"):
        digests = {f["digests"][which] for f in facts.values() if which in f["digests"]}
        if len(digests) != 1:
            raise RuntimeError(f"batches {which} must be the same. Received: {facts}")


def cold_rate(*, threads: int, folder: str, seconds: float) -> float:
    """Episodes per second in the first seconds after all pages were dropped."""
    start_tensorflow(threads)
    from tfmeta.datasets.storage.table_folder import open_table

    path = Path(folder) / "array"
    table = open_table(path, memory_map=True)
    batches = iter(make_episodes(table).as_dataset(steps=1))
    next(batches)  # Everything but the pages is ready.
    del batches
    import mmap

    pages: Any = table.examples
    pages._mmap.madvise(mmap.MADV_DONTNEED)
    with open(path / "examples.npy", "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    batches = iter(make_episodes(table).as_dataset(start=1))
    begin = time.perf_counter()
    steps = 0
    while time.perf_counter() - begin < seconds:
        next(batches)
        steps += 1
    return steps * TASKS / (time.perf_counter() - begin)


def memory_group(name: str, values: dict[str, list[float]]) -> dict[str, Any]:
    """A table of memory."""
    return summarize(f"{name} at the end of a turn", "MiB", values, reference=MEMORY)


def main() -> None:
    """Makes the tables, measures, writes the result and clears away."""
    arguments = parse_arguments(
        __doc__ or "", name=NAME, rounds=9, seconds=3.0, add=add_options
    )
    pictures = arguments.pictures // PER_CLASS * PER_CLASS
    some = min(arguments.in_memory_pictures, pictures) // PER_CLASS * PER_CLASS
    # One of its own, since it goes in the end.
    folder = Path(arguments.folder) / f"tfmeta_beyond_memory_{pictures}"
    folder.mkdir(parents=True, exist_ok=True)
    needed = pictures * (int(np.prod(SHAPE)) + 2 * 4096)
    free = shutil.disk_usage(folder).free
    if free < needed and not (folder / "array_record").exists():
        sys.exit(
            f"{folder} needs {needed / 2**30:.1f} GiB. Received: a disk with "
            f"{free / 2**30:.1f} GiB free; choose another with --folder"
        )
    try:
        make_tables(folder, pictures)
        measure(arguments, folder, some)
    finally:
        if not arguments.keep:
            shutil.rmtree(folder)


def measure(arguments: argparse.Namespace, folder: Path, some: int) -> None:
    """Measures rates and memory, and writes the result."""
    logs = {kind: folder / f"memory {n}" for n, kind in enumerate((MEMORY, MAP, JPEG))}
    logs[ARRAY_RECORD] = folder / "memory of ArrayRecord"
    for log in logs.values():
        log.unlink(missing_ok=True)
    cold = [
        in_own_process(
            cold_rate,
            threads=arguments.threads,
            folder=str(folder),
            seconds=arguments.seconds,
        )
        for _ in range(max(3, arguments.rounds // 3))
    ]
    rates = compete(
        f"{WAYS}-way {SHOTS}-shot, {QUERIES} queries, tasks a batch: {TASKS}",
        "episodes/s",
        [
            *(
                Contestant(
                    kind,
                    drawing,
                    {
                        "folder": str(folder),
                        "kind": kind,
                        "some": some,
                        "log": str(logs[kind]),
                    },
                )
                for kind in (MEMORY, MAP, JPEG)
            ),
            Contestant(
                ARRAY_RECORD,
                array_record_drawing,
                {"folder": str(folder), "log": str(logs[ARRAY_RECORD])},
            ),
        ],
        reference=MEMORY,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        threads=arguments.threads,
        check=check_same,
    )
    show_group(rates)
    # The first turn of each is not counted.
    noted_sizes = {
        kind: [json.loads(line) for line in log.read_text().splitlines()[1:]]
        for kind, log in logs.items()
        if log.exists()
    }
    groups = [
        rates,
        summarize(
            f"the first {arguments.seconds:g} s after the pages were dropped",
            "episodes/s",
            {MAP_COLD: cold},
            reference=MEMORY,
        ),
    ]
    for name in ("RssAnon", "VmRSS"):
        sizes = {k: [s[name] for s in some] for k, some in noted_sizes.items()}
        groups.append(memory_group(name, sizes))
    for group in groups[1:]:
        show_group(group)
    ours = line_of(rates, MAP) or {}
    anonymous = line_of(groups[2], MAP) or {}
    goals = [
        goal(f"{MAP} over {MEMORY}", ours.get("ratio"), at_least=GOAL_RATIO),
        goal(
            f"RssAnon with the {MAP}, MiB", anonymous.get("value"), below=GOAL_ANONYMOUS
        ),
    ]
    show_goals(goals)
    write_result(NAME, arguments, groups, goals)


if __name__ == "__main__":
    main()
