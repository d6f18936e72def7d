"""What to say when an invocation has no outcome of its own: AWS's error shapes for each end.

Pure: from how an environment ended to an error document. Sources: recorded AWS answers
(reference: Lambda runtime error types) and the texts of AWS's runtime interface emulator.
"""

from __future__ import annotations

import signal
from typing import Any

from dynimo.ports import Exit

_OF_THE_PLATFORM = frozenset({"Runtime.ExitError", "Runtime.InvalidRuntime", "Sandbox.Timedout"})


def timed_out(request_id: str, seconds: float) -> dict[str, Any]:
    """The invocation ran longer than its function may."""
    message = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
    return {"errorType": "Sandbox.Timedout", "errorMessage": message}


def exited(request_id: str, ended: Exit) -> dict[str, Any]:
    """The environment ended under the invocation, by itself or by a signal."""
    if ended.out_of_memory:
        reason = "Runtime exited with error: signal: killed (out of memory)"
    elif ended.status < 0:
        reason = f"Runtime exited with error: signal: {_signal_name(-ended.status)}"
    elif ended.status > 0:
        reason = f"Runtime exited with error: exit status {ended.status}"
    else:
        reason = "Runtime exited without providing a reason"
    message = f"RequestId: {request_id} Error: {reason}"
    return {"errorType": "Runtime.ExitError", "errorMessage": message}


def of_start(request_id: str, error: dict[str, Any]) -> dict[str, Any]:
    """Why the code did not start: its own words, or the platform's, which name the request."""
    if error.get("errorType") not in _OF_THE_PLATFORM:
        return error
    message = f"RequestId: {request_id} Error: {error.get('errorMessage', '')}"
    return {"errorType": error["errorType"], "errorMessage": message}


def response_too_large(bytes_max: int) -> dict[str, Any]:
    """The handler returned more than may be returned."""
    message = f"Response payload size exceeded maximum allowed payload size ({bytes_max} bytes)."
    return {"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"}


def _signal_name(number: int) -> str:
    """The word that Go's runtime, and so AWS, prints for a signal."""
    if number == signal.SIGKILL:
        return "killed"
    try:
        return (signal.strsignal(number) or str(number)).lower()
    except ValueError:
        return str(number)
