"""From a handler's name to the callable: import, resolve, and AWS's words for what can go wrong.

The names and texts are those of AWS Lambda's Python runtime, so that tools that read them work.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from typing import Any

from dynimo.runtime import tracebacks

Handler = Callable[[Any, Any], Any]


class InitFailure(Exception):
    """The handler cannot be had; ``error`` says why in AWS's shape."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["errorMessage"])
        self.error = error


def load(name: str, *, task: str, concurrency: int = 1) -> Handler:
    """Import the module of ``module.function`` and find the function.

    Raises:
        InitFailure: for every way in which this can fail, sys.exit included.
    """
    # ``module:app`` is how ASGI's own tools write it; AWS knows the dot only.
    module_name, dot, function_name = name.rpartition(":" if ":" in name else ".")
    if not dot:
        text = f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)"
        raise InitFailure(failure("Runtime.MalformedHandlerName", text))
    if module_name.partition(".")[0] in sys.builtin_module_names:
        text = f"Cannot use built-in module {module_name} as a handler module"
        raise InitFailure(failure("Runtime.BuiltInModuleConflict", text))
    module = _imported(module_name, task)
    try:
        found = getattr(module, function_name)
    except AttributeError:
        text = f"Handler '{function_name}' missing on module '{module_name}'"
        raise InitFailure(failure("Runtime.HandlerNotFound", text)) from None
    handler: Handler = asgi_adapter(found) or found
    if concurrency > 1 and not is_async(handler):
        text = f"Handler '{name}' must be 'async def' to serve {concurrency} requests at once"
        raise InitFailure(failure("Runtime.HandlerNotAsync", text))
    return handler


def is_async(handler: Handler) -> bool:
    """Whether calling it gives something to await, or an async generator."""
    call = getattr(handler, "__call__", None)  # noqa: B004 - an object with an async __call__
    return any(
        inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each)
        for each in (handler, call)
    )


def asgi_adapter(found: Any) -> Handler | None:
    """An ASGI application as a handler; None for anything else.

    Looked at closely only when it could be one, for that costs an import of asyncio.
    """
    if inspect.isgeneratorfunction(found) or not is_async(found):
        return None
    asgi = importlib.import_module("dynimo.runtime.asgi")
    return asgi.Adapter(found) if asgi.is_application(found) else None


def _imported(module_name: str, task: str) -> Any:
    try:
        return importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        text = f"Unable to import module '{module_name}': {error}"
        raise InitFailure(failure("Runtime.ImportModuleError", text)) from error
    except SyntaxError as error:
        text = f"Syntax error in module '{module_name}': {error}"
        shown = tracebacks.shown(str(error.filename), task)
        trace = [f'  File "{shown}" Line {error.lineno}\n    {error.text}']
        raise InitFailure(failure("Runtime.UserCodeSyntaxError", text, trace)) from error
    except SystemExit as error:
        status = exit_status(error)
        raise InitFailure(failure("Runtime.ExitError", exit_text(status))) from error
    except BaseException as error:
        # Whatever a stranger's module raises is the answer to "why did it not start".
        raise InitFailure(tracebacks.error(error, request_id="", task=task)) from error


def failure(kind: str, text: str, trace: list[str] | None = None) -> dict[str, Any]:
    """AWS's error object for a failed start; the request id is empty, as there."""
    return tracebacks.fitting(
        {"errorMessage": text, "errorType": kind, "requestId": "", "stackTrace": trace or []}
    )


def exit_text(status: int) -> str:
    """AWS's words for a runtime that ended: ``status`` is an exit code, or minus a signal."""
    if status == 0:
        return "Runtime exited without providing a reason"
    if status > 0:
        return f"Runtime exited with error: exit status {status}"
    words = {9: "killed", 11: "segmentation fault", 6: "aborted", 15: "terminated"}
    return f"Runtime exited with error: signal: {words.get(-status, -status)}"


def exit_status(error: SystemExit) -> int:
    """The exit code that Python itself would give."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    return 1
