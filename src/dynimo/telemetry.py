"""Counters, timings and log lines: how the platform tells people what it does.

Here live the metrics by name (Prometheus conventions; names that operators know, under
our prefix) and the two shapes of a log line. Nothing here decides anything.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dynimo.model.invocation import Outcome

SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
BATCH_SECONDS = 0.1
BATCH_MAX = 1_000
METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Every counter and timing of one platform. Safe to make many: no global registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        of = self.registry
        self._children: dict[tuple[Any, str], Any] = {}
        self.requests = Counter("dynimo_requests", "HTTP requests answered.", registry=of)
        self.statuses = Counter(
            "dynimo_status_codes", "HTTP answers by status.", ["status"], registry=of
        )
        self.request_seconds = Histogram(
            "dynimo_request_duration_seconds",
            "From a request's head to its answer.",
            buckets=SECONDS_BUCKETS,
            registry=of,
        )
        self.spans = Histogram(
            "dynimo_request_span_duration_seconds",
            "Parts of an invocation: queue, init, run.",
            ["span"],
            buckets=SECONDS_BUCKETS,
            registry=of,
        )
        self.errors = Counter("dynimo_errors", "Failed invocations by type.", ["type"], registry=of)
        self.invocations = Counter(
            "dynimo_invocations", "Invocations ended.", ["function"], registry=of
        )
        self.in_progress = Gauge(
            "dynimo_invocations_in_progress", "Waiting or running.", ["function"], registry=of
        )
        self.cold_starts = Counter(
            "dynimo_cold_starts", "Invocations that made an environment.", ["function"], registry=of
        )
        self.init_seconds = Histogram(
            "dynimo_init_duration_seconds",
            "From an environment's birth to its handler's first line.",
            buckets=SECONDS_BUCKETS,
            registry=of,
        )
        self.billed = Counter(
            "dynimo_billed_milliseconds", "Init and run, rounded up.", ["function"], registry=of
        )

    def request(self, status: int, seconds: float) -> None:
        """An HTTP request was answered."""
        self.requests.inc()
        self._of(self.statuses, str(status)).inc()
        self.request_seconds.observe(seconds)

    def began(self, function: str) -> None:
        """An invocation was accepted."""
        self._of(self.in_progress, function).inc()

    def ended(self, function: str, error: str | None) -> None:
        """An invocation ended without an outcome: it was turned away, or its caller left."""
        self._of(self.in_progress, function).dec()
        if error is not None:
            self.errors.labels(error).inc()

    def finished(self, outcome: Outcome) -> None:
        """An invocation ended with an outcome."""
        function = outcome.function
        self._of(self.in_progress, function).dec()
        self._of(self.invocations, function).inc()
        self._of(self.billed, function).inc(outcome.billed_ms)
        self._of(self.spans, "queue").observe(outcome.queue_ms / 1000)
        self._of(self.spans, "run").observe(outcome.duration_ms / 1000)
        if outcome.cold:
            self._of(self.cold_starts, function).inc()
            self._of(self.spans, "init").observe(outcome.init_ms / 1000)
            self.init_seconds.observe(outcome.init_ms / 1000)
        if outcome.error is not None:
            # Only the platform's own names: a function may invent as many as it likes.
            self._of(self.errors, outcome.killed or "function").inc()

    def _of(self, metric: Any, label: str) -> Any:
        """One labelled child, remembered: looking it up costs more than counting."""
        child = self._children.get((metric, label))
        if child is None:
            child = self._children[metric, label] = metric.labels(label)
        return child

    def watch(self, name: str, help_text: str, read: Callable[[], Mapping[str, float]]) -> None:
        """Expose a gauge read at scrape time; ``read`` gives label value → number."""
        self.registry.register(_Reading(name, help_text, read))

    def render(self) -> bytes:
        """All of it, in Prometheus's text format."""
        return generate_latest(self.registry)


class _Reading(Collector):
    """A gauge whose values are looked up when somebody asks."""

    def __init__(self, name: str, help_text: str, read: Callable[[], Mapping[str, float]]) -> None:
        self._name = name
        self._help = help_text
        self._read = read

    def collect(self) -> list[Metric]:
        family = GaugeMetricFamily(self._name, self._help, labels=["of"])
        for label, value in self._read().items():
            family.add_metric([label], value)
        return [family]


class JsonLines(logging.Formatter):
    """One JSON object a line, for machines."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, message, and whatever the call named in ``extra``."""
        line: dict[str, object] = {
            "time": _timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_named(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


class PlainLines(logging.Formatter):
    """One line for people: clock time, then the message; warnings and worse say so."""

    def format(self, record: logging.LogRecord) -> str:
        """The message, with what is worth knowing in front."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        function = getattr(record, "function", "")
        text = f"{clock} {level}{function + ' ' if function else ''}{record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class BatchedHandler(logging.StreamHandler[TextIO]):
    """Writes lines a moment later, many at once: a request must not wait for its own report.

    Warnings and worse are written at once, and so is everything from outside an event loop.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._pending: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record for the next batch."""
        self._pending.append(record)
        if record.levelno >= logging.WARNING or len(self._pending) >= BATCH_MAX:
            self.write_pending()
        elif len(self._pending) == 1:
            try:
                asyncio.get_running_loop().call_later(BATCH_SECONDS, self.write_pending)
            except RuntimeError:
                self.write_pending()

    def write_pending(self) -> None:
        """Write what waits."""
        pending, self._pending = self._pending, []
        if not pending:
            return
        try:
            self.stream.write("".join(self.format(record) + "\n" for record in pending))
            self.stream.flush()
        except OSError:
            # Whoever read our log is gone, or the disk is full; the work goes on all the same.
            return

    def flush(self) -> None:
        """Write what waits; ``logging`` calls this when the program ends."""
        self.write_pending()


def set_up_logging(stream: TextIO = sys.stderr, *, level: str = "INFO", form: str = "auto") -> None:
    """Send the ``dynimo`` loggers to ``stream``: ``form`` is ``plain``, ``json`` or by terminal."""
    plain = form == "plain" or (form == "auto" and stream.isatty())
    handler = BatchedHandler(stream)
    handler.setFormatter(PlainLines() if plain else JsonLines())
    logger = logging.getLogger("dynimo")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False


_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _named(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD and value}


def _timestamp(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"
