"""A Python function that a wrapper script starts: asks the Runtime API for work, like AWS's own.

Runs in a process of its own, under the interpreter's usual rules (PYTHONPATH, site), because
wrapper scripts work by them. The handler is the one that ``_HANDLER`` names then.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from dynimo.runtime import handler as handlers
from dynimo.runtime import loglines, outcome, tracebacks, traces

_PATH = "/2018-06-01/runtime"
_ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"


def main(layered: Sequence[str]) -> None:
    """Load the handler and serve it for ever. ``layered`` are the folders of layers to import from.

    Raises:
        SystemExit: the handler cannot be had, or asked to exit.
    """
    task = os.environ["LAMBDA_TASK_ROOT"]
    sys.path[:] = [task, *layered, *sys.path[1:]]
    loglines.install(os.environ)
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = handlers.load(os.environ["_HANDLER"], task=task)
    except handlers.InitFailure as failure:
        if failure.error["errorType"] == "Runtime.ExitError":
            raise
        _post(api, f"{_PATH}/init/error", failure.error)
        raise SystemExit(1) from failure
    contexts = outcome.ContextFactory(os.environ)
    while True:
        _serve(api, handler, contexts, task)


def _serve(
    api: http.client.HTTPConnection,
    handler: handlers.Handler,
    contexts: outcome.ContextFactory,
    task: str,
) -> None:
    """Ask for one invocation and answer it."""
    api.request("GET", f"{_PATH}/invocation/next")
    answer = api.getresponse()
    body = answer.read()
    request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    context = contexts.make(_meta(request_id, answer.headers))
    traces.apply(answer.headers.get("Lambda-Runtime-Trace-Id"))
    started_ns = time.monotonic_ns()
    try:
        value = handler(outcome.event(body), context)
    except Exception as error:  # noqa: BLE001 - the answer to the caller, whatever it is
        told = tracebacks.error(error, request_id=request_id, task=task)
        loglines.failed(told)
    else:
        meta, result = outcome.succeeded(request_id, started_ns, value)
        if "error" not in meta:
            _post(api, f"{_PATH}/invocation/{request_id}/response", result)
            return
        told = meta["error"]
    _post(api, f"{_PATH}/invocation/{request_id}/error", told)


def _meta(request_id: str, headers: Any) -> dict[str, Any]:
    return {
        "id": request_id,
        "arn": headers.get("Lambda-Runtime-Invoked-Function-Arn"),
        "deadline_ms": headers.get("Lambda-Runtime-Deadline-Ms"),
        "client_context": headers.get("Lambda-Runtime-Client-Context"),
    }


def _post(api: http.client.HTTPConnection, path: str, told: bytes | dict[str, Any]) -> None:
    headers = {"Content-Type": "application/json"}
    if isinstance(told, dict):
        headers[_ERROR_TYPE] = str(told.get("errorType"))
        told = json.dumps(told).encode()
    api.request("POST", path, told, headers)
    api.getresponse().read()
