"""Every attack ends in a refusal and no signature: names, addresses, keys, shapes, times."""

from __future__ import annotations

import base64
import math
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bless_kit import CA_ED25519, CA_P256, USER_ED25519, USER_RSA, Ca, ca, pem, public
from sshca.kinds import KINDS
from sshca.public_key import parse
from sshca.wire import mpint, string

QUICK = pem(CA_ED25519, "pkcs8", None)
DISABLED = (
    "[Bless Options]\nusername_validation = disabled\nremote_usernames_validation = disabled\n"
)


ANY_KIND = "[Bless Options]\npublic_key_types = " + ",".join(KINDS) + "\n"
CA_P256_X = CA_P256.public_key().public_numbers().x.to_bytes(32, "big")


@pytest.fixture
def made(tmp_path: Path) -> Ca:
    return ca(tmp_path, key=QUICK)


@pytest.fixture
def lax(tmp_path: Path) -> Ca:
    """BLESS's loosest configuration: what is refused here is refused anywhere."""
    return ca(tmp_path, DISABLED, key=QUICK)


def _line(kind: str, *fields: bytes) -> str:
    return f"{kind} {base64.b64encode(string(kind.encode()) + b''.join(fields)).decode()} x"


def _refused(made: Ca, field: str, value: Any) -> str:
    """The message of a refusal for one field, after which nothing was signed."""
    counting = made.counted()
    answer = made.user(**{field: value})
    assert counting.count == 0
    assert answer["errorType"] == "InputValidationError", answer
    assert f"'{field}'" in answer["errorMessage"]
    return answer["errorMessage"]


PRINCIPALS = [
    "", ",", "a,,b", "a,a", "a,b,a", "ada\nroot", "ada\n", "ada\x00", "a b", "a\tb", "\u0430da",
    "ada\u200b", "-oProxyCommand=x", "ada\x7f", "ada\r", "x" * 257, "a" * 100_000,
    ",".join(f"u{number}" for number in range(257)), "ada,", ",ada", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("value", PRINCIPALS)
def test_principals(lax: Ca, value: str) -> None:
    """What OpenSSH reads in another way, or would read as anybody."""
    _refused(lax, "remote_usernames", value)


@pytest.mark.parametrize("value", ["#x", "a b", "", "ada\n", "\u0430da"])
def test_principals_in_blesss_default_mode(made: Ca, value: str) -> None:
    """With BLESS's own message, or ours for what it lets through."""
    _refused(made, "remote_usernames", value)


ADDRESSES = [
    "", ",", "10.0.0.1,", "10.0.0.0/255.0.0.0", "10.0.0.0/0.255.255.255", "10.0.0.1/8",
    "0.0.0.0/0", "::/0", "0.0.0.0/1,128.0.0.0/1", "fe80::1%eth0", "010.0.0.1", "10.0.0.0/08",
    "::ffff:10.0.0.1", "::ffff:0:0/96", " 10.0.0.1", "10.0.0.1 ", "10.0.0.1\n", "10.0.0.0/33",
    "10.0.0.0/-1", "a.example.com", "!10.0.0.1", "10.*", "1", "167772161", "10.0.0.1/",
    ",".join(["10.0.0.1"] * 10_000), "\u0661\u0660.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("field", ["bastion_ips", "bastion_user_ip"])
@pytest.mark.parametrize("value", ADDRESSES)
def test_addresses(made: Ca, field: str, value: str) -> None:
    """What restricts nothing, or what sshd cannot read."""
    _refused(made, field, value)


def _keys() -> dict[str, str]:
    good = public(USER_ED25519)
    blob = base64.b64decode(good.split(" ")[1])
    point = USER_RSA.public_key()
    off_curve = b"\x04" + bytes(63) + b"\x01"
    return {
        "empty": "",
        "word": "ssh-ed25519",
        "garbage": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5!!!!",
        "options": f'command="x" {good}',
        "spaces": good.replace(" ", "  ", 1),
        "crlf": good + "\r\n",
        "two lines": f"{good}\n{good}",
        "two line feeds": f"{good}\n\n",
        "begins with a line feed": f"\n{good}",
        "control": good + "\x00",
        "header": good.replace("ssh-ed25519", "ssh-rsa"),
        "31": _line("ssh-ed25519", string(bytes(range(31)))),
        "33": _line("ssh-ed25519", string(bytes(range(33)))),
        "left over": _line("ssh-ed25519", string(bytes(range(32))), b"x"),
        "not canonical base64": good.replace(good.split(" ")[1], good.split(" ")[1] + "===="),
        "cut": f"ssh-ed25519 {base64.b64encode(blob[:-1]).decode()}",
        "ecdsa": public(ec.generate_private_key(ec.SECP256R1())),
        "off curve": _line("ecdsa-sha2-nistp256", string(b"nistp256"), string(off_curve)),
        "negative": _line("ssh-rsa", mpint(65537), string(b"\xff" * 257)),
        "long number": _line(
            "ssh-rsa", mpint(65537), string(b"\0\0" + mpint(point.public_numbers().n)[4:])
        ),
        "a megabit": _line("ssh-rsa", mpint(65537), mpint(2**1_000_000 + 1)),
        "private key": pem(USER_ED25519, "openssh", None).decode(),
        "private key, PKCS#8": pem(USER_RSA, "pkcs8", None).decode(),
        "a megabit in a line": "ssh-rsa " + "A" * 170_000,
        "16384 bits and more": _line("ssh-rsa", mpint(65537), mpint(2**32_768 + 1)),
        "two keys in a line": f"{good.split(' ')[0]} {good.split(' ')[1]}{good.split(' ')[1]}",
        "line feed within": good.replace(" ", "\n", 1),
        "form feed": good.replace(" ", "\f", 1),
        "no-break space": good.replace(" ", "\xa0", 1),
        "compressed point": _line(
            "ecdsa-sha2-nistp256", string(b"nistp256"), string(b"\x02" + CA_P256_X)
        ),
        "point at infinity": _line("ecdsa-sha2-nistp256", string(b"nistp256"), string(b"\0")),
        "another curve's name": _line(
            "ecdsa-sha2-nistp256", string(b"nistp384"), string(b"\x04" + CA_P256_X * 2)
        ),
        "x beyond the field": _line(
            "ecdsa-sha2-nistp256", string(b"nistp256"), string(b"\x04" + b"\xff" * 64)
        ),
        "sk": _line("sk-ssh-ed25519@openssh.com", string(bytes(range(32))), string(b"ssh:")),
        "dsa": _line("ssh-dss", mpint(3)),
        "certificate": "ssh-ed25519-cert-v01@openssh.com AAAA",
    }


@pytest.mark.parametrize("name", list(_keys()))
def test_keys_that_are_none(made: Ca, name: str) -> None:
    """Anything but one plain key in one line, of a kind that BLESS takes."""
    assert "Invalid SSH Public Key." in _refused(made, "public_key_to_sign", _keys()[name])


@pytest.mark.parametrize("name", [name for name in _keys() if name not in {"ecdsa", "sk"}])
def test_keys_that_are_none_where_every_kind_is_taken(tmp_path: Path, name: str) -> None:
    """What is wrong with them is not their kind."""
    made = ca(tmp_path, ANY_KIND, key=QUICK)
    assert "Invalid SSH Public Key." in _refused(made, "public_key_to_sign", _keys()[name])


SK, POINT = "sk-ssh-ed25519@openssh.com", parse(public(USER_ED25519)).fields
SECURITY_KEYS = {
    "no application": _line(SK, POINT),
    "an empty one": _line(SK, POINT, string(b"")),
    "one and more": _line(SK, POINT, string(b"ssh:"), string(b"x")),
    "NUL": _line(SK, POINT, string(b"ssh:\0x")),
    "a long one": _line(SK, POINT, string(b"ssh:" + b"x" * 1024)),
    "no point": _line("sk-ecdsa-sha2-nistp256@openssh.com", string(b"nistp256"), string(b"ssh:")),
}


@pytest.mark.parametrize("name", list(SECURITY_KEYS))
def test_keys_in_tokens_that_are_none(tmp_path: Path, name: str) -> None:
    """Each names the one application that it is for."""
    made = ca(tmp_path, ANY_KIND, key=QUICK)
    assert "Invalid SSH Public Key." in _refused(made, "public_key_to_sign", SECURITY_KEYS[name])


def test_a_certificate_is_no_key(made: Ca) -> None:
    """Not even one of our own."""
    _refused(made, "public_key_to_sign", made.user()["certificate"])


def test_the_cas_own_key_is_never_certified(made: Ca) -> None:
    """Who could log in with it could also sign."""
    assert "own key" in _refused(made, "public_key_to_sign", public(CA_ED25519))


def _prime_after(number: int) -> int:
    number |= 1
    while pow(2, number - 1, number) != 1:
        number += 2
    return number


def _rsa(exponent: int, modulus: int) -> str:
    return _line("ssh-rsa", mpint(exponent), mpint(modulus))


def _roca() -> int:
    """A modulus with the pattern: modulo every small prime a power of 65537."""
    primes = [each for each in range(2, 752) if all(each % d for d in range(2, each))]
    product = math.prod(each for each in primes if each <= 167)
    number = pow(65537, 5, product) + product * (2**2047 // product + 1)
    while any(number % each == 0 for each in primes):
        number += product
    return number


def _sparse() -> int:
    """Few ones, and no small factor."""
    number = 2**2047 + 2**1100 + 1
    while any(number % each == 0 for each in range(3, 752, 2)):
        number += 2
    return number


P521_ORDER = int(
    "6864797660130609714981900799081393217269435300143305409394463459185543183397655394245057"
    "746333217197532963996371363321113864768612440380340372808892707005449"
)
GOOD_N = USER_RSA.public_key().public_numbers().n
CLOSE = _prime_after(2**1024 - 2**1000)
WEAK = {
    "1024 bits": public(rsa.generate_private_key(65537, 1024)),
    "2047 bits": _rsa(65537, 2**2046 + 1),
    "9000 bits": _rsa(65537, 2**9000 + 1),
    "e=1": _rsa(1, GOOD_N),
    "e=3": _rsa(3, GOOD_N),
    "e even": _rsa(65538, GOOD_N),
    "e huge": _rsa(2**200 + 1, GOOD_N),
    "n even": _rsa(65537, GOOD_N + 1),
    "small factor": _rsa(65537, 751 * (2**2047 // 751 | 1)),
    "15360 bits": _rsa(65537, 2**15_359 + 2**7_000 + 1),
    "a square": _rsa(65537, CLOSE * CLOSE),
    "not by chance": _rsa(65537, _sparse()),
    "close primes": _rsa(65537, CLOSE * _prime_after(CLOSE + 2)),
    "roca": _rsa(65537, _roca()),
    "order 1": _line("ssh-ed25519", string(b"\x01" + bytes(31))),
    "order 2": _line("ssh-ed25519", string(b"\xec" + b"\xff" * 30 + b"\x7f")),
    "order 4": _line("ssh-ed25519", string(bytes(32))),
    "order 8": _line("ssh-ed25519", string(bytes.fromhex(
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"))),
    "order 8, other": _line("ssh-ed25519", string(bytes.fromhex(
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"))),
    "order 2, sign": _line("ssh-ed25519", string(b"\xec" + b"\xff" * 31)),
    "small order in a token": _line(SK, string(b"\x01" + bytes(31)), string(b"ssh:")),
    "off its curve": _line("ssh-ed25519", string(b"\x02" + bytes(31))),
    "off its curve in a token": _line(SK, string(b"\x02" + bytes(31)), string(b"ssh:")),
    "a web site's": _line(SK, POINT, string(b"https://example.org")),
    "P-256, private half 1": public(ec.derive_private_key(1, ec.SECP256R1())),
    "P-384, private half 1": public(ec.derive_private_key(1, ec.SECP384R1())),
    "P-521, private half -1": public(ec.derive_private_key(P521_ORDER - 1, ec.SECP521R1())),
    "beyond the field": _line("ssh-ed25519", string(b"\xff" * 32)),
}  # fmt: skip


@pytest.mark.parametrize("name", list(WEAK))
def test_keys_that_can_be_broken(tmp_path: Path, name: str) -> None:
    """As BLESS tells of an unsafe key: the function fails, and says so."""
    made = ca(tmp_path, ANY_KIND, key=QUICK)
    counting = made.counted()
    with pytest.raises(ValueError, match=r"^Unsafe [\w-]+ public key$"):
        made.user(public_key_to_sign=WEAK[name])
    assert counting.count == 0


COMMANDS = [
    "ls\nFAKE Accepted publickey for root", "a\x00", "a\x1b[2J", "a\x7f", "a\x85b", "a\u2028b",
    "a\u202eb", "x] ssh_key[RSA 00:00] ca[evil", "x]ca[evil", "x]  for[root", "a" * 8193,
    "a" * 1_000_000, "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("value", COMMANDS)
def test_commands(made: Ca, value: str) -> None:
    """What forges a log's line or a part of the key id."""
    _refused(made, "command", value)


@pytest.mark.parametrize(
    "value", ["", "echo '[ -f x ]' && a[1]", "rm -rf / ; $(x) `y`", "\U0001f600"]
)
def test_commands_that_are_only_odd_are_told(made: Ca, value: str) -> None:
    """A command is a text for the log; no shell ever sees it."""
    assert "certificate" in made.user(command=value)


@pytest.mark.parametrize("value", ["a] from[192.0.2.1", "ada\n", "", "\u0430da", "a" * 257])
def test_the_bastions_user(lax: Ca, value: str) -> None:
    """The key id says who it was, and nothing else."""
    _refused(lax, "bastion_user", value)


FIELDS = ["bastion_ips", "bastion_user", "bastion_user_ip", "command", "public_key_to_sign",
          "remote_usernames"]  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    ("value", "message"),
    [(..., "Missing data for required field."), (None, "Field may not be null."),
     (1, "Not a valid string."), (float("nan"), "Not a valid string."),
     (True, "Not a valid string."), (["ada"], "Not a valid string."),
     ({"a": {"b": []}}, "Not a valid string.")],
)  # fmt: skip
def test_shapes(made: Ca, field: str, value: Any, message: str) -> None:
    """Each field is a string, and is there."""
    assert message in _refused(made, field, value)


def test_a_token_may_be_missing_but_not_null(made: Ca) -> None:
    """BLESS's only optional field."""
    assert "Field may not be null." in _refused(made, "kmsauth_token", None)


@pytest.mark.parametrize("event", [None, [], "x", 1, [{}], float("nan")])
def test_no_object_is_no_request(made: Ca, event: Any) -> None:
    """Anything else that JSON can say."""
    told = made.issuer.user(event, None)  # type: ignore[arg-type]
    assert told["errorType"] == "InputValidationError"


def test_unknown_fields_are_refused_and_only_some_are_named(made: Ca) -> None:
    """``valid_before`` cannot be slipped in; a million names give a short answer."""
    assert "Unknown field" in _refused(made, "valid_before", str(2**64 - 1))
    many = {f"{number}{'x' * 500}": 1 for number in range(10_000)}
    assert len(made.user(**many)["errorMessage"]) < 4_000


HOSTS = [
    "", ",", "a.com,", "a.com,a.com", "*.example.com", "*", "?", "a_b.com", "a.com:22",
    "user@a.com", "a.com/x", "a.com\n", "[::1]", "a com", "-a.com", "a-.com", "a..com", ".",
    "300.1.1.1", "1.2.3", "\u0430.com", "x" * 64 + ".com", "a." * 130 + "com", "ssh://a.com",
    "a.com#", "a.com?x", ",".join(f"h{number}" for number in range(257)),
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTS)
def test_hosts(made: Ca, value: str) -> None:
    """Names and addresses; no patterns, ports, paths or users."""
    counting = made.counted()
    told = made.host(hostnames=value)
    assert (told["errorType"], counting.count) == ("InputValidationError", 0)


@pytest.mark.parametrize("value", ["*", "a?", "!a", "a\nb", "", "a,a", "a b"])
def test_hosts_that_nothing_validates(tmp_path: Path, value: str) -> None:
    """A pattern would be any host, also where BLESS's validation is off."""
    made = ca(tmp_path, "[Bless Options]\nhostname_validation = disabled\n", key=QUICK)
    counting = made.counted()
    told = made.host(hostnames=value)
    assert (told["errorType"], counting.count) == ("InputValidationError", 0)


@pytest.mark.parametrize(
    ("before", "after"), [(0, 0), (-60, 0), (-60, 60), (0, -1), (2_000_000_000, 60)]
)
def test_validity(tmp_path: Path, before: int, after: int) -> None:
    """A certificate that is never valid, or from before the epoch on, is not signed."""
    made = ca(
        tmp_path,
        f"[Bless Options]\ncertificate_validity_before_seconds = {before}\n"
        f"certificate_validity_after_seconds = {after}\n",
    )
    counting = made.counted()
    with pytest.raises(ValueError, match="Impossible validity period"):
        made.user()
    assert counting.count == 0


def test_a_time_beyond_64_bits_is_no_time(tmp_path: Path) -> None:
    """Nor one that no calendar has."""
    made = ca(tmp_path, f"[Bless Options]\ncertificate_validity_after_seconds = {2**64}\n")
    counting = made.counted()
    with pytest.raises((ValueError, OverflowError, OSError)):
        made.user()
    assert counting.count == 0
