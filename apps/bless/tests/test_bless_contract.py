"""BLESS's contract: messages, order of work, settings and the environment, kmsauth."""

from __future__ import annotations

import ast
import base64
import bz2
import logging
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_identity

from bless_kit import (
    CA_ED25519,
    CA_P256,
    CA_RSA,
    NOW,
    PASSWORD,
    Ca,
    Context,
    FakeCloud,
    ca,
    event,
    pem,
    token,
)
from bless_lambda import lambda_handler
from bless_lambda_host import lambda_handler_host
from bless_lambda_user import lambda_handler_user
from contract import options
from contract.authority import Authority
from contract.issuing import Issuer
from sshca.signers import SignerError, load

QUICK = pem(CA_ED25519, "pkcs8", None)
KMSAUTH = (
    "[KMS Auth]\nuse_kmsauth = True\n"
    "kmsauth_key_id = alias/elsewhere, alias/auth, arn:aws:kms:eu-west-1:0:key/3\n"
    "kmsauth_serviceid = bless-prod\n"
)
USER_FIELDS = "remote_usernames_validation"


@pytest.mark.parametrize(
    ("mode", "name", "message"),
    [
        ("useradd", "Ada", "Username contains invalid characters."),
        ("useradd", "a" * 33, "Username is too long."),
        ("useradd", "ada$", ""),
        ("debian", "~ada", "Username contains invalid characters."),
        ("debian", "a" * 33, "Username is too long."),
        ("debian", "Ada.B", ""),
        ("email", "ada", "Invalid email address."),
        ("email", "ada@example.com", ""),
        ("principal", "a#b", "Principal contains invalid characters."),
        ("principal", "a" * 33, ""),
        ("disabled", "a#b", ""),
    ],
)
def test_modes_of_names_have_blesss_messages(
    tmp_path: Path, mode: str, name: str, message: str
) -> None:
    """Of both fields, by the option of each."""
    for field, option in (
        ("remote_usernames", USER_FIELDS),
        ("bastion_user", "username_validation"),
    ):
        told = ca(tmp_path, f"[Bless Options]\n{option} = {mode}\n", key=QUICK).user(
            **{field: name}
        )
        if message:
            assert ast.literal_eval(told["errorMessage"]) == {field: [message]}
        else:
            assert "certificate" in told


@pytest.mark.parametrize(
    ("name", "taken"), [("root", False), ("rootless", False), ("myroot", True), ("Root", True)]
)
def test_the_blacklist_is_a_prefix_and_only_for_remote_usernames(
    tmp_path: Path, name: str, *, taken: bool
) -> None:
    """As BLESS's ``re.match`` has it."""
    made = ca(tmp_path, "[Bless Options]\nremote_usernames_blacklist = root|admin.*\n", key=QUICK)
    assert ("certificate" in made.user(remote_usernames=name)) is taken
    assert "certificate" in made.user(bastion_user="root")


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    """In the form of BLESS's text, a Python dictionary."""
    told = ca(tmp_path, key=QUICK).user(bastion_ips="x", command=..., extra="1")
    assert told["errorType"] == "InputValidationError"
    assert ast.literal_eval(told["errorMessage"]) == {
        "bastion_ips": ["Invalid IP address."],
        "command": ["Missing data for required field."],
        "extra": ["Unknown field"],
    }


def test_a_host_names_what_is_wrong(tmp_path: Path) -> None:
    """With BLESS's message."""
    told = ca(tmp_path, key=QUICK).host(hostnames="a_b.com")
    assert ast.literal_eval(told["errorMessage"]) == {
        "hostnames": ['Invalid hostname "ssh://a_b.com".']
    }


def test_the_request_is_read_before_the_kms_is_asked(tmp_path: Path) -> None:
    """BLESS's order; a KMS that is down is a ClientError, and asked again next time."""
    made = ca(tmp_path)
    made.cloud.down = True
    assert made.user(command=None)["errorType"] == "InputValidationError"
    assert made.cloud.asked == []
    assert made.user()["errorType"] == "ClientError"
    made.cloud.down = False
    assert "certificate" in made.user()
    assert "certificate" in made.user()
    assert made.cloud.asked == ["decrypt", "decrypt"]


def test_a_wrong_password_opens_nothing_and_is_not_told(tmp_path: Path) -> None:
    """The function fails."""
    made = ca(tmp_path, key=pem(CA_ED25519, "pkcs8", b"another"))
    with pytest.raises(SignerError) as caught:
        made.user()
    assert PASSWORD.decode() not in str(caught.value)


def _load(folder: Path, text: str, environment: dict[str, str] | None = None) -> options.Options:
    (folder / "ca.pem").write_bytes(QUICK)
    (folder / "bless_deploy.cfg").write_text(text)
    return options.load(folder / "bless_deploy.cfg", "us-east-1", environment or {})


CA = "[Bless CA]\ndefault_password = cA==\nca_private_key_file = ca.pem\n"


def test_defaults_are_blesss(tmp_path: Path) -> None:
    """The [Bless Options] are all optional."""
    read = _load(tmp_path, CA)
    assert (read.user_before_seconds, read.user_after_seconds) == (120, 120)
    assert (read.host_before_seconds, read.host_after_seconds) == (120, 31_536_000)
    assert read.kmsauth is None
    assert read.remote_usernames_blacklist is None


def test_the_environment_stands_over_the_file(tmp_path: Path) -> None:
    """And is enough without one; the region's password before the default one."""
    key = base64.b64encode(zlib.compress(QUICK)).decode()
    read = _load(
        tmp_path,
        "",
        {
            "bless_ca_default_password": "ZGVmYXVsdA==",
            "bless_ca_us_east_1_password": "cmVnaW9u",
            "bless_ca_ca_private_key": key,
            "bless_ca_ca_private_key_compression": "zlib",
            "bless_options_certificate_validity_after_seconds": "7",
            "kms_auth_use_kmsauth": "True",
        },
    )
    assert (read.password, read.private_key) == ("cmVnaW9u", QUICK)
    assert read.user_after_seconds == 7
    assert read.kmsauth is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "No Region Specific And No Default Password Provided."),
        (CA + "[Bless Options]\nlogging_level = LOUD\n", "Invalid log level: LOUD"),
        (CA + "[Bless Options]\ncertificate_validity_after_seconds = x\n", "whole number"),
        (CA + "ca_private_key_compression = lzma\n", "Compression lzma is not supported."),
        (CA + "ca_private_key_compression = zlib\n", "not compressed by zlib"),
        (CA + "ca_private_key = !\n", "not base64"),
        (CA + "[Bless Options]\nusername_validation = x\n", "must be one of"),
        (CA + "[Bless Options]\npublic_key_types = ssh-dss\n", "is not known"),
        (CA + "[KMS Auth]\nuse_kmsauth = maybe\n", "true or false"),
    ],
)
def test_settings_that_cannot_be_used_are_named(tmp_path: Path, text: str, message: str) -> None:
    """Before a request is read."""
    with pytest.raises(ValueError, match=message):
        _load(tmp_path, text)


@pytest.mark.parametrize("pack", [zlib.compress, bz2.compress])
def test_a_key_that_unpacks_without_end_is_refused(pack: Callable[[bytes], bytes]) -> None:
    """A bomb costs no more than the limit."""
    name = "zlib" if pack is zlib.compress else "bz2"
    assert options.unpacked(pack(QUICK), name) == QUICK
    with pytest.raises(ValueError, match="unpacks to more"):
        options.unpacked(pack(bytes(5_000_000)), name)


def test_a_missing_key_file_is_said_by_the_system(tmp_path: Path) -> None:
    """As BLESS lets it through."""
    with pytest.raises(FileNotFoundError):
        _load(tmp_path, CA.replace("ca.pem", "nosuch.pem"))


def test_the_handlers_have_blesss_names_and_hooks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Password and configuration by argument, as its tests and tools use them."""
    (tmp_path / "ca.pem").write_bytes(pem(CA_ED25519, "pkcs8"))
    (tmp_path / "bless_deploy.cfg").write_text(CA)
    config = str(tmp_path / "bless_deploy.cfg")
    given: Any = {
        "ca_private_key_password": PASSWORD,
        "entropy_check": False,
        "config_file": config,
    }
    assert "certificate" in lambda_handler_user(event(), Context(), **given)
    (tmp_path / "bless_deploy.cfg").write_text(CA + "[Bless Options]\nhostnames_allowed = a\n")
    asked = {"hostnames": "a", "public_key_to_sign": event()["public_key_to_sign"]}
    assert "certificate" in lambda_handler_host(asked, Context(), **given)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bless_deploy.cfg").write_text("")
    with pytest.raises(ValueError, match="No Region Specific"):
        lambda_handler(event(), Context())


Refused = tuple[str, str]


def _auth(folder: Path, cfg: str = "", **changed: Any) -> tuple[Refused | None, FakeCloud]:
    made = ca(folder, KMSAUTH + cfg, key=QUICK)
    ask = changed.pop("minted", None)
    asked = dict(changed)
    if ask is not None:
        asked["kmsauth_token"] = token(made.cloud, **ask)
    counting = made.counted()
    told = made.user(**asked)
    if "certificate" in told:
        return None, made.cloud
    assert counting.count == 0
    return (told["errorType"], told["errorMessage"]), made.cloud


@pytest.mark.parametrize(
    ("minted", "message"),
    [
        ({"user": "eve"}, "Authentication error. General error."),
        ({"to": "other"}, "Authentication error. General error."),
        ({"key": "arn:aws:kms:us-east-1:0:key/2"}, "Authentication error (wrong KMS key)."),
        ({"begin": -1000, "end": -1}, "Authentication error. Invalid time validity for token."),
        ({"begin": 10, "end": 600}, "Authentication error. Invalid time validity for token."),
        ({"begin": 0, "end": 3601}, "Authentication error. Token lifetime exceeded."),
        ({"end": 365 * 86_400 + 420}, "Authentication error. Token lifetime exceeded."),
        ({"begin": 600, "end": -600}, "Authentication error. Invalid time validity for token."),
    ],
)
def test_a_token_that_does_not_prove_it(
    tmp_path: Path, minted: dict[str, Any], message: str
) -> None:
    """With kmsauth's messages; one of a year and ten minutes too, which kmsauth takes."""
    assert _auth(tmp_path, minted=minted)[0] == ("KMSAuthValidationError", message)


def test_a_token_that_proves_it(tmp_path: Path) -> None:
    """For an hour at most, and for one's own name."""
    assert _auth(tmp_path, minted={"begin": -1800, "end": 1800})[0] is None
    assert _auth(tmp_path, minted={}, remote_usernames="root")[0] == (
        "KMSAuthValidationError", "remote_usernames must be the same as bastion_user",
    )  # fmt: skip


@pytest.mark.parametrize("garbage", ["!", "AAAA", "Zm9v\n", "é", "A" * 10_000])
def test_what_is_no_token(tmp_path: Path, garbage: str) -> None:
    """One message for all."""
    assert _auth(tmp_path, kmsauth_token=garbage)[0] == (
        "KMSAuthValidationError", "Authentication error. General error.",
    )  # fmt: skip


def test_a_token_of_ten_megabytes_is_not_even_read(tmp_path: Path) -> None:
    """It goes nowhere."""
    told, cloud = _auth(tmp_path, kmsauth_token="A" * 10_000_000)
    assert told is not None
    assert told[0] == "InputValidationError"
    assert cloud.asked == ["decrypt"]  # the CA's password, and nothing else


def test_without_a_token_nobody_is_anybody(tmp_path: Path) -> None:
    """Missing, or empty."""
    missing = ("InputValidationError", "Invalid request, missing kmsauth token")
    assert _auth(tmp_path)[0] == missing
    assert _auth(tmp_path, kmsauth_token="")[0] == missing


@pytest.mark.parametrize("plaintext", [b"\xff", b"[", b"[" * 100_000])
def test_a_tokens_text_may_be_anything(tmp_path: Path, plaintext: bytes) -> None:
    """Whoever may encrypt chooses it."""
    made = ca(tmp_path, KMSAUTH, key=QUICK)
    context = {"to": "bless-prod", "from": "ada", "user_type": "user"}
    told = made.user(kmsauth_token=made.cloud.encrypt(plaintext, context))
    assert told["errorType"] == "KMSAuthValidationError"


@pytest.mark.parametrize("plaintext", [b"[]", b"{}", b"null", b'{"not_before": 1, "not_after": 2}'])
def test_a_token_without_its_times(tmp_path: Path, plaintext: bytes) -> None:
    """Kmsauth's message."""
    made = ca(tmp_path, KMSAUTH, key=QUICK)
    context = {"to": "bless-prod", "from": "ada", "user_type": "user"}
    told = made.user(kmsauth_token=made.cloud.encrypt(plaintext, context))
    assert told["errorMessage"] == "Authentication error. Missing validity."


ALLOWED = "kmsauth_remote_usernames_allowed = web,db\n"
GROUPS = ALLOWED + "kmsauth_validate_remote_usernames_against_iam_groups = True\n"


def test_other_users_only_from_the_list(tmp_path: Path) -> None:
    """Or all, with ``*``."""
    assert _auth(tmp_path, ALLOWED, minted={}, remote_usernames="web,db")[0] is None
    assert _auth(tmp_path, ALLOWED, minted={}, remote_usernames="web,root")[0] == (
        "KMSAuthValidationError", "unallowed remote_usernames [web,root]",
    )  # fmt: skip
    anybody = "kmsauth_remote_usernames_allowed = *\n"
    assert _auth(tmp_path, anybody, minted={}, remote_usernames="web,root")[0] is None


def test_groups_are_asked_for_only_after_the_token_was_believed(tmp_path: Path) -> None:
    """Else anybody could learn of them from the messages."""
    told, cloud = _auth(tmp_path, GROUPS, minted={"user": "eve"}, remote_usernames="web")
    assert told == ("KMSAuthValidationError", "Authentication error. General error.")
    assert "groups" not in cloud.asked
    told, _ = _auth(tmp_path, GROUPS, minted={}, remote_usernames="web")
    assert told == ("KMSAuthValidationError", "user ada is not in the ssh-web iam group")

    made = ca(tmp_path, KMSAUTH + GROUPS, key=QUICK)
    made.cloud.of_user = {"ada": frozenset({"ssh-web"})}
    assert "certificate" in made.user(remote_usernames="web", kmsauth_token=token(made.cloud))


def test_no_token_and_no_password_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """BLESS logs the token, with which a reader can ask for an hour."""
    caplog.set_level(logging.DEBUG)
    made = ca(tmp_path, KMSAUTH + "[Bless Options]\nlogging_level = DEBUG\n")
    secret = token(made.cloud)
    assert "certificate" in made.user(kmsauth_token=secret)
    assert made.user(kmsauth_token="!" + secret)["errorType"] == "KMSAuthValidationError"
    assert "Issued a cert" in caplog.text
    for hidden in (secret, PASSWORD.decode(), made.issuer.authority.options.password):
        assert hidden not in caplog.text


def test_a_ca_key_that_is_damaged_signs_nothing() -> None:
    """An RSA key is not tested prime by prime at every start; one signature tells as much."""
    own = CA_RSA.private_numbers()
    bad = rsa.RSAPrivateNumbers(
        own.p, own.q, own.d + 2, own.dmp1 + 2, own.dmq1, own.iqmp, own.public_numbers
    )
    key = bad.private_key(unsafe_skip_rsa_key_validation=True)
    with pytest.raises(SignerError):
        load(pem(key, "pkcs1", None), None)


IN_KMS = "[Bless CA]\nca_kms_key_id = alias/ca\n"


def _in_kms(folder: Path, key: object) -> Ca:
    (folder / "bless_deploy.cfg").write_text(IN_KMS)
    cloud = FakeCloud(keys={"alias/ca": key})
    read = options.load(folder / "bless_deploy.cfg", "us-east-1", {})
    return Ca(Issuer(Authority(read, cloud), clock=lambda: float(NOW)), cloud)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(CA_ED25519, "ED25519_SHA_512"), (CA_P256, "ECDSA_SHA_256"),
     (CA_RSA, "RSASSA_PKCS1_V1_5_SHA_512")],
)  # fmt: skip
def test_a_ca_key_may_stay_in_the_kms(tmp_path: Path, key: object, algorithm: str) -> None:
    """There is neither PEM nor password; the signature is checked by another reader."""
    made = _in_kms(tmp_path, key)
    told: Any = load_ssh_public_identity(made.user()["certificate"].encode())
    told.verify_cert_signature()
    assert made.cloud.asked == [algorithm]


def test_a_kms_that_does_not_sign_gives_no_certificate(tmp_path: Path) -> None:
    """The caller is told that a service did not help; a key that is not there is no CA."""
    made = _in_kms(tmp_path, CA_ED25519)
    made.cloud.down = True
    assert made.user()["errorType"] == "ClientError"
    made.cloud.keys.clear()
    made.issuer.authority._signer = None
    assert made.user()["errorType"] == "ClientError"


def test_what_a_kms_does_not_sign_at_once_is_said(tmp_path: Path) -> None:
    """An Ed25519 key sees the whole message, and at most 4,096 bytes of it."""
    made = _in_kms(tmp_path, CA_ED25519)
    with pytest.raises(SignerError, match="shorter command"):
        made.user(command="x" * 4_000)
    assert made.cloud.asked == []
    assert "certificate" in _in_kms(tmp_path, CA_P256).user(command="x" * 4_000)


@pytest.mark.parametrize(
    "key", [rsa.generate_private_key(65537, 1024), X25519PrivateKey.generate()]
)
def test_a_key_in_the_kms_that_openssh_does_not_take(tmp_path: Path, key: object) -> None:
    """Too small, or of another kind."""
    with pytest.raises(SignerError):
        _in_kms(tmp_path, key).user()


def test_a_token_of_any_key_that_is_named_is_taken(tmp_path: Path) -> None:
    """By its ARN too, which this region's KMS need not know."""
    assert _auth(tmp_path, minted={"key": "arn:aws:kms:eu-west-1:0:key/3"})[0] is None
    assert _auth(tmp_path, minted={"key": "arn:aws:kms:eu-west-1:0:key/33"})[0] is not None


@pytest.mark.parametrize(
    ("allowed", "name", "taken"),
    [
        ("", "a.example.com", False),
        ("*", "a.example.com", True),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "A.Example.Com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "aexample.com", False),
        ("*.example.com", "a.example.com.evil.org", False),
        ("b.org, a.org", "a.org", True),
        ("a.org", "a.org.b", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "10.example", False),
    ],
)
def test_hosts_are_certified_only_where_the_settings_allow_them(
    tmp_path: Path, allowed: str, name: str, *, taken: bool
) -> None:
    """BLESS certifies any for anybody; every name of a request must be covered."""
    made = ca(tmp_path, key=QUICK, environment={"bless_options_hostnames_allowed": allowed})
    told = made.host(hostnames=name)
    assert ("certificate" in told) is taken
    if not taken:
        assert "hostnames_allowed does not cover it" in told["errorMessage"]
        assert "certificate" not in made.host(hostnames=f"b.org,{name}")
