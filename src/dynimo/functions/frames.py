"""The ``invoke`` frame: what an environment is told of an invocation besides the event. Pure."""

from __future__ import annotations

from typing import Any

from dynimo.functions.specs import of_app
from dynimo.model.function import Version
from dynimo.model.invocation import Invocation


def invoke(
    invocation: Invocation, version: Version, *, arn: str, deadline: float, kin: int
) -> dict[str, Any]:
    """The frame's meta. ``deadline`` is in seconds since the epoch; ``arn`` is what was asked for.

    Only the functions of apps hear who calls: other runtimes have no word for it.
    """
    meta: dict[str, Any] = {
        "type": "invoke",
        "id": invocation.id,
        "deadline_ms": int(deadline * 1000),
        "arn": arn,
        "trace": invocation.trace or None,
        "client_context": invocation.client_context or None,
    }
    if kin:
        meta["kin"] = kin
    if invocation.sink is not None:
        meta["stream"] = True
    caller = invocation.caller
    if caller is not None and caller.signed and of_app(version):
        meta["caller"] = {
            "arn": caller.arn,
            "account": caller.account,
            "principal": caller.principal,
            "function": caller.function,
            "address": invocation.address,
        }
    return meta
