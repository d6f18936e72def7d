"""Which rule would decide, and why the others would not. Nothing is signed, used or recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asking import who as whos
from asking.deciding import decide
from asking.explaining import told
from asking.who import Who
from issuing import proving, requested
from issuing.authority import Authority
from issuing.proving import Tokens
from issuing.refusal import INVALID, Refused

_NO_NONCE = "0" * 32


def explain(
    authority: Authority, tokens: Tokens, event: Mapping[str, Any], who: Who, now: float
) -> dict[str, Any]:
    """The decision. ``nonce`` and ``at`` may be left out; administrators may name a ``caller``."""
    found = authority.founded()
    if "caller" in event:
        found.administers(who)
        arn = event["caller"]
        if not isinstance(arn, str) or not arn.startswith("arn:"):
            raise Refused(INVALID, "caller must be an ARN.")
        who = whos.caller(arn, address=who.address)
    given = event.get("request")
    if isinstance(given, dict):
        given = {"nonce": _NO_NONCE, "at": int(now)} | given
    request = requested.read(given)
    proving.subject(authority, found, request.key)
    believed = (
        tokens.believed(found, event["token"], request.key, now) if event.get("token") else ()
    )
    asked = proving.asked(request, who, believed, None, now)
    return told(decide(found.policy, asked))
