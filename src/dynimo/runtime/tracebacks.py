"""Exceptions as AWS Lambda's Python runtime tells them.

Here live the error object's shape, its limits, and the trimming of the runtime's own frames.
Nothing is logged. Source: awslambdaric 4.2, bootstrap.py; recorded answers of the service.
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any

TASK_ROOT = "/var/task"
"""Where a function's code seems to be in stack traces, wherever it is."""

ERROR_BYTES_MAX = 192 * 1024
"""What an error may take of a frame's meta; beyond that its texts are cut."""

FRAMES_MAX = 1_200
"""More than Python's default depth of recursion."""

_RUNTIME = os.path.dirname(os.path.abspath(__file__)) + os.sep  # noqa: PTH100,PTH120 - light
_MESSAGE, _STACK = "errorMessage", "stackTrace"
_KEPT_CHARACTERS, _KEPT_FRAMES = 16 * 1024, 50


def error(failure: BaseException, *, request_id: str, task: str) -> dict[str, Any]:
    """``failure`` as errorMessage, errorType, requestId and stackTrace, in AWS's order."""
    return fitting(
        {
            _MESSAGE: message(failure),
            "errorType": type(failure).__name__,
            "requestId": request_id,
            _STACK: stack(failure.__traceback__, task=task),
        }
    )


def message(failure: BaseException) -> str:
    """Its text; an exception that cannot even be told still gets an answer."""
    try:
        return str(failure)
    except Exception:  # noqa: BLE001 - str() of a stranger's exception may raise anything
        return f"<unprintable {type(failure).__name__}>"


def stack(trace: TracebackType | None, *, task: str) -> list[str]:
    """One text a frame, outermost first, without the runtime's own leading frames."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_RUNTIME):
        trace = trace.tb_next
    frames = [
        (shown(frame.filename, task), frame.lineno or 0, frame.name, frame.line)
        for frame in traceback.extract_tb(trace, limit=FRAMES_MAX)
    ]
    return traceback.format_list(frames)


def shown(path: str, task: str) -> str:
    """A file's name as the function knows it."""
    return TASK_ROOT + path[len(task) :] if path.startswith(task + os.sep) else path


def fitting(told: Mapping[str, Any]) -> dict[str, Any]:
    """``told`` itself, or with its texts cut so that it fits a frame."""
    whole = dict(told)
    if _size(whole) <= ERROR_BYTES_MAX:
        return whole
    text, frames = whole.get(_MESSAGE), whole.get(_STACK)
    if isinstance(frames, list) and len(frames) > _KEPT_FRAMES:
        whole[_STACK] = frames[:_KEPT_FRAMES]
    if isinstance(text, str) and _size(whole) > ERROR_BYTES_MAX:
        whole[_MESSAGE] = text[:_KEPT_CHARACTERS]
    if _size(whole) > ERROR_BYTES_MAX:
        kept = ("errorMessage", "errorType", "requestId")
        return {name: str(whole[name])[:_KEPT_CHARACTERS] for name in kept if name in whole}
    return whole


def _size(told: Mapping[str, Any]) -> int:
    """Bytes as JSON, at most: characters of a surrogate's kind take three."""
    return len(json.dumps(told, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass"))
