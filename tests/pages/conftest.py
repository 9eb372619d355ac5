"""Pictures to show, and a browser that shows them."""

import json
import re
import shutil
import subprocess
from html import unescape

import numpy as np
import pytest
from PIL import Image

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
