"""Figures of the running pipeline, served as ``/metrics`` for Prometheus, and ``/healthz``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from reference.churn_pipeline.config import ConfigError
from reference.churn_pipeline.validation import ErrorType

HOST = "127.0.0.1"


class Metrics:
    """The pipeline's figures, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.received = Counter(
            "churn_messages_received", "Messages consumed.", registry=self.registry
        )
        self.predictions = Counter(
            "churn_predictions", "Predictions delivered.", registry=self.registry
        )
        self.dead_letters = Counter(
            "churn_dead_letters",
            "Dead letters delivered, by error type.",
            ["error_type"],
            registry=self.registry,
        )
        for error_type in ErrorType:
            # A series that is there from the start can be rated from the first error on.
            self.dead_letters.labels(error_type)
        self.commits = Counter(
            "churn_commits", "Offset commits that succeeded.", registry=self.registry
        )
        self.batch_duration = Histogram(
            "churn_batch_duration_seconds",
            "Time from a batch's first validation to its commit, in seconds.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30),
            registry=self.registry,
        )
        self.assigned_partitions = Gauge(
            "churn_assigned_partitions", "Partitions assigned now.", registry=self.registry
        )


def serve_metrics(metrics: Metrics, port: int, is_ready: Callable[[], bool]) -> ThreadingHTTPServer:
    """Serve ``/metrics`` and ``/healthz`` on 127.0.0.1 from a background thread.

    ``/healthz`` answers 503 until ``is_ready()``, then 200.

    Raises:
        ConfigError: the port is not free.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(metrics.registry))
            elif path == "/healthz":
                status, text = (200, b"ready\n") if is_ready() else (503, b"starting\n")
                self._answer(status, "text/plain; charset=utf-8", text)
            else:
                self._answer(404, "text/plain; charset=utf-8", b"/metrics or /healthz\n")

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Do not log requests: a scrape every few seconds is no news."""

    try:
        server = ThreadingHTTPServer((HOST, port), Handler)
    except OSError as error:
        raise ConfigError(
            f"--metrics-port {port} on {HOST} cannot be used: {error.strerror}"
        ) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
