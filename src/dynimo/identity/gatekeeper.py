"""Proves who a request is from, and decides what they may: the door's two questions.

Reads keys, sessions and policies; the functions' own policies come from a callable. Without any
key the door is open to programs on this machine, and to nobody else; with the first key it closes.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from dynimo.identity import locality, sigv4
from dynimo.identity.config import Config
from dynimo.identity.entities import Entity
from dynimo.identity.keyring import Keyring
from dynimo.identity.policy import Access, Kind, Policy, Principal, Says, read
from dynimo.identity.refusals import (
    ExpiredToken,
    InvalidSignature,
    MalformedPolicy,
    MissingToken,
    UnrecognizedClient,
)
from dynimo.identity.sessions import Sessions
from dynimo.identity.sigv4 import Claim
from dynimo.model.caller import ANYBODY, Caller, Proof
from dynimo.model.errors import AccessDenied
from dynimo.web.message import Request

ALWAYS = frozenset({"sts:GetCallerIdentity", "sts:GetSessionToken"})
"""What everybody who is proved may do, whatever policies say, as on AWS."""
DECIDED_THERE = frozenset({"sts:AssumeRole"})
"""What STS decides itself, for a role's trust policy has a say in it."""
GRANTED_KEPT_MAX = 4096
"""Answers that are kept; when there are more, all are forgotten."""
_HINT = "Set AWS_ENDPOINT_URL and keys with `eval $(dynimo env)`."

PolicyOf = Callable[[str], tuple[str, str]]
"""ARN of a resource → (its policy as JSON or empty, the ARN that its statements name)."""
_Question: TypeAlias = tuple[Caller, str, str]
"""Who, which action, which resource."""


class Gatekeeper:
    """The door's gatekeeper. Safe for several threads."""

    def __init__(
        self,
        keyring: Keyring,
        *,
        config: Config | None = None,
        sessions: Sessions | None = None,
        policy_of: PolicyOf = lambda arn: ("", arn),
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keyring = keyring
        self._config = config or Config()
        self.sessions = sessions or Sessions(keyring.vault, now)
        self._policy_of = policy_of
        self._now = now
        self._granted: dict[_Question, tuple[Entity, str | Policy]] = {}

    # Who is it?

    def authenticate(self, request: Request) -> Proof:
        """Prove who a request is from.

        Raises:
            AwsError: it is not signed, or not by a key of ours, or not as it is, or not now.
        """
        claim = sigv4.read(request)
        open_here = self._keyring.empty and locality.is_local(request)
        if claim is None:
            if open_here:
                return Proof(caller=self._believed(""))
            raise MissingToken(_HINT)
        known = self._known(claim)
        if known is None:
            if open_here:
                caller = self._believed(claim.access_key)
                return Proof(caller=caller, region=claim.region, service=claim.service)
            raise UnrecognizedClient
        secret, caller, expires = known
        now = self._now()
        sigv4.verify(request, claim, secret, now, self._config.skew_seconds)
        if expires and now >= expires:
            raise ExpiredToken
        if claim.expires_seconds and claim.expires_seconds > self._config.presigned_seconds_max:
            raise InvalidSignature(
                "X-Amz-Expires must be less than a week (in seconds); that is"
                f" {self._config.presigned_seconds_max}."
            )
        return Proof(caller=caller, region=claim.region, service=claim.service)

    def _known(self, claim: Claim) -> tuple[str, Caller, int] | None:
        """(secret, caller, when it ends or 0) of the key that a claim names; None if not ours."""
        if claim.token:
            return self._session(claim)
        return self._keyring.kept(claim.access_key, lambda: self._of_key(claim.access_key))

    def _of_key(self, access_key: str) -> tuple[str, Caller, int] | None:
        key_id, account = access_key, ""
        if len(key_id) == 12 and key_id.isdigit():
            # Twelve digits name an account; the development key's secret proves it.
            key_id, account = self._keyring.development_key(), key_id
        key = self._keyring.key(key_id)
        if key is None:
            return None
        user = self._keyring.entity("user", key.user, key.account)
        if not key.active or user is None:
            raise UnrecognizedClient
        arn = f"arn:aws:iam::{account}:user/{user.name}" if account else user.arn
        caller = Caller(
            arn=arn, account=account or user.account, user_id=user.id, access_key=access_key,
            signed=True, principal=user.arn,
        )  # fmt: skip
        return self._keyring.secret(key_id), caller, 0

    def _session(self, claim: Claim) -> tuple[str, Caller, int] | None:
        try:
            session = self.sessions.open(claim.token)
        except UnrecognizedClient:
            return None
        if session.access_key != claim.access_key:
            raise UnrecognizedClient
        if session.entity:
            entity = self._entity(session.principal)
            if entity is None or entity.id != session.entity:
                raise UnrecognizedClient
        return session.secret, session.caller, session.expires

    def _believed(self, key_id: str) -> Caller:
        """An account's root that nobody proved; a key id of twelve digits names the account."""
        named = len(key_id) == 12 and key_id.isdigit()
        account = key_id if named else self._config.account
        return Caller(
            arn=f"arn:aws:iam::{account}:root", account=account, user_id=account, access_key=key_id
        )

    # May they?

    def authorize(
        self, caller: Caller, action: str, resource: str, context: Mapping[str, Sequence[str]]
    ) -> None:
        """Let ``caller`` do it.

        Raises:
            AccessDenied: no policy allows it, or one denies it.
        """
        if action in ALWAYS or action in DECIDED_THERE:
            return
        self.check(caller, action, resource, context)

    def check(
        self,
        caller: Caller,
        action: str,
        resource: str,
        context: Mapping[str, Sequence[str]],
        *,
        trust: Policy | None = None,
        words: str = "role trust",
    ) -> None:
        """As ``authorize``, for every action. ``trust`` stands in for the resource's own policy.

        A trust always has to agree: it lets the caller, or leaves it to the caller's account. A
        role's is one, and a key's; ``words`` say in a refusal which.

        Raises:
            AccessDenied: in AWS's words.
        """
        believed = bool(not caller.signed and caller.account and self._keyring.empty)
        if believed and trust is None:
            return
        entity = self._entity(caller.principal) if caller.signed else None
        text, named = self._policy_of(resource) if trust is None else ("", resource)
        question = (caller, action, resource)
        deciding = text if trust is None else trust
        if entity is not None and self._granted.get(question) == (entity, deciding):
            return
        access = Access(
            action=action, resource=resource, principal=principal_of(caller),
            context=self._circumstances(caller, context),
        )  # fmt: skip
        own = entity.says(access) if entity is not None else Says.NOTHING
        given = trust.says(access) if trust is not None else _says(text, named, access)
        verdict = _Verdict(
            own=Says.ALLOWED if believed else own,
            session=_session_says(caller, access),
            given=given,
            anybody=not caller.account,
            gone=caller.signed and entity is None,
            same=_account(resource) in ("", caller.account),
            trust=words if trust is not None else "",
        )
        reason = verdict.refusal(action)
        if reason:
            raise _denied(caller, action, resource, reason, known=entity is not None)
        if entity is not None and not caller.session_policy:
            self._remember(question, entity, deciding)

    def _remember(self, question: _Question, entity: Entity, deciding: str | Policy) -> None:
        """Keep that it is allowed, if nothing but the question and these policies decided it.

        Both are compared when it is asked again, so a change of either asks the policies anew.
        """
        policy = (
            read(deciding, Kind.RESOURCE) if deciding and isinstance(deciding, str) else deciding
        )
        if entity.plain and (not policy or policy.plain):
            if len(self._granted) >= GRANTED_KEPT_MAX:
                self._granted.clear()
            self._granted[question] = (entity, deciding)

    def authorize_service(
        self, service: str, action: str, resource: str, context: Mapping[str, Sequence[str]]
    ) -> None:
        """Let a service (``events.amazonaws.com``) do it, if the resource's policy says so.

        Raises:
            AccessDenied: it does not.
        """
        access = Access(
            action=action, resource=resource, principal=Principal(service=service),
            context=self._circumstances(ANYBODY, context),
        )  # fmt: skip
        if _says(*self._policy_of(resource), access) is not Says.ALLOWED:
            raise AccessDenied(
                f"{service} is not authorized to perform: {action} on resource: {resource} because"
                f" no resource-based policy allows the {action} action"
            )

    def _entity(self, arn: str) -> Entity | None:
        parts = arn.split(":", 5)
        kind, _, name = parts[5].partition("/") if len(parts) == 6 else ("", "", "")
        return self._keyring.entity(kind, name, parts[4]) if name else None

    def _circumstances(
        self, caller: Caller, context: Mapping[str, Sequence[str]]
    ) -> dict[str, Sequence[str]]:
        """The condition keys of every access, with those of this one. Names are lower-case."""
        now = self._now()
        found: dict[str, Sequence[str]] = {
            "aws:currenttime": [_told_time(int(now))],
            "aws:epochtime": [str(int(now))],
            "aws:requestedregion": [self._config.region],
            "aws:securetransport": ["false"],
        }
        if caller.account:
            kind = "AssumedRole" if ":assumed-role/" in caller.arn else "User"
            role = caller.principal if kind == "AssumedRole" else ""
            found["aws:principalarn"] = [role or caller.arn]
            found["aws:principalaccount"] = [caller.account]
            found["aws:principaltype"] = [kind if caller.signed else "Account"]
            found["aws:userid"] = [caller.user_id]
            if kind == "User" and caller.signed:
                found["aws:username"] = [caller.arn.rpartition("/")[2]]
        if caller.function:
            found["lambda:sourcefunctionarn"] = [caller.function]
        # Those above are not the request's to say.
        return {name.lower(): values for name, values in context.items()} | found


@functools.lru_cache(2)
def _told_time(now: int) -> str:
    """Epoch seconds as policies write them."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def principal_of(caller: Caller) -> Principal:
    """Who a caller is to policies."""
    arns = {caller.arn, caller.principal} - {""}
    return Principal(arns=frozenset(arns), account=caller.account)


def _says(text: str, named: str, access: Access) -> Says:
    """What a resource's policy says; one that cannot be read denies."""
    if not text:
        return Says.NOTHING
    try:
        policy = read(text, Kind.RESOURCE)
    except MalformedPolicy:
        return Says.DENIED
    if named != access.resource:
        access = Access(
            action=access.action, resource=named, principal=access.principal, context=access.context
        )
    return policy.says(access)


def _session_says(caller: Caller, access: Access) -> Says:
    if not caller.session_policy:
        return Says.ALLOWED
    try:
        return read(caller.session_policy, Kind.IDENTITY).says(access)
    except MalformedPolicy:
        return Says.DENIED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """What each policy says, and the facts that decide how they add up."""

    own: Says
    session: Says
    given: Says
    anybody: bool
    gone: bool
    same: bool
    trust: str
    """Which trust has to agree, in words; empty if none has to."""

    def refusal(self, action: str) -> str:
        """Why it is refused, in AWS's words; empty if it is not. An explicit deny comes first."""
        resource = self.trust or "resource-based"
        if self.own is Says.DENIED:
            return "with an explicit deny in an identity-based policy"
        if self.given is Says.DENIED:
            return f"with an explicit deny in a {resource} policy"
        if self.session is Says.DENIED:
            return "with an explicit deny in a session policy"
        if self.session is not Says.ALLOWED:
            return f"because no session policy allows the {action} action"
        if self.anybody:
            needed = self.given is Says.ALLOWED
            return "" if needed else f"because no resource-based policy allows the {action} action"
        if not self.gone and self._allowed():
            return ""
        silent = self.given is Says.NOTHING and not self.gone
        lacking = silent and (bool(self.trust) or not self.same)
        which = resource if lacking else "identity-based"
        return f"because no {which} policy allows the {action} action"

    def _allowed(self) -> bool:
        """One account: either side lets them (a role's trust always has to). Two: both have to."""
        own = self.own is Says.ALLOWED
        if not self.same:
            return own and self.given is not Says.NOTHING
        if self.trust:
            return self.given is Says.ALLOWED or (own and self.given is Says.DELEGATED)
        return own or self.given is Says.ALLOWED


def _denied(
    caller: Caller, action: str, resource: str, reason: str, *, known: bool
) -> AccessDenied:
    who = f"User: {caller.arn}" if caller.arn else "User: anonymous"
    text = f"{who} is not authorized to perform: {action} on resource: {resource} {reason}"
    if caller.function and not known:
        text += f". There is no role {caller.principal} here; `dynimo access role add` makes one."
    return AccessDenied(text)


def _account(arn: str) -> str:
    """The account of a resource; empty for ``*`` and for what belongs to none."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 else ""
