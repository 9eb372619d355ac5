"""A table of reproduced figures in Markdown, from what `collect` has found."""

from __future__ import annotations

from typing import Any

HEADER = (
    *("method", "task", "published", "here", "over episode draws"),
    *("over test classes", "over training seeds", "setting"),
)

_UNCHECKED = "†"
_NOTHING = "–"
_UNITS = {
    "episodes": "Accuracy in percent.",
    "lake": "Error in percent, the lower the better.",
}


def markdown(content: dict[str, Any]) -> str:
    """The figures, the trainings behind them, and what a reader must know of both.

    Args:
        content: As `collect` returns it, or as it was read from its file.
    """
    lines: list[str] = []
    for kind, unit in _UNITS.items():
        figures = _figures(content, kind)
        if figures:
            lines += [*figures, "", unit, ""]
    lines += [*_trainings(content), ""]
    lines += _notes(content)
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


def _figures(content: dict[str, Any], kind: str) -> list[str]:
    rows = [
        (row, [n for n, column in enumerate(row["columns"]) if column["kind"] == kind])
        for row in content["rows"]
    ]
    lines = []
    for row, numbers in rows:
        title = method(row)
        for number in numbers:
            lines.append(_line(title, *figure_cells(row, number)))
            title = ""
    if not lines:
        return []
    return [_line(*HEADER), "|---" * len(HEADER) + "|", *lines]


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
    low, high = figure["over_test_classes"]
    seeds = column["over_training_seeds"]
    return [
        column["label"],
        shown,
        f"**{figure['percent']:.2f}**",
        f"± {figure['over_episode_draws']:.2f}",
        f"{low:.2f} to {high:.2f}",
        _NOTHING
        if seeds is None
        else f"{seeds['mean']:.2f}, deviation {seeds['standard_deviation']:.2f} "
        f"({seeds['seeds']} seeds)",
        "transductive" if figure["transductive"] else "inductive",
    ]


def _as_published(percent: float, half_width: float | None) -> str:
    """With as many decimals as the paper has, at least one."""
    both = [percent] if half_width is None else [percent, half_width]
    decimals = max(1, *(len(f"{x:g}".partition(".")[2]) for x in both))
    return " ± ".join(f"{x:.{decimals}f}" for x in both)


def _trainings(content: dict[str, Any]) -> list[str]:
    lines = [
        _line("training", "episodes", "steps", "wall time", "machine", "commit"),
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
    config = row["config"]
    text = f"{config['train_ways']}-way {config['train_shots']}-shot"
    if config["train_tasks"] > 1:
        text += f", {config['train_tasks']} tasks a step"
    if len(row["columns"]) > 1:
        text += f"; one training for {len(row['columns'])} figures"
    return text


def _notes(content: dict[str, Any]) -> list[str]:
    rows = content["rows"]
    papers = list(
        dict.fromkeys(
            f"{row['title']}: {row['paper']['authors']}, {row['paper']['year']}, "
            f"*{row['paper']['title']}*; figures of {_sources(row)}"
            for row in rows
        )
    )
    lines = [f"Published: {'. '.join(papers)}."]
    if any(c["published"]["checked"] is None for row in rows for c in row["columns"]):
        lines.append(f"{_UNCHECKED} Recalled, not verified against the paper.")
    lines += list(
        dict.fromkeys(f"{row['title']}: {row['note']}" for row in rows if row["note"])
    )
    lines += ["", *_reading(content)]
    return lines


def _sources(row: dict[str, Any]) -> str:
    return _joined([column["published"]["source"] for column in row["columns"]])


def _reading(content: dict[str, Any]) -> list[str]:
    """How the intervals are to be read, and where the figures come from."""
    rows = content["rows"]
    episodes = f"{content['test_episodes']:,} test episodes of seed 0"
    queries = {
        column["queries"]
        for row in rows
        for column in row["columns"]
        if column["kind"] == "episodes"
    }
    each = f" with {_joined([str(n) for n in sorted(queries)])} queries per class"
    classes = {
        figure["test_classes"]
        for row in rows
        for run in row["runs"]
        for figure in run["figures"]
        if figure is not None
    }
    bootstrap = ""
    if classes:
        ends = sorted({min(classes), max(classes)})
        bootstrap = f" (bootstrap over {' to '.join(str(n) for n in ends)} classes)"
    commit = content["commit"]
    state = f"tfmeta {content['tfmeta']}" if commit is None else _short(commit)
    return [
        "Intervals are 95 %: over the drawing of episodes, as papers report it, and "
        f"over test classes and their examples{bootstrap}; the spread over training "
        "seeds is a third, separate number. "
        f"{episodes}{each if queries else ''}; the epoch of every training was "
        "selected on validation classes, and wall times hold the validation. "
        f"Measured and written by `tfmeta reproduce`, commit {state}."
    ]


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
