"""The issuing CA in this process, over a key in memory, for the bench that counts certificates.

The app's own code; what stands in for the KMS signs at once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.setting import ROOT, Unavailable

APP = ROOT / "apps" / "bless"
sys.path[:0] = [str(APP), str(APP / "tests")]  # as the platform has it, and its tests

import issuing_kit  # noqa: E402
from asking.deciding import decide  # noqa: E402
from issuing import certifying, generations, proving, requested, used  # noqa: E402
from issuing.certifying import Wanted  # noqa: E402
from issuing.together import Together  # noqa: E402
from transparency.log import Entry  # noqa: E402

SIGNATURES = 200
AT_ONCE_MAX = 4096


class Desk:
    """A CA, and what is asked of it."""

    def __init__(self, folder: Path) -> None:
        self._memory = issuing_kit.Memory()
        self._authority, self._operations = issuing_kit.opened(folder, self._memory)
        self._key = issuing_kit.Key()

    def close(self) -> None:
        """Close its files."""
        self._authority.close()

    async def found(self) -> None:
        """Make the CA, and what does not change from request to request."""
        event = {"do": "init", "policy": issuing_kit.POLICY, "origin": "bench"}
        told = await self._operations.answer(event, issuing_kit.ADA)
        if "error" in told:
            raise Unavailable(f"the CA was not made: {told}")
        log = self._authority.log(self._authority.founded())
        self._recording = Together(log.enter, AT_ONCE_MAX)
        await self.requests(1)[0]()  # the first validity is noted now
        self._request = self._asked()

    def _asked(self) -> dict[str, object]:
        return {
            "type": "user", "public_key": self._key.line, "principals": ["ada"],
            "nonce": issuing_kit.secrets.token_hex(16), "at": int(time.time()),
        }  # fmt: skip

    async def issued(self) -> None:
        """Shape, policy, build, record on the disk, signature: what a CA does without proofs."""
        found, now = self._authority.founded(), time.time()
        request = requested.read(self._request)
        who = proving.caller(issuing_kit.ADA)
        proving.subject(self._authority, found, request.key)
        asked = proving.asked(request, who, (), None, now)
        decision = decide(found.policy, asked)
        assert decision.grant is not None, "the bench's own policy allows it"
        one = generations.signing(found.generations, request.type)
        signer = self._authority.signer(found, one)
        wanted = Wanted(type=request.type, key=request.key, grant=decision.grant,
                        caller=who.arn, decision=f"rule {decision.rule!r}")  # fmt: skip
        made = certifying.draft(wanted, one, signer.public_key, now)
        claim = used.nonce(request.key, str(made.certificate.serial), request.at)
        await self._recording.do(Entry(made.record, (claim,)))
        signer.sign(made.body)

    def requests(self, count: int) -> list[Callable[[], Awaitable[None]]]:
        """The whole operation, with requests and proofs made now."""
        events = []
        for _ in range(count):
            request = self._asked()
            events.append({"do": "issue", "request": request, "proof": self._key.proof(request)})
        return [partial(self._whole, event) for event in events]

    async def _whole(self, event: dict[str, object]) -> None:
        told = await self._operations.answer(event, issuing_kit.ADA)
        if "certificate" not in told:
            raise Unavailable(f"no certificate: {told}")


def signatures_us() -> float:
    """Processor time of one Ed25519 signature and two checks: nothing can be quicker here."""
    key = Ed25519PrivateKey.generate()
    public, message = key.public_key(), bytes(400)
    began = time.process_time()
    for _ in range(SIGNATURES):
        signature = key.sign(message)
        public.verify(signature, message)
        public.verify(signature, message)
    return (time.process_time() - began) / SIGNATURES * 1e6
