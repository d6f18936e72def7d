"""``dynimo access``: users, roles, access keys and policies of a data folder.

A running server sees every change at its next request. Secrets are shown when they are made, once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from dynimo.cli import exits
from dynimo.cli.connecting import Refused, data_option, json_option, keyring_of

POLICY_BYTES_MAX = 256 * 1024
_account_option: Callable[[Any], Any] = click.option(
    "--account", default="", help="Another account than the platform's own (12 digits)."
)


def _options(function: Any) -> Any:
    return data_option(json_option(_account_option(function)))


def _whose(function: Any) -> Any:
    user = click.option("--user", default="", help="Whose policy: this user's.")
    return _options(user(click.option("--role", default="", help="Or this role's.")(function)))


@click.group("access")
def command() -> None:
    """Manage who may use the platform: users, roles, access keys and policies.

    \b
    Examples:
      dynimo access user add ada --everything
      dynimo access key add ada
      dynimo access policy attach --user ada invoke-only policy.json
    """


@command.group("user")
def user() -> None:
    """Users: those who have access keys of their own."""


@user.command("add")
@click.argument("name")
@click.option("--everything", is_flag=True, help="Let this user do everything.")
@_options
def user_add(name: str, everything: bool, data: str, as_json: bool, account: str) -> int:
    """Make a user; without a policy a user may do nothing."""
    from dynimo.identity.entities import FULL_RIGHTS

    with keyring_of(Path(data)) as keyring:
        made = keyring.add("user", name, account=account)
        if everything:
            keyring.attach("user", name, "everything", FULL_RIGHTS, account)
    return _tell(_entity(made), f"user {made.arn}", as_json=as_json)


@user.command("list")
@_options
def user_list(data: str, as_json: bool, account: str) -> int:
    """Show the users, with their keys and policies."""
    with keyring_of(Path(data)) as keyring:
        rows = [
            {
                **_entity(each),
                "AccessKeys": [key.id for key in keyring.keys(each.name, account)],
                "Policies": list(each.policies),
            }
            for each in keyring.entities("user", account)
        ]
    lines = [
        f"{row['UserName']:<24} {_keys(len(row['AccessKeys'])):<8}"
        f"{', '.join(row['Policies']) or '-'}"
        for row in rows
    ]
    return _tell({"Users": rows}, "\n".join(lines) or "no users", as_json=as_json)


@user.command("remove")
@click.argument("name")
@_options
def user_remove(name: str, data: str, as_json: bool, account: str) -> int:
    """Remove a user, with the keys and policies."""
    with keyring_of(Path(data)) as keyring:
        keys = keyring.remove("user", name, account)
    return _tell(
        {"UserName": name, "AccessKeysRemoved": keys},
        f"removed, with {_keys(keys)}",
        as_json=as_json,
    )


@command.group("key")
def key() -> None:
    """Access keys of users."""


@key.command("add")
@click.argument("name")
@_options
def key_add(name: str, data: str, as_json: bool, account: str) -> int:
    """Make an access key for a user. Its secret is shown now and never again."""
    with keyring_of(Path(data)) as keyring:
        first = keyring.empty
        made, secret = keyring.add_key(name, account)
    shown = {
        "UserName": made.user, "AccessKeyId": made.id, "SecretAccessKey": secret,
        "Status": "Active", "CreateDate": made.created,
    }  # fmt: skip
    text = f"access key  {made.id}\nsecret      {secret}  (shown once)"
    if first:
        click.echo("From now on every request needs a key.", err=True)
    return _tell(shown, text, as_json=as_json)


@key.command("list")
@click.argument("name", default="")
@_options
def key_list(name: str, data: str, as_json: bool, account: str) -> int:
    """Show the access keys of a user, or all; never their secrets."""
    with keyring_of(Path(data)) as keyring:
        if name:
            keyring.require("user", name, account)
        rows = [
            {
                "UserName": each.user,
                "AccessKeyId": each.id,
                "Status": "Active" if each.active else "Inactive",
                "CreateDate": each.created,
            }
            for each in keyring.keys(name, account)
        ]
    lines = [
        f"{row['AccessKeyId']}  {row['Status']:<8}  {row['CreateDate']}  {row['UserName']}"
        for row in rows
    ]
    return _tell({"AccessKeys": rows}, "\n".join(lines) or "no keys", as_json=as_json)


@key.command("disable")
@click.argument("key_id")
@click.option("--undo", is_flag=True, help="Let it work again.")
@_options
def key_disable(key_id: str, undo: bool, data: str, as_json: bool, account: str) -> int:  # noqa: ARG001
    """Let an access key work no more, until ``--undo``."""
    with keyring_of(Path(data)) as keyring:
        keyring.set_active(key_id, active=undo)
    status = "Active" if undo else "Inactive"
    return _tell({"AccessKeyId": key_id, "Status": status}, status.lower(), as_json=as_json)


@key.command("remove")
@click.argument("key_id")
@_options
def key_remove(key_id: str, data: str, as_json: bool, account: str) -> int:  # noqa: ARG001
    """Remove an access key."""
    with keyring_of(Path(data)) as keyring:
        keyring.remove_key(key_id)
        last = keyring.empty
    if last:
        click.echo("No key is left: whoever is on the server's machine may do all.", err=True)
    return _tell({"AccessKeyId": key_id}, "removed", as_json=as_json)


@command.group("role")
def role() -> None:
    """Roles: rights that users and functions take on."""


@role.command("add")
@click.argument("name")
@click.option("--trust", "trust", default="", help="Who may take it on: a policy's file, or -.")
@_options
def role_add(name: str, trust: str, data: str, as_json: bool, account: str) -> int:
    """Make a role. Without --trust: its account's users (as their policies say), and functions."""
    with keyring_of(Path(data)) as keyring:
        text = _read(trust) if trust else _default_trust(account or keyring.account)
        made = keyring.add("role", name, account=account, trust=text)
    return _tell(_entity(made), f"role {made.arn}", as_json=as_json)


@role.command("list")
@_options
def role_list(data: str, as_json: bool, account: str) -> int:
    """Show the roles, with their policies and who may take them on."""
    with keyring_of(Path(data)) as keyring:
        rows = [
            {**_entity(each), "Policies": list(each.policies)}
            for each in keyring.entities("role", account)
        ]
    lines = [f"{row['RoleName']:<24} {', '.join(row['Policies']) or '-'}" for row in rows]
    return _tell({"Roles": rows}, "\n".join(lines) or "no roles", as_json=as_json)


@role.command("remove")
@click.argument("name")
@_options
def role_remove(name: str, data: str, as_json: bool, account: str) -> int:
    """Remove a role with its policies; its sessions end at once."""
    with keyring_of(Path(data)) as keyring:
        keyring.remove("role", name, account)
    return _tell({"RoleName": name}, "removed", as_json=as_json)


@command.group("policy")
def policy() -> None:
    """Policies of users and roles: what they may do."""


@policy.command("attach")
@click.argument("name")
@click.argument("file")
@_whose
def policy_attach(
    name: str, file: str, user: str, role: str, data: str, as_json: bool, account: str
) -> int:
    """Give a user or role the policy in FILE (JSON; - reads it from standard input) as NAME."""
    kind, owner = _owner(user, role)
    with keyring_of(Path(data)) as keyring:
        keyring.attach(kind, owner, name, _read(file), account)
    return _tell({"PolicyName": name, "Of": f"{kind}/{owner}"}, "attached", as_json=as_json)


@policy.command("list")
@_whose
def policy_list(user: str, role: str, data: str, as_json: bool, account: str) -> int:
    """Show the policies of a user or role."""
    kind, owner = _owner(user, role)
    with keyring_of(Path(data)) as keyring:
        found = keyring.require(kind, owner, account).policies
    rows = {name: json.loads(text) for name, text in found.items()}
    lines = [f"{name}\n{json.dumps(each, indent=2)}" for name, each in rows.items()]
    return _tell({"Policies": rows}, "\n".join(lines) or "no policies", as_json=as_json)


@policy.command("remove")
@click.argument("name")
@_whose
def policy_remove(name: str, user: str, role: str, data: str, as_json: bool, account: str) -> int:
    """Take the policy NAME away from a user or role."""
    kind, owner = _owner(user, role)
    with keyring_of(Path(data)) as keyring:
        keyring.detach(kind, owner, name, account)
    return _tell({"PolicyName": name, "Of": f"{kind}/{owner}"}, "removed", as_json=as_json)


def _keys(count: int) -> str:
    return "1 key" if count == 1 else f"{count} keys"


def _owner(user: str, role: str) -> tuple[str, str]:
    if bool(user) == bool(role):
        raise click.UsageError("name --user or --role, one of them")
    return ("user", user) if user else ("role", role)


def _entity(entity: Any) -> dict[str, Any]:
    """A user or role as AWS's IAM shows it."""
    word = entity.kind.capitalize()
    shown = {
        f"{word}Name": entity.name, f"{word}Id": entity.id, "Arn": entity.arn,
        "CreateDate": entity.created,
    }  # fmt: skip
    if entity.trust:
        shown["AssumeRolePolicyDocument"] = json.loads(entity.trust)
    return shown


def _default_trust(account: str) -> str:
    principal = {"AWS": f"arn:aws:iam::{account}:root", "Service": "lambda.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _read(file: str) -> str:
    try:
        if file == "-":
            text = sys.stdin.buffer.read(POLICY_BYTES_MAX + 1)
        else:
            with Path(file).open("rb") as source:
                text = source.read(POLICY_BYTES_MAX + 1)
        if len(text) > POLICY_BYTES_MAX:
            raise Refused(f"{file} is longer than {POLICY_BYTES_MAX} bytes.", exits.USAGE)
        return text.decode()
    except OSError as error:
        raise Refused(f"{file}: {error.strerror}.", exits.NOT_FOUND) from None
    except UnicodeDecodeError:
        raise Refused(f"{file} is no text in UTF-8.", exits.USAGE) from None


def _tell(document: dict[str, Any], text: str, *, as_json: bool) -> int:
    click.echo(json.dumps(document) if as_json else text)
    return exits.OK
