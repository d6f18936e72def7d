"""Where the CA is for those who have no key to it: addresses of what it publishes."""

from __future__ import annotations

import argparse
import os

from dynimo.sdk.commands import CommandError, platform
from ssh_commands.options import USAGE

KRL, USER_CA, HOST_CA, KNOWN_HOSTS = (
    "/ssh/krl", "/ssh/ca/user", "/ssh/ca/host", "/ssh/ca/known_hosts",
)  # fmt: skip


def add_url(parser: argparse.ArgumentParser) -> None:
    """Let it be fetched over HTTP, without any key."""
    parser.add_argument("--url", help="where it is published  [the server that is talked to]")
    parser.add_argument(
        "--plain-http", action="store_true", help="allow HTTP that is neither encrypted nor local"
    )


def url(typed: argparse.Namespace, path: str) -> str:
    """The address that was typed, or that of the server which verbs talk to."""
    return typed.url or base(typed) + path


def base(typed: argparse.Namespace) -> str:
    """The server's address, without a slash at its end.

    Raises:
        CommandError: none is known.
    """
    if not typed.data and os.environ.get("AWS_ENDPOINT_URL"):
        return os.environ["AWS_ENDPOINT_URL"].rstrip("/")
    data = ("--data", typed.data) if typed.data else ()
    told = platform("env", "--json", *data).json
    found = told.get("AWS_ENDPOINT_URL") if isinstance(told, dict) else None
    if not found:
        raise CommandError("which server? Say --url, or set AWS_ENDPOINT_URL", USAGE)
    return str(found).rstrip("/")
