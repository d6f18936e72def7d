"""A CA in this process: its options, and its key, opened once with what a KMS decrypts.

A KMS that fails is asked again with the next request; a key that was opened stays open.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from contract.cloud import Cloud
from contract.kms_signing import opened
from contract.options import Options
from sshca.signers import Signer, SignerError, load


@dataclass(slots=True)
class Authority:
    """The CA of one process. ``password`` is for tests: then no KMS is asked."""

    options: Options
    cloud: Cloud
    password: bytes | None = field(default=None, repr=False)
    _signer: Signer | None = field(default=None, repr=False)

    def signer(self) -> Signer:
        """The CA's key, ready to sign.

        Raises:
            CloudError: the KMS does not decrypt the password, or has no such key.
            SignerError: the password is not base64, or not that of the key; or it is no key.
        """
        if self._signer is None:
            if self.options.kms_key:
                self._signer = opened(self.cloud, self.options.kms_key)
            else:
                self._signer = load(self.options.private_key, self.password or self._decrypted())
        return self._signer

    def _decrypted(self) -> bytes:
        try:
            ciphertext = base64.b64decode(self.options.password, validate=True)
        except (binascii.Error, ValueError):
            raise SignerError("The CA's password in the configuration is not base64.") from None
        return self.cloud.decrypt(ciphertext, {}).plaintext
