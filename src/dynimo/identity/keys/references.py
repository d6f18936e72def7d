"""Which key a request names: a key's id, its ARN, an alias, or an alias's ARN. Pure.

Nothing is looked up here. Source: AWS KMS's developer guide, "Key identifiers".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dynimo.identity.keys.refusals import InvalidArn, KeyNotFound
from dynimo.model.names import Place

ALIAS = "alias/"
_ARN = re.compile(r"arn:aws[a-z-]*:kms:([a-z0-9-]+):([0-9]{12}):(key/|alias/)([A-Za-z0-9:/_-]+)")


@dataclass(frozen=True, slots=True)
class Reference:
    """Whose key, and its id or (``alias/…``) its alias."""

    place: Place
    name: str

    @property
    def alias(self) -> str:
        """The alias, or empty if it is a key's id."""
        return self.name if self.name.startswith(ALIAS) else ""

    @property
    def arn(self) -> str:
        """The ARN of what was named, whether there is one or not."""
        return self.place.arn("kms", self.alias or f"key/{self.name}")


def read(text: str, place: Place, *, aliases: bool) -> Reference:
    """What a KeyId of a caller in ``place`` means; ``aliases`` says whether one may stand there.

    Raises:
        InvalidArn: it begins as an ARN, but is none of a key.
        KeyNotFound: it is of another region, or an alias where only a key can be named.
    """
    if text.startswith("arn:"):
        found = _ARN.fullmatch(text)
        if found is None:
            raise InvalidArn(f"Invalid arn {text[:300]!r}: it is none of a key or an alias.")
        region, account, kind, name = found.groups()
        if region != place.region:
            raise KeyNotFound(f"Invalid arn {region}: this is {place.region}.")
        reference = Reference(Place(account, region), ALIAS + name if kind == ALIAS else name)
    else:
        reference = Reference(place, text)
    if reference.alias and not aliases:
        raise KeyNotFound(f"Invalid keyId {text[:300]!r}: name the key itself, not an alias.")
    return reference
