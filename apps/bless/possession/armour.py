"""The envelope of a signature by ``ssh-keygen -Y sign`` (PROTOCOL.sshsig), read strictly. Pure.

One armour, one form: what could be written in two ways is refused. What the signature is worth is
for ``proof``.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from sshca.public_key import KeyLineError, PublicKey, from_blob
from sshca.wire import Reader, WireError, string, u32

ARMOUR_CHARACTERS_MAX = 16_384
"""An RSA key of 8,192 bits and its signature take 3,000."""
LINE_CHARACTERS_MAX = 76
MAGIC = b"SSHSIG"
VERSION = 1
HASHES = ("sha256", "sha512")
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"


class ArmourError(ValueError):
    """The text is not exactly one SSH signature."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who says that they signed, for what purpose, and the signature in OpenSSH's form."""

    key: PublicKey
    namespace: str
    hash: str
    signature: bytes

    def signed(self, digest: bytes) -> bytes:
        """What the key signed, if the message has this digest."""
        return MAGIC + b"".join(
            map(string, (self.namespace.encode(), b"", self.hash.encode(), digest))
        )


def read(text: str) -> Envelope:
    """Read an armoured signature; one line feed at its end is left out.

    Raises:
        ArmourError: it is anything else.
    """
    if len(text) > ARMOUR_CHARACTERS_MAX:
        raise ArmourError(f"a signature has at most {ARMOUR_CHARACTERS_MAX} characters")
    lines = text.removesuffix("\n").split("\n")
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:
        raise ArmourError(
            "a signature stands between its BEGIN and END lines, and nothing else does"
        )
    width = len(lines[1])
    if not 0 < width <= LINE_CHARACTERS_MAX or any(len(each) != width for each in lines[1:-2]):
        raise ArmourError("the lines of a signature are of one length")
    if not 0 < len(lines[-2]) <= width:
        raise ArmourError("the last line of a signature is the shortest")
    encoded = "".join(lines[1:-1])
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ArmourError("the signature is not base64") from None
    if base64.b64encode(blob).decode() != encoded:
        raise ArmourError("the signature is not base64 in its one form")
    return from_bytes(blob)


def from_bytes(blob: bytes) -> Envelope:
    """Read the envelope's bytes. Raises ArmourError when they are not exactly one."""
    reader = Reader(blob)
    try:
        if reader.take(len(MAGIC)) != MAGIC:
            raise ArmourError("it does not begin as an SSH signature does")
        if reader.u32() != VERSION:
            raise ArmourError(f"an SSH signature of another version than {VERSION}")
        key = from_blob(reader.string())  # a certificate is no key
        namespace, reserved = reader.string().decode(), reader.string()
        hash_name = reader.string().decode("ascii", "replace")
        signature = reader.string()
        reader.end()
    except (WireError, KeyLineError, UnicodeDecodeError) as error:
        raise ArmourError(f"the signature is damaged: {error}") from None
    if reserved:
        raise ArmourError("there is something where nothing is defined")
    if not namespace:
        raise ArmourError("a signature names what it is for")
    if hash_name not in HASHES:
        raise ArmourError("the message is hashed with sha256 or sha512")
    return Envelope(key, namespace, hash_name, signature)


def written(envelope: Envelope) -> str:
    """As ``ssh-keygen`` writes it."""
    blob = MAGIC + u32(VERSION) + b"".join(
        map(string, (envelope.key.blob, envelope.namespace.encode(), b"", envelope.hash.encode(),
                     envelope.signature))
    )  # fmt: skip
    told = base64.b64encode(blob).decode()
    lines = [told[at : at + 70] for at in range(0, len(told), 70)]
    return "\n".join([_BEGIN, *lines, _END, ""])
