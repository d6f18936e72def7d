"""How each operation of the KMS is run: its members read, its answer written, its use recorded.

Every call leaves one line in the log, refused or not: who, what, which key. Never a plaintext, a
message, a key, or the values of an encryption context.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from dynimo.api.aws.calls import Answer, Call, Operation
from dynimo.api.aws.kms_asked import Asked
from dynimo.identity.keys.refusals import KeyUnavailable
from dynimo.model.errors import DynimoError
from dynimo.ports import Unusable

log = logging.getLogger("dynimo.kms")
SUBJECT_CHARACTERS_MAX = 300
CONTENT_TYPE = "application/x-amz-json-1.1"
Run: TypeAlias = Callable[[Asked], Awaitable[dict[str, Any] | None]]


def operations(served: Mapping[str, Run]) -> list[Operation]:
    """What the door is to know; each of them asks the gatekeeper itself, for keys have policies."""
    return [
        Operation(name=name, method="POST", path=name, run=_answering(name, run), decides=True)
        for name, run in served.items()
    ]


def _answering(name: str, run: Run) -> Callable[[Call], Awaitable[Answer]]:
    async def answer(call: Call) -> Answer:
        subject = ""
        try:
            asked = Asked(call)
            try:
                document = await run(asked)
            finally:
                subject = asked.subject
        except DynimoError as error:
            _record(call, name, subject, error.code)
            raise
        except Unusable as error:
            log.error("%s: the engine refuses: %s", name, error)
            _record(call, name, subject, KeyUnavailable.code)
            raise KeyUnavailable("The key cannot be made or used now.") from None
        except Exception:
            _record(call, name, subject, "KMSInternalException")
            raise
        _record(call, name, subject, "ok")
        if document is None:
            return Answer(body=b"", content_type=CONTENT_TYPE)
        return Answer(document=document, content_type=CONTENT_TYPE)

    return answer


def _record(call: Call, name: str, subject: str, result: str) -> None:
    # What was named may be any text of the caller's; it shall not make a line of its own.
    key = subject[:SUBJECT_CHARACTERS_MAX]
    if not key.isprintable():
        key = "".join(each if each.isprintable() else "?" for each in key)
    facts = {
        "operation": f"kms:{name}",
        "key": key,
        "caller": call.caller.arn,
        "access_key": call.caller.access_key,
        "request": call.request.request_id,
        "result": result,
    }
    log.info("kms:%s %s by %s: %s", name, key or "-", call.caller.arn, result, extra=facts)
