"""An expectation with names that nobody would choose, and a browser."""

import json
import re
import shutil
import subprocess
from html import unescape

import numpy as np
import pytest
from PIL import Image

HOSTILE = (
    "<script>document.title = 'taken'</script>",
    "\" onmouseover='alert(1)' x=\"",
    "שלום עולם",
    "\u202egnp.exe",
    "two\nlines \x1b[31m",
    "🐈 &amp; ]]> --> </style>",
    "w" * 300,
)
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--virtual-time-budget=2000"),
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--allow-file-access-from-files"),
)
# What a page looks like from outside, in frames of some widths.
_LOOK = """<!DOCTYPE html>
FRAMES
<pre id="seen"></pre>
<script>
addEventListener("load", () => {
  const seen = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument;
    return {
      title: page.title,
      headline: page.querySelector("h1")?.textContent,
      over: page.documentElement.scrollWidth - frame.clientWidth,
      scripts: page.scripts.length,
      handlers: page.querySelectorAll("[onmouseover]").length,
      pictures: [...page.images].map(one => [one.naturalWidth, one.alt]),
      names: [...page.querySelectorAll("bdi")].map(one => one.textContent),
      loaded: frame.contentWindow.performance.getEntriesByType("resource")
        .map(one => one.name.slice(0, 11)),
    };
  });
  document.getElementById("seen").textContent = JSON.stringify(seen);
});
</script>
"""


@pytest.fixture(scope="session")
def look_at(tmp_path_factory):
    """Opens a page in Chromium in frames of some widths; gives what is seen in each."""
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        pytest.skip("needs a Chromium: apt-get install chromium")

    def look_at(*frames):
        folder = tmp_path_factory.mktemp("browser")
        outside = folder / "outside.html"
        shown = "\n".join(
            f'<iframe src="{page.as_uri()}" width="{width}" height="900"></iframe>'
            for page, width in frames
        )
        outside.write_text(_LOOK.replace("FRAMES", shown))
        done = subprocess.run(
            [
                *(browser, *_FLAGS, f"--user-data-dir={folder / 'profile'}"),
                *("--dump-dom", outside.as_uri()),
            ],
            capture_output=True,
            text=True,
            timeout=300,
        )
        (seen,) = re.findall(r'<pre id="seen">(.*?)</pre>', done.stdout, re.S)
        return json.loads(unescape(seen))

    return look_at


@pytest.fixture(scope="session")
def paint_files(tmp_path_factory):
    """Writes pictures of noise; gives their files."""

    def paint(count, size=(24, 24)):
        folder = tmp_path_factory.mktemp("pictures")
        rng = np.random.default_rng(0)
        files = []
        for number in range(count):
            pixels = rng.integers(0, 256, (*size, 3), np.uint8)
            files.append(folder / f"{number}.png")
            Image.fromarray(pixels).save(files[-1])
        return files

    return paint


@pytest.fixture(scope="session")
def make_expectation():
    """An expectation of classes of some names, with a part of everything."""
    from tfmeta.estimation.choosing import Candidate, Choice
    from tfmeta.estimation.expectation import (
        ClassExpectation,
        ConfusedPair,
        CurvePoint,
        Double,
        Expectation,
        NextToLabel,
        Rejection,
        Share,
        Suspect,
    )
    from tfmeta.evaluation.threshold import Threshold

    def make(names=HOSTILE, shots=3, kind="pictures", examples=None, **others):
        ways = len(names)
        labels = np.repeat(np.arange(ways), shots).astype(np.int32)
        count = len(labels)
        probabilities = np.full((count, ways), 0.2 / (ways - 1), np.float32)
        probabilities[np.arange(count), labels] = 0.8
        # The first of each class is taken for the next class.
        wrong = np.arange(0, count, shots)
        probabilities[wrong, labels[wrong]] = 0.1
        probabilities[wrong, (labels[wrong] + 1) % ways] = 0.7
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        right = count - ways
        if examples is None:
            examples = tuple(f"{names[n]}/{i}.png" for i, n in enumerate(labels))
        made = {
            "kind": kind,
            "encoder": "efficientnet_lite0",
            "choice": Choice(
                "simple_shot",
                (
                    Candidate("simple_shot", right / count, 0.5),
                    Candidate("logistic_regression", right / count, 0.75),
                ),
                10,
                "most right answers",
            ),
            "seed": 7,
            "folds": 3,
            "examples": examples,
            "labels": labels,
            "class_names": tuple(names),
            "probabilities": probabilities,
            "accuracy": Share.of(right, count),
            "curve": (
                CurvePoint(1, Share.of(right // 2, count)),
                CurvePoint(shots, Share.of(right, count)),
                CurvePoint(2 * shots, Share.of(count, count), measured=False),
            ),
            "classes": tuple(
                ClassExpectation(name, shots, Share.of(shots - 1, shots))
                for name in names
            ),
            "confused": (ConfusedPair(names[0], names[1], 1, shots),),
            "suspects": (Suspect(0, examples[0], names[0], names[1], 0.7, 0.1),),
            "doubles": (
                Double((0, 1), examples[:2], (names[0], names[0]), 1.0, True),
                Double(
                    (1, shots), (examples[1], examples[shots]), names[:2], 0.995, False
                ),
            ),
            "rejection": Rejection(
                Threshold("probability", 0.43, 0.95, {"probability": 0.9}, {}),
                Share.of(19, 20),
                Share.of(15, 20),
                0.91,
            ),
            "to_label": (NextToLabel(2, "new/<i>2.png", names[1], 0.41, "in doubt"),),
            "notes": ("A note of <b>these</b>.",),
        }
        return Expectation(**{**made, **others})

    return make
