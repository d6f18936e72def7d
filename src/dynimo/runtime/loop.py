"""An environment's life with an ordinary handler: read a frame, call, answer, repeat.

One request at a time; blocking reads; nothing runs between two requests. It ends when the platform
closes the channel, or when the handler exits.
"""

from __future__ import annotations

import os
import sys
import time

from dynimo.runtime import outcome, streaming, traces, wire
from dynimo.runtime.handler import Handler


def serve(channel: int, handler: Handler, contexts: outcome.ContextFactory, *, task: str) -> None:
    """Answer invocations from ``channel`` until the platform closes it.

    Raises:
        SystemExit: the handler asked to exit.
        OSError: the platform went away while an answer was being written.
    """
    decoder = wire.Decoder()
    while True:
        count = os.readv(channel, [decoder.free()])
        if not count:
            return
        for meta, body in decoder.advance(count):
            if meta.get("type") == "invoke":
                answer, answer_body = _invoke(channel, handler, contexts, meta, body, task)
                flush_output()
                wire.write(channel, answer, answer_body)


def _invoke(
    channel: int,
    handler: Handler,
    contexts: outcome.ContextFactory,
    meta: dict[str, object],
    body: bytes,
    task: str,
) -> outcome.Frame:
    request_id = str(meta["id"])
    try:
        event = outcome.event(body)
    except ValueError as error:
        return outcome.unreadable(request_id, error)
    context = contexts.make(meta)
    trace = meta.get("trace")
    traces.apply(trace if isinstance(trace, str) else None)
    started_ns = time.monotonic_ns()
    writer: streaming.Writer | None = None
    try:
        value = handler(event, context)
        if streaming.is_stream(value):
            writer = streaming.Writer(request_id, lambda *frame: wire.write(channel, *frame))
            streaming.run(value, writer)
    except Exception as error:  # noqa: BLE001 - the answer to the caller, whatever it is
        frame = outcome.failed(request_id, started_ns, error, task=task)
        return outcome.streamed(frame) if writer is not None and writer.begun else frame
    if writer is not None:
        return outcome.streamed(outcome.succeeded(request_id, started_ns, None))
    return outcome.succeeded(request_id, started_ns, value)


def flush_output() -> None:
    """Let what the handler printed reach the platform before its answer does."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            # The handler closed or replaced it; that is its own affair.
            continue
