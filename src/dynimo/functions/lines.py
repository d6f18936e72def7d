"""The words of the platform's own lines in a function's log, in AWS's two forms. Pure.

START, END, REPORT, INIT_START and INIT_REPORT as text, and the platform.* records of the JSON
format under its system log level. Sources: recorded log events of the service, and the developer
guide's pages on log formats and on failures. Where lines go, and when, is ``journal``'s business.
"""

from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime
from typing import Any

from dynimo.model.function import Version
from dynimo.model.invocation import Invocation, Outcome

_LEVELS = {"DEBUG": 10, "INFO": 20, "WARN": 30}
_ENDS = {
    "time": ("timeout", ""),
    "memory": ("error", "Runtime.OutOfMemory"),
    "size": ("error", "Function.ResponseSizeTooLarge"),
}
"""Why the platform killed it → AWS's status and error type."""


def start(request: str, version: Version, now: float | None = None) -> str:
    """The line before the handler runs; empty when the level hides it.

    ``now`` is seconds since the epoch (the clock's own when None), which only JSON shows.
    """
    if not _json(version):
        return f"START RequestId: {request} Version: {version.label}"
    arn = version.function_arn
    record = {"requestId": request, "functionArn": arn, "version": version.label}
    return _record(version, "INFO", "platform.start", record, now)


def end(request: str) -> str:
    """The line after the handler ran (Text only; JSON has platform.runtimeDone)."""
    return f"END RequestId: {request}"


def init_start(version: Version, now: float | None = None) -> str:
    """The line when an environment begins; empty when the level hides it."""
    runtime = _runtime(version)
    if not _json(version):
        return (
            f"INIT_START Runtime Version: {runtime}\tRuntime Version ARN: {_runtime_arn(version)}"
        )
    record = {
        "initializationType": "on-demand",
        "phase": "init",
        "runtimeVersion": runtime,
        "runtimeVersionArn": _runtime_arn(version),
        "functionName": version.function,
        "functionVersion": version.label,
    }
    return _record(version, "INFO", "platform.initStart", record, now)


def init_report(
    version: Version,
    init_ms: float,
    *,
    phase: str = "init",
    status: str = "error",
    error_type: str = "",
    now: float | None = None,
) -> str:
    """The line when an init failed: ``phase`` is ``init`` or, when it was tried again, ``invoke``.

    ``status`` is ``error`` or ``timeout`` (then AWS names no error type).
    """
    if not _json(version):
        line = f"INIT_REPORT Init Duration: {init_ms:.2f} ms\tPhase: {phase}\tStatus: {status}"
        return f"{line}\tError Type: {error_type}" if error_type else line
    record: dict[str, Any] = {"initializationType": "on-demand", "phase": phase, "status": status}
    if error_type:
        record["errorType"] = error_type
    record["metrics"] = {"durationMs": round(init_ms, 3)}
    return _record(version, "WARN", "platform.initReport", record, now)


def restore_report(version: Version, restore_ms: float, now: float | None = None) -> str:
    """The line when an environment was restored from a snapshot (SnapStart)."""
    if not _json(version):
        return f"RESTORE_REPORT Restore Duration: {restore_ms:.2f} ms"
    record = {"status": "success", "metrics": {"durationMs": round(restore_ms, 3)}}
    return _record(version, "INFO", "platform.restoreReport", record, now)


def ending(invocation: Invocation, outcome: Outcome, version: Version, now: float) -> list[str]:
    """All lines after the handler ran, in order: what went wrong, END, REPORT."""
    told = [line for line in (_fault(outcome, version, now),) if line]
    if not _json(version):
        return [*told, end(outcome.id), report(outcome, version, invocation.trace)]
    status, error_type = _status(outcome)
    done: dict[str, Any] = {"requestId": outcome.id, "status": status}
    if error_type:
        done["errorType"] = error_type
    produced = len(outcome.value or b"") or len(outcome.reply.body if outcome.reply else b"")
    done["metrics"] = {"durationMs": round(outcome.duration_ms, 3), "producedBytes": produced}
    records = [
        _record(
            version,
            "DEBUG" if status == "success" else "WARN",
            "platform.runtimeDone",
            done,
            now,
        ),
        _record(
            version,
            "INFO" if status == "success" else "WARN",
            "platform.report",
            _report_record(outcome, version, invocation.trace),
            now,
        ),
    ]
    return [*told, *filter(None, records)]


def report(outcome: Outcome, version: Version, trace: str = "") -> str:
    """The REPORT line as Text; ``trace`` is X-Ray's header, shown when the request is traced."""
    line = outcome.report(version.configuration.memory_mib)
    status, error_type = _status(outcome)
    if _platform_failed(outcome):
        line += f"\tStatus: {status}"
        line += f"\tError Type: {error_type}" if error_type else ""
    else:
        line += "\t"
    root = _traced(version, trace)
    if root:
        line += f"\nXRAY TraceId: {root}\tSegmentId: {_segment(outcome.id)}\tSampled: true\t"
    return line


def timed_out(request: str, seconds: float, now: float) -> str:
    """The line that says that the time was over. ``seconds`` is the function's timeout."""
    return f"{timestamp(now)} {request} Task timed out after {seconds:.2f} seconds"


def timestamp(now: float) -> str:
    """Seconds since the epoch as AWS writes them in logs: ISO, UTC, milliseconds."""
    told = datetime.fromtimestamp(now, UTC)
    return f"{told:%Y-%m-%dT%H:%M:%S}.{told.microsecond // 1000:03d}Z"


def _fault(outcome: Outcome, version: Version, now: float) -> str:
    """What the platform says of an environment that it ended, or that ended by itself."""
    if outcome.killed == "time":
        return timed_out(outcome.id, version.configuration.timeout_seconds, now)
    if outcome.killed in {"memory", "crash"} and outcome.error is not None:
        return f"{outcome.error.get('errorMessage', '')}\n{_status(outcome)[1]}"
    return ""


def _report_record(outcome: Outcome, version: Version, trace: str) -> dict[str, Any]:
    metrics: dict[str, Any] = {
        "durationMs": round(outcome.duration_ms, 3),
        "billedDurationMs": outcome.billed_ms,
        "memorySizeMB": version.configuration.memory_mib,
        "maxMemoryUsedMB": outcome.max_rss_kib // 1024,
    }
    if outcome.cold:
        metrics["initDurationMs"] = round(outcome.init_ms, 3)
    record: dict[str, Any] = {"requestId": outcome.id, "metrics": metrics}
    root = _traced(version, trace)
    if root:
        value = f"Root={root};Parent={_segment(outcome.id)};Sampled=1"
        record["tracing"] = {
            "spanId": _segment(outcome.id),
            "type": "X-Amzn-Trace-Id",
            "value": value,
        }
    record["status"], error_type = _status(outcome)
    if error_type:
        record["errorType"] = error_type
    return record


def _status(outcome: Outcome) -> tuple[str, str]:
    """AWS's status, and the error type if there is one."""
    if outcome.error is None:
        return "success", ""
    known = _ENDS.get(outcome.killed)
    return known if known is not None else ("error", str(outcome.error.get("errorType", "")))


def _platform_failed(outcome: Outcome) -> bool:
    """Whether the runtime failed, not the handler: only then REPORT names a status."""
    if outcome.error is None:
        return False
    kind = str(outcome.error.get("errorType", ""))
    return bool(outcome.killed) or kind.startswith(("Runtime.", "Sandbox.", "Function.Resp"))


def _json(version: Version) -> bool:
    return version.configuration.logging.form == "JSON"


def _record(
    version: Version, level: str, kind: str, record: dict[str, Any], now: float | None
) -> str:
    wanted = version.configuration.logging.system_level or "INFO"
    if _LEVELS[level] < _LEVELS.get(wanted, _LEVELS["INFO"]):
        return ""
    told = {
        "time": timestamp(time.time() if now is None else now),
        "type": kind,
        "record": record,
    }
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False)


def _runtime(version: Version) -> str:
    """``python3.12`` as AWS names the version of a runtime: ``python:3.12``."""
    name = version.configuration.runtime or "python3.11"
    if name.startswith("provided."):
        return name.replace(".", ":", 1)
    family = name.rstrip("0123456789.x")
    return f"{family}:{name[len(family) :]}"


def _runtime_arn(version: Version) -> str:
    """The same name for a runtime that GetFunction shows as RuntimeVersionArn."""
    name = hashlib.sha256(version.configuration.runtime.encode()).hexdigest()
    return f"arn:aws:lambda:{version.place.region}::runtime:{name}"


def _traced(version: Version, trace: str) -> str:
    """The root of a request that is traced, or nothing."""
    if "Sampled=1" not in trace and version.configuration.tracing != "Active":
        return ""
    parts = dict(part.strip().partition("=")[::2] for part in trace.split(";"))
    sampled = parts.get("Sampled") == "1" or version.configuration.tracing == "Active"
    return parts.get("Root", "") if sampled else ""


def _segment(request: str) -> str:
    """A segment's id for an invocation: the same each time it is told."""
    return hashlib.sha256(request.encode()).hexdigest()[:16]
