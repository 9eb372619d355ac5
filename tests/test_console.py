import ast
import io
import pathlib

import pytest
from rich.table import Table

import tfmeta
from tfmeta.console import Console

ROOT = pathlib.Path(tfmeta.__file__).parent
NASTY = ["run[red]1", "run[/x]", ":smile:", "a\nb", "a\r\x1b[31mb", "12 %", "a\\b"]


def written(write, **options):
    console = Console(file=io.StringIO(), width=20, **options)
    write(console)
    return console.file.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("name", NASTY)
def test_a_sentence_is_one_line_of_text(name, terminal):
    said = f"The run is in {name}, whose name may be longer than a line"
    found = written(lambda c: c.say(said), force_terminal=terminal)
    escaped = said.replace("\n", r"\n").replace("\r", r"\r").replace("\x1b", r"\x1b")
    assert found == f"{escaped}\n"


def test_texts_of_several_lines_and_tables():
    table = Table("[b]name")
    table.add_row("[red]1")
    found = written(lambda c: c.show("one\ntwo", table))
    assert found.startswith("one\ntwo\n")
    assert "[b]name" in found and "[red]1" in found


def test_a_closed_pipe_is_the_callers_concern():
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        Console(file=Closed()).say("a")


def test_nothing_else_writes():
    """What is written from elsewhere would be markup, or more than one line."""
    allowed = {"tfmeta/console.py", "tfmeta/cli/output.py"}
    for path in ROOT.rglob("*.py"):
        name = path.relative_to(ROOT.parent).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or name in allowed:
                continue
            called = ast.unparse(node.func)
            assert called != "print", name
            assert not called.endswith("rich.console.Console"), name
            # The usage of a command, which holds nothing that was typed.
            assert called != "click.echo" or name == "tfmeta/cli/main.py", name
