"""The figures of a model card, as tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tfmeta.export.described_run import (
    AccuracyFigure,
    DescribedRun,
    Episodes,
    Interval,
    OpenSetFigure,
)
from tfmeta.printable import markdown_text


def figures_of(run: DescribedRun) -> Iterator[str]:
    """Tables of all figures of a run, and what belongs beside them."""
    if not run["test_figures"] and not run["open_set"]:
        yield "It was not measured: the run has no test figures."
    if run["test_figures"]:
        yield _table(
            ("test tasks", "episodes", "accuracy, %", "over episode draws")
            + ("over test classes", "chance, %", "calibration error", "kind"),
            [_accuracy_row(figure) for figure in run["test_figures"]],
        )
    for figure in run["test_figures"]:
        yield from _beside(figure)
    if run["open_set"]:
        yield (
            "Queries of unknown classes, to be answered by “none of these” where "
            "the score is below the threshold:"
        )
        yield _table(
            ("test tasks", "episodes", "AUROC", "accuracy, %", "known accepted, %")
            + ("unknown rejected, %", "threshold"),
            [_open_set_row(figure) for figure in run["open_set"]],
        )
        recall = ", ".join(
            sorted({f"{100 * f['threshold']['recall']:g} %" for f in run["open_set"]})
        )
        yield (
            "AUROC: known against unknown, 0.5 is chance. Accuracy: known queries "
            "accepted and right, unknown ones rejected, among all. Each threshold "
            f"accepts {recall} of the known queries of validation episodes. ± is 95 % "
            "over episode draws, the range behind it 95 % over test classes."
        )
    yield from _reasons(run)


def tasks_in_words(figure: Episodes) -> str:
    """Which tasks a figure is of, e.g. "5-way 1-shot, 15 queries a class"."""
    words = f"{ways_and_shots(figure)}, {figure['queries']} queries a class"
    if figure["query_dirichlet"] is not None:
        words += f" on average, Dirichlet({figure['query_dirichlet']:g}) proportions"
    if figure["unlabelled"]:
        words += f", {figure['unlabelled']} unlabelled a class"
    return f"{words}, classes of one group" if figure["same_group"] else words


def ways_and_shots(figure: Episodes) -> str:
    """Both, e.g. "5-way 1-shot"."""
    if figure["support"] == "attributes":
        return f"{figure['ways']}-way zero-shot"
    return f"{figure['ways']}-way {figure['shots']}-shot"


def kind_of_figure(figure: Episodes) -> str:
    """Whether queries were answered together, and whether test classes were new."""
    kind = "transductive" if figure["transductive"] else "inductive"
    pretraining = figure["pretraining"]
    if pretraining is None:
        return kind
    seen = "seen in pre-training" if pretraining["test_classes_seen"] else "pre-trained"
    return f"{kind}, {seen} ({markdown_text(pretraining['data'])})"


def _accuracy_row(figure: AccuracyFigure) -> list[str]:
    error = figure["calibration_error"]
    return [
        tasks_in_words(figure),
        _episodes(figure),
        f"{100 * figure['accuracy']:.2f}",
        f"± {100 * figure['over_episode_draws']:.2f}",
        _ends(figure["over_test_classes"], "{:.2f}", 100),
        f"{100 * figure['chance']:.2f}",
        "not kept" if error is None else f"{error:.4f}",
        kind_of_figure(figure),
    ]


def _open_set_row(figure: OpenSetFigure) -> list[str]:
    def cell(name: str, form: str, scale: float) -> str:
        values = figure["figures"][name]
        mean = form.format(scale * values["mean"])
        half_width = form.format(scale * values["over_episode_draws"])
        ends = _ends(values["over_test_classes"], form, scale)
        return f"{mean} ± {half_width}, {ends}"

    threshold = figure["threshold"]
    return [
        f"{tasks_in_words(figure)}, {figure['unknown_ways']} unknown classes",
        _episodes(figure),
        cell("auroc", "{:.4f}", 1),
        *(
            cell(name, "{:.2f}", 100)
            for name in ("open_accuracies", "known_accepted", "unknown_rejected")
        ),
        f"{markdown_text(threshold['score'])} of {threshold['value']:.4g}",
    ]


def _episodes(figure: Episodes) -> str:
    seed = "" if figure["seed"] is None else f", seed {figure['seed']}"
    return f"{figure['episodes']:,}{seed}"


def _ends(interval: Interval, form: str, scale: float) -> str:
    if interval["ends"] is None:
        return "–"
    return " to ".join(form.format(scale * end) for end in interval["ends"])


def _beside(figure: AccuracyFigure) -> Iterator[str]:
    beside = figure["beside_transductive"]
    if beside is None:
        return
    said = (
        f"Of the transductive {tasks_in_words(figure)}: "
        f"{100 * beside['alone']:.2f} % when each query is answered by itself"
    )
    if beside["unequal_classes"] is not None:
        said += (
            f", {100 * beside['unequal_classes']:.2f} % when classes have unequally "
            "many queries"
        )
    yield f"{said}."


def _reasons(run: DescribedRun) -> Iterator[str]:
    """Why some figures have no interval over test classes."""
    intervals = [figure["over_test_classes"] for figure in run["test_figures"]]
    for figure in run["open_set"]:
        intervals += [f["over_test_classes"] for f in figure["figures"].values()]
    for reason in dict.fromkeys(i["reason"] for i in intervals if i["ends"] is None):
        why = markdown_text(reason or "unknown")
        yield f"– is no interval over test classes: {why}."


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
