"""A small OIDC issuer on loopback, with real keys: what it serves and signs is set by the test."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from asking.policy import ALGORITHMS
from asking.rules import Issuer
from sshca.public_key import parse
from tests import origins

NOW = 1_800_000_000
ALL = ("RS", "ES256", "ES384", "ES512", "EdDSA")
KEYS: dict[str, Any] = {
    "RS": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": Ed25519PrivateKey.generate(),
}
SUBJECT_KEY = parse(
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBzZzQ2LX8Kk7Vd0f5yVqE0V7t5vY7t4aC9m1Hh1l5aT alice"
)


def nonce(blob: bytes) -> str:
    """base64url(SHA-256), written here once more on purpose."""
    return base64.urlsafe_b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def key_name(algorithm: str) -> str:
    """The key that signs by an algorithm; also its key id."""
    return "RS" if algorithm[:2] in {"RS", "PS"} else algorithm


def public(name: str) -> dict[str, Any]:
    """A key as it stands in a key set."""
    algorithm: Any = {"RS": RSAAlgorithm, "Ed": OKPAlgorithm}.get(name[:2], ECAlgorithm)
    found: dict[str, Any] = algorithm.to_jwk(KEYS[name].public_key(), as_dict=True)
    found.pop("key_ops", None)
    return found | {"kid": name, "use": "sig"}


def claims(**changed: Any) -> dict[str, Any]:
    """What a good token says; a changed one that is None is left out."""
    good = {
        "iss": "https://issuer.example.org", "aud": "ssh", "sub": "alice", "iat": NOW - 10,
        "exp": NOW + 300, "nonce": nonce(SUBJECT_KEY.blob), "email": "alice@example.org",
        "email_verified": True, "groups": ["eng"],
    }  # fmt: skip
    return {name: value for name, value in (good | changed).items() if value is not None}


def token(said: Mapping[str, Any], algorithm: str = "RS256", **header: Any) -> str:
    """A signed token."""
    name = key_name(algorithm)
    return jwt.encode(dict(said), KEYS[name], algorithm=algorithm, headers={"kid": name, **header})


def settings(**changed: Any) -> Issuer:
    """The issuer as a policy has it."""
    return Issuer(**{
        "name": "there", "issuer": "https://issuer.example.org", "audience": ("ssh",),
        "algorithms": ALGORITHMS, **changed,
    })  # fmt: skip


class Served:
    """What the server answers at each path, and what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.asked: list[str] = []
        self.url = ""
        self.headers: dict[str, str] = {}
        self.drips = False

    def say(self, path: str, document: object, status: int = 200) -> None:
        """Answer with this, as JSON."""
        self.answers[path] = (status, json.dumps(document).encode())

    def keys(self, *names: str) -> None:
        """Serve these keys."""
        self.say("/keys", {"keys": [public(name) for name in names]})


@contextmanager
def served(*names: str) -> Iterator[Served]:
    """An HTTP server on loopback with these keys, for as long as it is needed."""
    state, over = Served(), threading.Event()
    state.keys(*names)

    class Handler(origins.Handler):
        def get(self) -> None:
            state.asked.append(self.path)
            if state.drips:
                self._drip()
                return
            status, body = state.answers.get(self.path, (404, b"{}"))
            self.say(status, body, state.headers)

        def _drip(self) -> None:
            """A header without end, a letter at a time."""
            self.send_response(200)
            with contextlib.suppress(OSError):
                while not over.wait(0.01):
                    self.wfile.write(b"x")

    with origins.listening(Handler) as port:
        state.url = f"http://127.0.0.1:{port}"
        try:
            yield state
        finally:
            over.set()


def of_every_kind() -> Iterator[Served]:
    """One with a key of every kind; for `pytest.fixture`."""
    with served(*ALL) as state:
        yield state
