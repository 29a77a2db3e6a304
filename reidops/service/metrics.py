"""Counters and histograms of the service in the format of Prometheus."""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_CROPS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The metrics of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        options: dict[str, Any] = {"registry": self._registry, "namespace": "reidops"}
        self.requests = Counter("requests", "Answered requests.", ["path", "status"], **options)
        self.seconds = Histogram("request_seconds", "Time of a request.", ["path"], buckets=_SECONDS, **options)
        self.crops = Counter("crops", "Embedded crops.", **options)
        self.batches = Histogram("batch_crops", "Crops of one run of the network.", buckets=_CROPS, **options)
        self.waiting = Gauge("requests_in_progress", "Requests that are being answered.", **options)
        self.sessions = Gauge("sessions", "Cameras that are tracked.", **options)
        self.reloads = Counter("reloads", "Replacements of the model.", **options)
        self.model = Gauge("model_info", "The served version.", ["version"], **options)

    def count_batch(self, num_crops: int) -> None:
        """Count one run of the network."""
        self.batches.observe(num_crops)
        self.crops.inc(num_crops)

    def set_version(self, version: str) -> None:
        """Set the served version."""
        self.model.clear()
        self.model.labels(version).set(1)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
