"""Why a key that is well formed must not be certified: too small, or known to be breakable.

Cheap checks only, with no list of known keys: sizes, exponents, small factors, primes that are
close together (Fermat), the ROCA pattern (CVE-2017-15361), and points of small order.
"""

from __future__ import annotations

import math

from sshca.public_key import PublicKey

RSA_BITS_MIN, RSA_BITS_MAX = 2048, 8192
RSA_EXPONENT_MIN = 65537
SMALL_PRIMES_BELOW = 752
FERMAT_STEPS = 64

_ED25519_P = 2**255 - 19
_ORDER_EIGHT = int("2707385501144840649318225287225658788936804267575313519463743609750303402022")
SMALL_ORDER = frozenset({0, 1, _ED25519_P - 1, _ORDER_EIGHT, _ED25519_P - _ORDER_EIGHT})
"""The y of the eight points whose order divides 8; the test computes them anew."""


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
    if key.kind.family.startswith("ED25519"):
        return _of_ed25519(key.fields[4:36])
    return ""


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
