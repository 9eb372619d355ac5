"""Adding a protocol takes its file and a line of the list."""

import dataclasses
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tfmeta.cli.evaluate_command import evaluate
from tfmeta.cli.protocol_options import chosen_protocol, protocol_options
from tfmeta.reproduction.csv_table import csv_text
from tfmeta.reproduction.markdown import header
from tfmeta.reproduction.measure import measure_row
from tfmeta.reproduction.row import Row
from tfmeta.runs.measuring.in_tables import InTables
from tfmeta.runs.measuring.measure import measure
from tfmeta.runs.measuring.protocol import Drawn
from tfmeta.runs.measuring.registry import PROTOCOLS
from tfmeta.runs.parameter import parameter
from tfmeta.runs.result_file import ResultFile
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner


@dataclasses.dataclass(frozen=True)
class Weights:
    """How many numbers a learner of a run has, times something."""

    times: int
    count: int

    @property
    def protocol(self) -> dict[str, Any]:
        return {"times": self.times}

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        return f"{self.count} numbers, {self.times} times"


@dataclasses.dataclass(frozen=True, kw_only=True)
class WeightsProtocol(InTables[int, Weights]):
    name = "weights"
    asked = "choice"
    help = "how many weights there are."

    kind = "weights"
    unit = "weights"
    intervals = ("nothing", "less")
    bound = "≤"

    times: int = parameter(1, "Counts each so often. [default: 1]", at_least=1)

    def draw(self, config, *, data_dir=None):
        return [Drawn({"": self.times}, said=(f"of {config.learner}",))]

    def run(self, folder, learner, part, *, data_dir=None, on_progress=None):
        return Weights(part, part * learner.count_params())

    def kept_in(self, folder):
        return ResultFile(
            folder.path / "weights.json",
            lambda values: Weights(**values),
            version=1,
            command="tfmeta evaluate --protocol weights",
        )

    def report_spread(self, measured):
        yield f"{len(measured)} runs"

    @classmethod
    def of_column(cls, *, ways, shots, queries, num_episodes):
        return cls(times=ways)

    @classmethod
    def label(cls, *, ways, shots):
        return f"weights, {ways} times"

    def find(self, folder):
        return next((r for r in self.read(folder) if r.times == self.times), None)

    def figure(self, result):
        return {"percent": result.count, "protocol": result.protocol}

    @classmethod
    def reading(cls, columns, *, test_classes, test_episodes):
        return "Weights are counted."


@pytest.fixture
def listed():
    """The one line in the list."""
    PROTOCOLS.append(WeightsProtocol)
    yield
    PROTOCOLS.remove(WeightsProtocol)


@pytest.fixture
def folder(run_copy):
    return RunFolder(run_copy)


@pytest.fixture
def call_new(listed):
    """`tfmeta evaluate`, as it would be imported with the list as it is now."""
    taken = [option.name for option in evaluate.params]
    known = [o for o in evaluate.params if o.name not in ("protocol", "times")]

    @protocol_options
    def of_protocols():
        pass

    now = click.Command("evaluate", callback=evaluate.callback)
    new = {option.name: option for option in of_protocols.__click_params__}
    now.params = [o for o in known if o.name not in new] + list(new.values())
    assert set(new) - set(taken) == {"times"}
    return lambda *arguments: CliRunner().invoke(now, [str(a) for a in arguments])


def test_it_measures_and_keeps(folder):
    learner = load_learner(folder)
    before = folder.metrics_file.read_bytes()
    (found,) = measure(folder, learner, WeightsProtocol(times=2))
    assert found == Weights(2, 2 * learner.count_params())
    (again,) = measure(folder, learner, WeightsProtocol(times=3), keep=False)
    assert again.count == 3 * learner.count_params()
    assert WeightsProtocol().read(folder) == [found]
    assert folder.metrics_file.read_bytes() == before
    (folder.path / "weights.json").write_text('{"format_version": 1, "results": 3}')
    with pytest.raises(ValueError, match="weights.json must hold results"):
        measure(folder, learner, WeightsProtocol())


def test_the_command_asks_prints_and_keeps(call_new, folder):
    done = call_new("--help")
    assert "weights: how many weights there are." in " ".join(done.output.split())
    assert "--times INTEGER RANGE" in done.output
    done = call_new(folder.path, "--protocol", "weights", "--times", 2)
    assert done.exit_code == 0
    (kept,) = WeightsProtocol().read(folder)
    assert done.output == f"of prototypical\n{kept}\n"
    refused = call_new(folder.path, "--protocol", "weights", "--ways", 5)
    assert "--ways must be left out with --protocol weights" in refused.output
    refused = call_new(folder.path, "--times", 2)
    assert "--times needs --protocol weights" in refused.output
    refused = call_new(folder.path, "--protocol", "lake", "--times", 2)
    assert "--times must be left out with --protocol lake" in refused.output


def test_without_an_option_it_has_its_own_default(listed):
    @click.command()
    @click.option("--untrained", is_flag=True)
    @protocol_options
    @click.pass_context
    def command(context, **given):
        click.echo(repr(chosen_protocol(context)))

    done = CliRunner().invoke(command, ["--protocol", "weights"])
    assert done.output == "WeightsProtocol(times=1)\n"


def test_it_is_a_column_of_a_table(listed, folder):
    config = folder.read_config().to_json()
    del config["seed"]
    row = Row.from_json(
        "some",
        {
            "title": "Prototypical Network",
            "paper": {"authors": "J. Snell", "year": 2017, "title": "Networks"},
            "format_version": 2,
            "config": config,
            "columns": [
                {
                    "kind": "weights",
                    "ways": 4,
                    "published": {"percent": 1.0, "source": "table 1"},
                    "goal": 7,
                }
            ],
        },
    )
    (column,) = row.columns
    assert (column.label, column.bound) == ("weights, 4 times", "≤")
    assert [column.meets_goal(x) for x in (7, 8)] == [True, False]
    (said,) = measure_row(row, folder)
    (kept,) = WeightsProtocol().read(folder)
    assert said == str(kept) and kept.times == 4
    assert measure_row(row, folder) == []
    assert header("weights")[3:6] == ["weights here, %", "over nothing", "over less"]
    assert csv_text({"rows": []}).startswith("row,")
