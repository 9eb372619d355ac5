"""The sections of a model card that are others for a run of regression."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tfmeta.evaluation.regression_result import TaskMean
from tfmeta.export.card_text import first_names, free_text, short_text
from tfmeta.export.described_run import DescribedRun, OverTasks, RegressionFigure
from tfmeta.printable import markdown_text


def regression_sections(
    run: DescribedRun, figures: Sequence[RegressionFigure]
) -> dict[str, Iterator[str]]:
    """Paragraphs by the title of their section.

    Args:
        run: The run; its classes are tasks.
        figures: Its errors, of each target.
    """
    return {
        "Metrics": _metrics(figures),
        "Evaluation data": _evaluation_data(figures),
        "Training data": _training_data(run),
        "Quantitative analyses": _analyses(figures),
        "Caveats and recommendations": _caveats(figures),
    }


def _metrics(figures: Sequence[RegressionFigure]) -> Iterator[str]:
    if not figures:
        yield "None was measured."
        return
    yield (
        "RMSE is the root mean squared error of the queries of a task, MAE their mean "
        "absolute error, both in units of the target. A figure is the mean over test "
        "tasks, each measured by several episodes; ± is its interval of 95 % over "
        "tasks, by Student's t. The ridge regression and the mean are of the support "
        "of the same episodes alone: what they reach needs no training."
    )


def _evaluation_data(figures: Sequence[RegressionFigure]) -> Iterator[str]:
    if not figures:
        yield "None yet."
        return
    data = ", ".join(dict.fromkeys(short_text(figure["data"]) for figure in figures))
    most = max(figure["test_tasks"] for figure in figures)
    yield (
        f"{most:,} test tasks of {data}, none of which training or validation saw. The "
        "rows of an episode are drawn by the seed in the table."
    )


def _training_data(run: DescribedRun) -> Iterator[str]:
    about = free_text(run["training_data_description"])
    yield f"- **Data:** {short_text(run['training_data'])}{about and f': {about}'}"
    yield "- **Licence:** unknown; ask whoever gave the data before the model is " + (
        "passed on"
    )
    counted = [
        f"{len(names):,} in {split} ({first_names(names, run['training_data'])})"
        for split, names in (run["classes"] or {}).items()
        if names
    ]
    said = "; ".join(counted) or "the run does not say"
    yield f"- **Tasks:** {said}"
    if "columns" in run:
        columns = run["columns"]
        for what, names in (
            ("A row is", columns["features"]),
            ("Targets are", columns["targets"]),
        ):
            named = ", ".join(map(short_text, names))
            yield f"- **{what}**, in this order: {named}"
    yield f"- **Training:** {markdown_text(run['training'])}"


def _analyses(figures: Sequence[RegressionFigure]) -> Iterator[str]:
    if not figures:
        yield "It was not measured: the run has no test figures."
        return
    lines = [
        "| target | test tasks | RMSE | MAE | RMSE of a ridge on the support | RMSE of "
        "the mean of the support |",
        "|---|---|---|---|---|---|",
    ]
    for figure in figures:
        tasks = (
            f"{figure['shots']} rows, {figure['queries']} queries; "
            f"{figure['test_tasks']:,} tasks, {figure['episodes']:,} episodes, seed "
            f"{figure['seed']}"
        )
        rmse, mae = figure["rmse"], figure["mae"]
        cells = [
            *(short_text(figure["target"]), tasks),
            *(_mean(rmse["learner"]), _mean(mae["learner"])),
            *(_mean(rmse["ridge"]), _mean(rmse["support_mean"])),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    yield "\n".join(lines)


def _caveats(figures: Sequence[RegressionFigure]) -> Iterator[str]:
    yield (
        "- It knows rows and targets of about the sizes of its training tasks: what "
        "lies far outside of them is answered by numbers that nobody measured"
    )
    if figures:
        yield "- Few rows leave much to luck: " + (
            "measure it on tasks of your own before it is used"
        )
    else:
        yield "- Measure it on tasks of your own before it is used"


def _mean(found: OverTasks) -> str:
    return TaskMean(found["mean"], found["half_width"]).text()
