"""Who asks, and how it was proved: values that the door, the gatekeeper and operations share. Pure.

Nothing is decided here; ``identity`` proves and decides, ``api`` asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: an ARN (a user, a role's session, or an account's root) and how it was proved.

    ``signed`` is False for one that nobody proved, which an open door (no key exists) lets in.
    ``principal`` is the ARN of the user or role behind a session; it may be empty. A session may
    carry a ``session_policy`` (JSON) that narrows it, and ``function`` names the function whose
    environment it belongs to.
    """

    arn: str
    account: str
    user_id: str = ""
    access_key: str = ""
    signed: bool = False
    principal: str = ""
    session_policy: str = ""
    function: str = ""


ANYBODY = Caller(arn="", account="")
"""One who did not say who they are; only a policy for everybody (``*``) lets them."""


class Proof(NamedTuple):
    """Who a request is from, and the scope that its signature names (empty when it has none)."""

    caller: Caller
    region: str = ""
    service: str = ""
