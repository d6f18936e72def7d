"""What an invocation may ``do``: a row for each, who is asked, and how a refusal is told.

Every refusal is a row of the state and a line of the log, without a secret; whatever fails is no
certificate.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from asking.who import Who
from dynimo.sdk.context import Caller
from issuing import approving, auditing, explaining, founding, proving, refused, requested, rotating
from issuing.authority import Authority
from issuing.issuer import Answer, Issuer
from issuing.proving import Tokens
from issuing.refusal import INVALID, UNAVAILABLE, Refused
from issuing.refused import Refusal
from issuing.renewing import renew
from issuing.state import StateError
from issuing.together import Together
from transparency.record import RecordError
from transparency.store import StoreError

REFUSALS_WAITING_MAX = 1024
MEMBERS: Mapping[str, frozenset[str]] = {
    "init": frozenset({"key", "origin", "policy"}),
    "issue": frozenset({"request", "proof", "token"}),
    "renew": frozenset({"request", "proof", "certificate"}),
    "explain": frozenset({"request", "token", "caller"}),
    "waiting": frozenset(),
    "approve": frozenset({"id"}),
    "deny": frozenset({"id"}),
    "collect": frozenset({"id", "request", "proof"}),
    "revoke": frozenset({"serials", "key_ids", "keys", "fingerprints", "ca", "reason"}),
    "krl": frozenset(),
    "authorities": frozenset(),
    "rotate": frozenset({"kind", "stage", "force", "key"}),
    "policy": frozenset({"text"}),
    "audit": frozenset(
        {"what", "from", "count", "record", "serial", "size", "old", "new"}
    ),
}  # fmt: skip
"""What may be done, and the members that each takes beside ``do``."""


class Operations:
    """The CA's operations. For one event loop."""

    def __init__(self, authority: Authority, tokens: Tokens, issuer: Issuer) -> None:
        self._authority, self._tokens, self._issuer = authority, tokens, issuer
        self._refusing: Together[Refusal, None] = Together(
            lambda refusals: refused.put(authority.state, refusals), REFUSALS_WAITING_MAX
        )

    async def answer(self, event: object, caller: Caller | None) -> Answer:
        """Do what is asked. Never raises for what was asked, nor for a disk or a KMS."""
        try:
            return await self._done(event, caller)
        except Refused as error:
            refusal = error
        except (StateError, StoreError, RecordError, OSError) as error:
            refusal = Refused(UNAVAILABLE, _plain(error))
        except OverflowError:
            refusal = Refused(UNAVAILABLE, "The CA has too much to do: ask again in a moment.")
        await self._refuse(event, caller, refusal)
        return {"error": refusal.code, "message": str(refusal).encode(errors="replace").decode()}

    async def _done(self, event: object, caller: Caller | None) -> Answer:
        doing = event.get("do") if isinstance(event, dict) else None
        if not isinstance(event, dict) or not isinstance(doing, str) or doing not in MEMBERS:
            raise Refused(INVALID, f"do must be one of {', '.join(MEMBERS)}.")
        unknown = sorted(str(name) for name in event.keys() - MEMBERS[doing] - {"do"})
        if unknown:
            raise Refused(INVALID, f"{unknown[0][:64]} is no member of {doing}.")
        issuer = self._issuer
        if doing == "issue":
            return await issuer.issue(event, caller)
        if doing == "renew":
            return await renew(issuer, self._authority, event, caller)
        if doing == "collect":
            return await approving.collect(issuer, self._authority, event, caller)
        _text_only(event)
        who, now = proving.caller(caller), issuer.clock()
        return await asyncio.to_thread(lambda: self._settled(doing, event, who, now))

    def _settled(self, doing: str, event: Mapping[str, Any], who: Who, now: float) -> Answer:
        """What may block, in a thread."""
        authority = self._authority
        rows: Mapping[str, Callable[[], Answer]] = {
            "init": lambda: founding.init(authority, event, who, now),
            "explain": lambda: explaining.explain(authority, self._tokens, event, who, now),
            "waiting": lambda: approving.waiting(authority, who, now),
            "approve": lambda: approving.approve(authority, event, who, now),
            "deny": lambda: approving.deny(authority, event, who, now),
            "revoke": lambda: rotating.revoke(authority, event, who, now),
            "krl": lambda: rotating.krl(authority),
            "authorities": lambda: rotating.authorities(authority.founded()),
            "rotate": lambda: rotating.rotate(authority, event, who, now),
            "policy": lambda: rotating.policy(authority, event, who, now),
            "audit": lambda: auditing.asked(authority, event, who, now),
        }
        return rows[doing]()

    async def _refuse(self, event: object, caller: Caller | None, error: Refused) -> None:
        told = event if isinstance(event, dict) else {}
        doing = str(told.get("do"))
        refusal = Refusal(
            at=int(self._issuer.clock()), doing=doing if doing in MEMBERS else "", code=error.code,
            caller=caller.arn if caller else "", key=_fingerprint(told.get("request")),
            message=str(error).encode(errors="replace").decode(),
        )  # fmt: skip
        sys.stdout.write(json.dumps({"refused": refusal.told()}, separators=(",", ":")) + "\n")
        try:
            await self._refusing.do(refusal)
        except (StateError, OverflowError) as failed:
            sys.stdout.write(json.dumps({"unrecorded": type(failed).__name__}) + "\n")


def _text_only(event: Mapping[str, Any]) -> None:
    """Raise Refused for half a character, which JSON lets in and no file keeps."""
    try:
        json.dumps(event, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Refused(INVALID, "Half a character stands in a text.") from None


def _fingerprint(request: object) -> str:
    line = request.get("public_key") if isinstance(request, dict) else None
    try:
        return requested.key(line, "public_key").sha256
    except Refused:
        return ""


def _plain(error: Exception) -> str:
    if isinstance(error, StateError | StoreError | RecordError):
        return str(error)
    return f"The CA's files cannot be written ({type(error).__name__}): see to its disk."
