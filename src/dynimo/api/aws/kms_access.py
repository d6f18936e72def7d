"""Who may do what with which key: the caller's own policies and the key's, which has the last word.

As on AWS, a key's policy must let the caller, or leave it to the caller's account (the default does
that); a key of another account must be let by both. Who may not use a key does not learn whether it
is there. Source: AWS KMS's developer guide, "Key policies" and "Condition keys".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from dynimo.api.aws import lambda_conditions
from dynimo.api.aws.kms_asked import Asked
from dynimo.identity.gatekeeper import principal_of
from dynimo.identity.keys import references
from dynimo.identity.keys.keys import Keys
from dynimo.identity.keys.records import KmsKey, default_policy
from dynimo.identity.keys.references import Reference
from dynimo.identity.keys.refusals import KeyNotFound
from dynimo.identity.policy import Access as Asking
from dynimo.identity.policy import Kind, Policy, Says, read
from dynimo.identity.refusals import MalformedPolicy
from dynimo.model.caller import Caller

_NOBODY = Policy(())
_WORDS = "resource-based"

Facts = Mapping[str, Sequence[str]]


class Weighing(Protocol):
    """What the KMS asks of the gatekeeper."""

    def check(
        self,
        caller: Caller,
        action: str,
        resource: str,
        context: Facts,
        *,
        trust: Policy | None = None,
        words: str = "",
    ) -> None:
        """Let ``caller`` do it. Raises AccessDenied."""


class KmsAccess:
    """Finds the key that is meant, and lets the caller at it or not."""

    def __init__(self, keys: Keys, gatekeeper: Weighing) -> None:
        self._keys = keys
        self._gatekeeper = gatekeeper

    def to_all(self, asked: Asked, operation: str, facts: Facts | None = None) -> None:
        """Let the caller do what is about no key. Raises AccessDenied."""
        self.to_named(asked, operation, "*", facts)

    def to_named(self, asked: Asked, operation: str, arn: str, facts: Facts | None = None) -> None:
        """Let the caller at what has no policy of its own, as an alias. Raises AccessDenied."""
        context = self._context(asked, operation) | dict(facts or {})
        self._gatekeeper.check(asked.call.caller, f"kms:{operation}", arn, context)

    def to_key(
        self,
        asked: Asked,
        operation: str,
        *,
        member: str = "KeyId",
        facts: Facts | None = None,
        aliases: bool = True,
        foreign: bool = True,
    ) -> KmsKey:
        """The key that ``member`` names, if the caller may do ``operation`` with it.

        ``foreign`` says whether it may be of another account at all.

        Raises:
            AccessDenied, InvalidArn, KeyNotFound: as the words say.
        """
        text = asked.text(member, None)
        reference = references.read(text, asked.place, aliases=aliases)
        asked.subject = reference.arn
        key = self._keys.find(reference)
        context = dict(facts or {})
        if reference.alias:
            context["kms:requestalias"] = [reference.alias]
        same = reference.place.account == asked.place.account
        if key is not None and (foreign or same):
            self.to_this(asked, operation, key, context)
            return key
        self.to_absent(asked, operation, reference, context)
        what = "Alias" if reference.alias else "Key"
        raise KeyNotFound(f"{what} {reference.arn!r} does not exist")

    def to_absent(
        self, asked: Asked, operation: str, reference: Reference, facts: Facts | None = None
    ) -> None:
        """Refuse whoever could not use it if it were there; another account's nobody could.

        Raises:
            AccessDenied: as if it was there, and closed.
        """
        same = reference.place.account == asked.place.account
        self._gatekeeper.check(
            asked.call.caller,
            f"kms:{operation}",
            reference.arn,
            self._context(asked, operation) | dict(facts or {}),
            trust=read(default_policy(asked.place.account), Kind.RESOURCE) if same else _NOBODY,
            words=_WORDS,
        )

    def to_this(
        self, asked: Asked, operation: str, key: KmsKey, facts: Facts | None = None
    ) -> None:
        """Let the caller do ``operation`` with a key. Raises AccessDenied."""
        asked.subject = key.arn
        context = self._context(asked, operation) | dict(facts or {})
        context |= {
            "kms:keyspec": [key.spec],
            "kms:keyusage": [key.usage],
            "kms:keyorigin": ["AWS_KMS"],
            "kms:multiregion": ["false"],
        }
        context |= {f"aws:resourcetag/{name}".lower(): [value] for name, value in key.tags}
        named = self._keys.names(key.id)
        if named:
            context["kms:resourcealiases"] = named
        try:
            policy = read(key.policy, Kind.RESOURCE)
        except MalformedPolicy:
            policy = _NOBODY
        self._gatekeeper.check(
            asked.call.caller, f"kms:{operation}", key.arn, context, trust=policy, words=_WORDS
        )

    @staticmethod
    def check_policy(asked: Asked, text: str, arn: str, *, bypass: bool) -> None:
        """Raise unless a key policy can be used and does not lock its giver out.

        Raises:
            MalformedPolicy: as the words say.
        """
        policy = read(text, Kind.RESOURCE)
        asking = Asking(
            action="kms:PutKeyPolicy", resource=arn, principal=principal_of(asked.call.caller)
        )
        if not bypass and policy.says(asking) not in {Says.ALLOWED, Says.DELEGATED}:
            raise MalformedPolicy(
                "The new key policy will not allow you to update the key policy in the future."
            )

    def _context(self, asked: Asked, operation: str) -> dict[str, Sequence[str]]:
        found = lambda_conditions.of(operation, asked.call)
        return found | {"kms:calleraccount": [asked.call.caller.account]}


def of_context(context: Mapping[str, str]) -> dict[str, Sequence[str]]:
    """The condition keys of an encryption context."""
    if not context:
        return {}
    found: dict[str, Sequence[str]] = {"kms:encryptioncontextkeys": list(context)}
    return found | {
        f"kms:encryptioncontext:{name}".lower(): [value] for name, value in context.items()
    }
