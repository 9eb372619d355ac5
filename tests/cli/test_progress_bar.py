import io
import re

import pytest
from rich.console import Console

from tfmeta.cli.progress import RepeatedProgress, progress_bar, progress_bars


def shown(console):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())


def test_a_terminal_shows_what_how_much_and_then_nothing():
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with progress_bar(console, "evaluating") as report:
        for done in range(1, 6):
            report(done, 5)
    assert "evaluating" in shown(console)
    assert "5/5" in shown(console)
    # The cursor is shown again after it was hidden.
    written = console.file.getvalue()
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


def test_a_file_gets_nothing():
    console = Console(file=io.StringIO(), force_terminal=False)
    with progress_bar(console, "evaluating") as report:
        report(1, 2)
    assert console.file.getvalue() == ""


def test_an_error_leaves_the_terminal_in_order():
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with (
        pytest.raises(KeyboardInterrupt),
        progress_bar(console, "evaluating") as report,
    ):
        report(1, 2)
        raise KeyboardInterrupt
    written = console.file.getvalue()
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


def test_a_repeated_one_is_shown_while_there_is_work():
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    report = RepeatedProgress(console, "computing")
    report(7, 7)
    assert shown(console) == ""
    for of_all in (3, 4):
        for done in range(of_all + 1):
            report(done, of_all)
        assert f"{of_all}/{of_all}" in shown(console)
    report(1, 2)
    report.stop()
    written = console.file.getvalue()
    assert written.count("\x1b[?25h") == written.count("\x1b[?25l") == 3


def test_kinds_of_work_have_a_bar_each_and_leave_none_behind():
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with pytest.raises(KeyboardInterrupt), progress_bars(console) as report:
        report("choosing", 1, 2)
        report("choosing", 2, 2)
        report("leaving out", 1, 3)
        raise KeyboardInterrupt
    assert "Choosing" in shown(console)
    assert "Leaving out" in shown(console)
    written = console.file.getvalue()
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
