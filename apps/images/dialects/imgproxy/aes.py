"""AES-CBC, decrypting only, for encrypted source URLs. Pure Python: FIPS 197 and SP 800-38A.

Small and slow enough for a few blocks; its tables are made on first use. Nothing here is safe from
who can time the memory of this process.
"""

from __future__ import annotations

from functools import lru_cache

BLOCK = 16
KEY_BYTES = (16, 24, 32)


class Unreadable(ValueError):
    """The text was not encrypted with this key, or was cut."""


def decrypt(key: bytes, data: bytes) -> bytes:
    """Decrypt what begins with its initialisation vector, and take the padding (PKCS #7) off.

    Raises:
        Unreadable: it has no whole blocks, or its padding is none.
    """
    if len(data) < 2 * BLOCK or len(data) % BLOCK:
        raise Unreadable
    keys = _schedule(key)
    plain = bytearray()
    for start in range(BLOCK, len(data), BLOCK):
        block = int.from_bytes(_block(keys, data[start : start + BLOCK]), "big")
        before = int.from_bytes(data[start - BLOCK : start], "big")
        plain += (block ^ before).to_bytes(BLOCK, "big")
    count = plain[-1]
    if not 1 <= count <= BLOCK or plain[-count:] != bytes([count]) * count:
        raise Unreadable
    return bytes(plain[:-count])


def _double(value: int) -> int:
    value <<= 1
    return value ^ 0x11B if value & 0x100 else value


@lru_cache(maxsize=1)
def _boxes() -> tuple[bytes, bytes]:
    """The substitution box and its inverse."""
    powers, logs, value = [0] * 256, [0] * 256, 1
    for exponent in range(255):
        powers[exponent], logs[value] = value, exponent
        value ^= _double(value)  # times 3, which generates all
    box = bytearray(256)
    for each in range(256):
        inverse = powers[(255 - logs[each]) % 255] if each else 0
        turned = inverse
        for _ in range(4):
            inverse = ((inverse << 1) | (inverse >> 7)) & 0xFF
            turned ^= inverse
        box[each] = turned ^ 0x63
    back = bytearray(256)
    for each, image in enumerate(box):
        back[image] = each
    return bytes(box), bytes(back)


@lru_cache(maxsize=1)
def _mixes() -> tuple[tuple[int, ...], ...]:
    """Inverse MixColumns of one byte in each of the four rows, as words."""
    words = []
    for value in range(256):
        two = _double(value)
        four = _double(two)
        eight = _double(four)
        nine = eight ^ value
        word = ((eight ^ four ^ two) << 24) | (nine << 16) | ((nine ^ four) << 8) | (nine ^ two)
        words.append(word)
    return tuple(
        tuple(((word >> turn) | (word << (32 - turn))) & 0xFFFFFFFF for word in words)
        for turn in (0, 8, 16, 24)
    )


@lru_cache(maxsize=4)
def _schedule(key: bytes) -> tuple[tuple[int, ...], ...]:
    """Round keys in the order of decryption, for the equivalent inverse cipher."""
    box, _ = _boxes()
    count = len(key) // 4
    words = [int.from_bytes(key[4 * each : 4 * each + 4], "big") for each in range(count)]
    constant = 1
    for at in range(count, 4 * (count + 7)):
        word = words[-1]
        if at % count == 0:
            word = ((word << 8) | (word >> 24)) & 0xFFFFFFFF
            word = _substituted(word, box) ^ (constant << 24)
            constant = _double(constant)
        elif count > 6 and at % count == 4:
            word = _substituted(word, box)
        words.append(words[at - count] ^ word)
    rounds = [tuple(words[at : at + 4]) for at in range(0, len(words), 4)][::-1]
    inner = (tuple(map(_unmixed, each)) for each in rounds[1:-1])
    return (rounds[0], *inner, rounds[-1])


def _substituted(word: int, box: bytes) -> int:
    return int.from_bytes(bytes(box[each] for each in word.to_bytes(4, "big")), "big")


def _unmixed(word: int) -> int:
    a, b, c, d = _mixes()
    return a[word >> 24] ^ b[(word >> 16) & 255] ^ c[(word >> 8) & 255] ^ d[word & 255]


def _block(keys: tuple[tuple[int, ...], ...], block: bytes) -> bytes:
    """Decrypt one block."""
    _, back = _boxes()
    a, b, c, d = _tables()
    state = [int.from_bytes(block[4 * at : 4 * at + 4], "big") ^ keys[0][at] for at in range(4)]
    for key in keys[1:-1]:
        state = [
            a[state[at] >> 24]
            ^ b[(state[at - 1] >> 16) & 255]
            ^ c[(state[at - 2] >> 8) & 255]
            ^ d[state[at - 3] & 255]
            ^ key[at]
            for at in range(4)
        ]
    last = keys[-1]
    found = bytearray()
    for at in range(4):
        found += bytes(
            back[(state[at - row] >> (24 - 8 * row)) & 255] ^ ((last[at] >> (24 - 8 * row)) & 255)
            for row in range(4)
        )
    return bytes(found)


@lru_cache(maxsize=1)
def _tables() -> tuple[tuple[int, ...], ...]:
    """Inverse substitution and inverse MixColumns in one step, by row."""
    _, back = _boxes()
    return tuple(tuple(mix[back[value]] for value in range(256)) for mix in _mixes())
