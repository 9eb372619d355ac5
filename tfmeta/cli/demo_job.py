"""The work of `tfmeta demo`."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from tfmeta.cli.tensorflow_start import start_tensorflow
from tfmeta.console import Console
from tfmeta.extras import MissingExtraError

if TYPE_CHECKING:
    from tfmeta.demo.answer import Drawings, Photographs
    from tfmeta.serving.address import Address

# As `tfmeta train` has it by default.
_TEST_EPISODES = 1000


@dataclasses.dataclass(frozen=True)
class DemoJob:
    """What `tfmeta demo` is asked, by the names of its options."""

    run: Path | None
    port: int
    open_page: bool
    data_dir: Path | None

    def serve(self) -> None:
        """Serves the page until a signal ends it.

        Raises:
            FileNotFoundError, ValueError: When the run is not what it must be.
            OSError: When the port cannot be had, or nothing can be written.
        """
        from tfmeta.serving.address import Address

        address = Address("127.0.0.1", self.port)
        # A port that is taken is said before anything is waited for.
        with self._bound(address) as bound:
            start_tensorflow("metric")
            drawings, photographs = self._answers()

            from tfmeta.demo.server import make_app, make_server, private_gradio

            console = Console()
            url = address.url(bound.getsockname()[1])

            def listening() -> None:
                console.say(f"The page is at {url} (Ctrl-C ends it)")
                console.file.flush()
                if self.open_page:
                    import webbrowser

                    webbrowser.open(url)

            with private_gradio():
                from tfmeta.demo.page import SCRIPT, STYLE, make_page

                page = make_page(drawings, photographs)
                app = make_app(page, style=STYLE, script=SCRIPT)
                make_server(app, on_listening=listening).run(sockets=[bound])
        console.say("Stopped.")

    def _bound(self, address: Address) -> socket.socket:
        try:
            return address.bind()
        except OSError as error:
            raise OSError(
                "`port` must be one that nobody uses. Received: "
                f"{self.port} ({error.__cause__ or error})"
            ) from error

    def _answers(self) -> tuple[Drawings | None, Photographs | str | None]:
        from tfmeta.demo.by_run import RunAnswers

        if self.run is not None:
            by_run = RunAnswers(self.run)
            return (by_run if by_run.draws else None), by_run
        drawings = RunAnswers(self._glyph_run())
        photographs: Photographs | str
        from tfmeta.datasets.data_dir import resolve_data_dir
        from tfmeta.demo.by_encoder import EncoderAnswers

        try:
            kept = resolve_data_dir(self.data_dir) / "features"
            photographs = EncoderAnswers(kept)
        except MissingExtraError as error:
            photographs = str(error)
        return drawings, photographs

    def _glyph_run(self) -> Path:
        """The run that the page has by itself, trained where it is not there yet."""
        from tfmeta.demo.glyph_run import glyph_run, glyph_run_config, is_ready

        folder = glyph_run(self.data_dir)
        if not is_ready(folder):
            from tfmeta.cli.train_job import train_and_measure

            console = Console()
            console.say(
                "The first start trains a model of characters, in some two minutes; "
                "the next one finds it."
            )
            with folder.only_writer():
                train_and_measure(
                    console,
                    glyph_run_config(folder),
                    folder,
                    resume=folder.exists,
                    test_episodes_count=_TEST_EPISODES,
                    data_dir=self.data_dir,
                )
        return folder.path
