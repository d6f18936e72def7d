"""Exceptions as AWS Lambda's Python runtime tells them.

Here live the error object's shape and the trimming of the runtime's own frames. Nothing is logged.
Source: AWS Lambda developer guide, "Python function errors"; recorded answers of the service.
"""

from __future__ import annotations

import linecache
import os
import traceback
from types import TracebackType
from typing import Any

TASK_ROOT = "/var/task"
"""Where a function's code seems to be in stack traces, wherever it is."""

FRAMES_MAX = 100
MESSAGE_CHARACTERS_MAX = 8 * 1024
SOURCE_CHARACTERS_MAX = 300
_RUNTIME = os.path.dirname(os.path.abspath(__file__)) + os.sep  # noqa: PTH100,PTH120 - light


def error(failure: BaseException, *, request_id: str, task: str) -> dict[str, Any]:
    """``failure`` as errorType, errorMessage, requestId and stackTrace."""
    return {
        "errorType": type(failure).__name__,
        "errorMessage": message(failure),
        "requestId": request_id,
        "stackTrace": stack(failure.__traceback__, task=task),
    }


def message(failure: BaseException) -> str:
    """Its text, bounded; an exception that cannot even be told still gets an answer."""
    try:
        return str(failure)[:MESSAGE_CHARACTERS_MAX]
    except Exception:  # noqa: BLE001 - str() of a stranger's exception may raise anything
        return f"<unprintable {type(failure).__name__}>"


def stack(trace: TracebackType | None, *, task: str) -> list[str]:
    """One text a frame, outermost first, without the runtime's own leading frames."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_RUNTIME):
        trace = trace.tb_next
    lines: list[str] = []
    for frame, number in traceback.walk_tb(trace):
        if len(lines) == FRAMES_MAX:
            break
        name = frame.f_code.co_filename
        source = linecache.getline(name, number, frame.f_globals).strip()[:SOURCE_CHARACTERS_MAX]
        shown = TASK_ROOT + name[len(task) :] if name.startswith(task + os.sep) else name
        text = f'  File "{shown}", line {number}, in {frame.f_code.co_name}\n'
        lines.append(text + (f"    {source}\n" if source else ""))
    return lines
