"""The page: a tab of sketchpads, and one of photographs."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gradio as gr
import tensorflow as tf

from tfmeta.demo.answer import Answer, Drawings, Photographs
from tfmeta.demo.asked import MOST_CHARACTERS, check_names, check_photographs
from tfmeta.demo.drawings import ink_of
from tfmeta.printable import one_line
from tfmeta.serving.refusals import Refusal

# Of the tabs; the first shows so many at once.
_FEWEST, _USUAL, _MOST = 2, 3, 5
# Of a canvas, and of its pen, which on a picture of 28 pixels is two wide.
_SIDE, _RADIUS = 280, 10

# A pad comes without a pen in hand, and lays it down when it is cleared: this takes it
# up. What there is to choose of the tool in hand is on the right of the bar, which is
# hidden while there is none. Not at once: the pad lays it down more than once.
SCRIPT = """() => {
  let soon = null;
  const takeUp = () => {
    soon = null;
    document.querySelectorAll(".pad").forEach(pad => {
      const idle = pad.querySelector(".half-container.right.hide");
      if (idle && pad.offsetParent && pad.querySelector("canvas"))
        pad.querySelector(".half-container button")?.click();
    });
  };
  const later = () => { soon ??= setTimeout(takeUp, 200); };
  new MutationObserver(later).observe(document.body, {
    childList: true, subtree: true, attributes: true,
    attributeFilter: ["class", "style"]});
  later();
}"""

STYLE = """
.pad .zoom-number, .pad .separator, .pad button[aria-label^="Zoom"],
.pad button[aria-label="Pan"], .pad button[aria-label="Color"] {
  display: none !important;
}
"""


def make_page(
    drawings: Drawings | str | None, photographs: Photographs | str | None
) -> gr.Blocks:
    """The page, not served yet.

    Args:
        drawings: What answers for characters, or why nothing does; `None` for no tab.
        photographs: Likewise.
    """
    with gr.Blocks(analytics_enabled=False, title="tfmeta demo") as page:
        gr.Markdown("# Teach it a class by an example")
        with gr.Tabs():
            if drawings is not None:
                with gr.Tab("Characters", id="characters"):
                    _tab(drawings, _characters)
            if photographs is not None:
                with gr.Tab("Photographs", id="photographs"):
                    _tab(photographs, _photographs)
    return page.queue(max_size=16, api_open=False)


def _tab(answers: Any, content: Callable[[Any], None]) -> None:
    if isinstance(answers, str):
        gr.HTML(_plain(answers), padding=False)
        return
    content(answers)
    gr.HTML(_plain(answers.about), padding=False)


def _characters(answers: Drawings) -> None:
    gr.Markdown(
        "Invent a character for each class and draw it **once**. Then draw one of "
        "them anew."
    )
    count, names, pads = _classes(lambda: _pad("Draw one example"))
    with gr.Row():
        with gr.Column():
            query = _pad("Now draw one of them anew", "new-character")
        label, note, button = _answer()

    def answer(count: int, drawn: Any, *given: Any) -> tuple[dict[str, float], str]:
        names = check_names(given[:count])
        support = {
            name: _ink(f"Class {name!r}", value)
            for name, value in zip(names, given[_MOST : _MOST + count], strict=True)
        }
        return _shown(answers.of_drawings(support, _ink("The new drawing", drawn)))

    _on_click(button, answer, [count, query, *names, *pads], [label, note])


def _photographs(answers: Photographs) -> None:
    gr.Markdown(
        "Drop a few photographs into each class: one is enough, more are better. Then "
        "drop a new one."
    )
    count, names, files = _classes(lambda: _files("Examples"))
    with gr.Row():
        with gr.Column():
            query = _files("A new photograph; of several the last", "new-photograph")
        label, note, button = _answer()

    def answer(count: int, new: Any, *given: Any) -> tuple[dict[str, float], str]:
        names = check_names(given[:count])
        support = {
            name: check_photographs(f"Class {name!r}", _paths(value))
            for name, value in zip(names, given[_MOST : _MOST + count], strict=True)
        }
        queries = check_photographs("The new one", _paths(new)[-1:])
        return _shown(answers.of_photographs(support, queries[0]))

    _on_click(button, answer, [count, query, *names, *files], [label, note])


def _classes(
    place: Callable[[], Any],
) -> tuple[gr.Radio, list[gr.Textbox], list[Any]]:
    """How many classes, and of each the name and where its examples go."""
    count = gr.Radio(list(range(_FEWEST, _MOST + 1)), value=_USUAL, label="Classes")
    columns, names, places = [], [], []
    with gr.Row():
        for number in range(_MOST):
            with gr.Column(min_width=300, visible=number < _USUAL) as column:
                name = chr(ord("A") + number)
                names.append(gr.Textbox(name, label="Name", max_length=MOST_CHARACTERS))
                places.append(place())
            columns.append(column)

    def show(count: int) -> list[Any]:
        return [gr.Column(visible=number < count) for number in range(_MOST)]

    count.change(show, count, columns, api_visibility="private", show_progress="hidden")
    return count, names, places


def _pad(label: str, elem_id: str | None = None) -> gr.Sketchpad:
    return gr.Sketchpad(
        label=label,
        elem_id=elem_id,
        elem_classes="pad",
        canvas_size=(_SIDE, _SIDE),
        fixed_canvas=True,
        height=_SIDE + 60,
        layers=False,
        transforms=(),
        buttons=[],
        brush=gr.Brush(_RADIUS, colors=["#000000"], color_mode="fixed"),
        eraser=gr.Eraser(_RADIUS),
    )


def _files(label: str, elem_id: str | None = None) -> gr.Gallery:
    return gr.Gallery(
        label=label,
        elem_id=elem_id,
        elem_classes="files",
        interactive=True,
        type="filepath",
        file_types=["image"],
        sources=["upload"],
        height=310,
        columns=2,
        object_fit="cover",
        buttons=[],
    )


def _answer() -> tuple[gr.Label, gr.HTML, gr.Button]:
    with gr.Column():
        button = gr.Button("Which is it?", variant="primary")
        label = gr.Label(label="Probabilities", show_heading=True)
        note = gr.HTML(padding=False)
    return label, note, button


def _on_click(
    button: gr.Button, answer: Callable[..., Any], inputs: list[Any], outputs: list[Any]
) -> None:
    def answered(*given: Any) -> Any:
        try:
            return answer(*given)
        # What is asked wrongly, what cannot be read, and what memory does not hold.
        except (ValueError, OSError, MemoryError, Refusal, tf.errors.OpError) as error:
            message = getattr(error, "message", None) or str(error)
            # The page takes it for markup.
            said = _plain(message or type(error).__name__)
            raise gr.Error(said, title="", print_exception=False) from error

    # One at a time, of both tabs: it takes all cores.
    button.click(
        answered,
        inputs,
        outputs,
        api_visibility="private",
        concurrency_limit=1,
        concurrency_id="answers",
    )


def _ink(what: str, value: Mapping[str, Any] | None) -> Any:
    layers = (value or {}).get("layers") or [None]
    try:
        return ink_of(layers[0])
    except ValueError as error:
        raise ValueError(f"{what} {error}") from error


def _paths(value: list[tuple[str, str | None]] | None) -> list[Path]:
    return [Path(path) for path, _ in value or []]


def _shown(answer: Answer) -> tuple[dict[str, float], str]:
    return dict(answer.probabilities), _plain(answer.note)


def _plain(text: str) -> str:
    """Text that is no markup."""
    return html.escape(one_line(text))
