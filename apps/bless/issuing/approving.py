"""Approval by others: who may see, approve, deny and collect a request that waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asking import patterns
from asking.deciding import decide
from asking.rules import matching
from asking.who import Who
from dynimo.sdk.context import Caller
from issuing import approvals, proving, requested, stored, used
from issuing.approvals import Approval, Pending
from issuing.authority import Authority, Snapshot
from issuing.issuer import Answer, Issuer, granted
from issuing.refusal import DENIED, INVALID, PENDING, UNKNOWN, Refused


def waiting(authority: Authority, who: Who, now: float) -> dict[str, Any]:
    """What waits that the caller asked for, may approve or administers. Raises Refused."""
    found = authority.founded()
    told = [
        _told(authority, one)
        for one in approvals.waiting(authority.state, int(now))
        if who.arn == one.asker or _may_approve(one, who) or found.policy.administers(who)
    ]
    return {"waiting": told}


def approve(authority: Authority, event: Mapping[str, Any], who: Who, now: float) -> dict[str, Any]:
    """Agree. Raises Refused for whoever may not, or has already."""
    one = _found(authority, event, who, now)
    approval = Approval(who.principal, who.arn, int(now))
    if not _may_approve(one, who):
        raise Refused(DENIED, f"{who.arn} is no approver of what the rule {one.rule!r} lets wait.")
    with authority.state.changing(counted=False) as sql:
        approvals.approve(sql, one, approval)
    return _told(authority, one)


def deny(authority: Authority, event: Mapping[str, Any], who: Who, now: float) -> dict[str, Any]:
    """End it, as an approver; or withdraw it. Raises Refused."""
    one = _found(authority, event, who, now)
    if who.arn != one.asker and not _may_approve(one, who):
        raise Refused(DENIED, f"{who.arn} is no approver of what the rule {one.rule!r} lets wait.")
    with authority.state.changing(counted=False) as sql:
        if not approvals.remove(sql, one.id):
            raise Refused(UNKNOWN, "No request of this id waits any more.")
    return {"denied": one.id}


async def collect(
    issuer: Issuer, authority: Authority, event: Mapping[str, Any], caller: Caller | None
) -> Answer:
    """The certificate, once enough have agreed. Decided anew: the policy may have changed.

    ``request`` is ``{"id", "nonce", "at"}``, and signed by the same key as the one that waits.
    """
    found, now, who = authority.founded(), issuer.clock(), proving.caller(caller)
    request = event.get("request")
    if not isinstance(request, dict) or set(request) != {"id", "nonce", "at"}:
        raise Refused(INVALID, "request must be an object of id, nonce and at.")
    if event.get("id", request["id"]) != request["id"]:
        raise Refused(INVALID, "id is another one than the request's.")
    nonce, at = requested.nonce_and_time(request)
    one = approvals.found(authority.state, request["id"], int(now))
    if who.arn != one.asker:
        raise Refused(UNKNOWN, "No request of this id waits for you.")
    asked = stored.read(one.asked, now)
    proof = proving.possession(request, event.get("proof"), asked.key, at, now)
    asked = asked._replace(hardware=proof.hardware, touched=proof.touched, verified=proof.verified)
    proving.subject(authority, found, asked.key)
    decision = decide(found.policy, asked)
    grant = granted(decision)
    agreed = [
        each for each in approvals.approvals(authority.state, one.id)
        if _agrees(grant.approvers, each)
    ]  # fmt: skip
    if len(agreed) < grant.needs or decision.rule != one.rule:
        missing = grant.needs - len(agreed)
        raise Refused(
            PENDING, f"{missing} more must approve." if missing > 0 else
            f"The rule {one.rule!r} no longer decides this: ask anew."
        )  # fmt: skip
    claims = (
        used.nonce(asked.key, nonce, at), used.pending(one.id, one.until),
    )  # fmt: skip
    answer = await issuer.certify(found, asked, decision.rule, grant, claims, agreed)
    with authority.state.changing(counted=False) as sql:
        approvals.remove(sql, one.id)
    return answer


def _found(authority: Authority, event: Mapping[str, Any], who: Who, now: float) -> Pending:
    """By its id; for whoever has nothing to do with it there is none."""
    found: Snapshot = authority.founded()
    one = approvals.found(authority.state, event.get("id"), int(now))
    if who.arn == one.asker or _may_approve(one, who) or found.policy.administers(who):
        return one
    raise Refused(UNKNOWN, "No request of this id waits: its time has ended, or it was denied.")


def _may_approve(one: Pending, who: Who) -> bool:
    return matching(tuple(map(patterns.over_arns, one.approvers)), who)


def _agrees(approvers: tuple[str, ...], approval: Approval) -> bool:
    who = Who(kind="caller", name="", arn=approval.arn, principal=approval.principal)
    return matching(tuple(map(patterns.over_arns, approvers)), who)


def _told(authority: Authority, one: Pending) -> dict[str, Any]:
    asked = stored.read(one.asked, 0)
    return {
        "id": one.id, "asker": one.asker, "tokens": [each.told for each in asked.tokens],
        "reason": stored.reason(one.asked), "rule": one.rule, "needs": one.needs,
        "until": one.until, "type": asked.type, "principals": list(asked.principals),
        "source_addresses": asked.source_addresses, "force_command": asked.force_command,
        "extensions": asked.extensions, "valid_seconds": asked.valid_seconds,
        "address": asked.address, "key": asked.key.sha256,
        "approved_by": [each.arn for each in approvals.approvals(authority.state, one.id)],
    }  # fmt: skip
