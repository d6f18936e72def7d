"""Sessions: credentials for a time, whose token holds all that is to be known of them.

The token is encrypted under the master key, so nothing is kept and a restart loses none. Who may
have a session is decided by who asks for it here.
"""

from __future__ import annotations

import base64
import functools
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from dynimo.identity.entities import Entity, fresh_id, fresh_secret, role_of
from dynimo.identity.refusals import UnrecognizedClient
from dynimo.identity.vault import Undecipherable, Vault
from dynimo.model.caller import Caller

FUNCTION_SECONDS = 7 * 24 * 3600
"""How long a function environment's credentials hold; one that lives longer needs new ones."""
_PURPOSE = "session"
_VERSION = b"\x01"
_KEPT = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Whose it is. ``expires`` is in seconds since the epoch.

    ``principal`` is the ARN of the user or role behind it, ``entity`` that one's id at the time, so
    that a new one of the same name does not inherit sessions; empty for a function, whose role may
    be made later. ``policy`` (JSON) narrows it.
    """

    access_key: str
    secret: str
    arn: str
    account: str
    principal: str
    user_id: str
    expires: int
    entity: str = ""
    policy: str = ""
    function: str = ""

    def __repr__(self) -> str:
        return f"<Session {self.access_key} of {self.arn}>"

    @property
    def caller(self) -> Caller:
        """Its owner, as those see who ask what it may do."""
        return Caller(
            arn=self.arn, account=self.account, user_id=self.user_id, access_key=self.access_key,
            signed=True, principal=self.principal, session_policy=self.policy,
            function=self.function,
        )  # fmt: skip


class Sessions:
    """Makes and reads session tokens. Safe for several threads."""

    def __init__(self, vault: Vault, now: Callable[[], float] = time.time) -> None:
        self._vault = vault
        self._now = now
        # The secret inside makes an opened token worth keeping; a signature costs less than it.
        self._open = functools.lru_cache(maxsize=_KEPT)(self._opened)

    def of_role(
        self, role: Entity, name: str, seconds: int, *, policy: str = ""
    ) -> tuple[Session, str]:
        """A session of a role under a name: itself, and its token."""
        return self._issued(
            arn=f"arn:aws:sts::{role.account}:assumed-role/{role.name.rpartition('/')[2]}/{name}",
            account=role.account, principal=role.arn, user_id=f"{role.id}:{name}",
            entity=role.id, policy=policy, seconds=seconds,
        )  # fmt: skip

    def of_user(self, user: Entity, seconds: int) -> tuple[Session, str]:
        """A session of a user, with the user's own rights: itself, and its token."""
        return self._issued(
            arn=user.arn, account=user.account, principal=user.arn, user_id=user.id,
            entity=user.id, seconds=seconds,
        )  # fmt: skip

    def issue(self, role_arn: str, function_arn: str) -> tuple[str, str, str]:
        """A function environment's own credentials: (access key id, secret, session token).

        They have the rights of the role if it is in the keyring when they are used, else none but
        asking who they are.
        """
        account, role = role_of(role_arn) or (function_arn.split(":")[4], "none")
        name = function_arn.split(":")[6]
        session, token = self._issued(
            arn=f"arn:aws:sts::{account}:assumed-role/{role.rpartition('/')[2]}/{name}",
            account=account, principal=role_arn, user_id=f"{fresh_id('AROA')}:{name}",
            function=function_arn, seconds=FUNCTION_SECONDS,
        )  # fmt: skip
        return session.access_key, session.secret, token

    def open(self, token: str) -> Session:
        """Read a token. Whether the session is over is for the reader to ask (``expires``).

        Raises:
            UnrecognizedClient: it is not one of ours.
        """
        return self._open(token)

    def _issued(
        self,
        *,
        arn: str,
        account: str,
        principal: str,
        user_id: str,
        seconds: int,
        entity: str = "",
        policy: str = "",
        function: str = "",
    ) -> tuple[Session, str]:
        session = Session(
            access_key=fresh_id("ASIA"), secret=fresh_secret(), arn=arn, account=account,
            principal=principal, user_id=user_id, expires=int(self._now()) + seconds,
            entity=entity, policy=policy, function=function,
        )  # fmt: skip
        text = json.dumps(asdict(session), separators=(",", ":")).encode()
        sealed = _VERSION + self._vault.seal(_PURPOSE, "", text)
        return session, base64.b64encode(sealed).decode()

    def _opened(self, token: str) -> Session:
        try:
            sealed = base64.b64decode(token, validate=True)
            if sealed[:1] != _VERSION:
                raise UnrecognizedClient
            return Session(**json.loads(self._vault.open(_PURPOSE, "", sealed[1:])))
        except (ValueError, TypeError, Undecipherable):
            raise UnrecognizedClient from None
