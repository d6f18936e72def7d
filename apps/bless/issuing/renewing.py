"""Renewal of a host's certificate: by the host's own key, for no more than it has now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from asking.deciding import decide
from dynimo.sdk.context import Caller
from issuing import certifying, generations, proving, requested, revoked, used
from issuing.authority import Authority, Snapshot
from issuing.issuer import Answer, Issuer, granted
from issuing.refusal import DENIED, INVALID, UNKNOWN, Refused
from possession.signatures import SignatureError, verify
from sshca.certificate import HOST, Certificate, CertificateError, Read, read
from transparency.record import decoded

_RULE = re.compile(r"rule '(.+?)' of policy [0-9]+")


async def renew(
    issuer: Issuer, authority: Authority, event: Mapping[str, Any], caller: Caller | None
) -> Answer:
    """Certify the same host key anew. Raises Refused, StateError, StoreError."""
    found, now = authority.founded(), issuer.clock()
    who = proving.caller(caller)
    request = requested.read(event.get("request"))
    proof = proving.possession(event["request"], event.get("proof"), request.key, request.at, now)
    proving.subject(authority, found, request.key)
    current = _current(authority, found, event.get("certificate"), now)
    if request.type != "host" or current.key.blob != request.key.blob:
        raise Refused(DENIED, "Only a host's certificate is renewed, and for the key that it is.")
    more = sorted(set(request.principals) - set(current.principals))
    if more:
        raise Refused(DENIED, f"The current certificate does not name {more[0]}: issue a new one.")
    rule = _rule(authority, found, current.serial)
    policy = replace(
        found.policy, rules=tuple(each for each in found.policy.rules if each.name == rule)
    )
    if not policy.rules:
        raise Refused(DENIED, f"The rule {rule!r} that issued it is gone: issue a new one.")
    asked = proving.asked(request, who, (), proof, now)
    grant = granted(decide(policy, asked))
    if grant.needs:
        raise Refused(DENIED, f"The rule {rule!r} wants approval now: issue a new one.")
    claims = (used.nonce(request.key, request.nonce, request.at),)
    return await issuer.certify(found, asked, rule, grant, claims)


def _current(authority: Authority, found: Snapshot, line: object, now: float) -> Certificate:
    """A certificate of ours that holds now. Raises Refused."""
    try:
        seen = read(certifying.blob_of(line, "certificate"))
    except CertificateError as error:
        raise Refused(INVALID, f"certificate cannot be read: {error}.") from None
    _ours(found, seen)
    current = seen.certificate
    if current.type != HOST:
        raise Refused(DENIED, "Only a host's certificate is renewed.")
    if not current.valid_after <= now < current.valid_before:
        raise Refused(DENIED, "The certificate does not hold now: issue a new one.")
    if revoked.certificate_is(authority.state, current.serial, current.key_id):
        raise Refused(DENIED, "The certificate is revoked: issue a new one.")
    if seen.ca.sha256 in found.revoked:
        raise Refused(DENIED, "The CA's key that signed it is revoked: issue a new one.")
    return current


def _ours(found: Snapshot, seen: Read) -> None:
    cas = {one.key.blob for one in generations.known(found.generations, "host")}
    if seen.ca.blob not in cas:
        raise Refused(DENIED, "The certificate is by none of this CA's keys for hosts.")
    try:
        verify(seen.ca, seen.signed, seen.signature)
    except SignatureError:
        raise Refused(DENIED, "The certificate's signature does not hold.") from None


def _rule(authority: Authority, found: Snapshot, serial: int) -> str:
    """By which rule the certificate was issued, as the audit log says. Raises Refused."""
    log = authority.log(found)
    number = log.number_of(serial)
    told = None if number is None else _RULE.match(decoded(log.record(number)).decision)
    if told is None:
        raise Refused(UNKNOWN, "No record of this certificate is in the audit log.")
    return told[1]
