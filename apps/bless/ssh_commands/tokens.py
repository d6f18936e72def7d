"""Identity tokens that are given to the CA beside a request: from a file, from input, by a command.

A token is bound to the key, so who fetches it must know the nonce, which is made of the key.
"""

from __future__ import annotations

import argparse
import os
import subprocess
from typing import Any

from dynimo.sdk.commands import CommandError
from ssh_commands import printing, requesting
from ssh_commands.options import FAILED, USAGE, content
from ssh_commands.subject import Subject

NONCE_VARIABLE = "NONCE"
STANDARD_INPUT = "-"
COMMAND_SECONDS_MAX = 300
"""Somebody may have to log in in a browser."""


def token(typed: argparse.Namespace, subject: Subject) -> dict[str, Any] | None:
    """What was presented, as the CA takes it; None without any.

    Raises:
        CommandError: it cannot be had.
    """
    found: dict[str, Any] = {}
    if typed.oidc_token or typed.oidc_command:
        found["oidc"] = _oidc(typed, requesting.nonce_of(subject))
    if bool(typed.kmsauth_token) != bool(typed.kmsauth_user):
        raise CommandError("--kmsauth-token and --kmsauth-user go together", USAGE)
    if typed.kmsauth_token:
        told = content(typed.kmsauth_token).strip()
        found["kmsauth"] = {"user": typed.kmsauth_user, "token": told}
    return found or None


def _oidc(typed: argparse.Namespace, nonce: str) -> str:
    if typed.oidc_command:
        told = _printed(typed.oidc_command, nonce)
    else:
        if typed.oidc_token == STANDARD_INPUT:
            printing.hint(f"Nonce for the token: {nonce}")
        told = content(typed.oidc_token)
    if not told.strip():
        raise CommandError("there is no token in what was given", USAGE)
    return told.strip()


def _printed(command: str, nonce: str) -> str:
    try:
        ran = subprocess.run(
            ["sh", "-c", command], stdout=subprocess.PIPE, text=True, check=False,
            timeout=COMMAND_SECONDS_MAX, env={**os.environ, NONCE_VARIABLE: nonce},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CommandError("the command gave no token in time", FAILED) from None
    if ran.returncode:
        raise CommandError(f"the command for the token failed ({ran.returncode})", FAILED)
    return ran.stdout
