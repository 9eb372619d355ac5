import dataclasses

from tfmeta.runs.measuring.instances import Instances
from tfmeta.runs.measuring.lake import Lake
from tfmeta.runs.measuring.on_episodes import OnEpisodes
from tfmeta.runs.measuring.registry import PROTOCOLS, protocols_in_tables
from tfmeta.runs.measuring.regression import Regression
from tfmeta.runs.measuring.returns import Returns
from tfmeta.runs.measuring.standard import Standard
from tfmeta.runs.parameter import declared
from tfmeta.runs.run_folder import RunFolder


def test_every_protocol_can_be_asked_for_by_a_name_of_its_own():
    names = [protocol.name for protocol in PROTOCOLS]
    assert len(set(names)) == len(names)
    by_nothing = [p for p in PROTOCOLS if p.asked == "default"]
    # One for the runs of each task.
    assert {p.measures: p for p in by_nothing} == {
        "classification": Standard,
        "regression": Regression,
        "control": Returns,
    }
    assert len(by_nothing) == 3
    for protocol in PROTOCOLS:
        assert (protocol.help is None) == (protocol in by_nothing)
        shared = {"ways", "shots", "queries", "num_episodes", "seed"}
        fields = {field.name for field in dataclasses.fields(protocol)}
        own = {place.name for place in declared(protocol)}
        usual = shared if issubclass(protocol, OnEpisodes) else set()
        if protocol is Regression:  # Its tasks have no classes.
            usual = shared - {"ways"}
        if protocol is Instances:  # A class has so many of them.
            usual = shared - {"shots", "queries"}
        if protocol is Returns:  # Tasks of trajectories.
            usual = {"seed"}
        assert fields - own == usual


def test_no_two_protocols_have_an_option_of_one_name():
    own = [place.name for protocol in PROTOCOLS for place in declared(protocol)]
    assert len(set(own)) == len(own)


def test_figures_of_different_kinds_are_kept_apart(tmp_path):
    folder = RunFolder(tmp_path)
    files = {protocol.name: protocol().kept_in(folder) for protocol in PROTOCOLS}
    assert {name: (file.path.name, file.single) for name, file in files.items()} == {
        "standard": ("metrics.json", False),
        "realistic": ("metrics.json", False),
        "regression": ("metrics.json", False),
        "returns": ("metrics.json", False),
        "open-set": ("open_set.json", False),
        "lake": ("lake.json", True),
        "instances": ("instances.json", False),
    }
    assert all(protocol().read(folder) == [] for protocol in PROTOCOLS)
    assert {f"`{file.command}`" for file in files.values()} == {
        *("`tfmeta evaluate`", "`tfmeta evaluate --open-set`"),
        "`tfmeta evaluate --protocol lake`",
        "`tfmeta evaluate --protocol instances`",
    }


def test_columns_are_measured_by_protocols():
    assert protocols_in_tables() == {
        "episodes": Standard,
        "lake": Lake,
        "instances": Instances,
    }
    column = Standard.of_column(ways=20, shots=5, queries=7, num_episodes=600)
    assert column == Standard(
        ways=(20,), shots=(5,), queries=7, num_episodes=600, seed=0
    )
