"""`dynimo ssh krl show | fetch | revoke`: what is revoked, and how hosts come to know."""

from __future__ import annotations

import argparse
import base64
from pathlib import Path
from typing import Any

from dynimo.sdk.commands import CommandError
from revocation.krl import EVERY_CA
from revocation.reading import KRL_BYTES_MAX, KrlError, read
from ssh_commands import (
    ca_calls,
    certificates,
    fetching,
    options,
    places,
    printing,
    requesting,
    subject,
)
from ssh_commands.options import FAILED, OK, UNCHANGED, USAGE
from sshca.public_key import from_blob

SERIALS_MAX = 100_000
"""Of one range: as many as the CA takes at once."""


def add(parser: argparse.ArgumentParser, _name: str) -> None:
    """Declare the commands."""
    verbs = options.under(parser)
    show = verbs.add_parser("show", help="Print what is revoked.")
    show.add_argument("--file", type=Path, help="a list on this machine instead of the CA's")
    show.set_defaults(run=shown)
    fetch = verbs.add_parser("fetch", help="Keep a host's list fresh; for a timer.")
    fetch.add_argument("--to", type=Path, required=True, help="what sshd's RevokedKeys names")
    places.add_url(fetch)
    fetch.add_argument(
        "--exit-code", action="store_true", help=f"exit with {UNCHANGED} if nothing changed"
    )
    fetch.add_argument("--older", action="store_true", help="take a list older than what is there")
    fetch.set_defaults(run=fetched)
    revoke = verbs.add_parser("revoke", help="Revoke certificates or keys.")
    for name, shown_as, about in (
        ("serial", "N", "a certificate, by its serial; or N-M, all between"),
        ("key-id", "TEXT", "certificates, by their key id"),
        ("key", "FILE", "a public key, and with it all its certificates"),
        ("fingerprint", "SHA256:…", "the same, by its fingerprint"),
        ("certificate", "FILE", "a certificate, by what it says"),
        ("ca", "FILE", "a key of this CA, and all that it signed"),
    ):
        revoke.add_argument(
            f"--{name}", action="append", default=[], metavar=shown_as,
            help=f"{about}; may be repeated",
        )  # fmt: skip
    revoke.add_argument("--reason", required=True, help="for the log")
    revoke.set_defaults(run=revoked)
    for each in (show, fetch, revoke):
        options.add_common(each)


def shown(typed: argparse.Namespace) -> int:
    """Read the list as sshd would, and say what is in it."""
    data = typed.file.read_bytes() if typed.file else _current(typed)
    told = summary(data)
    if typed.as_json:
        printing.say_json(told)
        return OK
    printing.say(f"Version {told['version']}, of {printing.moment(told['generated'])}.")
    if not (told["certificates"] or told["keys"] or told["fingerprints"]):
        printing.say("Nothing is revoked.")
    for section in told["certificates"]:
        for low, high in section["serials"]:
            printing.say(
                f"  serial       {low if low == high else f'{low}-{high}'}  {section['ca']}"
            )
        for each in section["key_ids"]:
            printing.say(f"  key id       {printing.printable(each)}  {section['ca']}")
    for each in told["keys"]:
        printing.say(f"  key          {each}")
    for each in told["fingerprints"]:
        printing.say(f"  fingerprint  {each}")
    return OK


def _current(typed: argparse.Namespace) -> bytes:
    return base64.b64decode(ca_calls.call(typed, "krl")["krl"])


def summary(data: bytes) -> dict[str, Any]:
    """What a list says, for programs. Raises CommandError when it is none."""
    try:
        krl = read(data)
    except KrlError as error:
        raise CommandError(f"that is no revocation list: {error}", FAILED) from None

    def printed(digest: bytes) -> str:
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"

    return {
        "version": krl.version, "generated": krl.generated, "bytes": len(data),
        "certificates": [
            {
                "ca": "every CA" if ca == EVERY_CA else from_blob(ca).sha256,
                "serials": [list(each) for each in section.serials],
                "key_ids": sorted(each.decode("utf-8", "replace") for each in section.key_ids),
            }
            for ca, section in krl.certificates.items()
        ],
        "keys": sorted(from_blob(each).sha256 for each in krl.keys),
        "fingerprints": sorted(map(printed, krl.sha256)),
    }  # fmt: skip


def fetched(typed: argparse.Namespace) -> int:
    """Replace the file if there is another list, whole and not older than what is there."""

    def check(data: bytes, old: bytes | None) -> None:
        version = summary(data)["version"]
        if old is None or typed.older:
            return
        try:
            before = summary(old)["version"]
        except CommandError:
            return  # what is there is no list: anything whole is better
        if version < before:
            text = f"version {version} is older than {before}, which is there; --older takes it"
            raise CommandError(text, FAILED)

    source = fetching.Source(places.url(typed, places.KRL), typed.plain_http, KRL_BYTES_MAX)
    got = fetching.fetch(source, typed.to, check)
    told = summary(typed.to.read_bytes())
    said = {
        "changed": got.changed, "file": str(typed.to), "version": told["version"],
        "age_seconds": got.age_seconds,
    }  # fmt: skip
    if typed.as_json:
        printing.say_json(said)
    else:
        how = "changed" if got.changed else "unchanged"
        printing.say(f"{typed.to}: {how}, version {told['version']}")
    return OK if got.changed or not typed.exit_code else UNCHANGED


def revoked(typed: argparse.Namespace) -> int:
    """Have the CA put them on its list."""
    members = _named(typed)
    if not any(members.values()):
        text = "say what: --serial, --key-id, --key, --fingerprint, --certificate or --ca"
        raise CommandError(text, USAGE)
    given = {name: each for name, each in members.items() if each}
    told = ca_calls.call(typed, "revoke", **given, reason=typed.reason)
    if typed.as_json:
        printing.say_json(told)
    else:
        printing.say(f"Revoked, in version {told['krl_version']} of the list. Hosts know when they"
                     " fetch it next: dynimo ssh krl fetch --to FILE")  # fmt: skip
    return OK


def _named(typed: argparse.Namespace) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {
        "serials": [one for each in typed.serial for one in serials(each)],
        "key_ids": list(typed.key_id),
        "keys": [_line(each) for each in typed.key],
        "fingerprints": list(typed.fingerprint),
        "ca": [_line(each) for each in typed.ca],
    }
    for each in typed.certificate:
        try:
            one = certificates.parsed(options.content(each)).certificate
        except CommandError as error:
            raise CommandError(f"{each}: {error}", error.code) from None
        if one.serial:
            found["serials"].append(str(one.serial))
        else:
            found["key_ids"].append(one.key_id)
    return found


def serials(text: str) -> list[str]:
    """``N``, or all of ``N-M``. Raises CommandError."""
    low, _, high = text.partition("-")
    if not (low.isdecimal() and (high or low).isdecimal() and text.isascii()):
        raise CommandError(f"{text!r} is no serial, such as 7 or 7-12", USAGE)
    first, last = int(low), int(high or low)
    if not first <= last < first + SERIALS_MAX:
        raise CommandError(f"{text!r} is no range of at most {SERIALS_MAX} serials", USAGE)
    return [str(each) for each in range(first, last + 1)]


def _line(path: str) -> str:
    """A key's line without its comment. Raises CommandError."""
    return requesting.line_of(subject.in_file(Path(path)))
