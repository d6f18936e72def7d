"""Issues certificates, in one order: prove, decide, record, sign, check, answer.

What only computes runs on the event loop; commits are shared by all who come together; a KMS is
asked in threads. Nothing is signed before its record is on the disk.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from asking.asked import Asked
from asking.deciding import Decision, Grant, decide
from asking.explaining import refusal
from asking.who import Who
from contract.cloud import CloudError
from dynimo.sdk.context import Caller
from issuing import approvals, certifying, generations, proving, requested, stored, used
from issuing.approvals import Approval, Pending
from issuing.authority import Authority, Snapshot
from issuing.certifying import Draft, Wanted
from issuing.proving import Tokens
from issuing.refusal import DENIED, NO_CA, UNAVAILABLE, USED, Refused
from issuing.together import Together
from sshca.signers import InMemory, Signer, SignerError
from transparency.log import Entry, Taken
from transparency.serials import TRIES_MAX
from transparency.store import Claim

Answer = dict[str, Any]
T = TypeVar("T")
WAITING_MAX = 4096
SIGNING_THREADS = 16
"""Signatures that a KMS is asked for at once."""
_USED = "This request or one of its tokens was used already: ask anew."


class Issuer:
    """The CA at work, in one process. ``clock`` gives seconds since the epoch."""

    def __init__(
        self, authority: Authority, tokens: Tokens, clock: Callable[[], float] = time.time
    ) -> None:
        self._authority, self._tokens, self.clock = authority, tokens, clock
        self._recording = Together(self._record, WAITING_MAX)
        self._threads = ThreadPoolExecutor(SIGNING_THREADS)
        self._forgotten = 0.0

    async def issue(self, event: Mapping[str, Any], caller: Caller | None) -> Answer:
        """Certify the key of a request. Raises Refused, StateError, StoreError."""
        found, now = self._authority.founded(), self.clock()
        who = proving.caller(caller)
        request = requested.read(event.get("request"))
        proof = proving.possession(
            event["request"], event.get("proof"), request.key, request.at, now
        )
        proving.subject(self._authority, found, request.key)
        tokens: tuple[Who, ...] = ()
        if event.get("token"):
            tokens = await self._blocking(
                lambda: self._tokens.believed(found, event["token"], request.key, now)
            )
        asked = proving.asked(request, who, tokens, proof, now)
        decision = decide(found.policy, asked)
        grant = granted(decision)
        nonce = used.nonce(request.key, request.nonce, request.at)
        claims = (nonce, *map(used.token, tokens))
        if grant.needs:
            one = Pending(
                id=approvals.fresh_id(), asker=who.arn, principal=who.principal,
                asked=stored.written(asked, request.reason), rule=decision.rule,
                needs=grant.needs, approvers=grant.approvers,
                until=int(now) + grant.approval_seconds,
            )  # fmt: skip
            return await self._wait(one, claims, now)
        return await self.certify(found, asked, decision.rule, grant, claims)

    async def _wait(self, one: Pending, claims: tuple[Claim, ...], now: float) -> Answer:
        """Let it wait for approval."""
        if await self._recording.do(Entry(None, claims)) is Taken.CLAIM:
            raise Refused(USED, _USED)

        def put() -> None:
            with self._authority.state.changing(counted=False) as sql:
                approvals.put(sql, one, int(now))

        await self._blocking(put)
        return {"pending": one.id, "needs": one.needs, "until": one.until}

    async def certify(
        self, found: Snapshot, asked: Asked, rule: str, grant: Grant, claims: tuple[Claim, ...],
        agreed: Sequence[Approval] = (),
    ) -> Answer:  # fmt: skip
        """Record, sign, check. Raises Refused, StateError, StoreError."""
        one = generations.signing(found.generations, asked.type)
        signer = self._authority.signer(found, one)
        if found.revoked and signer.public_key.sha256 in found.revoked:
            raise Refused(
                NO_CA, f"The {asked.type} CA's key is revoked: an administrator must rotate it."
            )
        valid_before = int(asked.now) + grant.valid_seconds
        if valid_before > one.valid_until:
            await self._blocking(
                lambda: generations.reserve(
                    self._authority.state, one, valid_before, int(asked.now)
                )
            )
        decision = f"rule {rule!r} of policy {found.policy_version}"
        if agreed:
            decision += ", approved by " + ", ".join(each.arn for each in agreed)
        wanted = Wanted(
            type=asked.type, key=asked.key, grant=grant, decision=decision,
            caller=" ".join([asked.who.arn, *(each.told for each in asked.tokens)]),
        )  # fmt: skip
        for _ in range(TRIES_MAX):
            made = certifying.draft(wanted, one, signer.public_key, asked.now)
            number = await self._recording.do(Entry(made.record, claims))
            if number is Taken.CLAIM:
                raise Refused(USED, _USED)
            if number is not Taken.SERIAL:
                return answered(made, await self._signed(made, signer), number)
        raise Refused(UNAVAILABLE, "This machine's source of chance is broken: nothing is issued.")

    async def _signed(self, made: Draft, signer: Signer) -> str:
        try:
            if isinstance(signer, InMemory):  # nobody is asked, so a thread would only cost
                return certifying.signed(made, signer)
            return await self._blocking(lambda: certifying.signed(made, signer))
        except (CloudError, SignerError) as error:
            raise Refused(
                UNAVAILABLE, f"{error} So there is no certificate, though a record of its serial."
            ) from None

    def _record(self, entries: Sequence[Entry]) -> list[int | Taken]:
        """One commit for all, in the committing thread."""
        log = self._authority.log(self._authority.now())
        now = self.clock()
        if now - self._forgotten > used.FORGET_SECONDS:
            self._forgotten = now
            log.forget(int(now))
        return log.enter(entries)

    async def _blocking(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def granted(decision: Decision) -> Grant:
    """What the policy gives. Raises Refused with why every rule was passed over."""
    if decision.grant is not None:
        return decision.grant
    raise Refused(DENIED, refusal(decision))


def answered(made: Draft, line: str, number: int) -> Answer:
    """What whoever asked is told."""
    certificate = made.certificate
    return {
        "certificate": line,
        "serial": str(certificate.serial),
        "key_id": certificate.key_id,
        "principals": list(certificate.principals),
        "valid_after": certificate.valid_after,
        "valid_before": certificate.valid_before,
        "record": number,
    }
