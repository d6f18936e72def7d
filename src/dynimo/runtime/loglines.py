"""What Python's logging and failing handlers write, in the two forms of AWS's Python runtime.

``install`` gives the root logger its handler; ``failed`` writes the line of an error. Lines go to
``sys.stdout``, whatever that is then. Source: awslambdaric 4.2, bootstrap.py and
lambda_runtime_log_utils.py.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

LINE_BREAK = "\r"
"""Within one record, so that a traceback stays one line of the log."""

_INDENT = "\u00a0"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_OWN = {*vars(logging.makeLogRecord({})), "aws_request_id", "tenant_id"} - {"taskName"}
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode
_running: ContextVar[str] = ContextVar("request", default="")
_state = {"request": "", "form": ""}


def install(variables: Mapping[str, str]) -> None:
    """Write the root logger's records as AWS does; form and level come from ``variables``."""
    form = "JSON" if variables.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON" else "Text"
    level = variables.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = "DEBUG" if level == "TRACE" else level
    _state["form"] = form
    logging.Formatter.converter = time.gmtime
    handler = _Handler()
    handler.setFormatter(_JsonFormatter(datefmt=_TIME) if form == "JSON" else _text_formatter())
    handler.addFilter(_with_request)
    root = logging.getLogger()
    if level in {*_LEVELS, "WARN", "FATAL", "NOTSET"}:
        root.setLevel(level)
    root.addHandler(handler)


def begin(request_id: str) -> None:
    """From here on records belong to this invocation."""
    _state["request"] = request_id
    _running.set(request_id)


def failed(error: Mapping[str, Any]) -> None:
    """Write the line of an error that a caller is told; nothing before ``install``."""
    if not _state["form"]:
        return
    if _state["form"] == "JSON":
        now = time.strftime(_TIME, time.gmtime())
        text = _encode({"timestamp": now, "level": "ERROR", **error})
    else:
        text = LINE_BREAK.join(_lines(error))
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError, UnicodeError):
        return  # the handler closed or replaced it; the caller is told all the same


def _lines(error: Mapping[str, Any]) -> list[str]:
    kind, message = error.get("errorType"), error.get("errorMessage")
    first = "[ERROR]"
    if kind:
        first += f" {kind}"
    if message:
        first += f": {message}" if kind else f" {message}"
    lines = [first]
    if error.get("stackTrace") is not None:
        lines.append("Traceback (most recent call last):")
        for entry in error["stackTrace"]:
            lines += [_indented(line) for line in entry.splitlines()] or [""]
    return lines


def _indented(line: str) -> str:
    bare = line.lstrip(" ")
    return _INDENT * (len(line) - len(bare)) + bare


def _with_request(record: logging.LogRecord) -> bool:
    record.aws_request_id = _running.get() or _state["request"]
    record.tenant_id = None
    return True


class _Handler(logging.Handler):
    """Writes formatted records, line ends included, to what is ``sys.stdout`` now."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stdout.write(self.format(record))
        sys.stdout.flush()


def _text_formatter() -> logging.Formatter:
    return logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
        "%Y-%m-%dT%H:%M:%S",
    )


class _JsonFormatter(logging.Formatter):
    """One object a record; what was given as ``extra`` is in it."""

    def format(self, record: logging.LogRecord) -> str:
        failure = record.exc_info
        levelno = min(50, max(0, record.levelno)) // 10 * 10
        told = {
            "timestamp": self.formatTime(record, self.datefmt),
            "level": logging.getLevelName(levelno),
            "message": (
                record.msg
                if isinstance(record.msg, dict) and not record.args
                else record.getMessage()
            ),
            "logger": record.name,
            "stackTrace": traceback.format_tb(failure[2]) if failure else None,
            "errorType": failure[0].__name__ if failure and failure[0] else None,
            "errorMessage": str(failure[1]) if failure else None,
            "requestId": getattr(record, "aws_request_id", None),
            "location": (
                f"{record.pathname}:{record.funcName}:{record.lineno}" if failure else None
            ),
        }
        for name, value in vars(record).items():
            if name not in _OWN and name not in told:
                told[name] = value
        return _encode({name: value for name, value in told.items() if value is not None}) + "\n"
