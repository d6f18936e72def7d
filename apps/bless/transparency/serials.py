"""Serial numbers of certificates: 64 bits by chance, unique because the log says so.

A serial is in the log, on the disk, before anybody sees it; what cannot be recorded has none.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from transparency.log import Log, SerialTakenError
from transparency.record import Record

SERIAL_BITS = 64
TRIES_MAX = 4
"""Among a million certificates a draw is taken once in 10**13; four times in a row is a fault."""


def drawn() -> int:
    """A serial by chance; never 0, which OpenSSH cannot revoke."""
    return secrets.randbits(SERIAL_BITS) or 1


def recorded(
    log: Log, made: Callable[[int], Record], draw: Callable[[], int] = drawn
) -> tuple[Record, int]:
    """Draw a serial, make the record with it and log it; return both the record and its number.

    Sign the certificate only after this has returned.

    Raises:
        SerialTakenError: every try was taken: the source of chance is broken.
        StoreError, RecordError: nothing was recorded, so nothing may be issued.
    """
    for _ in range(TRIES_MAX):
        record = made(draw())
        try:
            return record, log.append(record)
        except SerialTakenError:
            continue
    raise SerialTakenError(
        f"{TRIES_MAX} serials by chance were all taken, so nothing is issued:"
        " this machine's source of chance is broken."
    )
