"""BLESS's order of work: read the request, open the CA, believe the caller, build, sign, answer.

Nothing is signed before everything else was checked. Clock and chance come from outside, so that a
certificate can be told byte for byte. No token, password or key is ever logged.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from contract import kmsauth, requests
from contract.authority import Authority
from contract.cloud import CloudError
from contract.kmsauth import TokenRefused
from contract.requests import InputRefused
from sshca.certificate import HOST, NONCE_BYTES, USER, Certificate, line, signed
from sshca.public_key import PublicKey
from sshca.weakness import on_its_curve, weakness

log = logging.getLogger("bless")

DAY_FORM = "%Y/%m/%d %H:%M:%S"
Answer = dict[str, str]


class Context(Protocol):
    """What is used of a function's context."""

    aws_request_id: str
    invoked_function_arn: str


def _nonce() -> bytes:
    return os.urandom(NONCE_BYTES)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Issues certificates. ``clock`` gives seconds since the epoch, ``nonce`` 32 bytes."""

    authority: Authority
    clock: Callable[[], float] = time.time
    nonce: Callable[[], bytes] = _nonce

    def user(self, event: object, context: Context) -> Answer:
        """Answer a user's request, as BLESS does.

        Raises:
            ValueError: the key is unsafe, the CA's key cannot be opened, or its options allow no
                validity; the platform tells the caller as a function's error.
        """
        return self._answer(lambda: self._user(event, context))

    def host(self, event: object, context: Context) -> Answer:
        """Answer a host's request, as BLESS does. Raises ValueError, as `user`."""
        return self._answer(lambda: self._host(event, context))

    def _answer(self, work: Callable[[], str]) -> Answer:
        level = self.authority.options.logging_level
        if log.level != level:  # setting it empties the caches of every logger
            log.setLevel(level)
        try:
            return {"certificate": work()}
        except InputRefused as error:
            told = ("InputValidationError", str(error))
        except TokenRefused as error:
            told = ("KMSAuthValidationError", str(error))
        except CloudError as error:
            told = ("ClientError", str(error))
        log.warning("Refused: %s: %s", *told)
        return {"errorType": told[0], "errorMessage": told[1]}

    def _user(self, event: object, context: Context) -> str:
        options = self.authority.options
        asked = requests.user(event, options)
        log.info(
            "Bless lambda invoked by [user: %s, bastion_ips:%s, public_key: %s]",
            asked.bastion_user, asked.bastion_user_ip, asked.public_key_to_sign.sha256,
        )  # fmt: skip
        self.authority.signer()  # BLESS tells of a KMS that fails before it asks who calls
        now = int(self.clock())
        names = ",".join(asked.remote_usernames)
        after, before = now - options.user_before_seconds, now + options.user_after_seconds
        canary = bool(options.test_user) and options.test_user in {asked.bastion_user, names}
        if canary:
            after, before = (
                now + 1,
                now,
            )  # a certificate that no server takes: only the way is tried
        if options.kmsauth is not None:
            self._believe(asked, now)
        key_id = (
            f"request[{context.aws_request_id}] for[{asked.bastion_user}]"
            f" from[{asked.bastion_user_ip}] command[{asked.command}]"
            f" ssh_key[{_fingerprint(asked.public_key_to_sign)}]"
            f"  ca[{context.invoked_function_arn}] valid_to[{_day(before)}]"
        )
        made = self._issued(
            asked.public_key_to_sign, type=USER, key_id=key_id, principals=asked.remote_usernames,
            valid_after=after, valid_before=before, may_be_never=canary,
            critical={"source-address": asked.bastion_ips},
            extensions=dict.fromkeys(options.extensions, ""),
        )  # fmt: skip
        log.info(
            "Issued a cert to bastion_ips[%s] for remote_usernames[%s] with key_id[%s] and"
            " valid_from[%s])", asked.bastion_ips, names, key_id, _day(after),
        )  # fmt: skip
        return made

    def _host(self, event: object, context: Context) -> str:
        options = self.authority.options
        asked = requests.host(event, options)
        names = ",".join(asked.hostnames)
        log.info(
            "Bless lambda invoked by [public_key: %s] for hostnames[%s]",
            asked.public_key_to_sign.sha256, names,
        )  # fmt: skip
        self.authority.signer()
        now = int(self.clock())
        after, before = now - options.host_before_seconds, now + options.host_after_seconds
        key_id = (
            f"request[{context.aws_request_id}] ssh_key[{_fingerprint(asked.public_key_to_sign)}]"
            f" ca[{context.invoked_function_arn}] valid_to[{_day(before)}]"
        )
        made = self._issued(
            asked.public_key_to_sign, type=HOST, key_id=key_id, principals=asked.hostnames,
            valid_after=after, valid_before=before, critical={}, extensions={},
        )  # fmt: skip
        log.info(
            "Issued a server cert to hostnames[%s] with key_id[%s] and valid_from[%s])",
            names, key_id, _day(after),
        )  # fmt: skip
        return made

    def _believe(self, asked: requests.UserRequest, now: int) -> None:
        options, cloud = self.authority.options, self.authority.cloud
        if options.kmsauth is None:
            return
        if not asked.kmsauth_token:
            raise InputRefused("Invalid request, missing kmsauth token")
        kmsauth.authorise(
            options.kmsauth, cloud, now, user=asked.bastion_user, remote=asked.remote_usernames,
            token=asked.kmsauth_token,
        )  # fmt: skip

    def _issued(self, key: PublicKey, *, may_be_never: bool = False, **says: Any) -> str:
        """Check the key, build and sign."""
        if weakness(key) or not on_its_curve(key):
            raise ValueError(f"Unsafe {key.kind.family} public key")
        signer = self.authority.signer()
        if key.blob == signer.public_key.blob:
            raise InputRefused({"public_key_to_sign": ["The CA's own key is never certified."]})
        certificate = Certificate(key=key, nonce=self.nonce(), **says)
        possible = 0 <= certificate.valid_after < certificate.valid_before
        if not possible and not may_be_never:
            raise ValueError("Impossible validity period")
        comment = key.comment or (
            f"Certificate type[{certificate.type}] principals[{','.join(certificate.principals)}]"
            f" with the id[{certificate.key_id}]"
        )
        return line(certificate, signed(certificate, signer), comment)


def _fingerprint(key: PublicKey) -> str:
    return f"{key.kind.family} {key.md5}"


def _day(seconds: int) -> str:
    return time.strftime(DAY_FORM, time.gmtime(seconds))
