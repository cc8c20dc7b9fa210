"""What Prometheus is told: requests, photos, queue, model."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

disable_created_metrics()  # a second series for each, of no use here

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The figures of one service; each has a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = self._counter("requests", "Requests answered", "route", "status")
        self.seconds = Histogram(
            "landmarks_request_seconds", "From the request's head to the answer's end",
            ["route"], buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.photos = self._counter("photos", "Photos looked at", "decision")
        self.stages = Histogram(
            "landmarks_stage_seconds", "Seconds of a photo's decoding, of a batch's forward pass",
            ["stage"], buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self.batches = Histogram(
            "landmarks_batch_photos", "Photos a forward pass",
            buckets=(1, 2, 4, 8, 16, 32, 64), registry=self.registry,
        )  # fmt: skip
        self.queue_photos = self._gauge("queue_photos", "Photos accepted and not yet answered")
        self.queue_bytes = self._gauge("queue_bytes", "Bytes of requests held in memory")
        self.connections = self._gauge("connections", "Open connections")
        self.reloads = self._counter("reloads", "Attempts to load a changed model", "result")
        self.model = self._gauge("model", "1 for the model that answers", "version", "cnn")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"landmarks_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"landmarks_{name}", text, labels, registry=self.registry)

    def text(self) -> bytes:
        """Return all figures in the text format of Prometheus."""
        return generate_latest(self.registry)
