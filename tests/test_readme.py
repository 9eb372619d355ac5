"""What the README shows is executed as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def _blocks(language):
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [block for name, block in fenced if name == language]


@pytest.mark.slow
def test_the_keras_api_runs(tmp_path):
    program = _blocks("python")[0]
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert not [line for line in done.stderr.splitlines() if "Warning" in line]
    assert "5-way 1-shot on glyphs-seed0, 15 queries a class, inductive" in done.stdout
    assert "95 % over episode draws" in done.stdout
    assert (tmp_path / "glyphs.keras").is_file()
    assert (tmp_path / "served" / "glyphs" / "1" / "saved_model.pb").is_file()


def test_its_fifteen_lines_are_few():
    lines = [line for line in _blocks("python")[0].splitlines() if line.strip()]
    assert len(lines) <= 22


def test_its_commands_exist():
    from tfmeta.cli.main import tfmeta

    block = next(b for b in _blocks("") if b.startswith("tfmeta train"))
    named = {line.split()[1] for line in block.splitlines()}
    assert named == set(tfmeta.list_commands(None))
    for line in block.splitlines():
        command = tfmeta.get_command(None, line.split()[1])
        known = {o for p in command.params for o in p.opts}
        if line.split()[1] != "datasets":
            assert set(re.findall(r"--[a-z-]+", line)) <= known, line


def test_it_is_short():
    assert (REPOSITORY / "README.md").stat().st_size <= 12_000


def headings_of(page):
    """What a link writes behind `#` for each heading, as GitHub makes it."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found
    }


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "benchmarks/RESULTS.md",
        "benchmarks/SPEED.md",
        "export/README.md",
        "export/kserve/README.md",
        "export/mlserver/README.md",
        "export/ray_serve/README.md",
        "export/tensorflow_serving/README.md",
    ],
)
def test_its_links_lead_somewhere(page):
    path = REPOSITORY / page
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    links = [x for x in re.findall(r"\]\(([^)]+)\)", text) if "://" not in x]
    missing = []
    for link in links:
        target, _, heading = link.partition("#")
        if not (path.parent / target).exists() or (
            heading and heading not in headings_of(path.parent / target)
        ):
            missing.append(link)
    assert links and not missing
