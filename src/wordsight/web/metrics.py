"""What Prometheus asks: counts and times of requests and searches. Nothing is sent anywhere."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """The figures of one service."""

    def __init__(self) -> None:
        self._registry = kept = CollectorRegistry()
        self.requests = Counter(
            "wordsight_requests",
            "Requests by route and status.",
            ["route", "method", "status"],
            registry=kept,
        )
        self.seconds = Histogram(
            "wordsight_request_seconds",
            "Time to the answer's end.",
            ["route"],
            buckets=_SECONDS,
            registry=kept,
        )
        self.search = Histogram(
            "wordsight_search_seconds",
            "Time of a search by step: encode, search.",
            ["encoder", "step"],
            buckets=_SECONDS,
            registry=kept,
        )
        self.thumbnails = Counter(
            "wordsight_thumbnails", "Thumbnails by where they came from.", ["from"], registry=kept
        )
        self.photos = Gauge("wordsight_photos", "Photos that can be found.", registry=kept)
        self.waiting = Gauge("wordsight_calls", "Calls that run or wait.", ["pool"], registry=kept)
        self.syncing = Gauge("wordsight_syncing", "1 while a sync runs.", registry=kept)

    def text(self) -> bytes:
        """Return the figures in Prometheus' text format."""
        return generate_latest(self._registry)
