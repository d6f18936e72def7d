"""Why a key that is well formed must not be certified: too small, or known to be breakable.

Cheap checks only, with no list of known keys: sizes, exponents, small factors, primes that are
close together (Fermat), the ROCA pattern (CVE-2017-15361), moduli that no chance made, points of
small order, private halves that anybody guesses, keys in tokens that are a web site's.
"""

from __future__ import annotations

import math

from sshca.public_key import PublicKey
from sshca.wire import Reader

RSA_BITS_MIN, RSA_BITS_MAX = 2048, 8192
RSA_EXPONENT_MIN = 65537
SMALL_PRIMES_BELOW = 752
FERMAT_STEPS = 64
ONES_MIN, ONES_MAX = 0.40, 0.60
"""Of a modulus's bits: chance leaves this range in one key of 10**18 at most."""
APPLICATION_BEGINS = b"ssh:"
"""As ssh-keygen demands; any other is a web site's, and its pages could ask the token to sign."""

_ED25519_P = 2**255 - 19
_ED25519_D = -121665 * pow(121666, -1, _ED25519_P) % _ED25519_P
_ORDER_EIGHT = int("2707385501144840649318225287225658788936804267575313519463743609750303402022")
SMALL_ORDER = frozenset({0, 1, _ED25519_P - 1, _ORDER_EIGHT, _ED25519_P - _ORDER_EIGHT})
"""The y of the eight points whose order divides 8; the test computes them anew."""


_BASE_X = frozenset(
    bytes.fromhex("".join(words.split()))
    for words in (
        "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        """aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b98
           59f741e082542a385502f25dbf55296c3a545e3872760ab7""",
        """00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb5
           21f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de
           3348b3c1856a429bf97e7e31c2e5bd66""",
    )
)
"""The curves' base points, whose private halves are 1 and -1 (FIPS 186; the test makes them)."""


def _primes(below: int) -> list[int]:
    return [n for n in range(3, below) if all(n % d for d in range(2, math.isqrt(n) + 1))]


_SMALL = _primes(SMALL_PRIMES_BELOW)
_SMALL_PRODUCT = math.prod(_SMALL)
_ROCA_PRIMES = [prime for prime in _SMALL if prime <= 167]
_ROCA = {prime: frozenset(pow(65537, k, prime) for k in range(prime)) for prime in _ROCA_PRIMES}


_SQUARES = frozenset(number * number % 64 for number in range(64))
"""One number in five ends like a square; only of those is the root taken."""


def weakness(key: PublicKey) -> str:
    """What is wrong with it, in a few words; empty when nothing is."""
    if key.numbers:
        return _of_rsa(*key.numbers)
    if key.kind.name.startswith("sk-"):
        application = Reader(key.fields).strings()[-1]
        if not application.startswith(APPLICATION_BEGINS):
            return "a security key that was made for something else than SSH"
    if key.kind.family.startswith("ED25519"):
        return _of_ed25519(key.fields[4:36])
    point = Reader(key.fields).strings()[1]
    return "an ECDSA key that anybody guesses" if point[1 : 1 + len(point) // 2] in _BASE_X else ""


def on_its_curve(key: PublicKey) -> bool:
    """Whether an Ed25519 key is a point at all; half of all 32 bytes are none.

    It takes a tenth of a millisecond, so it is for who certifies without a proof of possession: no
    signature holds for such a key. Points of other curves are checked when they are read.
    """
    if not key.kind.family.startswith("ED25519"):
        return True
    y = int.from_bytes(key.fields[4:36], "little") & (2**255 - 1)
    square = y * y % _ED25519_P
    # x² is (y² - 1) / (dy² + 1) (RFC 8032, section 5.1.3), a square when their product is one
    product = (square - 1) * (_ED25519_D * square + 1) % _ED25519_P
    return pow(product, (_ED25519_P - 1) // 2, _ED25519_P) != _ED25519_P - 1


def _of_rsa(exponent: int, modulus: int) -> str:
    bits = modulus.bit_length()
    if not RSA_BITS_MIN <= bits <= RSA_BITS_MAX:
        return f"an RSA key has {RSA_BITS_MIN} to {RSA_BITS_MAX} bits; this one has {bits}"
    if exponent < RSA_EXPONENT_MIN or exponent % 2 == 0:
        return f"an RSA exponent is odd and at least {RSA_EXPONENT_MIN}"
    if exponent.bit_length() > 64:
        return "an RSA exponent of more than 64 bits"
    if modulus % 2 == 0 or math.gcd(modulus, _SMALL_PRODUCT) != 1:
        return "the RSA modulus has a small factor"
    if not ONES_MIN <= modulus.bit_count() / bits <= ONES_MAX:
        return "the RSA modulus was not made by chance"
    if all(modulus % prime in powers for prime, powers in _ROCA.items()):
        return "the RSA key was made by a chip with a known fault (CVE-2017-15361)"
    return "the primes of the RSA key are close together" if _close(modulus) else ""


def _close(modulus: int) -> bool:
    """Whether a few steps of Fermat's method take it apart."""
    middle = math.isqrt(modulus)
    middle += middle * middle < modulus
    for step in range(FERMAT_STEPS):
        square = (middle + step) ** 2 - modulus
        if square % 64 in _SQUARES and math.isqrt(square) ** 2 == square:
            return True
    return False


def _of_ed25519(point: bytes) -> str:
    y = int.from_bytes(point, "little") & (2**255 - 1)
    if y >= _ED25519_P or y in SMALL_ORDER:
        return "an Ed25519 key of small order"
    return ""
