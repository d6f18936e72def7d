"""AWS KMS's operations about keys: made, described, listed, switched, deleted; policies and tags.

JSON-RPC (X-Amz-Target ``TrentService.NAME``). What keys are used for is in ``kms_using``, aliases
in ``kms_aliases``; who may do it in ``kms_access``. A change waits for the disk in a thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dynimo.api.aws import kms_answering
from dynimo.api.aws.calls import Operation
from dynimo.api.aws.kms_access import KmsAccess
from dynimo.api.aws.kms_asked import Asked, merged
from dynimo.identity.keys.keys import Keys
from dynimo.identity.keys.records import KmsKey, State
from dynimo.identity.keys.refusals import InvalidState, KeyNotFound, UnsupportedOperation
from dynimo.identity.keys.specs import ENCRYPT, SIGN, SPECS, SYMMETRIC
from dynimo.model.errors import ValidationFailed

DAY_SECONDS = 86_400
MAKING_MAX = 2
"""Keys that are made at once; a long one takes a core for a second."""
DELETION_DAYS = (7, 30)
POLICY_CHARACTERS_MAX = 32_768
DESCRIPTION_CHARACTERS_MAX = 8192
POLICY_NAME = "default"
_UNSERVED = ("CustomKeyStoreId", "XksKeyId")
_ORIGIN = "AWS_KMS"


class Kms:
    """The operations about keys."""

    def __init__(self, keys: Keys, access: KmsAccess, now: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._access = access
        self._now = now
        self._making = asyncio.Semaphore(MAKING_MAX)

    def operations(self) -> list[Operation]:
        """What the door is to know."""
        return kms_answering.operations(
            {
                "CreateKey": self._create,
                "DescribeKey": self._describe,
                "ListKeys": self._list,
                "UpdateKeyDescription": self._update_description,
                "EnableKey": self._enable,
                "DisableKey": self._disable,
                "ScheduleKeyDeletion": self._schedule_deletion,
                "CancelKeyDeletion": self._cancel_deletion,
                "GetKeyPolicy": self._get_policy,
                "PutKeyPolicy": self._put_policy,
                "ListKeyPolicies": self._list_policies,
                "GetKeyRotationStatus": self._rotation_status,
                "TagResource": self._tag,
                "UntagResource": self._untag,
                "ListResourceTags": self._list_tags,
            }
        )

    # Keys.

    async def _create(self, asked: Asked) -> dict[str, Any]:
        spec, usage = _kind(asked)
        facts = {
            "kms:keyspec": [spec],
            "kms:keyusage": [usage],
            "kms:keyorigin": [_ORIGIN],
            "kms:multiregion": ["false"],
        }
        tags = asked.tags()
        facts |= {f"aws:requesttag/{name}".lower(): [value] for name, value in tags}
        self._access.to_all(asked, "CreateKey", facts)
        if tags:
            self._access.to_named(asked, "TagResource", asked.place.arn("kms", "key/*"), facts)
        policy = asked.text("Policy", length=POLICY_CHARACTERS_MAX)
        if policy:
            bypass = asked.flag("BypassPolicyLockoutSafetyCheck")
            self._access.check_policy(asked, policy, asked.place.arn("kms", "key/*"), bypass=bypass)
        description = asked.text("Description", length=DESCRIPTION_CHARACTERS_MAX)

        def create() -> KmsKey:
            self._keys.erase_due()
            return self._keys.create(
                asked.place, spec=spec, usage=usage, policy=policy, description=description,
                tags=tags,
            )  # fmt: skip

        async with self._making:
            key = await asyncio.to_thread(create)
        asked.subject = key.arn
        return {"KeyMetadata": metadata(key)}

    async def _describe(self, asked: Asked) -> dict[str, Any]:
        return {"KeyMetadata": metadata(self._access.to_key(asked, "DescribeKey"))}

    async def _list(self, asked: Asked) -> dict[str, Any]:
        self._access.to_all(asked, "ListKeys")
        await asyncio.to_thread(self._keys.erase_due)
        keys = self._keys.of(asked.place.account)
        part, told = asked.page([key.id for key in keys])
        return {"Keys": [{"KeyId": key.id, "KeyArn": key.arn} for key in keys[part]], **told}

    async def _update_description(self, asked: Asked) -> None:
        text = asked.text("Description", length=DESCRIPTION_CHARACTERS_MAX)
        await self._change(
            asked, "UpdateKeyDescription", lambda key: replace(_staying(key), description=text)
        )

    async def _enable(self, asked: Asked) -> None:
        await self._change(
            asked, "EnableKey", lambda key: replace(_staying(key), state=State.ENABLED)
        )

    async def _disable(self, asked: Asked) -> None:
        await self._change(
            asked, "DisableKey", lambda key: replace(_staying(key), state=State.DISABLED)
        )

    async def _schedule_deletion(self, asked: Asked) -> dict[str, Any]:
        days = asked.number("PendingWindowInDays", DELETION_DAYS[1], *DELETION_DAYS)
        date = self._now() + days * DAY_SECONDS

        def schedule(key: KmsKey) -> KmsKey:
            return replace(_staying(key), state=State.PENDING_DELETION, deletion=date)

        facts = {"kms:schedulekeydeletionpendingwindowindays": [str(days)]}
        key = await self._change(asked, "ScheduleKeyDeletion", schedule, facts)
        return {
            "KeyId": key.arn,
            "DeletionDate": key.deletion,
            "KeyState": key.state.value,
            "PendingWindowInDays": days,
        }

    async def _cancel_deletion(self, asked: Asked) -> dict[str, Any]:
        def cancel(key: KmsKey) -> KmsKey:
            if key.state is not State.PENDING_DELETION:
                raise InvalidState(f"{key.arn} is not pending deletion.")
            return replace(key, state=State.DISABLED, deletion=0.0)

        return {"KeyId": (await self._change(asked, "CancelKeyDeletion", cancel)).arn}

    async def _rotation_status(self, asked: Asked) -> dict[str, Any]:
        key = self._access.to_key(asked, "GetKeyRotationStatus", aliases=False)
        return {"KeyRotationEnabled": False, "KeyId": key.arn}

    # Policies.

    async def _get_policy(self, asked: Asked) -> dict[str, Any]:
        _only_policy(asked)
        key = self._access.to_key(asked, "GetKeyPolicy", aliases=False, foreign=False)
        return {"Policy": key.policy, "PolicyName": POLICY_NAME}

    async def _put_policy(self, asked: Asked) -> None:
        _only_policy(asked)
        text = asked.text("Policy", None, length=POLICY_CHARACTERS_MAX)
        bypass = asked.flag("BypassPolicyLockoutSafetyCheck")

        def put(key: KmsKey) -> KmsKey:
            self._access.check_policy(asked, text, key.arn, bypass=bypass)
            return replace(key, policy=text)

        await self._change(asked, "PutKeyPolicy", put)

    async def _list_policies(self, asked: Asked) -> dict[str, Any]:
        self._access.to_key(asked, "ListKeyPolicies", aliases=False, foreign=False)
        return {"PolicyNames": [POLICY_NAME], "Truncated": False}

    # Tags.

    async def _tag(self, asked: Asked) -> None:
        tags = asked.tags()
        facts = {f"aws:requesttag/{name}".lower(): [value] for name, value in tags}
        await self._change(
            asked,
            "TagResource",
            lambda key: replace(_staying(key), tags=merged(key.tags, tags)),
            facts,
        )

    async def _untag(self, asked: Asked) -> None:
        names = set(asked.texts("TagKeys"))

        def untag(key: KmsKey) -> KmsKey:
            kept = tuple((name, value) for name, value in key.tags if name not in names)
            return replace(_staying(key), tags=kept)

        await self._change(asked, "UntagResource", untag)

    async def _list_tags(self, asked: Asked) -> dict[str, Any]:
        key = self._access.to_key(asked, "ListResourceTags", aliases=False, foreign=False)
        part, told = asked.page([name for name, _ in key.tags])
        return {
            "Tags": [{"TagKey": name, "TagValue": text} for name, text in key.tags[part]]
        } | told

    async def _change(
        self,
        asked: Asked,
        operation: str,
        alter: Callable[[KmsKey], KmsKey],
        facts: dict[str, list[str]] | None = None,
    ) -> KmsKey:
        """Change a key of the caller's own account that is named itself, not by an alias."""
        key = self._access.to_key(asked, operation, facts=facts, aliases=False, foreign=False)
        return await asyncio.to_thread(self._keys.change, key.id, alter)


def metadata(key: KmsKey) -> dict[str, Any]:
    """A key as DescribeKey tells it."""
    told: dict[str, Any] = {
        "AWSAccountId": key.account,
        "KeyId": key.id,
        "Arn": key.arn,
        "CreationDate": key.created,
        "Enabled": key.state is State.ENABLED,
        "Description": key.description,
        "KeyUsage": key.usage,
        "KeyState": key.state.value,
        "Origin": _ORIGIN,
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "MultiRegion": False,
    }
    which = "EncryptionAlgorithms" if key.usage == ENCRYPT else "SigningAlgorithms"
    told[which] = list(key.algorithms)
    if key.state is State.PENDING_DELETION:
        told["DeletionDate"] = key.deletion
    return told


def _kind(asked: Asked) -> tuple[str, str]:
    """(spec, usage) of a key to be made, which have to go together.

    Raises:
        ValidationFailed, UnsupportedOperation: as the words say.
    """
    if any(asked.has(name) for name in _UNSERVED) or asked.text("Origin", _ORIGIN) != _ORIGIN:
        raise UnsupportedOperation("Dynimo makes keys itself: Origin AWS_KMS, no key stores.")
    if asked.flag("MultiRegion"):
        raise UnsupportedOperation("Dynimo serves no keys of several regions.")
    older = asked.text("CustomerMasterKeySpec", SYMMETRIC)
    name = asked.text("KeySpec", older)
    usage = asked.text("KeyUsage", ENCRYPT)
    spec = SPECS.get(name)
    if spec is None or usage not in {ENCRYPT, SIGN}:
        raise UnsupportedOperation(
            f"Dynimo makes no keys of KeySpec {name[:60]} and KeyUsage {usage[:60]}; it does of"
            f" {', '.join(SPECS)} for {ENCRYPT} and {SIGN}."
        )
    if not spec.algorithms(usage):
        raise ValidationFailed(f"KeyUsage {usage} is not compatible with KeySpec {name}")
    return name, usage


def _staying(key: KmsKey) -> KmsKey:
    key.check_staying()
    return key


def _only_policy(asked: Asked) -> None:
    if asked.text("PolicyName", POLICY_NAME) != POLICY_NAME:
        raise KeyNotFound(f"No such policy exists: a key has one, named {POLICY_NAME}.")
