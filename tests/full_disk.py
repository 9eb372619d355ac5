"""A disk without room, as a process sees it: its files may not grow beyond a size."""

import contextlib
import signal

import pytest

resource = pytest.importorskip("resource", reason="limits to files are those of POSIX")


@contextlib.contextmanager
def files_of_at_most(size):
    """Lets writing of larger files fail with an error, as on a full disk."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
