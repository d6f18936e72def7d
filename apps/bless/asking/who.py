"""Who asks, as it was proved: by a signed call, an OIDC token or a kmsauth token. Values only.

Proving is done where the proof is checked: by the platform, in ``oidc``, in ``kmsauth_tokens``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

CALLER, OIDC, KMSAUTH = "caller", "oidc", "kmsauth"
CALLERS_KEPT = 1024
"""The same few ask again and again."""
_USER = re.compile(r"arn:aws:iam::([0-9]{12}):user/(?:.*/)?([^/:]+)\Z", re.DOTALL)
_ROLE = re.compile(r"arn:aws:iam::([0-9]{12}):role/(?:.*/)?([^/:]+)\Z", re.DOTALL)
_SESSION = re.compile(r"arn:aws:sts::([0-9]{12}):assumed-role/([^/:]+)/([^/:]+)\Z")


class TokenError(ValueError):
    """A token proves nothing; the text says why, and shows nothing of the token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """One identity.

    ``kind`` is ``caller``, ``oidc`` or ``kmsauth``. ``name`` is the user's: of a caller empty when
    it is a role, since whoever takes a role names the session; of OIDC the ``sub``. ``arn``,
    ``principal``, ``role``, ``account``, ``function`` and ``address`` are a caller's. ``issuer`` is
    the policy's name of it; ``email`` is there only when the issuer verified it.

    ``once`` is what of a token may be used a single time: a digest that is the same however the
    token is written. It must be remembered ``until`` (seconds since the epoch).
    """

    kind: str
    name: str
    arn: str = ""
    principal: str = ""
    role: str = ""
    account: str = ""
    function: str = ""
    address: str = ""
    issuer: str = ""
    email: str = ""
    groups: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    once: str = ""
    until: float = 0

    @property
    def told(self) -> str:
        """How records and messages call it."""
        if self.kind == CALLER:
            return self.arn
        if self.kind == OIDC:
            return f"{self.issuer}/{self.email or self.name}"
        return f"kmsauth/{self.name}"


@lru_cache(CALLERS_KEPT)
def caller(
    arn: str, *, account: str = "", principal: str = "", function: str = "", address: str = ""
) -> Who:
    """The identity of a signed call: the members of the SDK's ``context.caller``."""
    user, session = _USER.match(arn), _SESSION.match(arn)
    role = _ROLE.match(principal)
    return Who(
        kind=CALLER,
        name=user[2] if user else "",
        arn=arn,
        principal=principal or arn,
        role=role[2] if role else session[2] if session else "",
        account=account or (user[1] if user else session[1] if session else ""),
        function=function,
        address=address,
    )


def kmsauth(user: str, *, once: str = "", until: float = 0) -> Who:
    """The identity that a believed kmsauth token gives."""
    return Who(kind=KMSAUTH, name=user, once=once, until=until)
