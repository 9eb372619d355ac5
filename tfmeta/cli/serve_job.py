"""The work of `tfmeta serve`."""

from __future__ import annotations

import dataclasses
import gc
import os
import stat
from pathlib import Path

import click

from tfmeta.cli.tensorflow_start import start_tensorflow
from tfmeta.console import Console

_VARIABLE = "TFMETA_API_KEY"
_MOST_BYTES = 10_000


@dataclasses.dataclass(frozen=True)
class ServeJob:
    """What `tfmeta serve` is asked, by the names of its options."""

    path: Path
    host: str
    port: int
    key_file: Path | None
    tls_cert: Path | None
    tls_key: Path | None
    max_body: int
    max_pixels: int
    max_examples: int
    max_requests: int
    timeout: float
    batch_size: int
    poll: float

    def serve(self) -> None:
        """Serves until a signal ends it.

        Raises:
            click.UsageError: When options do not go together.
            FileNotFoundError, ValueError: When what is to be served, the key or the
                certificate is not what it must be.
            OSError: When the address cannot be had.
        """
        from tfmeta.serving.access import is_loopback

        key = self._key()
        if key is None and not is_loopback(self.host):
            raise click.UsageError(
                "--host must be an address of this machine alone, such as 127.0.0.1, "
                f"without a key: give one by --key-file or in ${_VARIABLE}. Received: "
                f"--host {self.host}"
            )
        if self.tls_key is not None and self.tls_cert is None:
            raise click.UsageError(
                f"--tls-key needs --tls-cert. Received: --tls-key {self.tls_key} "
                "without"
            )
        from tfmeta.serving.address import Address

        address = Address(self.host, self.port, self.tls_cert, self.tls_key)
        address.check_certificate()
        # A port that is taken is said before TensorFlow is waited for.
        bound = address.bind()
        start_tensorflow("metric")

        from tfmeta.serving.app import make_app
        from tfmeta.serving.limits import MIB, Limits
        from tfmeta.serving.server import log_to_stderr, serve
        from tfmeta.serving.service import Service

        limits = Limits(
            body=self.max_body * MIB,
            pixels=self.max_pixels,
            examples=self.max_examples,
            seconds=self.timeout,
            queue=self.max_requests,
            batch=self.batch_size,
        )
        log_to_stderr()
        # What is there for good is not searched for garbage while requests wait, which
        # takes a quarter of a second. Models come later: newer ones replace them.
        gc.collect()
        gc.freeze()
        service = Service(self.path, limits, poll=self.poll)
        model = service.current.get()
        console = Console()

        def listening(url: str) -> None:
            console.say(f"Serving {model.name}, version {model.version}, at {url}")
            console.file.flush()

        app = make_app(service, key=key)
        serve(app, service, address, bound, on_listening=listening)
        console.say("Stopped. All requests that were taken are answered.")

    def _key(self) -> str | None:
        from tfmeta.serving.access import check_key

        if self.key_file is not None:
            with self.key_file.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                # Who else may read it is up to whoever mounts secrets.
                if os.name == "posix" and mode & (stat.S_IWGRP | stat.S_IWOTH):
                    raise ValueError(
                        f"`key_file` {self.key_file} must be a file that nobody else "
                        f"may write. Received: one of mode {stat.filemode(mode)}"
                    )
                content = file.read(_MOST_BYTES)
            key = content.decode("utf-8", "replace")
            return check_key(key, f"`key_file` {self.key_file}")
        if _VARIABLE in os.environ:
            return check_key(os.environ[_VARIABLE], f"${_VARIABLE}")
        return None
