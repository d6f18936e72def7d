"""The ssh-agent that runs: a certificate with its key goes in, and leaves by itself at its end.

The key goes from this process's memory to the agent's, over no file. The protocol is that of
draft-ietf-sshm-ssh-agent; only what is needed of it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from sshca.certificate import CertificateError, Read, read
from sshca.wire import Reader, WireError, string, u32

VARIABLE = "SSH_AUTH_SOCK"
ANSWER_SECONDS = 30.0
"""An agent may ask its owner first."""
ANSWER_BYTES_MAX = 262_144
_ADD_CONSTRAINED, _SUCCESS, _LIFETIME = 25, 6, 1
_LIST, _LISTED, _REMOVE = 11, 12, 18


class AgentError(Exception):
    """No agent, or it does not take the key."""


def there(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether an agent is named."""
    return bool(environment.get(VARIABLE))


def add(
    key: Ed25519PrivateKey, certificate: bytes, comment: str, lifetime: int,
    environment: Mapping[str, str] = os.environ,
) -> None:  # fmt: skip
    """Give the agent a certificate with its key, for ``lifetime`` seconds.

    Raises:
        AgentError: there is none, or it refuses.
    """
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    private = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    message = b"".join((
        bytes([_ADD_CONSTRAINED]),
        string(b"ssh-ed25519-cert-v01@openssh.com"),
        string(certificate),
        string(public),
        string(private + public),
        string(comment.encode()),
        bytes([_LIFETIME]),
        u32(lifetime),
    ))  # fmt: skip
    answer = _asked(message, environment)
    if answer[:1] != bytes([_SUCCESS]):
        raise AgentError("the agent refuses the key: it is locked, or takes no lifetimes")


def drop_older(
    certificate: bytes, comment: str, environment: Mapping[str, str] = os.environ
) -> int:
    """Take out what ``add`` put in before for the same, and does the same; how many that were.

    ssh offers all that an agent has, and after a few sshd hangs up.

    Raises:
        AgentError: there is none, or it does not say what it has.
    """
    new, dropped = read(certificate), 0
    for blob, named in listed(_asked(bytes([_LIST]), environment)):
        if named != comment.encode() or blob == certificate:
            continue
        try:
            same = _rights(read(blob)) == _rights(new)
        except CertificateError:
            continue
        if same:
            _asked(bytes([_REMOVE]) + string(blob), environment)
            dropped += 1
    return dropped


def listed(answer: bytes) -> list[tuple[bytes, bytes]]:
    """(key or certificate, its comment) of each identity. Raises AgentError."""
    if answer[:1] != bytes([_LISTED]):
        raise AgentError("the agent does not say what it has")
    reader = Reader(answer[1:])
    try:
        return [(reader.string(), reader.string()) for _ in range(reader.u32())]
    except WireError as error:
        raise AgentError(f"the agent answers with what is no list ({error})") from None


def _rights(found: Read) -> tuple[object, ...]:
    """All that a certificate lets its key do, but for its time."""
    one = found.certificate
    return (
        found.ca.blob, one.type, one.key_id, one.principals, dict(one.critical),
        dict(one.extensions),
    )  # fmt: skip


def _asked(message: bytes, environment: Mapping[str, str]) -> bytes:
    path = environment.get(VARIABLE, "")
    if not path:
        raise AgentError(f"no agent: {VARIABLE} is not set")
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(path)
            connection.sendall(string(message))
            return answered(connection)
    except (OSError, WireError) as error:
        raise AgentError(f"the agent at {path} does not answer ({error})") from None


def answered(connection: socket.socket) -> bytes:
    """One message. Raises AgentError, OSError."""
    length = Reader(_received(connection, 4)).u32()
    if not 0 < length <= ANSWER_BYTES_MAX:
        raise AgentError("the agent answers with what is no answer")
    return _received(connection, length)


def _received(connection: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = connection.recv(count - len(found))
        if not part:
            raise AgentError("the agent hung up")
        found += part
    return found
