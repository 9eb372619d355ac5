"""Where a server listens, and by which certificate; needs no TensorFlow."""

from __future__ import annotations

import dataclasses
import ipaddress
import socket
import ssl
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Address:
    """Where a server listens.

    Attributes:
        host: An IP address.
        port: 0 for any that is free.
        certificate: File of the certificate chain (PEM), `None` for plain HTTP.
        private_key: File of its key; `None` where it is in the same file.
    """

    host: str
    port: int
    certificate: Path | None = None
    private_key: Path | None = None

    def bind(self) -> socket.socket:
        """A socket that has the address, and does not listen yet.

        Raises:
            OSError: When the address is in use, or none of this machine.
        """
        version = ipaddress.ip_address(self.host).version
        bound = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET)
        try:
            # What a former server has left is no reason to wait.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self.host, self.port))
        except OSError as error:
            bound.close()
            raise OSError(
                "`host` and `port` must be an address of this machine that nobody "
                f"uses. Received: {self.host} port {self.port} ({error.strerror})"
            ) from error
        return bound

    def check_certificate(self) -> None:
        """Checks that certificate and key can be used.

        Raises:
            ValueError: When they cannot.
        """
        if self.certificate is None:
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # OpenSSL would ask for a password on the terminal.
            context.load_cert_chain(self.certificate, self.private_key, password="")
        except (ssl.SSLError, OSError, ValueError) as error:
            raise ValueError(
                "`tls_cert` and `tls_key` must be a certificate in PEM and its key, "
                f"without a password. Received: others ({error})"
            ) from error

    def url(self, port: int) -> str:
        """The address for clients.

        Args:
            port: The one that it listens at.
        """
        scheme = "http" if self.certificate is None else "https"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{port}"
