"""What the server counts, in the form that Prometheus reads."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

#: Content type of `Metrics.text`.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_PICTURES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """The figures of one server.

    Attributes:
        requests: answers, by `route` and `status`.
        seconds: time from a request's headers to the end of its answer, by `route`.
        batch: pictures in a batch.
        captioned: pictures captioned.
        rejected: requests and pictures that were refused, by `reason`, the code of their error.
        dropped: pictures whose client left before their turn.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        self.requests = Counter(
            "captioning_requests", "Answers.", ("route", "status"), registry=registry
        )
        self.seconds = Histogram(
            "captioning_request_seconds",
            "Time from the headers of a request to the end of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.batch = Histogram(
            "captioning_batch_pictures",
            "Pictures in a batch.",
            buckets=_PICTURES,
            registry=registry,
        )
        self.captioned = Counter("captioning_pictures", "Pictures captioned.", registry=registry)
        self.rejected = Counter(
            "captioning_rejected", "Requests and pictures refused.", ("reason",), registry=registry
        )
        self.dropped = Counter(
            "captioning_dropped", "Pictures whose client left before their turn.", registry=registry
        )

    def watch(self, name: str, what: str, value: Callable[[], float]) -> None:
        """Report a value that changes, such as the length of a queue.

        Args:
            name: name of the figure.
            what: its meaning.
            value: returns the value at this moment.
        """
        Gauge(name, what, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)
