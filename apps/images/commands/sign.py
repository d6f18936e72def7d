"""`dynimo images sign URL …`: native URLs with their signatures, one a line.

The key comes from a file or a variable, never from the command line, where others could read it.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping
from pathlib import Path

import signing
from commands import options
from dialects import native
from dynimo.sdk.commands import CommandError

KEY_VARIABLE = "DYNIMO_IMAGES_KEY"
OK, USAGE = 0, 2


def add(verbs: options.Verbs[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = verbs.add_parser("sign", help="Sign native image URLs.")
    parser.add_argument("url", nargs="+", help="a path with its query, or http://HOST/PATH?QUERY")
    parser.add_argument(
        "--key-file", type=Path, help=f"a file that holds the key  [the variable {KEY_VARIABLE}]"
    )
    parser.add_argument(
        "--lasting", type=int, metavar="SECONDS", help="from now on; for ever if not said"
    )
    parser.set_defaults(run=run)


def run(typed: argparse.Namespace) -> int:
    """Print each URL with its signature; one that is there is replaced."""
    key = key_of(typed.key_file, os.environ)
    ends = None if typed.lasting is None else int(time.time()) + typed.lasting
    for url in typed.url:
        options.say(signed(url, key, ends))
    return OK


def key_of(file: Path | None, environment: Mapping[str, str]) -> str:
    """Read the key.

    Raises:
        CommandError: there is none, or it is too short for any server.
    """
    found = file.read_text("utf-8").strip("\r\n") if file else environment.get(KEY_VARIABLE, "")
    if len(found) < signing.KEY_CHARACTERS_MIN:
        where = str(file) if file else f"the variable {KEY_VARIABLE}"
        least = signing.KEY_CHARACTERS_MIN
        raise CommandError(f"{where} must hold a key of at least {least} characters", USAGE)
    return found


def signed(url: str, key: str, ends: int | None = None) -> str:
    """Give a URL with its signature, and its end if there is one.

    Raises:
        CommandError: it is no native URL.
    """
    address, _, query = url.partition("?")
    start = address.find(native.PREFIX, address.find("://") + 3 if "://" in address else 0)
    if start < 0 or not url.isascii() or " " in url or (start > 0 and "://" not in address):
        form = f"{native.PREFIX}NAME/path?…, percent-encoded"
        raise CommandError(f"{url} must be a URL of the form {form}", USAGE)
    pieces = [
        piece
        for piece in filter(None, query.split("&"))
        if piece.partition("=")[0] != signing.NAME
        and (ends is None or piece.partition("=")[0] != "expires")
    ]
    if ends is not None:
        pieces.append(f"expires={ends}")
    query = "&".join(pieces)
    signature = signing.sign(address[start:], query, key)
    return f"{address}?{'&'.join((*pieces, f'{signing.NAME}={signature}'))}"
