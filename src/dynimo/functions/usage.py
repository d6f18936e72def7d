"""What one invocation used, for the meter. Pure."""

from __future__ import annotations

from dynimo.model.function import Version
from dynimo.model.invocation import Invocation, Outcome
from dynimo.ports import Usage


def usage(
    invocation: Invocation, version: Version, alias: str, outcome: Outcome | None, *, when_ms: int
) -> Usage:
    """The record of an outcome; of a throttle, when there is none."""
    arn = version.function_arn
    if outcome is None:
        return Usage(
            id=invocation.id, attempt=invocation.attempt, arn=arn, version=version.label,
            alias=alias, ended="throttle", when_ms=when_ms,
        )  # fmt: skip
    return Usage(
        id=invocation.id,
        attempt=invocation.attempt,
        arn=arn,
        version=version.label,
        alias=alias,
        ended="error" if outcome.error is not None else "ok",
        when_ms=when_ms,
        billed_ms=outcome.billed_ms,
        memory_mib=version.configuration.memory_mib,
        init_ms=outcome.init_ms,
        queue_ms=outcome.queue_ms,
        max_rss_kib=outcome.max_rss_kib,
    )
