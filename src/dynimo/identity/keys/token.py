"""An engine over PKCS#11: keys are made in a token (an HSM, SoftHSM2) and can never leave it.

Needs the package ``python-pkcs11`` (the extra ``hsm``) and the token's own module. One session,
used by one thread at a time; it is opened anew after the token was away. Sources: PKCS#11 v3.0,
RFC 8017. A symmetric key is good for 2³² messages here: nonces are random, and no keys are derived.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, utils

from dynimo.identity.keys.specs import DIGEST_BYTES, SIGN, SPECS, Spec
from dynimo.model.errors import ConfigError
from dynimo.ports import KeyMaterial, NotOpened, Unusable

T = TypeVar("T")

NAME = "pkcs11"
_NONCE_BYTES = 12
_TAG_BITS = 128
_CURVES: dict[int, tuple[bytes, ec.EllipticCurve]] = {
    256: (bytes.fromhex("06082a8648ce3d030107"), ec.SECP256R1()),
    384: (bytes.fromhex("06052b81040022"), ec.SECP384R1()),
    521: (bytes.fromhex("06052b81040023"), ec.SECP521R1()),
}
"""Bits → the curve's object identifier in DER (RFC 5480), and the curve."""
_ED25519 = bytes.fromhex("06032b6570")
_DIGEST_INFO = {
    32: bytes.fromhex("3031300d060960864801650304020105000420"),
    48: bytes.fromhex("3041300d060960864801650304020205000430"),
    64: bytes.fromhex("3051300d060960864801650304020305000440"),
}
"""Bytes of a SHA-2 digest → what stands before it in a PKCS#1 v1.5 signature (RFC 8017, 9.2)."""


class Token:
    """Makes and uses keys in one token. Safe for several threads."""

    name = NAME
    waits = True

    def __init__(self, module: str, label: str, pin: str) -> None:
        try:
            import pkcs11  # noqa: PLC0415 - an extra that few need
        except ImportError:
            raise ConfigError(
                "identity.key_module needs a package: `pip install 'dynimo[hsm]'`."
            ) from None
        self._api = pkcs11
        self._module, self._label, self._pin = module, label, pin
        self._lock = threading.Lock()
        self._session: Any = None
        self._opened: dict[str, Any] = {}
        try:
            self._run(lambda _: None)
        except Unusable as error:
            raise ConfigError(f"The token {label!r} of {module} cannot be used: {error}.") from None

    def close(self) -> None:
        """Let the token go."""
        with self._lock:
            if self._session is not None:
                self._session.close()
                self._session = None
            self._opened.clear()

    def make(self, key_id: str, spec: str, usage: str) -> tuple[bytes, bytes]:
        """Make a key in the token: its name there, and its public half (DER). Raises Unusable."""
        kind = SPECS[spec]
        return self._run(
            lambda session: (key_id.encode(), self._made(session, key_id, kind, usage))
        )

    def seal(self, key: KeyMaterial, plaintext: bytes, bound: bytes) -> bytes:
        """Encrypt, bound to ``bound``: nonce, ciphertext and tag. Raises Unusable."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed: bytes = self._run(
            lambda session: self._key(session, key).encrypt(plaintext, **self._gcm(nonce, bound))
        )
        return nonce + sealed

    def open(self, key: KeyMaterial, sealed: bytes, bound: bytes) -> bytes:
        """What ``seal`` was given. Raises NotOpened, Unusable."""
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        if len(text) < _TAG_BITS // 8:
            raise NotOpened
        opened: bytes = self._run(
            lambda session: self._key(session, key).decrypt(text, **self._gcm(nonce, bound)),
            opening=True,
        )
        return opened

    def sign(self, key: KeyMaterial, algorithm: str, message: bytes, *, digest: bool) -> bytes:
        """A signature: of a message, or of a digest. Raises Unusable."""
        length = DIGEST_BYTES.get(algorithm)
        if length is not None and not digest:
            message = hashlib.new(f"sha{length * 8}", message).digest()
        mechanism = self._mechanism(algorithm, length or 0)
        if algorithm.startswith("RSASSA_PKCS1"):
            message = _DIGEST_INFO[len(message)] + message
        raw: bytes = self._run(lambda session: self._key(session, key).sign(message, **mechanism))
        if not algorithm.startswith("ECDSA"):
            return raw
        half = len(raw) // 2
        return utils.encode_dss_signature(
            int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
        )

    def decrypt(self, key: KeyMaterial, algorithm: str, ciphertext: bytes) -> bytes:
        """What was encrypted for the public half of an RSA key. Raises NotOpened, Unusable."""
        api = self._api
        name = algorithm.removeprefix("RSAES_OAEP_")
        hashed = {"SHA_1": api.Mechanism.SHA_1, "SHA_256": api.Mechanism.SHA256}[name]
        mask = {"SHA_1": api.MGF.SHA1, "SHA_256": api.MGF.SHA256}[name]
        opened: bytes = self._run(
            lambda session: self._key(session, key).decrypt(
                ciphertext,
                mechanism=api.Mechanism.RSA_PKCS_OAEP,
                mechanism_param=(hashed, mask, None),
            ),
            opening=True,
        )
        return opened

    def forget(self, key: KeyMaterial) -> None:
        """Destroy a key that is erased, in the token too. Raises Unusable."""

        def destroy(session: Any) -> None:
            self._opened.pop(key.key_id, None)
            attribute = self._api.Attribute
            for each in list(session.get_objects({attribute.ID: key.kept})):
                each.destroy()

        self._run(destroy)

    # Inside.

    def _made(self, session: Any, key_id: str, kind: Spec, usage: str) -> bytes:
        api = self._api
        named = {"id": key_id.encode(), "label": f"dynimo {key_id}", "store": True}
        kinds, attribute = api.KeyType, api.Attribute
        if kind.family == "aes":
            session.generate_key(kinds.AES, kind.bits, **named)
            return b""
        if kind.family == "rsa":
            can = api.MechanismFlag
            flags = can.SIGN | can.VERIFY if usage == SIGN else can.ENCRYPT | can.DECRYPT
            public, _ = session.generate_keypair(kinds.RSA, kind.bits, capabilities=flags, **named)
            modulus, exponent = public[attribute.MODULUS], public[attribute.PUBLIC_EXPONENT]
            numbers = rsa.RSAPublicNumbers(
                int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big")
            )
            return _der(numbers.public_key())
        if kind.family == "ed25519":
            parameters = session.create_domain_parameters(
                kinds.EC_EDWARDS, {attribute.EC_PARAMS: _ED25519}, local=True
            )
            mechanism = api.Mechanism.EC_EDWARDS_KEY_PAIR_GEN
            public, _ = parameters.generate_keypair(mechanism=mechanism, **named)
            point = _octets(public[attribute.EC_POINT])
            return _der(ed25519.Ed25519PublicKey.from_public_bytes(point))
        identifier, curve = _CURVES[kind.bits]
        parameters = session.create_domain_parameters(
            kinds.EC, {attribute.EC_PARAMS: identifier}, local=True
        )
        public, _ = parameters.generate_keypair(**named)
        point = _octets(public[attribute.EC_POINT])
        return _der(ec.EllipticCurvePublicKey.from_encoded_point(curve, point))

    def _key(self, session: Any, key: KeyMaterial) -> Any:
        """The secret half in the token."""
        found = self._opened.get(key.key_id)
        if found is None:
            classes = self._api.ObjectClass
            secret = classes.PRIVATE_KEY if key.public else classes.SECRET_KEY
            try:
                found = session.get_key(object_class=secret, id=key.kept)
            except self._api.NoSuchKey:
                raise Unusable(f"the token {self._label!r} has no key {key.key_id}") from None
            self._opened[key.key_id] = found
        return found

    def _gcm(self, nonce: bytes, bound: bytes) -> dict[str, Any]:
        parameters = self._api.GCMParams(nonce=nonce, aad=bound, tag_bits=_TAG_BITS)
        return {"mechanism": self._api.Mechanism.AES_GCM, "mechanism_param": parameters}

    def _mechanism(self, algorithm: str, length: int) -> dict[str, Any]:
        mechanisms = self._api.Mechanism
        if algorithm.startswith("RSASSA_PSS"):
            hashed = getattr(mechanisms, f"SHA{length * 8}")
            mask = getattr(self._api.MGF, f"SHA{length * 8}")
            return {
                "mechanism": mechanisms.RSA_PKCS_PSS,
                "mechanism_param": (hashed, mask, length),
            }
        if algorithm.startswith("RSASSA"):
            return {"mechanism": mechanisms.RSA_PKCS}
        ecdsa = algorithm.startswith("ECDSA")
        return {"mechanism": mechanisms.ECDSA if ecdsa else mechanisms.EDDSA}

    def _run(self, use: Callable[[Any], T], *, opening: bool = False) -> T:
        """Use the session. What fails while opening is the ciphertext's fault."""
        errors = self._api.exceptions
        away = (
            errors.DeviceError, errors.DeviceMemory, errors.DeviceRemoved, errors.HostMemory,
            errors.SessionClosed, errors.SessionHandleInvalid, errors.TokenNotPresent,
            errors.TokenNotRecognised, errors.UserNotLoggedIn,
        )  # fmt: skip
        with self._lock:
            try:
                if self._session is None:
                    self._opened.clear()
                    library = self._api.lib(self._module)
                    token = library.get_token(token_label=self._label)
                    try:
                        self._session = token.open(user_pin=self._pin, rw=True)
                    except errors.UserAlreadyLoggedIn:
                        self._session = token.open(rw=True)
                return use(self._session)
            except (errors.ArgumentsBad, errors.MechanismInvalid, errors.MechanismParamInvalid):
                raise Unusable("the token does not know this algorithm") from None
            except away as error:
                self._session = None
                raise Unusable(f"the token was away: {type(error).__name__}") from None
            except errors.PKCS11Error as error:
                if opening and self._session is not None:
                    raise NotOpened from None
                raise Unusable(f"the token refuses: {type(error).__name__}") from None


def _der(public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(serialization.Encoding.DER, form)


def _octets(value: bytes) -> bytes:
    """What is in a DER octet string of at most 255 bytes; tokens write points so."""
    start = 3 if len(value) > 2 and value[1] == 0x81 else 2
    return (
        value[start:] if value[:1] == b"\x04" and len(value) == start + value[start - 1] else value
    )
