"""What Prometheus is told of a server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

# They double the lines, and nobody reads them.
disable_created_metrics()

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counters of one server, in a registry of their own.

    Args:
        version: Gives the name and version of the model that answers.
        in_flight: Gives the number of requests that are read, wait or are answered.
    """

    def __init__(
        self, version: Callable[[], tuple[str, str]], in_flight: Callable[[], int]
    ) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._version = version
        self._requests = Counter(
            "tfmeta_requests",
            "Requests that were answered or refused, by endpoint and status.",
            ("endpoint", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "tfmeta_request_seconds",
            "Seconds from the head of a request to the end of its answer.",
            ("endpoint",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._examples = Counter(
            "tfmeta_examples",
            "Examples of requests that were answered.",
            ("endpoint",),
            registry=self._registry,
        )
        self._rows = Histogram(
            "tfmeta_batch_rows",
            "Examples that were given to the model at once.",
            buckets=_ROWS,
            registry=self._registry,
        )
        self._joined = Histogram(
            "tfmeta_batch_requests",
            "Requests whose examples were given to the model at once.",
            buckets=_ROWS,
            registry=self._registry,
        )
        self._loads = Counter(
            "tfmeta_version_loads",
            "Newer versions that were taken up, and that could not be.",
            ("result",),
            registry=self._registry,
        )
        self._model = Gauge(
            "tfmeta_model_info",
            "1, with name and version of the model that answers.",
            ("name", "version"),
            registry=self._registry,
        )
        Gauge(
            "tfmeta_requests_in_flight",
            "Requests that are read, wait or are answered.",
            registry=self._registry,
        ).set_function(in_flight)

    def on_request(self, endpoint: str, status: int, seconds: float) -> None:
        """Counts a request."""
        self._requests.labels(endpoint, str(status)).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def on_examples(self, endpoint: str, number: int) -> None:
        """Counts examples that were answered."""
        self._examples.labels(endpoint).inc(number)

    def on_batch(self, rows: int, requests: int) -> None:
        """Counts a call of the model."""
        self._rows.observe(rows)
        self._joined.observe(requests)

    def on_load(self, done: bool) -> None:
        """Counts a newer version."""
        self._loads.labels("taken_up" if done else "failed").inc()

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        self._model.clear()
        # Of a model that cannot be read just now, all others are told.
        with contextlib.suppress(OSError, ValueError):
            self._model.labels(*self._version()).set(1)
        return generate_latest(self._registry)
