"""What is asked: the request's members, and what was proved of who asks. A value only."""

from __future__ import annotations

from typing import NamedTuple

from asking.who import KMSAUTH, OIDC, Who
from sshca.public_key import PublicKey

USER, HOST = "user", "host"


class Asked(NamedTuple):
    """A request, after its shape, its proof of possession and its tokens were checked.

    ``who`` is the signed caller, ``tokens`` what was proved beside it (at most one of a kind).
    None is a member that was left out: then the rule's own stands. ``address`` is where the call
    came from, ``now`` seconds since the epoch. ``hardware``, ``touched`` and ``verified`` are those
    of the proof (possession.Proof); who only explains gives what the key could do: True.
    """

    type: str
    key: PublicKey
    principals: tuple[str, ...]
    who: Who
    tokens: tuple[Who, ...] = ()
    source_addresses: tuple[str, ...] | None = None
    force_command: str | None = None
    extensions: tuple[str, ...] | None = None
    valid_seconds: int | None = None
    address: str = ""
    now: float = 0
    hardware: bool = False
    touched: bool = False
    verified: bool = False

    @property
    def oidc(self) -> Who | None:
        """What an OIDC token proved, if there was one."""
        return next((each for each in self.tokens if each.kind == OIDC), None)

    @property
    def kmsauth(self) -> Who | None:
        """What a kmsauth token proved, if there was one."""
        return next((each for each in self.tokens if each.kind == KMSAUTH), None)
