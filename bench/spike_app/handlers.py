"""Sleeps as long as the query says; ``/spike/once/…`` must not be stored, the rest may.

``x-run`` says which run of the handler this answer came from: process, number, and when the first
run in that process began (monotonic nanoseconds, one clock for all processes).
"""

from __future__ import annotations

import time
import uuid
from typing import Any

STORED = "max-age={max_age}, stale-while-revalidate=60"
_own: dict[str, Any] = {}


def work(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - the shape of a handler
    """Take as long as was asked."""
    if not _own:
        _own.update(began=time.monotonic_ns(), name=uuid.uuid4().hex[:12], runs=0)
    _own["runs"] += 1
    asked = event.get("queryStringParameters") or {}
    time.sleep(float(asked.get("seconds", 0)))
    once = event["rawPath"].startswith("/spike/once/")
    control = "no-store" if once else STORED.format(max_age=int(asked.get("max_age", 600)))
    return {
        "statusCode": 200,
        "headers": {
            "content-type": "text/plain",
            "cache-control": control,
            "x-run": f"{_own['name']}/{_own['runs']}/{_own['began']}",
        },
        "body": "done\n",
    }
