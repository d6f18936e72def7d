"""AWS KMS's operations about aliases: other names of keys, which may come to name another key.

An alias has no policy; who changes one needs its ARN in his own policies, and the key's leave.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dynimo.api.aws import kms_answering
from dynimo.api.aws.calls import Operation
from dynimo.api.aws.kms_access import KmsAccess
from dynimo.api.aws.kms_asked import Asked
from dynimo.identity.keys.keys import Keys
from dynimo.identity.keys.records import KmsKey
from dynimo.identity.keys.references import ALIAS
from dynimo.identity.keys.refusals import InvalidAliasName, KeyNotFound
from dynimo.identity.keys.store import Alias
from dynimo.model.errors import ValidationFailed

NAME_CHARACTERS_MAX = 256
_NAME = r"[a-zA-Z0-9:/_-]+"
_RESERVED = f"{ALIAS}aws/"


class KmsAliases:
    """The operations about aliases."""

    def __init__(self, keys: Keys, access: KmsAccess) -> None:
        self._keys = keys
        self._access = access

    def operations(self) -> list[Operation]:
        """What the door is to know."""
        return kms_answering.operations(
            {
                "CreateAlias": self._create,
                "UpdateAlias": self._update,
                "DeleteAlias": self._delete,
                "ListAliases": self._list,
            }
        )

    async def _create(self, asked: Asked) -> None:
        name, key = self._named(asked, "CreateAlias"), self._target(asked, "CreateAlias")
        key.check_staying()
        await asyncio.to_thread(self._keys.add_alias, asked.place, name, key)

    async def _update(self, asked: Asked) -> None:
        name, key = self._named(asked, "UpdateAlias"), self._target(asked, "UpdateAlias")
        alias = self._held(asked, name)
        now = self._keys.get(alias.key)
        if now is not None:
            self._access.to_this(asked, "UpdateAlias", now)
            if (now.kind.asymmetric, now.usage) != (key.kind.asymmetric, key.usage):
                raise ValidationFailed(
                    f"{name} names a key for {now.usage}; it can only come to name another such,"
                    f" symmetric if that is. {key.arn} is {key.spec} for {key.usage}."
                )
        key.check_staying()
        await asyncio.to_thread(self._keys.move_alias, alias, key)

    async def _delete(self, asked: Asked) -> None:
        name = self._named(asked, "DeleteAlias")
        alias = self._held(asked, name)
        key = self._keys.get(alias.key)
        if key is not None:
            self._access.to_this(asked, "DeleteAlias", key)
        await asyncio.to_thread(self._keys.drop_alias, alias)

    async def _list(self, asked: Asked) -> dict[str, Any]:
        self._access.to_all(asked, "ListAliases")
        key_id = ""
        if asked.has("KeyId"):
            key_id = self._access.to_key(asked, "ListAliases", aliases=False, foreign=False).id
        account = asked.place.account
        aliases = [each for each in self._keys.aliases(account, key_id) if self._keys.get(each.key)]
        part, told = asked.page([each.name for each in aliases])
        listed = [
            {
                "AliasName": each.name,
                "AliasArn": asked.place.arn("kms", each.name),
                "TargetKeyId": each.key,
                "CreationDate": each.created,
                "LastUpdatedDate": each.updated,
            }
            for each in aliases[part]
        ]
        return {"Aliases": listed, **told}

    def _named(self, asked: Asked, operation: str) -> str:
        """The alias's name, if the caller's policies let him at it. Raises AccessDenied."""
        name = asked.text("AliasName", None, length=NAME_CHARACTERS_MAX, pattern=_NAME)
        if not name.startswith(ALIAS) or name == ALIAS:
            raise ValidationFailed("Invalid identifier: an alias begins with 'alias/'")
        if name.startswith(_RESERVED):
            raise InvalidAliasName(f"Names that begin with {_RESERVED} are reserved.")
        asked.subject = asked.place.arn("kms", name)
        self._access.to_named(asked, operation, asked.subject)
        return name

    def _target(self, asked: Asked, operation: str) -> KmsKey:
        return self._access.to_key(
            asked, operation, member="TargetKeyId", aliases=False, foreign=False
        )

    def _held(self, asked: Asked, name: str) -> Alias:
        alias = self._keys.alias(asked.place.account, name)
        if alias is None:
            raise KeyNotFound(f"Alias {asked.place.arn('kms', name)} is not found.")
        return alias
