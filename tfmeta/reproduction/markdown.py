"""A table of reproduced figures in Markdown, from what `collect` has found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfmeta.runs.measuring.registry import protocols_in_tables

_UNCHECKED = "†"
_NOTHING = "–"


def markdown(content: dict[str, Any]) -> str:
    """The figures, the trainings behind them, and what a reader must know of both.

    Args:
        content: As `collect` returns it, or as it was read from its file.
    """
    lines: list[str] = []
    for kind in protocols_in_tables():
        figures = figure_rows(content, kind)
        if figures:
            names = header(kind)
            lines += [_line(*names), "|---" * len(names) + "|"]
            lines += [_line(*cells) for cells in figures]
            lines.append("")
    lines += [*_trainings(content), "", *_notes(content)]
    return "\n".join(lines) + "\n"


def main_figure(row: dict[str, Any], number: int) -> dict[str, Any] | None:
    """The figure that stands for a column: that of the lowest seed."""
    figures = (run["figures"][number] for run in row["runs"])
    return next((figure for figure in figures if figure is not None), None)


def method(row: dict[str, Any]) -> str:
    """The title of a row, with its budget where it is not the usual one."""
    if row["budget"] == 1:
        return row["title"]
    return f"{row['title']}, {row['budget']:g} times the epochs"


def describe_state(run: dict[str, Any] | None, row: dict[str, Any]) -> str:
    """How far a run is."""
    if run is None:
        return "not run"
    if run["trained"]:
        return "trained"
    done = len(run["history"].get("loss", []))
    return f"in training, epoch {done} of {row['config']['epochs']}"


def describe_time(seconds: float | None) -> str:
    """A duration in the unit that suits it."""
    if seconds is None:
        return "unknown"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def header(kind: str) -> list[str]:
    """The names of the columns of a table of figures of a kind."""
    protocol = protocols_in_tables()[kind]
    over = [f"over {name}" for name in (*protocol.intervals, "training seeds")]
    return [
        *("method", "task", "published", f"{protocol.unit} here, %"),
        *(*over, "setting"),
    ]


def figure_rows(content: dict[str, Any], kind: str) -> list[list[str]]:
    """The figures of a kind: the method where it is not that of the line above."""
    lines = []
    for row in content["rows"]:
        title = method(row)
        for number, column in enumerate(row["columns"]):
            if column["kind"] == kind:
                lines.append([title, *figure_cells(row, number)])
                title = ""
    return lines


def figure_cells(row: dict[str, Any], number: int) -> list[str]:
    """A column in words: the task, the published figure, ours and its intervals."""
    column, figure = row["columns"][number], main_figure(row, number)
    published = column["published"]
    shown = _as_published(published["percent"], published["half_width"])
    if published["checked"] is None:
        shown += f" {_UNCHECKED}"
    if figure is None:
        state = describe_state(next(iter(row["runs"]), None), row)
        state = "not measured" if state == "trained" else state
        return [column["label"], shown, state, *[_NOTHING] * 4]
    seeds = column["over_training_seeds"]
    return [
        column["label"],
        shown,
        f"**{figure['percent']:.2f}**",
        *(_interval(over, ends) for over, ends in figure["intervals"].items()),
        _NOTHING
        if seeds is None
        else f"{seeds['mean']:.2f} ± {seeds['half_width']:.2f} ({seeds['seeds']} "
        f"seeds, deviation {seeds['standard_deviation']:.2f})",
        _setting(figure),
    ]


def _setting(figure: dict[str, Any]) -> str:
    text = "inductive"
    beside = figure["beside_transductive"]
    if figure["transductive"]:
        text = "transductive"
    if beside is not None:
        text += f"; {beside['alone']:.2f} inductive"
        if beside["unequal_classes"] is not None:
            text += f", {beside['unequal_classes']:.2f} with Dirichlet(2) query classes"
    # Figures of former versions do not say it: there were no pre-trained encoders.
    pretraining = figure.get("pretraining")
    if pretraining is None:
        return text
    seen, data = pretraining["test_classes_seen"], pretraining["data"]
    return f"{text}; " + (
        f"seen in pre-training ({data})" if seen else f"pre-trained on {data}"
    )


def _interval(over: str, ends: list[float] | None) -> str:
    if ends is None:
        return _NOTHING
    low, high = ends
    if over == "episode draws":  # As papers write it.
        return f"± {(high - low) / 2:.2f}"
    return f"{low:.2f} to {high:.2f}"


def _as_published(percent: float, half_width: float | None) -> str:
    """With as many decimals as the paper has, at least one."""
    both = [percent] if half_width is None else [percent, half_width]
    decimals = max(1, *(len(f"{x:g}".partition(".")[2]) for x in both))
    return " ± ".join(f"{x:.{decimals}f}" for x in both)


def _trainings(content: dict[str, Any]) -> list[str]:
    lines = [
        _line("training", "on", "steps", "wall time", "machine", "commit"),
        "|---" * 6 + "|",
    ]
    for row in content["rows"]:
        config, runs = row["config"], row["runs"]
        lines.append(
            _line(
                f"{method(row)}: `{row['command']}`",
                _describe_training(row),
                f"{config['epochs'] * config['steps_per_epoch']:,}",
                _joined(
                    [
                        describe_time(run["training_seconds"])
                        if run["trained"]
                        else describe_state(run, row)
                        for run in runs
                    ]
                )
                or describe_state(None, row),
                _joined([_machine(run["environment"]) for run in runs]) or _NOTHING,
                _joined([_commit(run["environment"]) for run in runs]) or _NOTHING,
            )
        )
    return lines


def _describe_training(row: dict[str, Any]) -> str:
    if len(row["columns"]) == 1:
        return row["training"]
    return f"{row['training']}; one training for all {len(row['columns'])} figures"


def _notes(content: dict[str, Any]) -> list[str]:
    rows = content["rows"]
    paragraphs = ["Published:", "\n".join(_papers(rows))]
    if any(c["published"]["checked"] is None for row in rows for c in row["columns"]):
        paragraphs.append(
            f"{_UNCHECKED} The published figure is recalled, not verified against the "
            "paper."
        )
    paragraphs += dict.fromkeys(
        f"{row['title']}: {row['note']}." for row in rows if row["note"]
    )
    return "\n\n".join([*paragraphs, _reading(content)]).split("\n")


def _papers(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A line of a list for each paper, with where the figures of its rows are from."""
    sources: dict[str, list[str]] = {}
    for row in rows:
        paper = row["paper"]
        name = f"- {paper['authors']}, {paper['year']}, *{paper['title']}*"
        found = [column["published"]["source"] for column in row["columns"]]
        sources.setdefault(name, []).extend(found)
    return [
        f"{name}: {'; '.join(dict.fromkeys(found))}" for name, found in sources.items()
    ]


def _reading(content: dict[str, Any]) -> str:
    """How the intervals are to be read, and where the figures come from."""
    columns = [c for row in content["rows"] for c in row["columns"]]
    figures = [
        figure
        for row in content["rows"]
        for run in row["runs"]
        for figure in run["figures"]
        if figure is not None
    ]
    classes = [f["test_classes"] for f in figures if f["intervals"].get("test classes")]
    parts = ["Intervals are 95 %."]
    for kind, protocol in protocols_in_tables().items():
        of_kind = [column for column in columns if column["kind"] == kind]
        if of_kind:
            parts.append(
                protocol.reading(
                    of_kind,
                    test_classes=classes,
                    test_episodes=content["test_episodes"],
                )
            )
    reasons = dict.fromkeys(f.get("no_interval") for f in figures)
    parts += [f"– is no interval: {reason}." for reason in reasons if reason]
    commit = content["commit"]
    state = f"tfmeta {content['tfmeta']}" if commit is None else _short(commit)
    parts.append(
        "The spread over training seeds is a third, separate number. The epoch of "
        "every training was selected on validation classes, and wall times hold the "
        f"validation. Written by `tfmeta reproduce`, commit {state}."
    )
    return " ".join(parts)


def _machine(environment: dict[str, Any]) -> str:
    processor = environment.get("processor", "unknown processor")
    cores = environment.get("usable_cores")
    gpus = [*dict.fromkeys(environment.get("gpus", []))]
    return ", ".join([f"{cores} cores ({processor})", *gpus])


def _commit(environment: dict[str, Any]) -> str:
    commit = environment.get("commit")
    if commit is None:
        return f"tfmeta {environment.get('tfmeta', 'of unknown version')}"
    return _short(commit)


def _short(commit: str) -> str:
    name, dash, _ = commit.partition("-")
    return name[:12] + (" with changes" if dash else "")


def _joined(words: list[str]) -> str:
    return ", ".join(dict.fromkeys(words))


def _line(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
