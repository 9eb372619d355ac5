import pytest

from tfmeta.argument_names import rename_arguments, renamed_arguments

NAMES = {"ways": "train_ways", "shots": "train_shots", "augment": "--augment"}


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("`ways` must be 2. Received: ways=1", "`train_ways` must be 2. Received: "),
        ("`ways + shots` of `queries`", "`train_ways + train_shots` of `queries`"),
        ("`shots=3` (ways=2)", "`train_shots=3` (train_ways=2)"),
        ("its ways; always=1, `waysides`", "its ways; always=1, `waysides`"),
        ("`tfmeta evaluate ways`", "`tfmeta evaluate ways`"),
        ("Received: --argument ways=3", "Received: --argument ways=3"),
        ("Received: augment=True", "Received: --augment"),
        ("`augment=False` was", "`--no-augment` was"),
        ("Received: augment=Truest", "Received: --augment=Truest"),
    ],
)
def test_names_that_the_caller_knows(message, said):
    values = {
        ("augment", "True"): "--augment",
        ("augment", "False"): "--no-augment",
    }
    assert rename_arguments(message, NAMES, values=values).startswith(said)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("`ways` of", 1),
        TypeError("`ways` of"),
        FileNotFoundError("`ways` of"),
        FileNotFoundError(2, "`ways` of", "a"),
        ValueError(),
        KeyError("`ways` of"),
    ],
)
def test_errors_stay_what_they_are(error):
    before = error.args
    with pytest.raises(type(error)) as raised, renamed_arguments(NAMES):
        raise error
    assert raised.value is error
    renamed = before[:1] == ("`ways` of",) and not isinstance(error, KeyError)
    if renamed:
        assert error.args == ("`train_ways` of", *before[1:])
    else:
        assert error.args == before
