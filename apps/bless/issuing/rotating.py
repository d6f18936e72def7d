"""Changes by the CA's administrators: rotation, revocation, policy. Each is one transaction."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from asking.who import Who
from contract.cloud import CloudError
from issuing import founding, generations, revoked
from issuing.authority import Authority, Snapshot
from issuing.ca_keys import SPECS
from issuing.generations import KINDS, OVERLAP, PUBLISHED, RETIRED, SIGNING, Generation
from issuing.published import KRL, etag, version_of
from issuing.refusal import INVALID, UNAVAILABLE, Refused
from sshca.public_key import parse
from sshca.signers import SignerError

STEPS = ("publish", "sign", "retire")
POLICIES_KEPT = 100


def authorities(found: Snapshot) -> dict[str, Any]:
    """Every generation, the retired ones too."""
    return {
        "origin": found.origin,
        "authorities": [one.told() for one in found.generations],
        "audit_key": found.audit_line,
    }


def rotate(authority: Authority, event: Mapping[str, Any], who: Who, now: float) -> dict[str, Any]:
    """Take one step of a rotation. Raises Refused, StateError, OSError."""
    found, kind, stage = authority.founded(), event.get("kind"), event.get("stage")
    found.administers(who)
    if kind not in KINDS or stage not in STEPS:
        raise Refused(INVALID, "kind must be user or host, and stage publish, sign or retire.")
    force = event.get("force", False)
    if type(force) is not bool:
        raise Refused(INVALID, "force must be true or false.")
    at, all_ = int(now), found.generations
    if stage == "publish":
        _publish(authority, found, kind, event, at)
    elif stage == "sign":
        begins, ends = generations.to_sign(all_, kind, at, force=force)
        with authority.state.changing() as sql:
            if ends is not None:
                generations.move(sql, ends, OVERLAP, at)
            generations.move(sql, begins, SIGNING, at)
    else:
        old = generations.to_retire(all_, kind, at, force=force)
        with authority.state.changing() as sql:
            generations.move(sql, old, RETIRED, at)
        with suppress(CloudError):  # it is in no bundle; a key that stays in the KMS signs nothing
            authority.signers(found.origin).end(old.kms_key)
    authority.publish()
    return authorities(authority.now())


def _publish(
    authority: Authority, found: Snapshot, kind: str, event: Mapping[str, Any], at: int
) -> None:
    number = generations.to_publish(found.generations, kind)
    spec = event.get("key", "ed25519")
    if spec not in tuple(SPECS):  # may be a list, which has no hash
        raise Refused(INVALID, f"key must be one of {', '.join(SPECS)}.")
    try:
        name, line = authority.signers(found.origin).make(f"{kind}-{number}", spec)
    except (CloudError, SignerError) as error:
        raise Refused(UNAVAILABLE, f"The new key cannot be made. {error}") from None
    one = Generation(kind=kind, number=number, stage=PUBLISHED, kms_key=name, line=line, since=at)
    with authority.state.changing() as sql:
        taken = sql.execute(
            "SELECT 1 FROM generations WHERE kind = ? AND (generation >= ? OR stage = ?)",
            (kind, number, PUBLISHED),
        ).fetchone()
        if taken:
            raise Refused(INVALID, "Somebody else is rotating this CA: look again, then go on.")
        generations.put(sql, one)


def revoke(authority: Authority, event: Mapping[str, Any], who: Who, now: float) -> dict[str, Any]:
    """Revoke, and publish the new list before it is answered. Raises Refused, OSError."""
    found = authority.founded()
    found.administers(who)
    reason = event.get("reason", "")
    if not isinstance(reason, str) or len(reason) > revoked.REASON_CHARACTERS_MAX:
        raise Refused(
            INVALID, f"reason must be text of at most {revoked.REASON_CHARACTERS_MAX} characters."
        )
    cas = [parse(one.line) for one in found.generations]
    told = revoked.entries(event, cas)
    with authority.state.changing() as sql:
        version = revoked.put(sql, told, reason=reason, by=who.arn, now=int(now))
    authority.publish(krl=True)
    return {"krl_version": version}


def krl(authority: Authority) -> dict[str, Any]:
    """The list as it is published. Raises Refused, OSError."""
    authority.founded()
    published, wanted = authority.published, int(authority.state.meta("krl_version") or 0)
    if published.krl_version() != wanted:  # whoever changed it could not write the file
        authority.publish(krl=True)
    data = published.read(KRL) or b""
    version = version_of(data)
    return {"krl": base64.b64encode(data).decode(), "version": version, "etag": etag(data)}


def policy(authority: Authority, event: Mapping[str, Any], who: Who, now: float) -> dict[str, Any]:
    """Show the policy, or replace it. Raises Refused."""
    found = authority.founded()
    found.administers(who)
    if "text" in event:
        text = event["text"]
        if not isinstance(text, str):
            raise Refused(INVALID, "text must be a policy in TOML.")
        founding.kept(founding.understood(text), text, who)
        with authority.state.changing() as sql:
            sql.execute(
                "INSERT INTO policies SELECT max(version) + 1, ?, ?, ? FROM policies",
                (text, who.arn, int(now)),
            )
            sql.execute(
                "DELETE FROM policies WHERE version <= (SELECT max(version) FROM policies) - ?",
                (POLICIES_KEPT,),
            )
    rows = authority.state.rows("SELECT version, text FROM policies ORDER BY version DESC LIMIT 1")
    return {"policy": rows[0][1], "version": rows[0][0]}
