"""What imports what, read from the source."""

import ast
import pathlib

import tfmeta

ROOT = pathlib.Path(tfmeta.__file__).parent


def name_of(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports():
    """Of every module the modules that it imports, anywhere in it and for types."""
    paths = {name_of(path): path for path in ROOT.rglob("*.py")}
    found = {}
    for name, path in paths.items():
        asked = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                asked |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                asked |= inner & paths.keys() or {node.module}
        found[name] = (asked & paths.keys()) - {name}
    return found


def test_no_modules_import_each_other_in_a_circle():
    left = imports()
    assert len(left) > 100
    while True:
        last = {name for name, asked in left.items() if not asked & left.keys()}
        if not last:
            break
        left = {name: asked for name, asked in left.items() if name not in last}
    # What remains is in a circle, or imports what is in one.
    assert not left


def test_layers_know_nothing_of_what_is_above_them():
    families = {
        "tfmeta.learners.metric_based",
        "tfmeta.learners.model_based",
        "tfmeta.learners.optimization_based",
    }
    never = {
        "tfmeta.datasets": ("tfmeta.episodes", "tfmeta.learners"),
        "tfmeta.episodes": ("tfmeta.learners",),
        "tfmeta.estimation": ("tfmeta.runs", "tfmeta.classifying", "tfmeta.cli"),
        "tfmeta.layers": ("tfmeta.learners", "tfmeta.encoders"),
        "tfmeta.learners": ("tfmeta.datasets", "tfmeta.evaluation", "tfmeta.export"),
        "tfmeta.learners.inner": tuple(families),
        "tfmeta.gallery": ("tfmeta.serving", "tfmeta.cli"),
        "tfmeta.export": ("tfmeta.serving", "tfmeta.cli"),
        "tfmeta.serving": ("tfmeta.demo", "tfmeta.cli"),
        "tfmeta.demo": ("tfmeta.cli",),
        "tfmeta.control": ("tfmeta.runs", "tfmeta.export", "tfmeta.cli"),
        "tfmeta.sqlite": ("tfmeta.gallery", "tfmeta.learners", "tfmeta.tasks"),
        **{own: tuple(families - {own}) for own in families},
    }
    for name, asked in imports().items():
        for below, above in never.items():
            if name.startswith(below):
                assert not [other for other in asked if other.startswith(above)], name
