"""Arguments that several commands take, and what they mean."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

WARMED_MAX = 1_000
"""Addresses that the platform's verb warms at most."""

Verbs = argparse._SubParsersAction  # noqa: SLF001 - argparse has no other name for it


def add_json(parser: argparse.ArgumentParser) -> None:
    """Let it answer in JSON."""
    parser.add_argument("--json", action="store_true", dest="as_json", help="answer in JSON")


def add_data(parser: argparse.ArgumentParser) -> None:
    """Let it name the server, as the platform's verbs do."""
    parser.add_argument("--data", help="data folder of the server to talk to")


def data(typed: argparse.Namespace) -> tuple[str, ...]:
    """What the platform's verbs are told about which server."""
    return ("--data", typed.data) if typed.data else ()


def add_request(parser: argparse.ArgumentParser) -> None:
    """Let it say more about a request than its URL."""
    parser.add_argument(
        "--header", action="append", default=[], metavar="NAME:VALUE", type=header,
        help="may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--now", type=moment, metavar="TIME", help="as if it were 2026-12-01T00:00:00Z"
    )


def number(text: str) -> int:
    """Read how many addresses are to be warmed.

    Raises:
        argparse.ArgumentTypeError: it is no number, or out of bounds.
    """
    if not text.isdecimal() or not 1 <= int(text) <= WARMED_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {WARMED_MAX}")
    return int(text)


def header(text: str) -> str:
    """Check that it is ``NAME:VALUE``.

    Raises:
        argparse.ArgumentTypeError: it is not.
    """
    if not text.partition(":")[0].strip() or ":" not in text:
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME:VALUE, such as Accept-Language:de")
    return text


def moment(text: str) -> float:
    """Read a time with its offset.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            raise ValueError
        return found.timestamp()
    except (ValueError, OverflowError):
        reason = f"{text!r} is no time with its offset, such as 2026-12-01T00:00:00Z"
        raise argparse.ArgumentTypeError(reason) from None


def headers(given: Sequence[str]) -> Mapping[str, str]:
    """Read ``NAME:VALUE`` pairs; names become lower case."""
    pairs = (each.partition(":") for each in given)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def say(text: str) -> None:
    """Print for people."""
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def say_json(value: Any) -> None:
    """Print for programs."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
