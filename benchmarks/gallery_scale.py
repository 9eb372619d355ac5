"""Galleries of very many classes: latency, enrolling, opening, the index, its recall.

First, 100,000 classes of one embedding each, and 1 or 32 queries: the p50 of
`Enrolled.nearest`, which is what `Gallery.search` does once queries are embedded,
beside that of one product of matrices of the same size, by NumPy or TensorFlow,
whichever is faster; contestants take turns. Then a gallery from end to end, in a
process of its own: seconds to enrol, to open and to answer first, bytes on disk,
memory, p50 and p99 of `Gallery.search` without and with the index, from one enrolment
to the next answer, and the recall of the index. Vectors are random, in clusters of some
twenty classes, which an index finds easily; its recall is measured on uniform ones,
too, where it finds least, and on sentences of CLINC150 by the token vectors of
WordLlama, each a class of its own, where the data folder holds them; those of the test
split are queries. Results go to results/gallery_scale.json.

    python benchmarks/gallery_scale.py --update-tables
    python benchmarks/gallery_scale.py --parts larger --update-tables  # up to a million
    python benchmarks/gallery_scale.py --parts million_index --update-tables

The last takes half an hour. What is not among `--parts` is kept as it was measured.
"""

from __future__ import annotations

import argparse
import datetime
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from interleaved import (
    Contestant,
    Measure,
    Turn,
    compete,
    in_own_process,
    spread,
    start_tensorflow,
)
from report import (
    command_line,
    describe_machine,
    goal,
    line_of,
    parse_arguments,
    replace_table,
    show_goals,
    show_group,
    write_result,
)

from tfmeta.json_files import read_json

NAME = "gallery_scale"
CLASSES, TOP = 100_000, 5
FEATURES, QUERIES = (64, 256, 1280), (1, 32)
BARE = "one product of matrices"
LEARNERS: dict[str, tuple[str, dict[str, Any]]] = {
    "SimpleShot": ("SimpleShot", {}),
    "SimpleShot, cosine": ("SimpleShot", {"distance": "cosine"}),
    "PrototypicalNetwork": ("PrototypicalNetwork", {}),
}
# Classes, features, and whether an index is built, by part.
GALLERIES = {
    "galleries": ((CLASSES, 256, True),),
    "larger": ((CLASSES, 1280, False), (1_000_000, 256, False)),
    "million_index": ((1_000_000, 256, True),),
}
PARTS = ("products", "galleries", "recall", "larger", "million_index")
ASKED = 500


def make_vectors(classes: int, features: int, *, clusters: bool = True) -> Any:
    """Float32 `(classes, features)`, in clusters of some twenty or anywhere."""
    import numpy as np

    rng = np.random.default_rng(0)
    if not clusters:
        return rng.standard_normal((classes, features), np.float32)
    centres = rng.standard_normal((classes // 20, features), np.float32)
    found = centres[rng.integers(0, len(centres), classes)]
    for start in range(0, classes, 2**16):
        some = found[start : start + 2**16]
        some += 0.7 * rng.standard_normal(some.shape, np.float32)
    return found


def make_queries(vectors: Any, count: int) -> Any:
    """Float32 `(count, features)`, each beside the vector of a class."""
    import numpy as np

    rng = np.random.default_rng(1)
    some = vectors[rng.integers(0, len(vectors), count)]
    return some + 0.5 * rng.standard_normal(some.shape, np.float32)


def make_learner(name: str, features: int) -> Any:
    """A learner whose encoder passes embeddings on."""
    import keras

    from tfmeta import learners

    kind, options = LEARNERS[name]
    encoder = keras.Sequential([keras.Input((features,)), keras.layers.Identity()])
    return getattr(learners, kind)(encoder, **options)


def make_enrolled(learner: Any, vectors: Any) -> Any:
    """One class of each vector, in memory alone."""
    import numpy as np

    from tfmeta.gallery.enrolled import Enrolled
    from tfmeta.gallery.records import StoredClass

    enrolled = Enrolled(learner)
    one = np.zeros(1, np.int64)
    enrolled.update(
        StoredClass(number, str(number), vectors[number - 1 : number], one)
        for number in range(1, len(vectors) + 1)
    )
    return enrolled


def by_median(step: Callable[[], Any]) -> Measure:
    """The measure whose rate is that of the median step."""

    def measure(seconds: float) -> Turn:
        step()
        times = _times(step, seconds=seconds)
        median = statistics.median(times)
        return Turn(1, median, 1000 * median)

    return measure


def _times(step: Callable[[], Any], *, seconds: float, least: int = 3) -> list[float]:
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < least or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return times


def prepare_bare(
    *, threads: int, features: int, queries: int
) -> tuple[Measure, dict[str, Any]]:
    """The product of queries and all vectors, by the faster of two libraries."""
    os.environ["OPENBLAS_NUM_THREADS"] = str(threads)
    tf = start_tensorflow(threads)
    import numpy as np

    vectors = make_vectors(CLASSES, features)
    asked = make_queries(vectors, queries)
    out = np.empty((queries, CLASSES), np.float32)
    held = tf.constant(vectors)

    @tf.function
    def product(some: Any, table: Any) -> Any:
        return tf.matmul(some, table, transpose_b=True)

    ways = {
        "NumPy": lambda: np.matmul(asked, vectors.T, out=out),
        "TensorFlow": lambda: product(tf.constant(asked), held),
    }
    medians = {}
    for name, step in ways.items():
        step()
        medians[name] = statistics.median(_times(step, seconds=1.0))
    fastest = min(medians, key=medians.__getitem__)
    versions = {"tensorflow": tf.__version__, "numpy": np.__version__}
    facts = {"versions": versions, "by": fastest, "medians": medians}
    return by_median(ways[fastest]), facts


def prepare_tfmeta(
    *, threads: int, learner: str, features: int, queries: int
) -> tuple[Measure, dict[str, Any]]:
    """The best classes of queries, as embeddings."""
    start_tensorflow(threads)
    vectors = make_vectors(CLASSES, features)
    enrolled = make_enrolled(make_learner(learner, features), vectors)
    asked = make_queries(vectors, queries)
    return by_median(lambda: enrolled.nearest(asked, TOP)), {}


def gallery_facts(
    *, threads: int, classes: int, features: int, indexed: bool, folder: str
) -> dict[str, Any]:
    """A gallery of SimpleShot from end to end."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    start_tensorflow(threads)

    from tfmeta import Gallery

    vectors = make_vectors(classes, features)
    asked = make_queries(vectors, ASKED)
    path = Path(folder) / "gallery"
    facts: dict[str, Any] = {}
    with Gallery.create(path, make_learner("SimpleShot", features)) as gallery:
        start = time.perf_counter()
        for begin in range(0, classes, 10_000):
            some = {
                str(number): vectors[number : number + 1]
                for number in range(begin, min(begin + 10_000, classes))
            }
            gallery.enrol_embeddings(some)
        # Of a thousand classes a second example: the threshold needs left out ones.
        second = vectors[:1000] + 0.2 * asked[:1] / features**0.5
        gallery.enrol_embeddings({str(n): one[None] for n, one in enumerate(second)})
        facts["enrol, s"] = time.perf_counter() - start
    del vectors, some
    facts["on disk, MiB"] = _bytes_in(path) / 2**20

    start = time.perf_counter()
    gallery = Gallery(path)
    gallery.search(asked[:1], TOP)
    facts["open and first answer, s"] = time.perf_counter() - start
    facts["memory, MiB"] = _resident_mib()
    for count in QUERIES:
        _latency(facts, f"{_asked(count)}", lambda n=count: gallery.search(asked[:n]))
    one_more = iter(range(10**6))

    def enrol() -> None:
        new = {f"new {next(one_more)}": asked[-1:]}
        gallery.enrol_embeddings(new)

    def enrol_and_ask() -> None:
        enrol()
        gallery.search(asked[:1])

    _latency(facts, "one enrolment to the next answer", enrol_and_ask, least=5)
    facts["threshold, ms"] = 1000 * statistics.median(
        _timed_after(enrol, gallery.threshold) for _ in range(3)
    )

    if indexed:
        _index_facts(facts, gallery, path, asked)
    gallery.close()
    if indexed:
        start = time.perf_counter()
        with Gallery(path) as gallery:
            gallery.search(asked[:1], TOP, index=True)
            facts["open and first answer by the index, s"] = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    facts["peak memory, MiB"] = peak / 2**10
    return facts


def _index_facts(facts: dict[str, Any], gallery: Any, path: Path, asked: Any) -> None:
    start = time.perf_counter()
    gallery.build_index()
    facts["build the index, s"] = time.perf_counter() - start
    facts["index on disk, MiB"] = (
        sum(file.stat().st_size for file in path.glob("index*")) / 2**20
    )
    for count in QUERIES:
        _latency(
            facts,
            f"{_asked(count)}, by the index",
            lambda n=count: gallery.search(asked[:n], index=True),
        )
    exact = gallery.search(asked, 10)
    found = gallery.search(asked, 10, index=True)
    facts["recall"] = {str(n): _recall(exact, found, n) for n in (1, 10)}
    same = exact.class_names[:, 0] == found.class_names[:, 0]
    ratios = found.probabilities[same, 0] / exact.probabilities[same, 0]
    facts["probability by the index over that by all"] = spread(ratios.tolist())


def _timed_after(before: Callable[[], Any], step: Callable[[], Any]) -> float:
    before()
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def _latency(
    facts: dict[str, Any], name: str, step: Callable[[], Any], least: int = 20
) -> None:
    step()
    times = sorted(_times(step, seconds=3.0, least=least))
    facts[f"{name}, p50, ms"] = 1000 * statistics.median(times)
    facts[f"{name}, p99, ms"] = (
        1000 * times[min(len(times) - 1, len(times) * 99 // 100)]
    )


def _asked(count: int) -> str:
    return f"{count} quer{'y' if count == 1 else 'ies'}"


def _recall(exact: Any, found: Any, count: int) -> float:
    pairs = zip(exact.class_names[:, :count], found.class_names[:, :count], strict=True)
    return statistics.mean(len(set(a) & set(b)) / count for a, b in pairs)


def _bytes_in(path: Path) -> int:
    return sum(file.stat().st_size for file in path.iterdir())


def _resident_mib() -> float:
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def index_recall(*, threads: int, kind: str, folder: str) -> dict[str, Any] | None:
    """Recall of an index of other vectors, on queries that are of no class."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    start_tensorflow(threads)
    from tfmeta.gallery.index import GalleryIndex, measured_recall

    if kind == "uniform":
        vectors = make_vectors(30_000, 256, clusters=False)
        asked = make_vectors(30_000 + ASKED, 256, clusters=False)[-ASKED:]
    else:
        try:
            vectors, asked = _sentences()
        except (ImportError, FileNotFoundError) as error:
            print(f"left out: {kind} ({error})")
            return None
    enrolled = make_enrolled(make_learner("SimpleShot", vectors.shape[1]), vectors)
    index = GalleryIndex(Path(folder))
    index.bring_up_to_date(enrolled, {}, 1, lambda _: [])
    recall = measured_recall(enrolled, index, asked)
    return {"classes": len(vectors), "features": vectors.shape[1], "recall": recall}


def _sentences() -> tuple[Any, Any]:
    """Features of the sentences of CLINC150; those of the test split."""
    import numpy as np

    import tfmeta
    from tfmeta.features import features_of

    encoder = tfmeta.encoders.pretrained("wordllama")
    train, validation, test = (
        features_of(encoder, tfmeta.datasets.load("clinc150", split=split).examples)
        for split in ("train", "validation", "test")
    )
    known = np.concatenate([np.asarray(train), np.asarray(validation)])
    rng = np.random.default_rng(0)
    asked = np.asarray(test)
    return known, asked[rng.choice(len(asked), ASKED, replace=False)]


def markdown(result: dict[str, Any]) -> str:
    """The tables."""
    heads = [
        "features",
        "queries",
        f"{BARE}, ms",
        *(f"{name}, times" for name in LEARNERS),
    ]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for group in (g for g in result["groups"] if "contestants" in g):
        bare = line_of(group, BARE) or {}
        cells = [
            str(group["features"]),
            str(group["queries"]),
            f"{bare['median_step_ms']:.3g} ({bare['facts']['by']})",
        ]
        for name in LEARNERS:
            times = _times_bare(group, name)
            cells.append(
                f"{times['median']:.2f} ({times['min']:.2f} to {times['max']:.2f})"
            )
        lines.append(f"| {' | '.join(cells)} |")
    galleries = [g for g in result["groups"] if "facts" in g]
    heads = [f"{g['classes']:,} classes, {g['features']} features" for g in galleries]
    lines += ["", f"| a gallery of SimpleShot | {' | '.join(heads)} |"]
    lines.append("|---" * (len(heads) + 1) + "|")
    for row in galleries[0]["facts"]:
        cells = [
            _cell(g["facts"][row]) if row in g["facts"] else "–" for g in galleries
        ]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    lines += ["", "| recall of the index | classes | @1 | @10 |", "|---|---|---|---|"]
    rows = [
        ("random, in clusters", g["classes"], g["facts"]["recall"])
        for g in galleries
        if "recall" in g["facts"]
    ]
    others = [g for g in result["groups"] if "recall" in g]
    rows += [(g["kind"], g["classes"], g["recall"]) for g in others]
    for kind, classes, recall in rows:
        lines.append(
            f"| {kind} | {classes:,} | {recall['1']:.1%} | {recall['10']:.1%} |"
        )
    machine = result["machine"]
    lines += [
        "",
        f"{CLASSES:,} classes in the first table. {machine['cores']} cores "
        f"({machine['processor']}), {result['settings']['threads']} threads. Load "
        "average at the end of each part:",
        "",
    ]
    for part, measured in {g["part"]: g["measured"] for g in result["groups"]}.items():
        load = ", ".join(str(one) for one in measured["load_average"])
        lines.append(f"- {part}: {load}; `{measured['command']}`")
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    if isinstance(value, dict) and "median" in value:
        return f"{value['median']:.3f} ({value['min']:.3f} to {value['max']:.3f})"
    if isinstance(value, dict):
        return ", ".join(f"@{at} {share:.1%}" for at, share in value.items())
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _times_bare(group: dict[str, Any], name: str) -> dict[str, float]:
    """How many times as long as the product, by rounds."""
    ours, bare = ((line_of(group, one) or {})["values"] for one in (name, BARE))
    return spread([b / a for a, b in zip(ours, bare, strict=True)])


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=PARTS,
        default=PARTS[:3],
        help="what is measured; larger ones need 10 GiB of disk and memory",
    )
    parser.add_argument("--folder", type=Path, help="where galleries are put meanwhile")
    parser.add_argument(
        "--update-tables", action="store_true", help="write the table in SPEED.md"
    )
    parser.add_argument(
        "--table-only", action="store_true", help="from the result that is there"
    )


def _measure(arguments: argparse.Namespace) -> None:
    """Measures the parts that were asked for, and writes the file after each."""
    measure = {
        "products": lambda: _products(arguments),
        "recall": lambda: (_recalls(arguments), []),
        **{
            part: lambda part=part: (_galleries(arguments, part), [])
            for part in GALLERIES
        },
    }
    before = read_json(arguments.output) if arguments.output.exists() else {}
    groups, goals = before.get("groups", []), before.get("goals", [])
    asked = argparse.Namespace(**vars(arguments))
    asked.folder = None if asked.folder is None else asked.folder.name
    asked.parts = " ".join(arguments.parts)
    for part in arguments.parts:
        found, of_goals = measure[part]()
        measured = {
            "command": command_line(),
            "finished": datetime.datetime.now(datetime.UTC).isoformat("T", "seconds"),
            "load_average": describe_machine()["load_average"],
        }
        tagged = [{**group, "part": part, "measured": measured} for group in found]
        kept = [group for group in groups if group["part"] != part]
        groups = sorted([*kept, *tagged], key=lambda one: PARTS.index(one["part"]))
        goals = of_goals or goals
        write_result(NAME, asked, groups, goals)
    show_goals(goals)


def _products(arguments: argparse.Namespace) -> tuple[list[dict], list[dict]]:
    """Answers beside one product of matrices, and the goals."""
    groups, goals = [], []
    for features in FEATURES:
        for queries in QUERIES:
            sizes = {"features": features, "queries": queries}
            group = compete(
                f"{CLASSES:,} classes, {features} features, {_asked(queries)}",
                "answers/s",
                [
                    Contestant(BARE, prepare_bare, sizes),
                    *(
                        Contestant(name, prepare_tfmeta, {**sizes, "learner": name})
                        for name in LEARNERS
                    ),
                ],
                reference=BARE,
                rounds=arguments.rounds,
                seconds=arguments.seconds,
                threads=arguments.threads,
            )
            show_group(group, step_times=True)
            groups.append({**group, **sizes})
            goals += [
                goal(
                    f"{features} features, {_asked(queries)}: p50 of {name} over that "
                    "of one product",
                    _times_bare(group, name),
                    below=3.0,
                )
                for name in LEARNERS
            ]
    return groups, goals


def _galleries(arguments: argparse.Namespace, part: str) -> list[dict[str, Any]]:
    """Galleries from end to end."""
    groups = []
    for classes, features, indexed in GALLERIES[part]:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            facts = in_own_process(
                gallery_facts,
                threads=arguments.threads,
                classes=classes,
                features=features,
                indexed=indexed,
                folder=folder,
            )
        groups.append({"classes": classes, "features": features, "facts": facts})
        print(f"{classes:,} classes, {features} features:")
        print(*(f"  {name}: {_cell(value)}" for name, value in facts.items()), sep="\n")
    return groups


def _recalls(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The recall of an index of other vectors."""
    groups = []
    for kind in ("uniform", "sentences of CLINC150"):
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            found = in_own_process(
                index_recall, threads=arguments.threads, kind=kind, folder=folder
            )
        if found is not None:
            groups.append({"kind": kind, **found})
            print(f"recall, {kind}: {_cell(found['recall'])}")
    return groups


def main() -> None:
    """Measures, prints, writes."""
    arguments = parse_arguments(
        __doc__ or "", name=NAME, rounds=5, seconds=1.0, add=_add
    )
    if not arguments.table_only:
        _measure(arguments)
    table = markdown(read_json(arguments.output))
    print(table)
    if arguments.update_tables:
        replace_table(NAME, table)


if __name__ == "__main__":
    main()
