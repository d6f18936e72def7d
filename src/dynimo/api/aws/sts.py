"""AWS STS: who am I, take on a role, credentials for a time. The Query protocol's forms and XML.

Whether a role may be taken on is the role's trust policy's and the caller's policies' to say; the
gatekeeper weighs them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from dynimo.api.aws.calls import Answer, Call, Operation
from dynimo.api.aws.validation import Faults
from dynimo.identity.entities import Entity, role_of
from dynimo.identity.keyring import Keyring
from dynimo.identity.policy import Kind, Policy, read
from dynimo.identity.sessions import Session, Sessions
from dynimo.model.caller import Caller
from dynimo.model.errors import AccessDenied, AwsError, ValidationFailed

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
ROLE_SECONDS = (900, 43_200)
ROLE_SECONDS_DEFAULT = 3600
CHAINED_SECONDS_MAX = 3600
USER_SECONDS = (900, 129_600)
USER_SECONDS_DEFAULT = 43_200
SESSION_POLICY_CHARACTERS_MAX = 2048
FORM_PARAMETERS_MAX = 200
_SESSION_NAME = r"[\w+=,.@-]*"
_ARN_CHARACTERS = (20, 2048)
_UNSERVED = (
    "PolicyArns", "Tags", "TransitiveTagKeys", "SerialNumber", "TokenCode", "SourceIdentity",
    "ProvidedContexts",
)  # fmt: skip
"""Parameters that change what a session means; to ignore one would let in more than was meant."""


class PackedPolicyTooLarge(AwsError):
    """The session's policy is too long."""

    code = "PackedPolicyTooLargeException"


class Weighing(Protocol):
    """What STS asks of the gatekeeper."""

    def check(
        self,
        caller: Caller,
        action: str,
        resource: str,
        context: Mapping[str, Sequence[str]],
        *,
        trust: Policy | None = None,
    ) -> None:
        """Let ``caller`` do it. Raises AccessDenied."""


class Sts:
    """The operations of STS that are served."""

    def __init__(self, keyring: Keyring, sessions: Sessions, gatekeeper: Weighing) -> None:
        self._keyring = keyring
        self._sessions = sessions
        self._gatekeeper = gatekeeper

    def operations(self) -> list[Operation]:
        """What the door is to know."""
        return [
            Operation(name="GetCallerIdentity", method="POST", path="GetCallerIdentity",
                      run=self.get_caller_identity),
            Operation(name="AssumeRole", method="POST", path="AssumeRole", run=self.assume_role),
            Operation(name="GetSessionToken", method="POST", path="GetSessionToken",
                      run=self.get_session_token),
        ]  # fmt: skip

    async def get_caller_identity(self, call: Call) -> Answer:
        """Who is asking."""
        caller = call.caller
        members = {"Arn": caller.arn, "UserId": caller.user_id, "Account": caller.account}
        return _answer("GetCallerIdentity", members, call)

    async def assume_role(self, call: Call) -> Answer:
        """Credentials of a role, if its trust policy and the caller's own policies allow it."""
        form = _form(call)
        name, seconds, policy = _asked(form)
        if ":assumed-role/" in call.caller.arn and seconds > CHAINED_SECONDS_MAX:
            raise ValidationFailed(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed"
                " by role chaining"
            )
        arn = form["RoleArn"]
        place = role_of(arn)
        role = self._keyring.entity("role", place[1], place[0]) if place is not None else None
        if role is None:
            # In the words of a refusal: who may not take a role on shall not learn that it is not.
            raise AccessDenied(
                f"User: {call.caller.arn} is not authorized to perform: sts:AssumeRole on resource:"
                f" {arn}"
            )
        context = {"sts:rolesessionname": [name]}
        if "ExternalId" in form:
            context["sts:externalid"] = [form["ExternalId"]]
        if call.request.peer:
            context["aws:sourceip"] = [call.request.peer]
        self._gatekeeper.check(call.caller, "sts:AssumeRole", arn, context, trust=role.trusts())
        session, token = self._sessions.of_role(role, name, seconds, policy=policy)
        members: dict[str, object] = {
            "Credentials": _credentials(session, token),
            "AssumedRoleUser": {"AssumedRoleId": session.user_id, "Arn": session.arn},
        }
        if policy:
            members["PackedPolicySize"] = max(1, 100 * len(policy) // SESSION_POLICY_CHARACTERS_MAX)
        return _answer("AssumeRole", members, call)

    async def get_session_token(self, call: Call) -> Answer:
        """Credentials for a time, with the rights of the user who asks."""
        form = _form(call)
        _refuse_unserved(form)
        faults = Faults()
        seconds = _seconds(form, USER_SECONDS_DEFAULT, USER_SECONDS, faults)
        faults.check()
        user = self._user(call.caller)
        if user is None:
            raise AccessDenied("Cannot call GetSessionToken with session credentials")
        session, token = self._sessions.of_user(user, seconds)
        return _answer("GetSessionToken", {"Credentials": _credentials(session, token)}, call)

    def _user(self, caller: Caller) -> Entity | None:
        """The user whose own key signed, or None."""
        if not caller.signed or ":user/" not in caller.arn or caller.access_key.startswith("ASIA"):
            return None
        account = caller.principal.split(":")[4]
        return self._keyring.entity("user", caller.principal.partition(":user/")[2], account)


def _form(call: Call) -> dict[str, str]:
    """The parameters of a form (POST) or of a presigned address (GET)."""
    text = call.request.body if call.request.method == "POST" else call.request.query.encode()
    try:
        pairs = parse_qsl(text.decode(), keep_blank_values=True, max_num_fields=FORM_PARAMETERS_MAX)
    except ValueError:
        raise ValidationFailed("The request's form cannot be read.") from None
    return dict(pairs)


def _asked(form: Mapping[str, str]) -> tuple[str, int, str]:
    """(session name, seconds, session policy) of AssumeRole, checked as AWS does.

    Raises:
        ValidationFailed, PackedPolicyTooLarge, MalformedPolicy: something cannot be used.
    """
    _refuse_unserved(form)
    faults = Faults()
    arn, name, policy = form.get("RoleArn"), form.get("RoleSessionName"), form.get("Policy", "")
    faults.required(arn, "roleArn")
    if arn is not None and len(arn) < _ARN_CHARACTERS[0]:
        faults.add(arn, "roleArn", "Member must have length greater than or equal to 20")
    faults.at_most(arn, "roleArn", _ARN_CHARACTERS[1])
    faults.required(name, "roleSessionName")
    if name is not None and len(name) < 2:
        faults.add(name, "roleSessionName", "Member must have length greater than or equal to 2")
    faults.at_most(name, "roleSessionName", 64)
    if name is not None and not re.fullmatch(_SESSION_NAME, name, re.ASCII):
        faults.add(
            name,
            "roleSessionName",
            f"Member must satisfy regular expression pattern: {_SESSION_NAME}",
        )
    seconds = _seconds(form, ROLE_SECONDS_DEFAULT, ROLE_SECONDS, faults)
    faults.check()
    if len(policy) > SESSION_POLICY_CHARACTERS_MAX:
        raise PackedPolicyTooLarge(
            f"The session policy is {len(policy)} characters; at most"
            f" {SESSION_POLICY_CHARACTERS_MAX} fit."
        )
    if policy:
        read(policy, Kind.IDENTITY)
    return name or "", seconds, policy


def _refuse_unserved(form: Mapping[str, str]) -> None:
    given = {key.partition(".")[0] for key in form} & set(_UNSERVED)
    if given:
        raise ValidationFailed(f"Dynimo does not serve {min(given)} of this operation.")


def _seconds(form: Mapping[str, str], default: int, bounds: tuple[int, int], faults: Faults) -> int:
    text = form.get("DurationSeconds")
    if text is None:
        return default
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        faults.add(text, "durationSeconds", "Member must be a number")
        return default
    faults.between(int(text), "durationSeconds", *bounds)
    return int(text)


def _credentials(session: Session, token: str) -> dict[str, str]:
    ends = datetime.fromtimestamp(session.expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "AccessKeyId": session.access_key,
        "SecretAccessKey": session.secret,
        "SessionToken": token,
        "Expiration": ends,
    }


def _answer(operation: str, members: Mapping[str, object], call: Call) -> Answer:
    text = (
        f'<{operation}Response xmlns="{NAMESPACE}"><{operation}Result>{_xml(members)}'
        f"</{operation}Result><ResponseMetadata><RequestId>{call.request.request_id}</RequestId>"
        f"</ResponseMetadata></{operation}Response>"
    )
    return Answer(body=text.encode(), content_type="text/xml")


def _xml(members: Mapping[str, object]) -> str:
    written = {
        name: _xml(value) if isinstance(value, Mapping) else escape(str(value))
        for name, value in members.items()
    }
    return "".join(f"<{name}>{text}</{name}>" for name, text in written.items())
