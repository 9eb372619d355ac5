"""Every option of every command with values that it cannot take."""

import re

import click
import numpy as np
import pytest
from PIL import Image

from tfmeta.cli.gallery_options import ClassName
from tfmeta.cli.main import tfmeta
from tfmeta.cli.options import AnyPath, Shots, Word, WrittenFile
from tfmeta.gallery import GalleryStore
from tfmeta.runs.config import TrainConfig
from tfmeta.runs.run_folder import RunFolder

BEYOND = (str(2**63), "-1", "1e400", "nan", "inf", "")


def commands(group=tfmeta, path=()):
    """All commands by the words that call them."""
    found = {}
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if isinstance(command, click.Group):
            found |= commands(command, (*path, name))
        else:
            found[(*path, name)] = command
    return found


COMMANDS = commands()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Paths that are there: a run folder, pictures of two classes, a file."""
    root = tmp_path_factory.mktemp("place")
    RunFolder(root / "run").create(TrainConfig(), {})
    for label in ("a", "b"):
        (root / "support" / label).mkdir(parents=True)
        for shade in (1, 2):
            picture = Image.fromarray(np.full((8, 8), shade, np.uint8))
            picture.save(root / "support" / label / f"{shade}.png")
    (root / "file").write_text("no picture")
    (root / "gallery").mkdir()
    facts = {
        **{"encoder": "0" * 32, "embedding_shape": "[2]", "learner_class": "a:B"},
        **{"example_shape": "[8, 8, 3]", "example_dtype": "uint8"},
        **{"input_dtype": "null", "invert": "false", "light_ground": "null"},
        **{"keep_originals": "true", "threshold": "null"},
    }
    GalleryStore.create(root / "gallery" / "gallery.sqlite", facts).close()
    return root


def usual(path, place):
    """What a command is given besides, by the names of its parameters."""
    runs = {"runs": place / "run", "run": place / "run"}
    runs |= {"first": place / "run", "second": place / "run"}
    gallery = {"gallery": place / "gallery"}
    a_task = {"library": place / "gallery", "folder": place / "support"}
    return {
        ("train",): {"run_path": place / "new"},
        ("classify",): {"support": place / "support", "query": place / "support"},
        ("expect",): {"source": place / "support"},
        ("reproduce",): {"table": "omniglot"},
        ("serve",): {"path": place / "run"},
        ("gallery", "enrol"): {"gallery": place / "new", "support": place / "support"},
        ("gallery", "forget"): {**gallery, "names": "a"},
        ("gallery", "rename"): {**gallery, "name": "a", "to": "b"},
        **{("gallery", name): gallery for name in ("list", "undo", "purge", "export")},
        ("gallery", "re-embed"): gallery,
        ("tasks", "build"): {"library": place / "new"},
        ("tasks", "remove"): {"library": place / "gallery", "names": "a"},
        ("tasks", "evaluate"): {"library": place / "gallery"},
        **{("tasks", name): a_task for name in ("add", "nearest")},
        ("datasets", "import"): {"name": "omniglot", "source": place / "support"},
        ("datasets", "describe"): {"name": "glyphs"},
    }.get(path, runs)


def words(command, values):
    """A command line of values by the names of parameters."""
    options, arguments = [], []
    for parameter in command.params:
        if parameter.name not in values:
            continue
        value = str(values[parameter.name])
        if isinstance(parameter, click.Argument):
            arguments.append(value)
        else:
            options.append(f"{parameter.opts[0]}={value}")
    return [*options, "--", *arguments]


def bad_values(parameter, place):
    """What a parameter cannot take, by its type."""
    kind = parameter.type
    if isinstance(kind, WrittenFile):
        name = f"x{kind.suffix}"
        taken = place / f"taken{kind.suffix}"
        taken.mkdir(exist_ok=True)
        return ["", taken, place / "no" / name, place / "x.jpg", f"/proc/{name}"]
    if isinstance(kind, AnyPath):
        values = [""]
        values += [place / "nope"] if kind.exists else []
        values += [] if kind.file_okay else [place / "file", place / "file" / "x"]
        values += [] if kind.dir_okay else [place / "run"]
        return values
    if isinstance(kind, click.IntRange | click.FloatRange | Shots):
        least = getattr(kind, "min", 1)
        at_0 = least == 0 and not getattr(kind, "min_open", False)
        return [*BEYOND, *([] if at_0 else ["0"])]
    if isinstance(kind, click.Choice):
        return [*BEYOND, "0"]
    if isinstance(kind, ClassName):
        return ["", " ", "\udce9"]
    if isinstance(kind, Word):
        return ["", " ", "nan"]
    assert parameter.name in ("learner_arguments", "task_arguments")
    return [*BEYOND, "0", "=", "1=2", "k=NaN", "k=1e400"]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_what_cannot_be_is_said_by_the_name_of_the_option(call, place, path):
    command = COMMANDS[path]
    asked = 0
    for parameter in command.params:
        if getattr(parameter, "is_flag", False):
            continue
        said = parameter.opts[0]
        if isinstance(parameter, click.Argument):
            said = parameter.human_readable_name
        for value in bad_values(parameter, place):
            others = dict(usual(path, place))
            if parameter.name in ("classes", "class_name", "files"):
                others.pop("support")
            line = words(command, {**others, parameter.name: value})
            done = call(*path, *line)
            *usage, error = done.err.splitlines()
            about = (path, said, value, done.err)
            assert done.code == 2, about
            assert error.startswith("Error: "), about
            assert not usage or (len(usage) == 3 and "Usage: tfmeta" in usage[0]), about
            argument = isinstance(parameter, click.Argument)
            assert said in error or (argument and repr(str(value)) in error), about
            # Names in backquotes are names of Python, but for options.
            assert not re.findall(r"`[a-z_]+`", error), about
            asked += 1
    assert asked or not command.params
    assert not (place / "new").exists()


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_number_has_two_bounds_and_a_unit(path):
    for parameter in COMMANDS[path].params:
        kind = parameter.type
        if isinstance(kind, click.IntRange | click.FloatRange):
            assert kind.min is not None and kind.max is not None, parameter.name
            assert kind.max < 2**63, parameter.name
        if isinstance(kind, click.IntRange | click.FloatRange | Shots):
            assert parameter.metavar, parameter.name
        # These take any number, and an empty word for text or for a path.
        plain = (click.types.IntParamType, click.types.FloatParamType)
        plain += (click.types.StringParamType, click.Path)
        named = ("learner_arguments", "task_arguments")
        assert type(kind) not in plain or parameter.name in named


def test_names_of_arguments_of_the_learner_are_those_that_were_typed(call, tmp_path):
    done = call("train", "--run", tmp_path / "a", "--argument", "distance=far")
    assert "`--argument distance` must be" in done.error
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--train-ways", 9999], "`--train-ways` must fit into the 600 train classes"),
        (["--ways", 9999], "`--ways` must fit into the 160 validation classes"),
        (["--train-shots", 99], "`--train-shots` .* beside 5 of `--train-queries`"),
        (["--shots", 99], "`--shots` .* beside 15 of `--queries`"),
        (["--same-group", "--train-ways", 99], "`--train-ways` must fit into the 20"),
        (["--distractors", 1], "`--distractors` must come with `--unlabelled`"),
        (["--learner", "maml", "--ways", 3, "--train-ways", 4], "--train-ways=4"),
        (["--learner", "simple_shot", "--augment"], "Received: --augment$"),
        (["--learner", "baseline", "--batch-size", 999999], "`--batch-size` must be"),
        (["--encoder", "resnet"], "`--encoder` must be one of"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(map(str, value)),
)
def test_what_data_and_learners_refuse_is_said_in_options(
    call, tmp_path, options, message
):
    done = call("train", "--run", tmp_path / "a", *options)
    assert re.search(message, done.error), done.error
    assert not re.findall(r"`[a-z_]+`", done.error)
    assert not (tmp_path / "a").exists()
