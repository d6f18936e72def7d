"""Counters, timings and log lines: how the platform tells people what it does.

Here live the metrics by name (Prometheus conventions; names that operators know, under
our prefix) and the two shapes of a log line. Nothing here decides anything.
"""

from __future__ import annotations

import asyncio
import bisect
import collections
import functools
import json
import logging
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

import msgspec
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dynimo.model.invocation import Outcome

SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
ENDED_MAX = 1_000
"""Invocations that may wait to be counted; counting them at once keeps it out of their way."""
BATCH_SECONDS = 0.1
BATCH_MAX = 1_000
_ours = logging.getLogger("dynimo")
METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Every counter and timing of one platform. Safe to make many: no global registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        of = self.registry
        self._children: dict[tuple[Any, str], Any] = {}
        self._ended: list[tuple[str, str, tuple[float, float, float]]] = []
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

        self.sheds = Counter(
            "dynimo_shed",
            "Requests turned away because there was too much to do.",
            ["priority", "reason"],
            registry=of,
        )

    def shed(self, priority: str, reason: str) -> None:
        """A request of this class was turned away."""
        self.sheds.labels(priority, reason).inc()

    def answered(self, requests: Sequence[tuple[int, float]]) -> None:
        """HTTP requests were answered: (status, seconds) of each."""
        self.requests.inc(len(requests))
        for status, count in collections.Counter(status for status, _ in requests).items():
            self._of(self.statuses, str(status)).inc(count)
        _observe(self.request_seconds, [seconds for _, seconds in requests])

    def refused(self, error: str) -> None:
        """An invocation was turned away by the platform, for the reason of this name."""
        self._of(self.errors, error).inc()

    def finished(self, outcome: Outcome) -> None:
        """An invocation ended with an outcome; counted a little later, many at once."""
        # Not the outcome itself: that would keep its body in memory.
        error = (outcome.killed or "function") if outcome.error is not None else ""
        times = (outcome.queue_ms, outcome.init_ms, outcome.duration_ms)
        self._ended.append((outcome.function, error, times))
        if len(self._ended) >= ENDED_MAX:
            self.settle()

    def settle(self) -> None:
        """Count every ended invocation that waits to be counted; equal ones in one step."""
        ended, self._ended = self._ended, []
        runs: collections.Counter[str] = collections.Counter()
        billed: collections.Counter[str] = collections.Counter()
        for function, error, times in ended:
            runs[function] += 1
            billed[function] += math.ceil(times[1] + times[2])
            self._count(function, error, times)
        for function, count in runs.items():
            self._of(self.invocations, function).inc(count)
            self._of(self.billed, function).inc(billed[function])

    def _count(self, function: str, error: str, times: tuple[float, float, float]) -> None:
        queue_ms, init_ms, run_ms = times
        self._of(self.spans, "queue").observe(queue_ms / 1000)
        self._of(self.spans, "run").observe(run_ms / 1000)
        if init_ms:
            self._of(self.cold_starts, function).inc()
            self._of(self.spans, "init").observe(init_ms / 1000)
            self.init_seconds.observe(init_ms / 1000)
        if error:
            # Only the platform's own names: a function may invent as many as it likes.
            self._of(self.errors, error).inc()

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
        self.settle()
        return generate_latest(self.registry)


def _observe(histogram: Histogram, seconds: list[float]) -> None:
    """Observe many at once: a step for each bucket, where the library takes one for each value."""
    # Its own way to add: a bucket holds what is in it and not in a lower one.
    counts = collections.Counter([bisect.bisect_left(SECONDS_BUCKETS, each) for each in seconds])
    for bucket, count in counts.items():
        histogram._buckets[bucket].inc(count)  # noqa: SLF001 - as said
    histogram._sum.inc(sum(seconds))  # noqa: SLF001


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


class Note(logging.LogRecord):
    """A record of few facts; the others are what nothing of ours shows."""

    exc_info = exc_text = stack_info = None
    args = ()
    levelno, levelname = logging.INFO, "INFO"
    pathname = filename = module = funcName = threadName = processName = ""  # noqa: N815 - theirs
    lineno = thread = process = 0
    msecs = relativeCreated = 0.0  # noqa: N815 - theirs

    def __init__(self, name: str, text: str, named: Mapping[str, object]) -> None:
        self.name = name
        self.msg = text
        self.created = time.time()
        self.__dict__.update(named)

    def getMessage(self) -> str:  # noqa: N802 - theirs
        """The text as it is."""
        return str(self.msg)


def note(logger: logging.Logger, text: str, **named: object) -> None:
    """Log ``text`` at INFO, for what is said at every invocation: a whole record costs ten times.

    ``named`` are as what ``extra`` holds. Where ``set_up_logging`` set the handler of our loggers,
    it goes there without being asked for on the way.
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    handlers = _ours.handlers
    if len(handlers) == 1 and type(handlers[0]) is BatchedHandler:
        handlers[0].emit(Note(logger.name, text, named))
    else:
        logger.handle(Note(logger.name, text, named))


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
        try:
            return msgspec.json.encode(line, enc_hook=str).decode()
        except UnicodeEncodeError:  # half a character, as clients may send it
            return json.dumps(line, default=str)


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
            self.stream.write("".join(map(self._line, pending)))
            self.stream.flush()
        except OSError:
            # Whoever read our log is gone, or the disk is full; the work goes on all the same.
            return

    def _line(self, record: logging.LogRecord) -> str:
        """The line of a record, whatever it holds: whoever logs must not fail by it."""
        try:
            text = self.format(record)
        except Exception as error:  # noqa: BLE001 - see above
            text = f"{record.name}: a line could not be written: {error!r}"
        return text.encode("utf-8", "backslashreplace").decode() + "\n"

    def flush(self) -> None:
        """Write what waits; ``logging`` calls this when the program ends."""
        self.write_pending()


def set_up_logging(stream: TextIO = sys.stderr, *, level: str = "INFO", form: str = "auto") -> None:
    """Send the ``dynimo`` loggers to ``stream``: ``form`` is ``plain``, ``json`` or by terminal."""
    plain = form == "plain" or (form == "auto" and stream.isatty())
    # What no line of ours shows need not be found out for every record (logging HOWTO).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - the documented way
    handler = BatchedHandler(stream)
    handler.setFormatter(PlainLines() if plain else JsonLines())
    _ours.handlers[:] = [handler]
    _ours.setLevel(level)
    _ours.propagate = False


def flush_logs() -> None:
    """Write every line that waits for its batch."""
    for handler in _ours.handlers:
        handler.flush()


_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _named(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD and value}


def _timestamp(seconds: float) -> str:
    return f"{_whole_second(int(seconds))}.{int(seconds % 1 * 1000):03d}Z"


@functools.lru_cache(2)
def _whole_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
