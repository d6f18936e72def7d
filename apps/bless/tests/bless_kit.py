"""What the tests of the CA share: a deployment, a KMS in memory, keys by ssh-keygen. No asserts."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from contract import options
from contract.authority import Authority
from contract.cloud import CloudError, Decrypted
from contract.issuing import Issuer

PASSWORD = b"correct horse"
NOW = 1_700_000_000
NONCE = bytes(range(32))
ANY_HOST = {"bless_options_hostnames_allowed": "*"}
ARN = "arn:aws:lambda:us-east-1:000000000000:function:bless"
KMS_KEY = "arn:aws:kms:us-east-1:000000000000:key/1"

CA_RSA = rsa.generate_private_key(65537, 2048)
CA_ED25519 = ed25519.Ed25519PrivateKey.generate()
CA_P256 = ec.generate_private_key(ec.SECP256R1())
USER_RSA = rsa.generate_private_key(65537, 2048)
USER_ED25519 = ed25519.Ed25519PrivateKey.generate()


def pem(key: Any, form: str = "pkcs1", password: bytes | None = PASSWORD) -> bytes:
    """A private key as a file has it."""
    forms = {
        "pkcs1": serialization.PrivateFormat.TraditionalOpenSSL,
        "pkcs8": serialization.PrivateFormat.PKCS8,
        "openssh": serialization.PrivateFormat.OpenSSH,
    }
    how: Any = serialization.NoEncryption()
    if password is not None:
        how = serialization.BestAvailableEncryption(password)
    data: bytes = key.private_bytes(serialization.Encoding.PEM, forms[form], how)
    return data


def public(key: Any, comment: str = "me@here") -> str:
    """A public key as a line."""
    data: bytes = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return f"{data.decode()} {comment}".rstrip()


def blob(line: str) -> bytes:
    """The bytes in the line of a key or a certificate."""
    return base64.b64decode(line.split(" ")[1])


@dataclass
class Context:
    """A function's context, as far as it is used."""

    aws_request_id: str = "r-1"
    invoked_function_arn: str = ARN


@dataclass
class FakeCloud:
    """A KMS and an IAM in memory: what was encrypted under a context comes back under it."""

    known: dict[bytes, tuple[dict[str, str], str, bytes]] = field(default_factory=dict)
    of_user: Mapping[str, frozenset[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    down: bool = False
    keys: dict[str, Any] = field(default_factory=dict)

    def encrypt(
        self, plaintext: bytes, context: dict[str, str] | None = None, key: str = KMS_KEY
    ) -> str:
        """Keep a plaintext; its ciphertext in base64."""
        blob = f"blob-{len(self.known)}".encode()
        self.known[blob] = (context or {}, key, plaintext)
        return base64.b64encode(blob).decode()

    def decrypt(self, ciphertext: bytes, context: Mapping[str, str]) -> Decrypted:
        self.asked.append("decrypt")
        kept = self.known.get(ciphertext)
        if self.down or kept is None or kept[0] != dict(context):
            raise CloudError("An error occurred (InvalidCiphertextException)")
        return Decrypted(kept[1], kept[2])

    def key_arn(self, key: str) -> str:
        if key != "alias/auth":
            raise CloudError("An error occurred (NotFoundException)")
        return KMS_KEY

    def public_key(self, key: str) -> bytes:
        if key not in self.keys:
            raise CloudError("An error occurred (NotFoundException)")
        forms = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return bytes(self.keys[key].public_key().public_bytes(*forms))

    def sign(self, key: str, message: bytes, algorithm: str, *, digest: bool) -> bytes:
        self.asked.append(algorithm)
        if self.down:
            raise CloudError("An error occurred (KMSInternalException)")
        how: Any = utils.Prehashed(hashes.SHA512()) if digest else None
        if algorithm == "RSASSA_PKCS1_V1_5_SHA_512":
            return bytes(self.keys[key].sign(message, padding.PKCS1v15(), how))
        if algorithm == "ECDSA_SHA_256":
            how = ec.ECDSA(utils.Prehashed(hashes.SHA256()))
            return bytes(self.keys[key].sign(message, how))
        return bytes(self.keys[key].sign(message))

    def groups(self, user: str) -> frozenset[str]:
        self.asked.append("groups")
        return self.of_user.get(user, frozenset())


class CountingSigner:
    """A signer that tells how often it signed."""

    def __init__(self, signer: Any) -> None:
        self.signer, self.count = signer, 0
        self.public_key = signer.public_key

    def sign(self, data: bytes) -> bytes:
        self.count += 1
        return bytes(self.signer.sign(data))


@dataclass
class Ca:
    """An issuer in a folder, with what a test looks at."""

    issuer: Issuer
    cloud: FakeCloud

    def user(self, **changed: Any) -> dict[str, str]:
        """Ask for a user's certificate; a field that is None is left out."""
        return self.issuer.user(event(**changed), Context())

    def host(self, **changed: Any) -> dict[str, str]:
        """Ask for a host's certificate."""
        asked = {"hostnames": "a.example.com", "public_key_to_sign": public(USER_ED25519)} | changed
        return self.issuer.host(asked, Context())

    def counted(self) -> CountingSigner:
        """Count signatures from here on."""
        counting = CountingSigner(self.issuer.authority.signer())
        self.issuer.authority._signer = counting
        return counting


def event(**changed: Any) -> dict[str, Any]:
    """A user's request that is in order, with changes."""
    asked = {
        "remote_usernames": "ada",
        "public_key_to_sign": public(USER_ED25519),
        "command": "ssh ada@host",
        "bastion_ips": "10.0.0.0/8",
        "bastion_user": "ada",
        "bastion_user_ip": "192.0.2.7",
    }
    return {name: value for name, value in (asked | changed).items() if value is not ...}


def ca(
    folder: Path, cfg: str = "", *, key: bytes | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ca:  # fmt: skip
    """A deployment: bless_deploy.cfg with ``cfg``, and the CA's key beside it."""
    cloud = FakeCloud()
    password = cloud.encrypt(PASSWORD)
    (folder / "ca.pem").write_bytes(key or pem(CA_RSA))
    sections = f"[Bless CA]\nus-east-1_password = {password}\nca_private_key_file = ca.pem\n"
    (folder / "bless_deploy.cfg").write_text(sections + cfg)
    read = options.load(
        folder / "bless_deploy.cfg", "us-east-1", ANY_HOST | dict(environment or {})
    )
    made = Issuer(Authority(read, cloud), clock=lambda: float(NOW), nonce=lambda: NONCE)
    return Ca(made, cloud)


def token(cloud: FakeCloud, user: str = "ada", *, begin: int = -180, end: int = 600,
          to: str = "bless-prod", key: str = KMS_KEY) -> str:  # fmt: skip
    """A kmsauth token; ``begin`` and ``end`` are seconds from now."""
    form = "%Y%m%dT%H%M%SZ"
    payload = {
        "not_before": datetime.fromtimestamp(NOW + begin, UTC).strftime(form),
        "not_after": datetime.fromtimestamp(NOW + end, UTC).strftime(form),
    }
    context = {"to": to, "from": user, "user_type": "user"}
    return cloud.encrypt(json.dumps(payload).encode(), context, key)


def listed(certificate: str, folder: Path) -> str:
    """What ``ssh-keygen -L`` says of a certificate."""
    path = folder / "seen-cert.pub"
    path.write_text(certificate + "\n")
    ran = subprocess.run(
        ["ssh-keygen", "-L", "-f", str(path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return ran.stdout
