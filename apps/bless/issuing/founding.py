"""Makes a CA: its keys in the KMS, its policy, its audit log. Once in a state's life.

What was made before something failed is a key without a use in the KMS, tagged with this CA's name;
no CA is there then, and init can be asked again.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any

from asking import policy as policies
from asking.policy import PolicyError
from asking.rules import Policy
from asking.who import Who
from contract.cloud import CloudError
from issuing import generations
from issuing.authority import Authority
from issuing.ca_keys import SPECS
from issuing.generations import KINDS, SIGNING, Generation
from issuing.refusal import EXISTS, INVALID, UNAVAILABLE, Refused
from issuing.state import put_meta
from sshca.signers import SignerError

_ORIGIN = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.-]{0,62}")


def init(authority: Authority, event: Mapping[str, Any], who: Who, now: float) -> dict[str, Any]:
    """Make the CA; whoever does is its administrator. Raises Refused, StateError."""
    if authority.now().founded:
        raise Refused(EXISTS, "There is a CA here already.")
    kind = event.get("key", "ed25519")
    if kind not in tuple(SPECS):  # may be a list, which has no hash
        raise Refused(INVALID, f"key must be one of {', '.join(SPECS)}.")
    origin = event.get("origin") or f"ssh-ca-{secrets.token_hex(4)}"
    if not isinstance(origin, str) or not _ORIGIN.fullmatch(origin):
        raise Refused(INVALID, "origin must be a name of letters, digits, dots and dashes.")
    text = founding_policy(event.get("policy") or "", who)
    signers = authority.signers(origin)
    try:
        made = {one: signers.make(f"{one}-1", kind) for one in KINDS}
        audit = signers.make("audit", "ed25519")
    except (CloudError, SignerError) as error:
        raise Refused(UNAVAILABLE, f"The CA's keys cannot be made. {error}") from None
    with authority.state.changing() as sql:
        if sql.execute("SELECT 1 FROM meta WHERE name = 'origin'").fetchone():
            raise Refused(EXISTS, "There is a CA here already.")
        put_meta(sql, "origin", origin)
        put_meta(sql, "audit_name", audit[0])
        put_meta(sql, "audit_line", audit[1])
        put_meta(sql, "krl_at", str(int(now)))
        sql.execute("INSERT INTO policies VALUES (1, ?, ?, ?)", (text, who.arn, int(now)))
        for one, (name, line) in made.items():
            generations.put(sql, Generation(kind=one, number=1, stage=SIGNING, kms_key=name,
                                            line=line, since=int(now)))  # fmt: skip
    authority.publish(krl=True)
    return {
        "user_ca": made["user"][1], "host_ca": made["host"][1], "audit_key": audit[1],
        "generation": 1,
    }  # fmt: skip


def founding_policy(text: object, who: Who) -> str:
    """The first policy: with whoever founds the CA as an administrator. Raises Refused."""
    if not isinstance(text, str):
        raise Refused(INVALID, "policy must be text in TOML.")
    own = f'administrators = ["{who.arn}"]\n'
    if not text.strip():
        return own
    read = understood(text)
    if not read.administrators:
        read, text = understood(own + text), own + text
    return kept(read, text, who)


def understood(text: str) -> Policy:
    """A policy's values. Raises Refused, naming rule and key."""
    try:
        return policies.read(text)
    except PolicyError as error:
        raise Refused(INVALID, f"This policy cannot be used. {error}") from None


def kept(read: Policy, text: str, who: Who) -> str:
    """The text, unless it would lock its giver out. Raises Refused."""
    if not read.administers(who):
        raise Refused(
            INVALID, f"With this policy {who.arn} would be no administrator any more: name it, or"
            " let another administrator give it."
        )  # fmt: skip
    return text
