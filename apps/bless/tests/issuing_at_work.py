"""A CA at work in a process of its own, for tests that kill it. No asserts.

``python issuing_at_work.py FOLDER COUNT`` issues with keys that lie beside the state, eight at
once, and writes each answer as a line as soon as it left the CA.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from issuing_kit import ADA, Key, Memory, asked, opened
from sshca.signers import load

KEYS = "keys.json"
AT_ONCE = 8


def keep(memory: Memory, folder: Path) -> None:
    """Write the CA's keys, as a KMS would have them."""
    told = {
        name: signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        for name, signer in memory.kept.items()
    }
    (folder / KEYS).write_text(json.dumps(told))


def kept(folder: Path) -> Memory:
    """Read them again."""
    told = json.loads((folder / KEYS).read_text())
    return Memory({name: load(pem.encode(), None) for name, pem in told.items()})


async def work(folder: Path, count: int) -> None:
    """Issue, until it is enough or somebody kills the process."""
    _, operations = opened(folder, kept(folder))

    async def one() -> None:
        for _ in range(count):
            key = Key()
            event = {"do": "issue"} | key.proved(asked(key))
            answer = await operations.answer(event, ADA)
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()

    await asyncio.gather(*(one() for _ in range(AT_ONCE)))


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), int(sys.argv[2])))
