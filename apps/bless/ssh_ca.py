"""The function that decides, writes and signs: the issuing CA, by direct Invoke alone.

Nothing is opened before the first request, which is after the fork.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from dynimo.sdk.context import Context
from dynimo.sdk.settings import state
from issuing.authority import Authority
from issuing.ca_keys import InKms
from issuing.issuer import Issuer
from issuing.kms import Kms
from issuing.operations import Operations
from issuing.refusal import UNAVAILABLE
from issuing.state import State, StateError
from issuing.tokens import Checked

_KEPT: list[Operations] = []
_opening = asyncio.Lock()


async def handler(event: object, context: Context) -> dict[str, Any]:
    """Do what the event says; a refusal is ``{"error": …, "message": …}``."""
    try:
        operations = _KEPT[0] if _KEPT else await _opened()
    except (StateError, OSError, LookupError) as error:
        return {"error": UNAVAILABLE, "message": str(error)}
    return await operations.answer(event, context.caller)


async def _opened() -> Operations:
    async with _opening:
        if not _KEPT:
            _KEPT.append(opened(Path(state())))
    return _KEPT[0]


def opened(folder: Path) -> Operations:
    """The CA in a folder. Raises StateError, OSError."""
    kms = Kms()
    authority = Authority(State(folder), lambda origin: InKms(kms, origin))
    authority.mend()
    tokens = Checked(kms)
    return Operations(authority, tokens, Issuer(authority, tokens))
